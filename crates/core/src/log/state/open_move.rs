//! `OpenMove`: the open move of a channel; `ClosedMove`: its last closed move; `PossiblyOpen`: a move whose intent was
//! appended, but the append was not answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::log::{Body, Deadlines, Entry, Intent, Op, Source, Status};
use crate::value::{Channel, Digest, IdempotencyKey, Line};

/// The open move of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpenMove {
    /// The position of its intent.
    pub seq: u64,
    /// Its operation.
    pub op: Op,
    /// Its id.
    pub move_id: Line,
    /// Its idempotency key.
    pub key: IdempotencyKey,
    /// The SHA-256 of its request.
    pub request: Digest,
    /// The live digest before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The digest that it points the channel at.
    pub target: Digest,
    /// In a repair, the digest that the tag pointed at instead of the live one; absent if the tag was absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Digest>,
    /// True if it records the tag's current digest and never puts: an adopt, or a bootstrap whose source is the
    /// channel's own tag.
    pub as_it_is: bool,
    /// The worker that holds it.
    pub owner: Line,
    /// The number of takeovers so far.
    pub epoch: u64,
    /// The time limits of the worker that holds it.
    pub deadlines: Deadlines,
    /// The longest quiet time of all workers that held it, in milliseconds.
    pub quiet_ms: u64,
    /// The longest settle time of all workers that held it, in milliseconds.
    pub settle_ms: u64,
    /// The position of the first takeover by a rollback, or by a recovery that is to abort it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_up: Option<u64>,
    /// The id of its set, if it is one of a set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<Line>,
}

impl OpenMove {
    /// The move that `intent` at `seq` opens.
    pub fn of(seq: u64, channel: &Channel, intent: &Intent) -> OpenMove {
        let own_tag = || intent.source == Source::Reference(channel.reference());
        OpenMove {
            seq,
            op: intent.op,
            move_id: intent.move_id.clone(),
            key: intent.key.clone(),
            request: intent.request,
            previous: intent.previous,
            target: intent.target.digest,
            replaced: intent.replaced,
            as_it_is: intent.op == Op::Adopt || (intent.op == Op::Bootstrap && own_tag()),
            owner: intent.owner.clone(),
            epoch: intent.epoch,
            deadlines: intent.deadlines,
            quiet_ms: intent.deadlines.quiet_ms,
            settle_ms: intent.deadlines.settle_ms,
            given_up: None,
            set: intent.set.as_ref().map(|set| set.id.clone()),
        }
    }

    /// The digest of the tag before this move is applied; none for *absent*.
    pub fn before(&self) -> Option<Digest> {
        if self.op == Op::Repair { self.replaced } else { self.previous }
    }
}

/// A move that was closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClosedMove {
    /// The position of its intent.
    pub seq: u64,
    /// Its id.
    pub move_id: Line,
    /// The worker that closed it.
    pub owner: Line,
    /// The result of the move.
    pub status: Status,
    /// The digest that the move pointed the tag at, or was meant to.
    pub target: Digest,
}

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
        let Body::Intent(intent) = &entry.body else { return None };
        let (op, move_id, target) = (intent.op, intent.move_id.clone(), intent.target.digest);
        Some(PossiblyOpen { seq: entry.seq, op, move_id, target })
    }
}

impl fmt::Display for PossiblyOpen {
    /// `promote to sha256:… (seq 7, move 0193…): the append of its intent was not answered`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PossiblyOpen { seq, op, move_id, target } = self;
        write!(f, "{} to {target} (seq {seq}, move {move_id}): the append of its intent was not answered", op.as_str())
    }
}
