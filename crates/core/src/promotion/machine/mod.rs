//! How a move runs: a state machine without I/O.
//!
//! A [`Mover`] says what to do next ([`Action`]) and hears what happened ([`Heard`]). The promoter does it against a real
//! registry and ledger; the model check does it against every interleaving, crash and delay. It is the same code.
//!
//! Three rules keep moves of one channel from interleaving, each of them needed:
//!
//! - **R1** No put is sent after the time to live; a move is taken over only after time to live and grace.
//! - **R2** After a put whose answer was lost, no outcome is written until that put can no longer land.
//! - **R3** A retry with the same key never joins a live move; it waits for it.

mod action;
#[cfg(test)]
mod model;
mod mover;
mod own;
mod situation;
mod wait;

pub(crate) use action::{Action, Appended, Heard, LogRead, Pins, PutEnd, Waiting};
pub(crate) use mover::Mover;
pub(crate) use situation::{Change, Replay};

use crate::record::{Deadlines, Op, Status};
use crate::value::{Digest, IdempotencyKey, Text};

/// A moment on a monotonic clock, in milliseconds.
pub(crate) type Ms = u64;

/// What a mover is to bring about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Goal {
    /// A move of its own.
    Move(Ask),
    /// To close whatever move is open, with a put if that is what it takes.
    Forward,
    /// To close whatever move is open, without a put.
    Abandon,
}

/// A move, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ask {
    /// What it does.
    pub(crate) op: Op,
    /// What the channel is to point at.
    pub(crate) want: Want,
    /// Its idempotency key.
    pub(crate) key: IdempotencyKey,
    /// The SHA-256 of the canonical request, as it was given.
    pub(crate) request: Digest,
    /// What to do when another move comes first.
    pub(crate) on_conflict: OnConflict,
}

/// What a channel is to point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Want {
    /// This digest.
    Digest(Digest),
    /// The digest that was live before.
    Previous,
    /// The live digest, put back.
    Live,
    /// What the tag points at, as it is.
    Observed,
}

/// What to do when another move comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnConflict {
    /// Wait for it; go on if the live digest is still what it was, so that a stale run never wins.
    #[default]
    Wait,
    /// Wait for it, then look again and judge anew.
    Requeue,
    /// Give up at once.
    Fail,
}

/// Who a worker is, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    /// Random, so that no other worker has it.
    pub(crate) owner: Text,
    /// A UUIDv7 for the move that it may open.
    pub(crate) move_id: Text,
    /// The times that it writes into the log.
    pub(crate) deadlines: Deadlines,
    /// How long one put may take. Shorter than the time to live.
    pub(crate) put_ms: u64,
    /// How long to wait for others, from the start.
    pub(crate) patience_ms: u64,
}

/// How a mover ended.
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
        /// Why.
        why: Why,
    },
    /// Nothing was moved and no intent was written.
    Refused(Why),
    /// The intent stands, and it is not known whether the tag moved or will.
    Indeterminate {
        /// Where the intent stands, if it is known to.
        seq: Option<u64>,
        /// Why.
        why: Why,
    },
    /// There was no move to close.
    Nothing,
    /// Something could not be read or written before an intent was; the driver knows the error.
    Broken,
}

/// Why a mover did not bring about what was asked.
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
    /// Another move came first.
    ChannelChanged,
    /// Another move is under way.
    Busy,
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
    /// The time to live passed before the put.
    Late,
    /// The tag pointed at a third digest after the put, or none.
    Overwritten(Option<Digest>),
    /// The move had not landed and was given up.
    Abandoned,
    /// Another worker took the move over.
    TakenOver,
    /// The registry or the ledger did not say within the time to live.
    Unknown,
}

/// The relations that a worker's times must keep; the text says which one is broken.
pub(crate) fn check_times(deadlines: Deadlines, put_ms: u64) -> Result<(), String> {
    let Deadlines { ttl_ms, grace_ms, quiet_ms, settle_ms } = deadlines;
    for (name, ms) in [
        ("ttl", ttl_ms),
        ("grace", grace_ms),
        ("quiet time", quiet_ms),
        ("settle time", settle_ms),
        ("put timeout", put_ms),
    ] {
        if !(1..=Deadlines::MAX_MS).contains(&ms) {
            return Err(format!("the {name} is {ms} ms; it must be from 1 ms to 1 h"));
        }
    }
    if put_ms >= ttl_ms {
        return Err(format!("the put timeout ({put_ms} ms) must be shorter than the ttl ({ttl_ms} ms)"));
    }
    if put_ms > grace_ms {
        return Err(format!("the put timeout ({put_ms} ms) must not be longer than the grace ({grace_ms} ms)"));
    }
    if put_ms > quiet_ms {
        return Err(format!("the put timeout ({put_ms} ms) must not be longer than the quiet time ({quiet_ms} ms)"));
    }
    Ok(())
}

/// The rules that the model check leaves out, one at a time, to see that it notices. Outside tests all of them hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sabotage {
    /// R1: puts are sent after the time to live.
    LatePut,
    /// R1: a move is taken over before time to live and grace.
    EarlyTakeover,
    /// R2: an outcome is written while a put may still land.
    NoQuiet,
    /// R3: a retry with the same key goes on with the live move of the other.
    JoinLive,
    /// A move is taken over without a record of it.
    NoTakeoverRecord,
    /// An outcome is written by whoever thinks that the move is theirs.
    UnfencedOutcome,
}
