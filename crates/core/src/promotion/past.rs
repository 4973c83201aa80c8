//! Reads a log backwards: the moves before a position, and the digest that was live at a time.

use serde::Serialize;

use crate::error::Result;
use crate::ledger::Snapshot;
use crate::log::{Body, Entry, MoveRecord, MoveStatus, Status, events};
use crate::value::{Digest, Timestamp};

/// Some moves of a channel, newest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HistoryPage {
    /// The moves.
    pub events: Vec<MoveRecord>,
    /// The position at which the next page begins: pass it as `before`. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// The digest that was live on a channel at some time, and the move that made it live.
///
/// As JSON it is the move with two more fields, `open` and `drift`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LiveAt {
    /// The committed move that had made it live.
    #[serde(flatten)]
    pub event: MoveRecord,
    /// The move that was open at that time, with its outcome: its put may have landed before that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<MoveRecord>,
    /// The last drift that was observed between that move and that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftSeen>,
}

/// An observation of drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DriftSeen {
    /// Its position in the log.
    pub seq: u64,
    /// The time at which it was written.
    pub at: Timestamp,
    /// The live digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Digest>,
    /// The digest that the registry answered; absent if the tag was absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
}

/// The least number of entries that the first read backwards asks for.
const BACK: u64 = 16;

/// The number of moves or entries that one read asks for, in the search for a time.
const PAGE: usize = 64;

/// The last committed move of the log.
pub(super) async fn last_committed(log: &Snapshot) -> Result<Option<MoveRecord>> {
    let mut before = None;
    while log.state().live.is_some() {
        let page = back(log, before, 1).await?;
        match page.events.into_iter().next() {
            Some(event) if event.status() == MoveStatus::Committed => return Ok(Some(event)),
            Some(event) => before = Some(event.seq),
            None => break,
        }
    }
    Ok(None)
}

/// The moves whose intent has a lower position than `before`, newest first: reads backwards until it has `limit` moves
/// or reaches the first entry.
pub(super) async fn back(log: &Snapshot, before: Option<u64>, limit: usize) -> Result<HistoryPage> {
    let size = log.state().size;
    let end = before.unwrap_or(size).min(size);
    // Double the distance each time, so that the total of the reads stays linear where moves are rare.
    let mut step = BACK.max((limit as u64).saturating_mul(2));
    loop {
        let start = end.saturating_sub(step);
        step = step.saturating_mul(2);
        let mut events = events(&between(log, start, end).await?).events;
        if events.len() < limit && start > 0 {
            continue;
        }
        if let Some(last) = events.last_mut().filter(|last| last.outcome.is_none()) {
            // The outcome of this move is after `before`, unless the move is still open.
            *last = whole(log, last.clone(), end).await?;
        }
        events.reverse();
        events.truncate(limit);
        let next = events.last().map(|event| event.seq).filter(|seq| *seq > 0 && events.len() == limit);
        return Ok(HistoryPage { events, next });
    }
}

/// The move with the takeovers and the outcome that are at `end` or later, if there are any.
async fn whole(log: &Snapshot, mut event: MoveRecord, mut end: u64) -> Result<MoveRecord> {
    let size = log.state().size;
    while event.outcome.is_none() && end < size {
        // Double the distance each time, as above.
        end = end.saturating_add(BACK.max(end - event.seq)).min(size);
        let entries = between(log, event.seq, end).await?;
        event = events(&entries).events.into_iter().next().unwrap_or(event);
    }
    Ok(event)
}

async fn between(log: &Snapshot, start: u64, end: u64) -> Result<Vec<Entry>> {
    log.read(start, usize::try_from(end - start).unwrap_or(usize::MAX)).await
}

/// The move that was live at a time: the committed move with the highest position that was closed by then.
pub(super) async fn live_at(log: &Snapshot, at: Timestamp) -> Result<Option<LiveAt>> {
    let by_then = |event: &MoveRecord| event.outcome.as_ref().is_some_and(|closing| closing.at <= at);
    let mut before = None;
    loop {
        let page = back(log, before, PAGE).await?;
        let is_it = |event: &MoveRecord| event.status() == MoveStatus::Committed && by_then(event);
        match (page.events.into_iter().find(is_it), page.next) {
            (Some(event), _) => return beside(log, event, at).await.map(Some),
            (None, Some(next)) => before = Some(next),
            (None, None) => return Ok(None),
        }
    }
}

/// Adds the open move and the drift of that time: from the entries between that move and the next committed one.
async fn beside(log: &Snapshot, event: MoveRecord, at: Timestamp) -> Result<LiveAt> {
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
                    let was_open = |event: &MoveRecord| event.outcome.as_ref().is_none_or(|end| end.at > at);
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
