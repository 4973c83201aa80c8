//! How a move ended, and why.

use super::windows::Replay;
use crate::record::Status;
use crate::value::Digest;

/// How a move ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// The tag was seen to point at the target, and that is recorded.
    Committed {
        /// Where the intent stands.
        seq: u64,
        /// True if the worker that opened it did not close it.
        recovered: bool,
    },
    /// The channel points at the target already.
    Unchanged(Digest),
    /// The key moved the channel before.
    Replayed(Replay),
    /// The move was closed without effect.
    Closed {
        /// Where the intent stands.
        seq: u64,
        /// Failed or aborted.
        status: Status,
        /// The reason.
        why: Why,
    },
    /// Nothing was moved and no intent was written.
    Refused(Why),
    /// The intent stands, and it is not known whether the tag moved or will.
    Indeterminate {
        /// Where the intent stands, if it is known to.
        seq: Option<u64>,
        /// The reason.
        why: Why,
    },
    /// Something could not be read or written before an intent was; the driver knows the error.
    Broken,
}

/// Why the machine did not bring about what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// The log has no committed move.
    NotBootstrapped,
    /// The log has a committed move.
    Bootstrapped,
    /// The tag is absent.
    Absent,
    /// The tag points at something else than the target of the bootstrap.
    Occupied(Digest),
    /// There is no previous live digest.
    NoPrevious,
    /// The last move was a rollback: another one names its target.
    NameTarget,
    /// The key moved the channel for another request.
    OtherRequest,
    /// The key moved the channel, by the move at this position, and something else is live now.
    Superseded(u64),
    /// Another move came first.
    ChannelChanged,
    /// Another move is under way.
    Busy,
    /// The tag has this value, and within the caller's timeout reads were not settled enough to say more.
    Unsettled(Option<Digest>),
    /// The tag does not point at the live digest.
    Drifted(Option<Digest>),
    /// The log goes on in another ledger.
    LogMigrated,
    /// The judgement was no.
    Judged,
    /// A hold stands.
    Held,
    /// Target or live digest could not be pinned.
    NotPinned,
    /// The registry refused the put.
    PutRefused,
    /// The time to live passed before a put came through.
    Late,
    /// The tag pointed at another digest after the put, or none.
    Overwritten(Option<Digest>),
    /// The move had not landed and was given up.
    Abandoned,
    /// Another worker took the move over.
    TakenOver,
    /// The registry took the put and still answers this.
    StillOld(Option<Digest>),
    /// The registry or the ledger did not say within the time to live.
    Unknown,
}
