//! The rules that the model check leaves out, one at a time, to see that it notices.

use std::sync::Arc;

use super::windows::LogRead;
use crate::record::Trail;

/// A rule of the protocol, by its name in `docs/protocol.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    /// *no-late-put*: without it puts are sent after the time to live.
    NoLatePut,
    /// *no-late-put*: without it a move is taken over before its ttl and grace.
    TakeoverAfterGrace,
    /// A takeover is recorded first.
    TakeoverRecorded,
    /// *quiet-before-outcome*.
    QuietBeforeOutcome,
    /// *retry-waits*.
    RetryWaits,
    /// An outcome is written by the owner alone.
    OutcomeByOwner,
    /// *lag-is-not-drift*.
    LagIsNotDrift,
    /// *target-proves-once*.
    TargetProvesOnce,
    /// *old-proves-nothing*.
    OldProvesNothing,
    /// *closing*: without it a move is closed after the quiet time alone.
    ClosingWaits,
    /// *foreign*: the log's head is read again after the tag.
    HeadReadAgain,
    /// A run whose facts have changed never wins.
    StaleNeverWins,
    /// A hold is looked for at the guard.
    HoldAtGuard,
    /// *unchanged-is-proved*.
    UnchangedIsProved,
    /// `failed` only if every put of the move was refused, and no other owner could have sent one.
    FailedAlone,
}

impl Rule {
    /// The log without the windows that a left-out rule would look at.
    pub(super) fn blind(left_out: Option<Rule>, mut log: LogRead) -> LogRead {
        match left_out {
            Some(Rule::LagIsNotDrift) => Arc::make_mut(&mut log.state).trail = Trail::default(),
            Some(Rule::UnchangedIsProved) => Arc::make_mut(&mut log.state).trail.ended.clear(),
            _ => {}
        }
        log
    }
}
