//! What is asked of a machine, and of whom.

#[cfg(test)]
use super::rules::Rule;
use crate::record::{Deadlines, Op};
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
    pub(crate) left_out: Option<Rule>,
}
