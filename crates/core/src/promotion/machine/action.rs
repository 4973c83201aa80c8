//! What a mover asks for, and what it hears: the whole of its dealings with the world.

use std::sync::Arc;

use super::situation::{Change, Replay};
use super::{End, Ms, Why};
use crate::record::{ChannelState, Deadlines, OpenMove, PutStatus, Status};
use crate::value::{Digest, Text};

/// What to do next. Each is answered with one [`Heard`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Read the log and resolve the tag, in any order or at once → `Looked`.
    Look,
    /// Read the log → `Log`.
    ReadLog,
    /// Resolve the tag, beginning now → `Tag`.
    Resolve,
    /// Judge the facts → `Approved` or `Refused`.
    Judge {
        /// The log.
        state: Arc<ChannelState>,
        /// What the tag points at.
        observed: Option<Digest>,
        /// What the move would change.
        change: Change,
    },
    /// Append the policy that judged at `seq`: the log has no entry of it yet → `Appended`.
    Policy {
        /// The position.
        seq: u64,
    },
    /// Append the intent at `seq`; beside it, pin target and live digest → `Begun`.
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
        /// What was expected.
        expected: Option<Digest>,
        /// What was seen.
        observed: Option<Digest>,
    },
    /// Append the outcome of this worker's move → `Appended`.
    Close {
        /// The position.
        seq: u64,
        /// The move, with this worker as its owner.
        open: Box<OpenMove>,
        /// How it ended.
        status: Status,
        /// What the tag pointed at last.
        observed: Option<Digest>,
        /// Puts that this worker sent.
        attempts: u64,
        /// What became of the puts of the move.
        put: PutStatus,
        /// Why it was not committed.
        why: Option<Why>,
    },
    /// Put the target's bytes by tag, unless it is later than `not_after`, and give up after `timeout_ms` → `Put`.
    Put {
        /// The target.
        target: Digest,
        /// The most that it may take.
        timeout_ms: u64,
        /// R1: after this it must not be sent any more.
        not_after: Ms,
    },
    /// Sleep → `Woke`.
    Sleep(Ms),
    /// Nothing more.
    Done(End),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Heard {
    /// To `Look`.
    Looked(LogRead, Option<Digest>),
    /// To `ReadLog`.
    Log(LogRead),
    /// To `Resolve`.
    Tag(Option<Digest>),
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
    /// To anything but `Begin`, `Put` and `Sleep`: it could not be read or written, and nothing is known.
    Broken,
}

/// Whether target and live digest are pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pins {
    /// Both pins are there.
    Confirmed,
    /// One of them could not be confirmed: no put may follow.
    Unconfirmed,
}

/// A log, as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LogRead {
    /// Its fold.
    pub(crate) state: Arc<ChannelState>,
    /// The committed move with this worker's key, if there is one.
    pub(crate) replay: Option<Replay>,
    /// True if a hold is in force that stops the move.
    pub(crate) held: bool,
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

/// What a mover sleeps for.
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
    /// An answer of the registry or the ledger, which is asked again.
    Answer,
}

/// How a put ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PutEnd {
    /// It was too late to send it.
    NotSent,
    /// Something that must be there first (the pins, the target's bytes) could not be had: nothing was sent.
    NotReady,
    /// The registry says that it was applied.
    Applied,
    /// The registry refused it.
    Refused,
    /// The answer was lost, or it was not clear.
    Unknown,
}
