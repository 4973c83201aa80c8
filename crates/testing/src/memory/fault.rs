//! Faults: the misbehaviour of a `MemoryRegistry` in its next calls.

use std::time::Duration;

use super::ErrorAnswer;
use tagwarden::Digest;
use tagwarden::registry::Manifest;

/// A fault of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InjectedFault {
    /// No fault: the put is answered normally. Use it to skip one put in the order.
    Pass,
    /// The put fails before it is applied, and the caller cannot know that: `Unknown`.
    Before,
    /// The put is applied, and the answer is lost: `Unknown`.
    After,
    /// The registry refuses with this answer, and no tag moves. [`InjectedFault::refused`] takes only a code.
    Refused(ErrorAnswer),
    /// The registry does not accept the credentials, and no tag moves.
    Denied,
    /// The answer is lost at once, and the put is applied after this time.
    Late(Duration),
    /// The put is applied and answered, and is applied once more after this time.
    Twice(Duration),
    /// The put takes this long. If the caller's timeout is shorter, the answer is `Unknown`, and the put is still
    /// applied.
    Slow(Duration),
    /// The put is applied, and this many of the next reads of the tag are [`ReadFault::Stale`].
    Stale(u32),
    /// The answer is lost, and the tag is deleted: a registry that cleans up after its own error.
    Gone,
    /// The put is answered as applied, but it was not: a 2xx is not proof.
    Ignored,
    /// A foreign writer moves the tag to this manifest just before the put is applied.
    ForeignBefore(Manifest),
    /// A foreign writer moves the tag to this manifest just after the put is applied.
    ForeignAfter(Manifest),
}

impl InjectedFault {
    /// A refusal with this code, the status that vendors send with it, and a message without meaning.
    pub fn refused(code: &str) -> InjectedFault {
        InjectedFault::Refused(ErrorAnswer::of_code(code))
    }
}

/// A fault of a read: a resolve, a fetch, a list of tags, or a query for a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadFault {
    /// No fault: the read is answered normally. Use it to skip one read in the order.
    Pass,
    /// The registry gives no usable answer: REGISTRY_UNAVAILABLE.
    Unavailable,
    /// The registry asks to slow down: REGISTRY_BUSY.
    Busy,
    /// The registry does not accept the credentials: REGISTRY_DENIED.
    Denied,
    /// A fetch gets bytes with another digest than requested: REGISTRY_DIGEST_MISMATCH. Other reads are answered
    /// normally.
    DigestMismatch,
    /// The answer is the value at the arrival of the read, and is delayed by this time.
    Slow(Duration),
    /// A resolve, or a fetch by tag, answers the value before the tag's last change. Under chaos this holds only within
    /// [`RandomFaults::lag`](super::RandomFaults::lag) after that change; later the current value is answered.
    Stale,
    /// A resolve, or a fetch by tag, answers the value of the tag this many changes ago, however long ago that is: 0 is
    /// the current value, 1 the value before the last change, and a number larger than the number of changes is
    /// *absent*. A put of the current digest is a change too. If the manifest of the value was deleted, the current
    /// value is answered.
    Past(usize),
    /// A resolve, or a fetch by tag, lags within this window, as every read does after
    /// [`MemoryRegistry::lag`](super::MemoryRegistry::lag).
    Lag(Duration),
    /// A foreign writer moves the tag to this manifest just before it is read.
    ForeignBefore(Manifest),
    /// A foreign writer moves the tag to this manifest just after it was read.
    ForeignAfter(Manifest),
    /// A foreign writer deletes this manifest and every tag that points at it just after the read.
    DeletedAfter(Digest),
}
