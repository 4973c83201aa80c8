//! `Trail`: past values and may-be values of a channel's tag, according to the log.
//!
//! Reads of a tag may lag: for some time after a write, a registry may answer an older value. The rules that tell such
//! a read from a foreign write (`docs/internals/protocol.md`, *Reads that lag*) need these values and the time at which
//! each ended.

use serde::{Deserialize, Serialize};

use super::OpenMove;
use crate::log::{Outcome, PutStatus, Status};
use crate::value::{Digest, Timestamp};

/// An entry after which a read of the tag may lag, until its settle time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// The position of the entry.
    pub seq: u64,
    /// Its time, by the clock of its writer.
    pub at: Timestamp,
    /// The longest settle time of all workers that held the move, in milliseconds.
    pub settle_ms: u64,
}

/// A value of the tag, or *absent*, and the entry that ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ended {
    /// The digest; none for *absent*.
    pub value: Option<Digest>,
    /// The entry that ended it.
    pub by: Mark,
}

/// A value that the tag may still have: the target of a move that was closed without a result, or the digest that an
/// observation saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MayBe {
    /// The digest; none for *absent*.
    pub value: Option<Digest>,
    /// The position of that move's intent, or of the observation.
    pub seq: u64,
    /// The kind of the entry at `seq`.
    pub cause: MayBeCause,
}

/// The source of a may-be value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MayBeCause {
    /// A move to this value was closed without `committed`, and a put was sent or may have been.
    Move,
    /// An observation saw this value.
    Observation,
}

/// The past values and may-be values of a channel's tag, according to the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trail {
    /// Past values, oldest first: the newest [`Trail::MOST`] of them.
    pub ended: Vec<Ended>,
    /// May-be values since the last committed move: the newest [`Trail::MOST`] of them.
    pub may_be: Vec<MayBe>,
    /// The newest outcome that is neither `failed` nor `put: none`.
    pub unsettled_by: Option<Mark>,
    /// The newest entry that ended a value which was dropped from `ended` because the list was full.
    pub unlisted: Option<Mark>,
}

impl Trail {
    /// The greatest number of listed values. If more values end within one settle time, every value counts as past.
    pub const MOST: usize = 32;

    /// Every entry after which a read may lag.
    pub fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.ended.iter().map(|ended| &ended.by).chain(&self.unsettled_by).chain(&self.unlisted)
    }

    /// The may-be value that equals `value`, if there is one.
    pub fn may_be(&self, value: Option<Digest>) -> Option<&MayBe> {
        self.may_be.iter().rev().find(|may_be| may_be.value == value)
    }

    /// Applies the end of `open`; `at` and `seq` are those of the outcome.
    pub(super) fn close(&mut self, open: &OpenMove, outcome: &Outcome, at: Timestamp, seq: u64) {
        let Outcome { status, put, .. } = *outcome;
        let by = Mark { seq, at, settle_ms: open.settle_ms };
        if status != Status::Failed && put != PutStatus::None {
            self.unsettled_by = Some(by);
        }
        let target = Some(open.target);
        if status == Status::Committed {
            let replaced = open.before();
            // A bootstrap that found its target already there replaced nothing.
            let found = replaced.is_none() && put == PutStatus::None;
            if replaced != target && !found {
                self.end(Ended { value: replaced, by });
            }
            for MayBe { value, .. } in std::mem::take(&mut self.may_be) {
                if value != target {
                    self.end(Ended { value, by });
                }
            }
        } else if !matches!(put, PutStatus::None | PutStatus::Refused) && open.previous != target {
            self.end(Ended { value: target, by });
            self.note_may_be(MayBe { value: target, seq: open.seq, cause: MayBeCause::Move });
        }
    }

    pub(super) fn note_may_be(&mut self, new: MayBe) {
        self.may_be.retain(|known| known.value != new.value);
        self.may_be.push(new);
        if self.may_be.len() > Trail::MOST {
            self.may_be.remove(0);
        }
    }

    fn end(&mut self, new: Ended) {
        self.ended.retain(|known| known.value != new.value || known.by.settle_ms > new.by.settle_ms);
        self.ended.push(new);
        if self.ended.len() > Trail::MOST {
            let Ended { by, .. } = self.ended.remove(0);
            let settle_ms = self.unlisted.map_or(0, |unlisted| unlisted.settle_ms).max(by.settle_ms);
            self.unlisted = Some(Mark { settle_ms, ..by });
        }
    }
}
