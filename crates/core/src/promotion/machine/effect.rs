//! The machine's dealings with the world: what it wants done, and what it is told.

use super::ask::Ms;
use super::end::Why;
use super::situation::Change;
use super::windows::{LogRead, TagRead};
use crate::error::Retry;
use crate::record::{Deadlines, OpenMove, PutStatus, Status};
use crate::value::{Digest, Text};

/// What to do next. Each is answered with one [`Input`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Effect {
    /// Read the log and resolve the tag, in any order or at once → `Looked`.
    Look,
    /// Read the log → `Log`.
    ReadLog,
    /// Resolve the tag, beginning now → `Tag`.
    Resolve,
    /// Judge the facts → `Approved` or `Refused`.
    Judge {
        /// The read of the tag.
        read: TagRead,
        /// True if the tag was read at something else than the live digest, and lag explains it.
        lagging: bool,
        /// What the move would change.
        change: Change,
    },
    /// Append the policy that judged at `seq`: the log has no entry of it yet → `Appended`.
    Policy {
        /// The position.
        seq: u64,
    },
    /// Append the intent at `seq`; once it stands, pin target and live digest → `Begun`.
    Begin {
        /// The position.
        seq: u64,
        /// What the move changes.
        change: Change,
    },
    /// Append that this worker takes the open move over → `Appended`.
    Takeover {
        /// The position.
        seq: u64,
        /// The move.
        open: Box<OpenMove>,
        /// The times that the takeover names.
        deadlines: Deadlines,
    },
    /// Append that the tag was not at the expected digest → `Appended`.
    Observe {
        /// The position.
        seq: u64,
        /// The digest that was expected.
        expected: Option<Digest>,
        /// The digest that was seen; none for *absent*.
        observed: Option<Digest>,
    },
    /// Append the outcome of this worker's move → `Appended`.
    Close(Box<Closing>),
    /// Put the target's bytes by tag, unless it is later than `not_after`, and give up after `timeout_ms` → `Put`.
    Put {
        /// The move.
        open: Box<OpenMove>,
        /// The most that it may take.
        timeout_ms: u64,
        /// *no-late-put*: after this it must not be sent any more.
        not_after: Ms,
    },
    /// Sleep for so many milliseconds → `Woke`.
    Sleep(Ms, Waiting),
}

/// The outcome of a move, to be appended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Closing {
    /// The position.
    pub(crate) seq: u64,
    /// The move, with this worker as its owner.
    pub(crate) open: OpenMove,
    /// Committed, failed or aborted.
    pub(crate) status: Status,
    /// The value of the tag that was read last.
    pub(crate) observed: Option<Digest>,
    /// Puts that this worker sent.
    pub(crate) attempts: u64,
    /// What became of the puts of the move.
    pub(crate) put: PutStatus,
    /// The reason, unless it is committed.
    pub(crate) why: Option<Why>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    /// To `Look`.
    Looked(LogRead, TagRead),
    /// To `ReadLog`.
    Log(LogRead),
    /// To `Resolve`.
    Tag(TagRead),
    /// To `Judge`: yes, by this policy.
    Approved(Digest),
    /// To `Judge`: no.
    Refused,
    /// To `Begin`: how the append ended, and the pins.
    Begun(Appended, Pins),
    /// To `Policy`, `Takeover`, `Observe` and `Close`.
    Appended(Appended),
    /// To `Put`.
    Put(PutEnd),
    /// To `Sleep`.
    Woke,
    /// To anything but `Begin`, `Put` and `Sleep`: it could not be read or written, and nothing is known. The caller may ask
    /// again later, or the error is permanent.
    Broken(Retry),
}

/// What the target and the live digest are held by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pins {
    /// Both pins are there.
    Confirmed,
    /// One of them could not be confirmed: no put may follow.
    Unconfirmed,
}

/// How an append ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Appended {
    /// It stands; this is the log with it.
    Stored(LogRead),
    /// Another entry came first; this is the log as it is now.
    Lost(LogRead),
    /// It is not known.
    Unknown,
}

/// The reason for a sleep.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Waiting {
    /// Another's move; from `until` on, on this worker's clock, it may be taken over.
    Other {
        /// The move.
        move_id: Text,
        /// When it may be taken over.
        until: Ms,
    },
    /// Until then, on this worker's clock, an earlier put may still land.
    Quiet {
        /// When none can land any more.
        until: Ms,
    },
    /// Until then at most, a read of the tag may lag: it is read again.
    Settle {
        /// When reads are settled.
        until: Ms,
    },
    /// An answer of the registry or the ledger, which is asked again until then at most.
    Answer {
        /// When the worker gives up.
        until: Ms,
    },
}

/// How a put ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PutEnd {
    /// It was too late to send it.
    NotSent,
    /// Something that must be there first (the pins, the target's bytes) could not be had: nothing was sent.
    NotReady(Retry),
    /// The registry says that it was applied.
    Applied,
    /// The registry refused it.
    Refused,
    /// The answer was lost, or it was not clear.
    Unknown,
}

/// What a part of the machine does next, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "an effect is the common case, and is moved once")]
pub(crate) enum Next<E> {
    /// Do this, and tell the result.
    Do(Effect),
    /// It has ended.
    End(E),
}

/// The wait before the `n`th look again, in milliseconds: 100 ms, doubled each time, at most 2 s.
pub(crate) fn back_off(n: u32) -> Ms {
    100_u64.saturating_mul(1 << n.min(5)).min(2_000)
}
