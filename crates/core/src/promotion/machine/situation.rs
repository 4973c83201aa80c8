//! Classifies a request against the log and a read of the tag (steps *replay*, *wait* and *drift*). A pure function.

use super::{Ask, Key, LogRead, Replay, TagRead, Want, Why};
use crate::log::Op;
use crate::value::Digest;

/// The class of a request, given the log and a read of the tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    /// A committed move has the same key and request, and its target is still live.
    Replayed(Replay),
    /// Another move is open.
    Busy,
    /// The read may lag (*lag-is-not-drift*), or its value must be proved first (*unchanged-is-proved*): look again.
    Lag,
    /// The tag is not at the live digest, and lag does not explain it.
    Drift {
        /// The change of a repair or an adoption; none for the other operations.
        fix: Option<Change>,
    },
    /// The channel points at the target already.
    Unchanged(Digest),
    /// The move can be judged.
    Ready(Change),
}

/// The change that a move would make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Change {
    /// The operation. A promote of a channel without a committed move and without a tag is a bootstrap.
    pub(crate) op: Op,
    /// The live digest.
    pub(crate) previous: Option<Digest>,
    /// The target.
    pub(crate) target: Digest,
    /// In a repair: the digest that the tag points at instead of the live digest.
    pub(crate) replaced: Option<Digest>,
    /// False if the move puts nothing: an adoption, a bootstrap of the tag as it is, a keyed `unchanged`.
    pub(crate) puts: bool,
}

/// Classifies `ask` against a log and a read of the tag. `leaves` is the digest that an unnamed rollback leaves. An error
/// is the reason why the move cannot be made.
pub(crate) fn situation(ask: &Ask, log: &LogRead, read: &TagRead, leaves: Option<Digest>) -> Result<Situation, Why> {
    if log.state.migrated.is_some() {
        return Err(Why::LogMigrated);
    }
    if let Some(replay) = &log.replay {
        return replayed(ask, log, read, replay);
    }
    if log.state.open.is_some() {
        return Ok(Situation::Busy);
    }
    match (ask.op, log.state.live) {
        (Op::Bootstrap, Some(_)) => Err(Why::Bootstrapped),
        (Op::Bootstrap, None) => first(ask, log, read),
        // A new channel: the promotion overwrites nothing.
        (Op::Promote, None) if read.value.is_none() => first(ask, log, read),
        (_, None) => Err(Why::NotBootstrapped),
        (_, Some(live)) => governed(ask, log, live, read, leaves),
    }
}

/// A committed move has the key.
fn replayed(ask: &Ask, log: &LogRead, read: &TagRead, replay: &Replay) -> Result<Situation, Why> {
    if replay.request != ask.request {
        return Err(Why::OtherRequest);
    }
    if log.state.live != Some(replay.target) {
        return Err(Why::Superseded(replay.seq));
    }
    Ok(match &log.state.open {
        Some(_) => Situation::Busy,
        // A hidden tag proves nothing, and a replay puts nothing.
        None if read.hidden => return Err(Why::Unsettled(read.value)),
        None if read.value == log.state.live && !log.has_past(read) => Situation::Replayed(*replay),
        None if read.value == log.state.live || log.is_unsettled(read) => Situation::Lag,
        None => Situation::Drift { fix: None },
    })
}

/// The log has no committed move.
fn first(ask: &Ask, log: &LogRead, read: &TagRead) -> Result<Situation, Why> {
    let change =
        |target, puts| Ok(Situation::Ready(Change { op: Op::Bootstrap, previous: None, target, replaced: None, puts }));
    match (ask.want, read.value) {
        (Want::Digest(target), None) => change(target, true),
        _ if log.is_unsettled(read) => Ok(Situation::Lag),
        (Want::Digest(target), Some(observed)) if observed == target => change(target, true),
        (Want::Digest(_), Some(observed)) => Err(Why::Occupied(observed)),
        (_, Some(observed)) => change(observed, false),
        (_, None) => Err(Why::Absent),
    }
}

fn governed(ask: &Ask, log: &LogRead, live: Digest, read: &TagRead, leaves: Option<Digest>) -> Result<Situation, Why> {
    let change = |target, puts| Change { op: ask.op, previous: Some(live), target, replaced: None, puts };
    let ready = |target, puts| Ok(Situation::Ready(change(target, puts)));
    let drift = |fix| Ok(Situation::Drift { fix });
    if read.value != Some(live) {
        let repair = Change { replaced: read.value, ..change(live, true) };
        return match (ask.op, log.is_unsettled(read)) {
            // *lag-is-not-drift*: a repair and a rollback go on by the log.
            (Op::Repair, true) => Ok(Situation::Ready(repair)),
            (Op::Rollback, true) => ready(wanted(ask, log, live, leaves)?, true),
            (_, true) => Ok(Situation::Lag),
            (Op::Repair, false) => drift(Some(repair)),
            (Op::Adopt, false) => drift(Some(change(read.value.ok_or(Why::Absent)?, false))),
            (_, false) => drift(None),
        };
    }
    let target = wanted(ask, log, live, leaves)?;
    // The move that the unnamed rollback was to leave ended without a result: put the live digest again.
    let put_again = ask.want == Want::Previous && target == live;
    let proved = !read.hidden && !log.has_past(read);
    match ask.op {
        _ if target != live || put_again => ready(target, true),
        Op::Adopt if !proved => Ok(Situation::Lag),
        _ if !proved => ready(live, true),
        Op::Adopt | Op::Repair => Ok(Situation::Unchanged(live)),
        _ if ask.key_from == Key::Given => ready(live, false),
        _ => Ok(Situation::Unchanged(live)),
    }
}

/// The change that a rollback would make once the open move is closed; none if that is not known yet.
///
/// An unnamed rollback leaves the target of the open move: whether that move is committed or not, the rollback ends at
/// the digest that is live now.
pub(crate) fn behind_open(ask: &Ask, log: &LogRead, leaves: Option<Digest>) -> Option<Change> {
    let live = log.state.live?;
    let target = wanted(ask, log, live, leaves).ok()?;
    Some(Change { op: ask.op, previous: Some(live), target, replaced: None, puts: true })
}

/// The digest that a move of a governed channel wants.
fn wanted(ask: &Ask, log: &LogRead, live: Digest, leaves: Option<Digest>) -> Result<Digest, Why> {
    match ask.want {
        Want::Digest(target) => Ok(target),
        Want::Live | Want::Observed => Ok(live),
        Want::Previous if leaves != Some(live) => Ok(live),
        Want::Previous if log.state.changed_by == Some(Op::Rollback) => Err(Why::NameTarget),
        Want::Previous => log.state.previous.ok_or(Why::NoPrevious),
    }
}

impl LogRead {
    /// The live digest, if the tag was read at another value, no move is open, and the log was not migrated. The tag
    /// differs for sure only if reads do not lag, and if the log's head, read again, has not moved (*foreign*).
    pub(crate) fn differs(&self, read: &TagRead) -> Option<Digest> {
        let is_at_rest = self.state.open.is_none() && self.state.migrated.is_none();
        self.state.live.filter(|live| is_at_rest && read.value != Some(*live))
    }
}
