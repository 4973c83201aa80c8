//! The request of a move, and the worker that runs it.

#[cfg(test)]
use super::rules::Rule;
use crate::log::{Deadlines, Op};
use crate::value::{Digest, IdempotencyKey, Line};

/// The request of a move.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ask {
    /// Its operation.
    pub(crate) op: Op,
    /// The digest that the channel is to point at.
    pub(crate) want: Want,
    /// Its idempotency key.
    pub(crate) key: IdempotencyKey,
    /// The origin of the key.
    pub(crate) key_from: Key,
    /// The SHA-256 of the canonical request, as it was given.
    pub(crate) request: Digest,
    /// The reaction to another move that comes first.
    pub(crate) on_conflict: OnConflict,
    /// True for a rollback that appends a hold of promotions once it is approved, before it waits or writes its intent.
    pub(crate) holds_first: bool,
}

/// The origin of an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The caller gave it: a retry has the same key.
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
    /// The digest that the tag points at now.
    Observed,
}

/// The reaction of a move to another move that comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnConflict {
    /// Wait for it; go on only if the live digest is unchanged then, so that a stale run never moves the channel. The
    /// default.
    #[default]
    Wait,
    /// Wait for it, then look again and judge again.
    Requeue,
    /// Give up at once.
    Fail,
}

/// A worker: its name and its times.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    /// Its name: random, so that no other worker has the same.
    pub(crate) owner: Line,
    /// A UUIDv7 for the move that it may open.
    pub(crate) move_id: Line,
    /// The times that it writes into the log.
    pub(crate) deadlines: Deadlines,
    /// The timeout of one put, in milliseconds. Shorter than the time to live.
    pub(crate) put_ms: u64,
    /// The greatest age of the last read of the tag when the put is sent, in milliseconds.
    pub(crate) fresh_ms: u64,
    /// The longest wait for others, in milliseconds, from the start.
    pub(crate) timeout_ms: u64,
    /// The rule that the model check leaves out.
    #[cfg(test)]
    pub(crate) left_out: Option<Rule>,
}
