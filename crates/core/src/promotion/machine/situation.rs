//! The meaning of a look at log and tag for the move that was asked for (steps *replay*, *wait* and *drift*). Pure.

use super::ask::{Ask, Key, Want};
use super::end::Why;
use super::windows::{LogRead, Replay, TagRead};
use crate::record::{Op, OpenMove};
use crate::value::Digest;

/// The meaning of a look for the move that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    /// The key moved the channel before, for the same request, and that is still so.
    Replayed(Replay),
    /// It cannot be done.
    No(Why),
    /// Another move is open.
    Busy(Box<OpenMove>),
    /// The read may lag (*lag-is-not-drift*), or what it shows must be proved first (*unchanged-is-proved*): look again.
    Lag,
    /// The tag is not at the live digest, and lag does not explain it; `fix` is the move that was asked for by name.
    Drift {
        /// The change, if drift is what the move is there for.
        fix: Option<Change>,
    },
    /// The channel points at the target already.
    Unchanged(Digest),
    /// The move can be judged.
    Ready(Change),
}

/// What a move would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Change {
    /// What the move does: a promote of a channel without a move and without a tag is a bootstrap.
    pub(crate) op: Op,
    /// The live digest.
    pub(crate) previous: Option<Digest>,
    /// The target.
    pub(crate) target: Digest,
    /// What the tag points at instead of the live digest, in a repair.
    pub(crate) replaced: Option<Digest>,
    /// False if nothing is put: an adoption, a bootstrap of the tag as it is, a keyed `unchanged`.
    pub(crate) puts: bool,
}

/// The value that an unnamed rollback leaves, decided at its first look: the target of the move that was open then, else the
/// live digest.
pub(crate) fn leaves(log: &LogRead) -> Option<Digest> {
    log.state.open.as_ref().map(|open| open.target).or(log.state.live)
}

/// The meaning of a log and a read of the tag for `ask`. `leaves` is what an unnamed rollback leaves.
pub(crate) fn situation(ask: &Ask, log: &LogRead, read: &TagRead, leaves: Option<Digest>) -> Situation {
    if log.state.migrated.is_some() {
        return Situation::No(Why::LogMigrated);
    }
    if let Some(replay) = &log.replay {
        return replayed(ask, log, read, replay);
    }
    if let Some(open) = &log.state.open {
        return Situation::Busy(Box::new(open.clone()));
    }
    match (ask.op, log.state.live) {
        (Op::Bootstrap, Some(_)) => Situation::No(Why::Bootstrapped),
        (Op::Bootstrap, None) => first(ask, log, read),
        // A new channel: there is nothing that the promotion could take from anyone.
        (Op::Promote, None) if read.value.is_none() => first(ask, log, read),
        (_, None) => Situation::No(Why::NotBootstrapped),
        (_, Some(live)) => governed(ask, log, live, read, leaves),
    }
}

/// The key moved the channel before.
fn replayed(ask: &Ask, log: &LogRead, read: &TagRead, replay: &Replay) -> Situation {
    if replay.request != ask.request {
        return Situation::No(Why::OtherRequest);
    }
    if log.state.live != Some(replay.target) {
        return Situation::No(Why::Superseded(replay.seq));
    }
    match &log.state.open {
        Some(open) => Situation::Busy(Box::new(open.clone())),
        // No put may prove it: a hidden tag leaves it open.
        None if read.hidden => Situation::No(Why::Unsettled(read.value)),
        None if read.value == log.state.live && !log.has_past(read) => Situation::Replayed(*replay),
        None if read.value == log.state.live || log.is_unsettled(read) => Situation::Lag,
        None => Situation::Drift { fix: None },
    }
}

/// The log has no committed move.
fn first(ask: &Ask, log: &LogRead, read: &TagRead) -> Situation {
    let change =
        |target, puts| Situation::Ready(Change { op: Op::Bootstrap, previous: None, target, replaced: None, puts });
    match (ask.want, read.value) {
        (Want::Digest(target), None) => change(target, true),
        (_, Some(_)) if log.is_unsettled(read) => Situation::Lag,
        (Want::Digest(target), Some(observed)) if observed == target => change(target, true),
        (Want::Digest(_), Some(observed)) => Situation::No(Why::Occupied(observed)),
        (_, Some(observed)) => change(observed, false),
        (_, None) if log.is_unsettled(read) => Situation::Lag,
        (_, None) => Situation::No(Why::Absent),
    }
}

fn governed(ask: &Ask, log: &LogRead, live: Digest, read: &TagRead, leaves: Option<Digest>) -> Situation {
    let op = ask.op;
    let change = |target, puts| Change { op, previous: Some(live), target, replaced: None, puts };
    if read.value != Some(live) {
        let lags = log.is_unsettled(read);
        return match op {
            Op::Repair => {
                let repair = Change { replaced: read.value, ..change(live, true) };
                // *lag-is-not-drift*: it goes on by the log.
                if lags { Situation::Ready(repair) } else { Situation::Drift { fix: Some(repair) } }
            }
            Op::Rollback if lags => wanted(ask, log, live, leaves)
                .map_or_else(Situation::No, |target| Situation::Ready(change(target, true))),
            _ if lags => Situation::Lag,
            Op::Adopt => match read.value {
                Some(observed) => Situation::Drift { fix: Some(change(observed, false)) },
                None => Situation::No(Why::Absent),
            },
            _ => Situation::Drift { fix: None },
        };
    }
    let target = match wanted(ask, log, live, leaves) {
        Ok(target) => target,
        Err(why) => return Situation::No(why),
    };
    // The move that an unnamed rollback was to leave ended without a result.
    let put_again = ask.want == Want::Previous && target == live;
    let proved = !read.hidden && !log.has_past(read);
    match op {
        _ if target != live || put_again => Situation::Ready(change(target, true)),
        Op::Adopt if proved => Situation::Unchanged(live),
        Op::Adopt => Situation::Lag,
        _ if !proved => Situation::Ready(change(live, true)),
        _ if ask.key_from == Key::Given && op != Op::Repair => Situation::Ready(change(live, false)),
        _ => Situation::Unchanged(live),
    }
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

/// What log and tag say together, to someone who only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The tag is at the live digest, or there is nothing to compare: no live digest, a move that is open, another ledger.
    Same,
    /// It is not, and lag explains it.
    Lags { live: Digest },
    /// It is not. Sure once the log's head, read again, has not moved (*foreign*).
    Differs { live: Digest },
}

impl LogRead {
    /// Compares the log with a read of the tag.
    pub(crate) fn compare(&self, read: &TagRead) -> Comparison {
        match self.state.live {
            Some(live) if read.value != Some(live) && self.state.open.is_none() && self.state.migrated.is_none() => {
                if self.is_unsettled(read) {
                    Comparison::Lags { live }
                } else {
                    Comparison::Differs { live }
                }
            }
            _ => Comparison::Same,
        }
    }
}
