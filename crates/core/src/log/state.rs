//! The state of a channel, computed from its log entry by entry: the live digest, the previous one, the open move.
//!
//! [`ChannelState::take`] is the only way from stored bytes to state: it checks every rule of the format that needs one
//! entry and the state before it, and applies the entry. The [`Verifier`](super::Verifier) checks the rules that need
//! the whole log: ids and keys that occur twice, targets of rollbacks.
//!
//! The protocol's model check applies entries in the same way, so it checks the code that runs.

mod block;
mod hold;
mod open_move;
mod rolled_back;
mod trail;
mod transitions;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::defect::{Broken, Checked, Defect};
use super::entry::{Body, Entry, EntryHash};
use super::envelope::Envelope;
use super::intent::Op;
use super::merkle::{Frontier, hash_of};
use crate::error::{Error, ErrorKind};
use crate::value::{Channel, Digest, Line, Timestamp};

pub use block::ActiveBlock;
pub use hold::{ActiveHold, CLOCK_TOLERANCE_MS};
pub use open_move::{ClosedMove, OpenMove, PossiblyOpen};
pub use rolled_back::{RolledBack, RolledBackCause};
pub use trail::{Ended, Mark, MayBe, MayBeCause, Trail};

/// The state of a channel after the entries of its log up to some position.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChannelState {
    /// The channel.
    pub channel: Channel,
    /// The number of entries applied, which is the position of the next one.
    pub size: u64,
    /// The leaf hash of the last entry; absent in an empty log.
    pub leaf: Option<EntryHash>,
    /// The Merkle tree over the entries.
    pub tree: Frontier,
    /// The live digest: the target of the last committed move.
    pub live: Option<Digest>,
    /// The live digest before the last committed move that changed it.
    pub previous: Option<Digest>,
    /// The operation of the last committed move that changed the live digest.
    pub changed_by: Option<Op>,
    /// The set of that move, if it was one of a set.
    pub changed_in: Option<Line>,
    /// The digests that rollbacks left, and that were not live since; oldest first.
    pub rolled_back: Vec<RolledBack>,
    /// The open move, if there is one.
    pub open: Option<OpenMove>,
    /// The last move that was closed.
    pub closed: Option<ClosedMove>,
    /// The position of the last intent.
    pub last_intent: Option<u64>,
    /// The number of committed moves.
    pub committed: u64,
    /// The holds that no [`Unhold`](super::Unhold) ended. A hold may be over by its own end time: see
    /// [`ChannelState::held_at`].
    pub holds: Vec<ActiveHold>,
    /// The blocks that no [`Unblock`](super::Unblock) ended, one for each digest, oldest first.
    pub blocked: Vec<ActiveBlock>,
    /// The digests of the policies that have an entry.
    pub policies: Vec<Digest>,
    /// The newest policy entry.
    pub policy: Option<PolicyInForce>,
    /// The ledger in which the log continues, if it was migrated.
    pub migrated: Option<MigratedTo>,
    /// The past values and may-be values of the tag.
    pub trail: Trail,
}

/// The newest policy entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyInForce {
    /// Its position.
    pub seq: u64,
    /// Its digest.
    pub digest: Digest,
    /// True if moves under any other policy are refused.
    pub binding: bool,
}

/// The ledger in which a migrated log continues.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MigratedTo {
    /// The position of the log's last entry, which names that ledger.
    pub seq: u64,
    /// The ledger.
    pub ledger: Line,
}

impl MigratedTo {
    /// LEDGER_MIGRATED: nothing more can be appended to the log of `channel`.
    pub fn error(&self, channel: &Channel) -> Error {
        let MigratedTo { seq, ledger } = self;
        let message =
            format!("the log of {channel} was migrated at seq {seq}: it goes on in {ledger}; use that ledger");
        Error::new(ErrorKind::LedgerMigrated, message)
            .with_context("channel", channel)
            .with_context("seq", seq)
            .with_context("ledger", ledger)
    }
}

impl ChannelState {
    /// The state of a log without entries.
    pub fn empty(channel: Channel) -> ChannelState {
        ChannelState {
            channel,
            size: 0,
            leaf: None,
            tree: Frontier::default(),
            live: None,
            previous: None,
            changed_by: None,
            changed_in: None,
            rolled_back: Vec::new(),
            open: None,
            closed: None,
            last_intent: None,
            committed: 0,
            holds: Vec::new(),
            blocked: Vec::new(),
            policies: Vec::new(),
            policy: None,
            migrated: None,
            trail: Trail::default(),
        }
    }

    /// The RFC 6962 root over the entries.
    pub fn root(&self) -> Digest {
        Digest::Sha256(self.tree.root())
    }

    /// The holds in force at `now`. A hold counts until 5 min after its end time, because clocks differ.
    pub fn holds_at(&self, now: Timestamp) -> impl Iterator<Item = &ActiveHold> {
        self.holds.iter().filter(move |hold| !hold.is_over(now))
    }

    /// The first hold in force at `now` that stops a move.
    pub fn held_at(&self, now: Timestamp, op: Op) -> Option<&ActiveHold> {
        self.holds_at(now).find(|hold| hold.scope.covers(op))
    }

    /// True if both states have the same holds, blocks and policy in force, so that a policy judges a move the same
    /// way.
    pub fn judges_like(&self, other: &ChannelState) -> bool {
        self.holds == other.holds && self.blocked == other.blocked && self.policy == other.policy
    }

    /// The next entry of the log, with this `body`; the channel, position and parent are filled in.
    ///
    /// `id` must be a UUIDv7 that no other entry of the log has.
    pub fn next(&self, body: Body, id: Uuid, at: Timestamp) -> Entry {
        Entry { channel: self.channel.clone(), seq: self.size, id, at, parent: self.leaf, body }
    }

    /// Checks the next entry's stored bytes against the whole format and applies it; returns the entry.
    ///
    /// After a defect the state is still good for a report, but no more entries may be applied.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Entry, Defect> {
        let seq = self.size;
        let taken = Envelope::read_at(&self.channel, seq, self.leaf, bytes).and_then(|envelope| {
            self.advance(envelope.leaf, envelope.at, envelope.body.as_ref())?;
            envelope.entry()
        });
        taken.map_err(Defect::at(seq))
    }

    /// Applies the next entry: its hash, its time and its body. An entry that breaks a rule is counted in the size and
    /// changes nothing else.
    ///
    /// The [`Verifier`](super::Verifier) checks the rules that need the whole log (ids, keys and rollback targets), not
    /// this method.
    pub fn fold(&mut self, leaf: EntryHash, at: Timestamp, body: &Body) -> Result<(), Defect> {
        let seq = self.size;
        self.advance(leaf, at, Ok(body)).map_err(Defect::at(seq))
    }

    /// Counts the next entry in size, leaf and tree, and applies its body.
    pub(super) fn advance(&mut self, leaf: EntryHash, at: Timestamp, body: Result<&Body, &Broken>) -> Checked<()> {
        let applied = self.apply(at, body);
        self.size += 1;
        self.leaf = Some(leaf);
        self.tree.push(hash_of(&leaf));
        applied
    }
}
