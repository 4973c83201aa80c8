//! How a move runs: a state machine without I/O.
//!
//! The machine says what to do next ([`Effect`]) and is told what happened ([`Input`]). The driver does it against a real
//! registry and ledger; the model check does it against interleavings, crashes, delays and reads that lag. It is the same
//! code.
//!
//! # Steps
//! The names are those of `docs/protocol.md`.
//!
//! | step | does | where |
//! | --- | --- | --- |
//! | look | reads log and tag | [`moving`] |
//! | replay, wait, drift | compares them with the request | [`situation`] |
//! | judge | asks the policy | [`moving`] |
//! | pin, intent | appends the intent, beside it the pins | [`moving`] |
//! | guard, put, read back, outcome | runs a move that this worker holds | [`holding`] |
//! | takeover, closing | closes a move that another worker left open | [`clearing`] |
//!
//! Reads that may lag are judged by [`windows`].

mod claim;
mod clearing;
mod effect;
mod holding;
#[cfg(test)]
mod model;
mod moving;
mod situation;
mod windows;

pub(crate) use clearing::{Cleared, Clearing};
pub(crate) use effect::{Appended, Closing, Effect, Input, LogRead, Next, Pins, PutEnd, Waiting, back_off};
pub(crate) use holding::Part;
pub(crate) use moving::Moving;
pub(crate) use situation::{Change, Comparison, Replay};
pub(crate) use windows::{FirstRead, TagRead};

use crate::record::{Deadlines, Op, Status};
use crate::value::{Digest, IdempotencyKey, Text};

/// A moment on a monotonic clock, in milliseconds.
pub(crate) type Ms = u64;

/// A move, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ask {
    /// What it does.
    pub(crate) op: Op,
    /// The digest that the channel is to point at.
    pub(crate) want: Want,
    /// Its idempotency key.
    pub(crate) key: IdempotencyKey,
    /// Where the key comes from.
    pub(crate) key_from: Key,
    /// The SHA-256 of the canonical request, as it was given.
    pub(crate) request: Digest,
    /// The answer to another move that comes first.
    pub(crate) on_conflict: OnConflict,
}

/// Where an idempotency key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The caller gave it: a retry has the same.
    Given,
    /// It is random.
    Random,
}

/// The digest that a channel is to point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Want {
    /// This digest.
    Digest(Digest),
    /// The digest that was live before.
    Previous,
    /// The live digest, put back.
    Live,
    /// The digest that the tag points at, as it is.
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
    /// How old the last look at the tag may be when the put is sent.
    pub(crate) fresh_ms: u64,
    /// How long to wait for others, from the start.
    pub(crate) timeout_ms: u64,
    /// The rule that the model check leaves out, to see that it notices.
    #[cfg(test)]
    pub(crate) left_out: Option<model::Rule>,
}

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
    if quiet_ms > settle_ms {
        return Err(format!("the quiet time ({quiet_ms} ms) must not be longer than the settle time ({settle_ms} ms)"));
    }
    // Who takes a move over has the quiet time on top of its ttl, and a takeover's ttl is at most 1 h, too.
    if ttl_ms.saturating_add(quiet_ms) > Deadlines::MAX_MS {
        return Err(format!("ttl ({ttl_ms} ms) and quiet time ({quiet_ms} ms) together must be at most 1 h"));
    }
    Ok(())
}
