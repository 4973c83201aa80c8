//! The machine's interface: its effects (things to do) and its inputs (their results).

use super::{Change, End, LogRead, Ms, TagRead, Why};
use crate::error::Retry;
use crate::log::{Deadlines, OpenMove, Outcome};
use crate::value::Digest;

/// The next thing to do. Each effect is answered with one [`Input`], named after the arrow.
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
        /// True if the tag was read at another value than the live digest, and lag explains it.
        lagging: bool,
        /// The change that the move would make.
        change: Change,
    },
    /// Append a hold that stops promotions, at the head of the log → `AppendEnd`.
    Hold,
    /// Append at `seq` the policy that judged: the log has no entry of it yet → `AppendEnd`.
    Policy {
        /// The position.
        seq: u64,
    },
    /// Append the intent at `seq`; when it is in the log, pin target and live digest → `AppendEnd` or
    /// `Unpinned`.
    Begin {
        /// The position.
        seq: u64,
        /// The change that the move makes.
        change: Change,
    },
    /// Append the takeover of the open move by this worker → `AppendEnd`.
    Takeover {
        /// The position.
        seq: u64,
        /// The move.
        open: Box<OpenMove>,
        /// The times that the takeover names.
        deadlines: Deadlines,
    },
    /// Append an observation: the tag was not at the expected digest → `AppendEnd`.
    Observe {
        /// The position.
        seq: u64,
        /// The digest that was expected.
        expected: Option<Digest>,
        /// The digest that was seen; none for *absent*.
        observed: Option<Digest>,
    },
    /// Append the outcome of this worker's move → `AppendEnd`.
    Close {
        /// The position.
        seq: u64,
        /// The outcome, without the text of its error.
        outcome: Box<Outcome>,
        /// The reason, unless it is committed.
        why: Option<Why>,
    },
    /// Put the target's bytes by tag, with a timeout of `timeout_ms`, unless it is later than `not_after` → `Put`.
    Put {
        /// The move.
        open: Box<OpenMove>,
        /// The timeout of the put, in milliseconds.
        timeout_ms: u64,
        /// *no-late-put*: after this time the put must not be sent.
        not_after: Ms,
    },
    /// Sleep for `ms` milliseconds, in a wait that ends at `until` at the latest, on this worker's clock → `Woke`.
    Sleep {
        /// The milliseconds.
        ms: Ms,
        /// The end of the wait.
        until: Ms,
        /// The reason.
        waiting: WaitReason,
    },
}

/// The result of an effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    /// To `Look`.
    Looked(LogRead, TagRead),
    /// To `ReadLog`.
    Log(LogRead),
    /// To `Resolve`.
    Tag(TagRead),
    /// To `Judge`: this policy approves the move.
    Approved(Digest),
    /// To `Judge`: the policy refuses the move.
    Refused,
    /// To `Hold`, `Policy`, `Begin`, `Takeover`, `Observe` and `Close`.
    Appended(AppendEnd),
    /// To `Begin`: the intent is in the log, and one of the pins could not be confirmed, so that no put may follow.
    Unpinned(LogRead),
    /// To `Put`.
    Put(PutEnd),
    /// To `Sleep`.
    Woke,
    /// To any effect but `Put` and `Sleep`: a read or an append failed. `Retry` says if it can succeed later.
    Broken(Retry),
}

/// The result of an append.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AppendEnd {
    /// The entry is in the log; this is the log with it.
    Stored(LogRead),
    /// Another entry came first; this is the log as it is now.
    Lost(LogRead),
    /// It is not known if the entry is in the log, or will be.
    Unknown,
}

/// The reason why a run waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WaitReason {
    /// Another worker's move is open; the run waits until it is closed or may be taken over.
    OtherMove {
        /// The move.
        move_id: String,
    },
    /// An earlier put may still land; the run waits until that time is over.
    QuietTime,
    /// A read of the tag may still lag; the run reads it again.
    Settle,
    /// The registry or the ledger did not answer; the run asks again.
    Answer {
        /// The error, as text.
        why: String,
    },
}

/// The result of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PutEnd {
    /// It was too late to send the put.
    NotSent,
    /// The pins could not be written, or the target's bytes could not be read: the put was not sent.
    NotReady(Retry),
    /// The registry accepted it.
    Applied,
    /// The registry refused it.
    Refused,
    /// The answer was lost or ambiguous: the put may have been carried out, or may still be.
    Unknown,
}

/// The next effect of the machine, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "an effect is the common case, and is moved once")]
pub(crate) enum Next {
    /// Perform this effect and pass its result to the machine.
    Do(Effect),
    /// It has ended.
    End(End),
}

impl WaitReason {
    /// The wait after no answer. The driver adds the error, if it knows one.
    pub(super) fn unanswered() -> WaitReason {
        WaitReason::Answer { why: "it was not answered".to_owned() }
    }
}

impl Effect {
    /// The sleep of a worker that got no answer, before it asks again. It asks until `until` at most.
    pub(super) fn ask_again(until: Ms) -> Effect {
        Effect::Sleep { ms: back_off(0), until, waiting: WaitReason::unanswered() }
    }

    /// The sleep of a worker whose reads of the tag may lag until `until`, before the `n`th read again. It ends at
    /// `until` or at `end` at the latest, if that is later than `now`.
    pub(super) fn read_again(n: u32, until: Ms, end: Ms, now: Ms) -> Effect {
        let left = [until, end].into_iter().filter_map(|at| at.checked_sub(now)).filter(|ms| *ms > 0);
        Effect::Sleep { ms: left.fold(back_off(n), Ms::min), until, waiting: WaitReason::Settle }
    }
}

/// The wait before the `n`th look again, in milliseconds: 100 ms, doubled each time, at most 2 s.
pub(crate) fn back_off(n: u32) -> Ms {
    100_u64.saturating_mul(1 << n.min(5)).min(2_000)
}
