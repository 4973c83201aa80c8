//! The rules that the model check leaves out, one at a time, to prove that it finds a violation without each.

use std::sync::Arc;

use super::windows::LogRead;
use crate::log::Trail;

/// A rule of the protocol, by its name in `docs/internals/protocol.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    /// *no-late-put*: without this rule puts are sent after the time to live.
    NoLatePut,
    /// *no-late-put*: without this rule a move is taken over before its ttl and grace.
    TakeoverAfterGrace,
    /// A takeover is recorded before the worker acts.
    TakeoverRecorded,
    /// *quiet-before-outcome*.
    QuietBeforeOutcome,
    /// *retry-waits*.
    RetryWaits,
    /// Only the owner of a move writes its outcome.
    OutcomeByOwner,
    /// *lag-is-not-drift*.
    LagIsNotDrift,
    /// *target-proves-once*.
    TargetProvesOnce,
    /// *old-proves-nothing*.
    OldProvesNothing,
    /// *closing*: without this rule a move is closed as soon as the quiet time is over.
    ClosingWaits,
    /// *foreign*: the log's head is read again after the tag.
    HeadReadAgain,
    /// A run whose facts have changed never moves the channel.
    StaleNeverWins,
    /// The step *guard* looks for a hold.
    HoldAtGuard,
    /// The policy refuses a blocked target.
    NotBlocked,
    /// The step *guard* looks for a block of the target.
    BlockAtGuard,
    /// A rollback with a hold appends it before it waits or writes its intent.
    HoldFirst,
    /// A move that waits under a hold that stops it gives up.
    HeldGivesUp,
    /// A hold of scope `all` stops every move.
    AllStopsEvery,
    /// *no-return*: the policy refuses a release that a rollback left.
    NoReturn,
    /// *no-return*: the policy refuses a release whose promotion was aborted on purpose.
    NoReturnOfAborted,
    /// *unchanged-is-proved*.
    UnchangedIsProved,
    /// A move is `failed` only if every put of the move was refused, and no other owner could have sent one.
    FailedAlone,
}

impl Rule {
    /// The log without the windows that the left-out rule would use.
    pub(super) fn blind(left_out: Option<Rule>, mut log: LogRead) -> LogRead {
        match left_out {
            Some(Rule::LagIsNotDrift) => Arc::make_mut(&mut log.state).trail = Trail::default(),
            Some(Rule::UnchangedIsProved) => Arc::make_mut(&mut log.state).trail.ended.clear(),
            _ => {}
        }
        log
    }
}
