//! Faults: what a `MemoryRegistry` is told to do with the next calls.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::{Call, ErrorAnswer};
use crate::registry::Manifest;
use crate::value::Digest;

/// What happens to a put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: the put is answered as it should be. It stands for its place in the order.
    Pass,
    /// It fails before anything is applied, and the caller cannot know: `Unknown`.
    Before,
    /// It is applied, and the answer is lost: `Unknown`.
    After,
    /// The registry refuses in these words, and nothing moves. [`Fault::refused`] takes a code alone.
    Refused(ErrorAnswer),
    /// The registry does not accept the credentials, and nothing moves.
    Denied,
    /// The answer is lost now, and the put lands after this time.
    Late(Duration),
    /// It is applied, answered, and lands once more after this time.
    Twice(Duration),
    /// It takes this long. If the caller's timeout is shorter the answer is `Unknown`, and it lands all the same.
    Slow(Duration),
    /// It is applied, and this many of the next reads of the tag are [`ReadFault::Stale`].
    Stale(u32),
    /// The answer is lost, and the tag is gone: a registry that cleans up after an error of its own.
    Gone,
    /// It is answered as applied, and nothing was: a 2xx is not proof.
    Ignored,
    /// A foreign writer moves the tag to this manifest just before the put lands.
    ForeignBefore(Manifest),
    /// A foreign writer moves the tag to this manifest just after the put landed.
    ForeignAfter(Manifest),
}

impl Fault {
    /// The registry refuses with this code, the status that vendors answer with it, and words of no meaning.
    pub fn refused(code: &str) -> Fault {
        Fault::Refused(ErrorAnswer::of_code(code))
    }
}

/// What happens to a read: a resolve, a fetch, a list of tags, a question for a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadFault {
    /// Nothing: the read is answered as it should be. It stands for its place in the order.
    Pass,
    /// No usable answer: REGISTRY_UNAVAILABLE.
    Unavailable,
    /// The registry asks to slow down: REGISTRY_BUSY.
    Busy,
    /// The registry does not accept the credentials: REGISTRY_DENIED.
    Denied,
    /// A fetch gets other bytes than it asked for: REGISTRY_DIGEST_MISMATCH. Other reads are not touched.
    DigestMismatch,
    /// The answer was true when the read arrived, and comes after this time.
    Slow(Duration),
    /// A resolve, or a fetch by tag, answers what was there before the tag's last change. Under chaos only as long after
    /// that change as [`Chaos::lag`](super::Chaos::lag) says; later, what is there.
    Stale,
    /// A resolve, or a fetch by tag, answers what the tag had this many changes ago, however long that is: 0 is what is
    /// there, 1 what was before the last change, and more than it had is *absent*. A put of what is there is a change.
    /// If that manifest is gone it answers what is there.
    Past(usize),
    /// A resolve, or a fetch by tag, lags this far behind, as every read does after
    /// [`MemoryRegistry::lag`](super::MemoryRegistry::lag).
    Lag(Duration),
    /// A foreign writer moves the tag that is read to this manifest just before.
    ForeignBefore(Manifest),
    /// A foreign writer moves the tag that is read to this manifest just after.
    ForeignAfter(Manifest),
    /// A foreign writer deletes this manifest, and with it every tag on it, just after.
    DeletedAfter(Digest),
}

/// Which calls a scripted fault waits for.
pub(super) enum When {
    Any,
    Matches(Box<dyn Fn(&Call) -> bool + Send>),
}

impl When {
    fn takes(&self, call: &Call) -> bool {
        match self {
            When::Any => true,
            When::Matches(predicate) => predicate(call),
        }
    }
}

/// Faults in order; a call takes the first one that waits for it.
pub(super) struct Script<F>(VecDeque<(When, F)>);

impl<F> Script<F> {
    pub(super) fn push(&mut self, when: When, fault: F) {
        self.0.push_back((when, fault));
    }

    pub(super) fn take(&mut self, call: &Call) -> Option<F> {
        let at = self.0.iter().position(|(when, _)| when.takes(call))?;
        self.0.remove(at).map(|(_, fault)| fault)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl<F> Default for Script<F> {
    fn default() -> Script<F> {
        Script(VecDeque::new())
    }
}

impl<F: fmt::Debug> fmt::Debug for Script<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(_, fault)| fault)).finish()
    }
}
