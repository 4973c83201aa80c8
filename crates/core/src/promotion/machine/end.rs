//! The end of a machine, and its reason.

use crate::error::ErrorKind;
use crate::log::Status;
use crate::value::Digest;

/// The end of a move or of a recovery.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// A read of the tag proved the move, and the outcome is recorded.
    Committed {
        /// The position of the intent.
        seq: u64,
        /// True if the worker that opened it did not close it.
        recovered: bool,
    },
    /// The move was closed without effect.
    Closed {
        /// The position of the intent.
        seq: u64,
        /// Failed or aborted.
        status: Status,
        /// The reason.
        why: Why,
    },
    /// The channel points at the target already.
    Unchanged(Digest),
    /// A committed move has the same key and request.
    Replayed(Replay),
    /// No move was open: only a recovery ends so.
    Nothing,
    /// Another worker closed the move at this position: only a recovery ends so.
    Gone(u64),
    /// Nothing was moved, and this worker wrote no intent and no takeover.
    Refused(Why),
    /// The intent or the takeover is or may be in the log, and it is not known if the tag moved or will move.
    Indeterminate {
        /// The position of the intent, if the intent is known to be in the log.
        seq: Option<u64>,
        /// The reason.
        why: Why,
    },
    /// A read or an append failed before there was an intent or a takeover; the driver knows the error.
    Broken,
}

/// A committed move with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Replay {
    /// The position of its intent.
    pub(crate) seq: u64,
    /// The SHA-256 of its request.
    pub(crate) request: Digest,
    /// The digest that it made live.
    pub(crate) target: Digest,
}

/// The reason why the machine did not complete the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// The log has no committed move.
    NotBootstrapped,
    /// The log has a committed move.
    Bootstrapped,
    /// The tag is absent.
    Absent,
    /// The tag points at another digest than the target of the bootstrap.
    Occupied(Digest),
    /// There is no previous live digest.
    NoPrevious,
    /// The last move was a rollback: another rollback must name its target.
    NameTarget,
    /// A committed move has the same key and another request.
    OtherRequest,
    /// The move at this position has the same key, and another digest is live now.
    Superseded(u64),
    /// Another move came first.
    ChannelChanged,
    /// Another move is under way.
    Busy,
    /// The tag was read at this value, and reads did not settle within the caller's timeout.
    Unsettled(Option<Digest>),
    /// The tag does not point at the live digest.
    Drifted(Option<Digest>),
    /// The log goes on in another ledger.
    LogMigrated,
    /// The policy refused.
    Judged,
    /// A hold is in force.
    Held,
    /// The target is blocked.
    Blocked,
    /// The target or the live digest could not be pinned.
    NotPinned,
    /// The registry refused the put.
    PutRefused,
    /// The time to live passed before a put came through.
    Late,
    /// The tag pointed at another digest, or was absent, after the put.
    Overwritten(Option<Digest>),
    /// The move had not landed and was aborted.
    Abandoned,
    /// Another worker took the move over.
    TakenOver,
    /// The registry accepted the put and still answers this value.
    StillOld(Option<Digest>),
    /// The registry or the ledger did not answer within the time to live.
    Unknown,
}

impl Why {
    /// The kind of its error.
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Why::NotBootstrapped => ErrorKind::ChannelNotBootstrapped,
            Why::Bootstrapped => ErrorKind::ChannelBootstrapped,
            Why::Absent => ErrorKind::ChannelAbsent,
            Why::Occupied(_) => ErrorKind::ChannelOccupied,
            Why::NoPrevious | Why::NameTarget => ErrorKind::RollbackNoTarget,
            Why::OtherRequest => ErrorKind::IdempotencyMismatch,
            Why::Superseded(_) => ErrorKind::IdempotencySuperseded,
            Why::ChannelChanged => ErrorKind::ChannelChanged,
            Why::Busy => ErrorKind::ChannelBusy,
            Why::Unsettled(_) => ErrorKind::ChannelUnsettled,
            Why::Drifted(_) => ErrorKind::ChannelDrifted,
            Why::LogMigrated => ErrorKind::LedgerMigrated,
            Why::Judged | Why::Held | Why::Blocked => ErrorKind::PolicyRefused,
            Why::NotPinned | Why::PutRefused | Why::Late | Why::Abandoned => ErrorKind::MoveFailed,
            Why::Overwritten(_) => ErrorKind::ChannelOverwritten,
            Why::TakenOver => ErrorKind::MoveTakenOver,
            Why::StillOld(_) | Why::Unknown => ErrorKind::MoveIndeterminate,
        }
    }
}
