//! Reads a log backwards: the moves before a position, and what was live at a time.

use serde::Serialize;

use crate::error::Result;
use crate::ledger::Snapshot;
use crate::record::{Body, Entry, EventStatus, PromotionEvent, Status, events};
use crate::value::{Digest, Timestamp};

/// Some moves of a channel, newest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Page {
    /// The moves.
    pub events: Vec<PromotionEvent>,
    /// Where the next page begins: give it as `before`. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// What was live on a channel at some time.
///
/// As JSON it is the move with two fields more, `open` and `drift`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LiveAt {
    /// The committed move that had made it live.
    #[serde(flatten)]
    pub event: PromotionEvent,
    /// The move that was open then, with the end that it came to: its put may have landed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<PromotionEvent>,
    /// The last time until then, since that move, that the tag was seen at another digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftSeen>,
}

/// An observation of drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DriftSeen {
    /// Where it stands in the log.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The live digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Digest>,
    /// What the registry answered; absent if the tag was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
}

/// How many entries are read at once, going back.
const BACK: u64 = 16;

/// How many moves or entries are read at once on the way to a time.
const PAGE: usize = 64;

/// The last committed move, as far as the log was read.
pub(super) async fn last_committed(log: &Snapshot) -> Result<Option<PromotionEvent>> {
    let mut before = None;
    while log.state().live.is_some() {
        let page = back(log, before, 1).await?;
        match page.events.into_iter().next() {
            Some(event) if event.status() == EventStatus::Committed => return Ok(Some(event)),
            Some(event) => before = Some(event.seq),
            None => break,
        }
    }
    Ok(None)
}

/// The moves whose intent stands before `before`, newest first: reads back until there are `limit`, and all of the oldest.
pub(super) async fn back(log: &Snapshot, before: Option<u64>, limit: usize) -> Result<Page> {
    let size = log.state().size;
    let end = before.unwrap_or(size).min(size);
    // Twice as far each time: where moves are rare among other entries, what is read again stays in proportion.
    let mut step = BACK.max((limit as u64).saturating_mul(2));
    loop {
        let start = end.saturating_sub(step);
        step = step.saturating_mul(2);
        let mut events = events(&between(log, start, end).await?).events;
        if events.len() < limit && start > 0 {
            continue;
        }
        if let Some(last) = events.last_mut().filter(|last| last.outcome.is_none()) {
            // `before` falls into it, unless it is open still.
            *last = whole(log, last.clone(), end).await?;
        }
        events.reverse();
        events.truncate(limit);
        let next = events.last().map(|event| event.seq).filter(|seq| *seq > 0 && events.len() == limit);
        return Ok(Page { events, next });
    }
}

/// The move with its takeovers and its outcome behind `end`, if it has any there.
async fn whole(log: &Snapshot, mut event: PromotionEvent, mut end: u64) -> Result<PromotionEvent> {
    let size = log.state().size;
    while event.outcome.is_none() && end < size {
        // Twice as far each time, as above.
        end = end.saturating_add(BACK.max(end - event.seq)).min(size);
        let entries = between(log, event.seq, end).await?;
        event = events(&entries).events.into_iter().next().unwrap_or(event);
    }
    Ok(event)
}

async fn between(log: &Snapshot, start: u64, end: u64) -> Result<Vec<Entry>> {
    log.read(start, usize::try_from(end - start).unwrap_or(usize::MAX)).await
}

/// What was live at a time: the committed move with the highest position that was closed by then.
pub(super) async fn live_at(log: &Snapshot, at: Timestamp) -> Result<Option<LiveAt>> {
    let by_then = |event: &PromotionEvent| event.outcome.as_ref().is_some_and(|closing| closing.at <= at);
    let mut before = None;
    loop {
        let page = back(log, before, PAGE).await?;
        let is_it = |event: &PromotionEvent| event.status() == EventStatus::Committed && by_then(event);
        match (page.events.into_iter().find(is_it), page.next) {
            (Some(event), _) => return beside(log, event, at).await.map(Some),
            (None, Some(next)) => before = Some(next),
            (None, None) => return Ok(None),
        }
    }
}

/// What else the log says of that time: between that move and the next one that was committed.
async fn beside(log: &Snapshot, event: PromotionEvent, at: Timestamp) -> Result<LiveAt> {
    let mut found = LiveAt { event, open: None, drift: None };
    let mut from = found.event.outcome.as_ref().map_or(found.event.seq, |closing| closing.seq) + 1;
    let size = log.state().size;
    while from < size {
        let entries = log.read(from, PAGE).await?;
        let Some(last) = entries.last() else { break };
        for entry in &entries {
            match &entry.body {
                Body::Observation(seen) if entry.at <= at => {
                    let (expected, observed) = (seen.expected, seen.observed);
                    found.drift = Some(DriftSeen { seq: entry.seq, at: entry.at, expected, observed });
                }
                Body::Intent(_) if entry.at <= at => {
                    let begun = events([entry]).events.into_iter().next();
                    let begun = match begun {
                        Some(begun) => Some(whole(log, begun, entry.seq + 1).await?),
                        None => None,
                    };
                    let was_open = |event: &PromotionEvent| event.outcome.as_ref().is_none_or(|end| end.at > at);
                    found.open = begun.filter(was_open).or(found.open);
                }
                Body::Outcome(outcome) if outcome.status == Status::Committed => return Ok(found),
                _ => {}
            }
        }
        from = last.seq + 1;
    }
    Ok(found)
}
