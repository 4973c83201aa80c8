//! `PossiblyOpen`: a move whose intent was appended, but the append was not answered.

use std::fmt;

use serde::Serialize;

use super::{Body, Entry, Op, OpenMove};
use crate::value::{Digest, Line};

/// A move that may be open: the append of its intent was not answered, and the log did not have it when it was last
/// read. The question is decided once another entry is at its position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PossiblyOpen {
    /// The position at which its intent was appended.
    pub seq: u64,
    /// Its operation.
    pub op: Op,
    /// Its id.
    pub move_id: Line,
    /// The digest that it points the channel at.
    pub target: Digest,
}

impl PossiblyOpen {
    /// The move that an entry would open; none if it is no intent.
    pub fn by(entry: &Entry) -> Option<PossiblyOpen> {
        match &entry.body {
            Body::Intent(intent) => Some(PossiblyOpen {
                seq: entry.seq,
                op: intent.op,
                move_id: intent.move_id.clone(),
                target: intent.target.digest,
            }),
            _ => None,
        }
    }
}

impl From<&OpenMove> for PossiblyOpen {
    fn from(open: &OpenMove) -> PossiblyOpen {
        PossiblyOpen { seq: open.seq, op: open.op, move_id: open.move_id.clone(), target: open.target }
    }
}

impl fmt::Display for PossiblyOpen {
    /// `promote to sha256:… (seq 7, move 0193…): the append of its intent was not answered`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PossiblyOpen { seq, op, move_id, target } = self;
        write!(f, "{} to {target} (seq {seq}, move {move_id}): the append of its intent was not answered", op.as_str())
    }
}
