//! What a look at log and tag means for what was asked (steps 0 to 3 of the protocol). Pure.

use super::{Ask, Want, Why};
use crate::record::{ChannelState, Op, OpenMove};
use crate::value::Digest;

/// A committed move with the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Replay {
    /// Where its intent stands.
    pub(crate) seq: u64,
    /// The SHA-256 of its request.
    pub(crate) request: Digest,
}

/// What a look means for what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    /// The key moved the channel before, for the same request.
    Replayed(Replay),
    /// It cannot be done.
    No(Why),
    /// Another move is open.
    Busy(Box<OpenMove>),
    /// The tag is not at the live digest; `fix` is what the move would be that was asked for by name.
    Drift {
        /// What the move would do, if drift is what it is there for.
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
    /// The live digest.
    pub(crate) previous: Option<Digest>,
    /// The target.
    pub(crate) target: Digest,
    /// What the tag points at instead of the live digest, in a repair.
    pub(crate) replaced: Option<Digest>,
    /// True if the tag is taken as it is, without a put.
    pub(crate) as_it_is: bool,
}

/// What the log up to `state` and the tag at `observed` mean for `ask`.
pub(crate) fn situation(
    ask: &Ask,
    state: &ChannelState,
    replay: Option<&Replay>,
    observed: Option<Digest>,
) -> Situation {
    if state.migrated.is_some() {
        return Situation::No(Why::LogMigrated);
    }
    if let Some(replay) = replay {
        return match replay.request == ask.request {
            true => Situation::Replayed(replay.clone()),
            false => Situation::No(Why::OtherRequest),
        };
    }
    if let Some(open) = &state.open {
        return Situation::Busy(Box::new(open.clone()));
    }
    match (ask.op, state.live) {
        (Op::Bootstrap, None) => bootstrap(ask, observed),
        (Op::Bootstrap, Some(_)) => Situation::No(Why::Bootstrapped),
        (_, None) => Situation::No(Why::NotBootstrapped),
        (_, Some(live)) => governed(ask, state, live, observed),
    }
}

fn bootstrap(ask: &Ask, observed: Option<Digest>) -> Situation {
    let change = |target, as_it_is| Situation::Ready(Change { previous: None, target, replaced: None, as_it_is });
    match (ask.want, observed) {
        (Want::Digest(target), None) => change(target, false),
        (Want::Digest(target), Some(observed)) if observed == target => change(target, false),
        (Want::Digest(_), Some(observed)) => Situation::No(Why::Occupied(observed)),
        (_, Some(observed)) => change(observed, true),
        (_, None) => Situation::No(Why::Absent),
    }
}

fn governed(ask: &Ask, state: &ChannelState, live: Digest, observed: Option<Digest>) -> Situation {
    let change = |target, replaced, as_it_is| Change { previous: Some(live), target, replaced, as_it_is };
    let drifted = observed != Some(live);
    match (ask.op, drifted) {
        (Op::Repair, true) => Situation::Drift { fix: Some(change(live, observed, false)) },
        (Op::Adopt, true) => match observed {
            Some(observed) => Situation::Drift { fix: Some(change(observed, None, true)) },
            None => Situation::No(Why::Absent),
        },
        (Op::Repair | Op::Adopt, false) => Situation::Unchanged(live),
        (_, true) => Situation::Drift { fix: None },
        (_, false) => {
            let target = match ask.want {
                Want::Digest(target) => target,
                Want::Live | Want::Observed => live,
                Want::Previous if state.changed_by == Some(Op::Rollback) => return Situation::No(Why::NameTarget),
                Want::Previous => match state.previous {
                    Some(previous) => previous,
                    None => return Situation::No(Why::NoPrevious),
                },
            };
            if target == live { Situation::Unchanged(live) } else { Situation::Ready(change(target, None, false)) }
        }
    }
}
