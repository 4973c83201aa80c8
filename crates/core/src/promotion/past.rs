//! Reads the past of a log: all of its entries, the moves before a position, the digest that was live at a time.

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
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

/// The number of entries that one read asks for, where all are read.
const ENTRIES: usize = 4096;

/// The least number of entries that the first read backwards asks for.
const BACK: u64 = 16;

/// The number of moves or entries that the first read asks for, in the search for a time or for an outcome.
const PAGE: usize = 64;

/// Gives `take` the entries of a log from the first one on, until it returns false.
pub(super) async fn each_entry(log: &Snapshot, mut take: impl FnMut(&Entry) -> bool) -> Result<()> {
    let size = log.state().size;
    let mut from = 0;
    while from < size {
        let entries = log.read(from, ENTRIES).await?;
        if entries.is_empty() {
            let message = format!("the log has {from} entries, and {size} were seen before");
            return Err(Error::new(ErrorKind::LedgerTruncated, message).in_log_of(&log.state().channel));
        }
        from += entries.len() as u64;
        if !entries.iter().all(&mut take) {
            break;
        }
    }
    Ok(())
}

/// The move whose intent is at `seq`, with its takeovers and its outcome, if the snapshot has them.
pub(super) async fn move_at(log: &Snapshot, seq: u64) -> Result<Option<MoveRecord>> {
    let mut limit = PAGE;
    loop {
        let entries = log.read(seq, limit).await?;
        let event = events(&entries).into_iter().next();
        // More than `limit` entries may stand between the intent and its outcome.
        if entries.len() < limit || event.as_ref().is_some_and(|event| event.outcome.is_some()) {
            return Ok(event);
        }
        limit *= 4;
    }
}

/// The last committed move of the log.
pub(super) async fn last_committed(log: &Snapshot) -> Result<Option<MoveRecord>> {
    match log.state().live {
        Some(_) => committed(log, None, 1, |_| true).await,
        None => Ok(None),
    }
}

/// The committed move with the highest position below `before` that `wanted` accepts; reads `limit` moves at once.
pub(super) async fn committed(
    log: &Snapshot,
    mut before: Option<u64>,
    limit: usize,
    mut wanted: impl FnMut(&MoveRecord) -> bool,
) -> Result<Option<MoveRecord>> {
    loop {
        let page = back(log, before, limit).await?;
        let mut committed = page.events.into_iter().filter(|event| event.status() == MoveStatus::Committed);
        match (committed.find(&mut wanted), page.next) {
            (None, Some(next)) => before = Some(next),
            (found, _) => return Ok(found),
        }
    }
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
        let limited = usize::try_from(end - start).unwrap_or(usize::MAX);
        let mut events = events(&log.read(start, limited).await?);
        if events.len() < limit && start > 0 {
            continue;
        }
        // The outcome of the last move is after `before`, unless the move is still open.
        if let Some(last) = events.last_mut().filter(|last| last.outcome.is_none() && end < size)
            && let Some(whole) = move_at(log, last.seq).await?
        {
            *last = whole;
        }
        events.reverse();
        events.truncate(limit);
        let next = events.last().map(|event| event.seq).filter(|seq| *seq > 0 && events.len() == limit);
        return Ok(HistoryPage { events, next });
    }
}

/// The move that was live at a time: the committed move with the highest position that was closed by then.
pub(super) async fn live_at(log: &Snapshot, at: Timestamp) -> Result<Option<LiveAt>> {
    let by_then = |event: &MoveRecord| event.outcome.as_ref().is_some_and(|closing| closing.at <= at);
    let Some(event) = committed(log, None, PAGE, by_then).await? else { return Ok(None) };
    // The move that was open then, and the drift, are between that move and the next committed one.
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
                    let was_open = |event: &MoveRecord| event.outcome.as_ref().is_none_or(|end| end.at > at);
                    found.open = move_at(log, entry.seq).await?.filter(was_open).or(found.open);
                }
                Body::Outcome(outcome) if outcome.status == Status::Committed => return Ok(Some(found)),
                _ => {}
            }
        }
        from = last.seq + 1;
    }
    Ok(Some(found))
}
