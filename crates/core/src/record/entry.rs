//! `Entry`: one record of a channel's log, version 1 of the format (`docs/ledger-format.md`).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::json::canonical;
use super::merkle::leaf_hash;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Channel, Digest, Key, Provenance, Text, Timestamp};

/// The most bytes that an entry may have: 32 KiB.
pub const MAX_ENTRY: usize = 32 * 1024;

/// The hash of an entry's bytes as a leaf of a Merkle tree: SHA-256(0x00 ‖ bytes) (RFC 6962, section 2.1).
pub type Leaf = Digest;

/// One immutable record in a channel's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The log it belongs to.
    pub channel: Channel,
    /// Its position, from 0.
    pub seq: u64,
    /// A UUIDv7 of its own.
    pub id: Uuid,
    /// When it was written, as the writer's clock said. It informs, it never orders.
    pub at: Timestamp,
    /// The leaf hash of the entry before it; absent at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Leaf>,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
}

/// What an entry says, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "lowercase")]
pub enum Body {
    /// A move begins.
    Intent(Box<Intent>),
    /// A move ends.
    Outcome(Outcome),
    /// Another worker takes an open move over.
    Takeover(Takeover),
    /// Somebody looked, and the tag was not what the log says.
    Observation(Observation),
    /// Somebody approved exactly one move.
    Approval(Approval),
    /// An emergency stop.
    Hold(Hold),
    /// The end of a hold.
    Release(Release),
    /// Flux reported that it runs a digest.
    Adoption(Adoption),
    /// The log goes on in another ledger.
    Moved(MovedTo),
}

/// The word for what an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "each is documented at its variant of `Body`")]
pub enum Kind {
    Intent,
    Outcome,
    Takeover,
    Observation,
    Approval,
    Hold,
    Release,
    Adoption,
    Moved,
}

impl Body {
    /// The word for it.
    pub fn kind(&self) -> Kind {
        match self {
            Body::Intent(_) => Kind::Intent,
            Body::Outcome(_) => Kind::Outcome,
            Body::Takeover(_) => Kind::Takeover,
            Body::Observation(_) => Kind::Observation,
            Body::Approval(_) => Kind::Approval,
            Body::Hold(_) => Kind::Hold,
            Body::Release(_) => Kind::Release,
            Body::Adoption(_) => Kind::Adoption,
            Body::Moved(_) => Kind::Moved,
        }
    }
}

/// What a move does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Points the channel at another release.
    Promote,
    /// Points it back at a digest that was live here.
    Rollback,
    /// Takes the first state into the log.
    Bootstrap,
    /// Puts the live digest back after somebody went around.
    Repair,
    /// Takes what somebody put there as live.
    Adopt,
}

impl Op {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Promote => "promote",
            Op::Rollback => "rollback",
            Op::Bootstrap => "bootstrap",
            Op::Repair => "repair",
            Op::Adopt => "adopt",
        }
    }
}

/// The manifest that a move points the channel at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The media type that it is served with.
    pub media_type: Text,
    /// Its length in bytes.
    pub size: u64,
}

/// Where the target was named: a reference, or another channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A tag or a digest of a repository.
    Reference(crate::value::Reference),
    /// What was live on that channel.
    Channel(Channel),
}

/// How long a worker may take: milliseconds, each from 1 to 3,600,000. Everybody obeys the times in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Deadlines {
    /// After this, counted from just before the intent (or takeover) was appended, its owner sends no put.
    pub ttl_ms: u64,
    /// After `ttl_ms` and this, counted from when they first saw it, others may take over.
    pub grace_ms: u64,
    /// How long a put whose answer was lost may still land.
    pub quiet_ms: u64,
}

impl Deadlines {
    /// The longest that each may be: one hour.
    pub const MAX_MS: u64 = 3_600_000;

    /// The time to live.
    pub fn ttl(self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }

    /// When others may take over, counted from when they first saw it.
    pub fn takeover_after(self) -> Duration {
        Duration::from_millis(self.ttl_ms.saturating_add(self.grace_ms))
    }

    /// How long a put whose answer was lost may still land.
    pub fn quiet(self) -> Duration {
        Duration::from_millis(self.quiet_ms)
    }
}

impl Default for Deadlines {
    /// 60 s, 30 s and 30 s.
    fn default() -> Deadlines {
        Deadlines { ttl_ms: 60_000, grace_ms: 30_000, quiet_ms: 30_000 }
    }
}

/// A move begins. From here on the channel is taken, until an [`Outcome`] of this move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// What it does.
    pub op: Op,
    /// A UUIDv7; the takeover and the outcome name it.
    pub move_id: Text,
    /// The idempotency key.
    pub key: Key,
    /// The SHA-256 of the canonical request, as it was given.
    pub request: Digest,
    /// The live digest; absent only in a log without a committed move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    /// What the channel is to point at.
    pub to: Subject,
    /// Where the target was named.
    pub source: Source,
    /// Who asked.
    pub provenance: Provenance,
    /// Why, in the words of who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// How the policy judged it.
    pub decision: Decision,
    /// What the tag pointed at instead of the live digest; only in a repair, absent if the tag was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Digest>,
    /// The log that this one continues; only in a bootstrap, when a repository was renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Predecessor>,
    /// The worker: random.
    pub owner: Text,
    /// Always 0; each takeover adds 1.
    pub epoch: u64,
    /// The worker's times.
    #[serde(flatten)]
    pub deadlines: Deadlines,
}

/// How a policy judged a move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Which policy.
    pub policy: PolicyNote,
    /// What each guardrail said.
    pub findings: Vec<FindingNote>,
    /// Refusals that somebody overrode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<OverrideNote>,
    /// Positions of the approvals that were counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<u64>,
}

/// A policy's name and what it was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyNote {
    /// Its name.
    pub name: Text,
    /// The SHA-256 of its canonical form.
    pub digest: Digest,
}

/// What a guardrail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing against it.
    Pass,
    /// Worth knowing; it does not stop the move.
    Warn,
    /// It stops the move.
    Refuse,
    /// A verdict that this version does not know. Only read, never written.
    #[serde(other, skip_serializing)]
    Other,
}

/// One finding, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingNote {
    /// The guardrail's name.
    pub guardrail: Text,
    /// What it said.
    pub verdict: Verdict,
    /// The code of a warning or refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Text>,
    /// Why, with numbers and units.
    pub why: Text,
}

/// A refusal that somebody overrode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverrideNote {
    /// The guardrail's name.
    pub guardrail: Text,
    /// Who.
    pub by: Text,
    /// Why.
    pub reason: Text,
}

/// The log that a new one continues.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Predecessor {
    /// Its channel.
    pub channel: Channel,
    /// How many entries it had.
    pub size: u64,
    /// Its RFC 6962 root.
    pub root: Digest,
}

/// Another worker takes an open move over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Takeover {
    /// The move.
    pub move_id: Text,
    /// Where its intent stands.
    pub intent_seq: u64,
    /// The new worker.
    pub owner: Text,
    /// One more than before.
    pub epoch: u64,
    /// The worker before.
    pub previous_owner: Text,
    /// The new worker's times.
    #[serde(flatten)]
    pub deadlines: Deadlines,
}

/// How a move ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The tag was seen to point at the target.
    Committed,
    /// The registry refused; nothing moved.
    Failed,
    /// Closed without effect.
    Aborted,
}

impl Status {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Committed => "committed",
            Status::Failed => "failed",
            Status::Aborted => "aborted",
        }
    }
}

/// A move ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The move.
    pub move_id: Text,
    /// Where its intent stands.
    pub intent_seq: u64,
    /// Who closed it: the owner at that epoch.
    pub owner: Text,
    /// The owner's epoch.
    pub epoch: u64,
    /// How it ended.
    pub status: Status,
    /// What the tag pointed at last; absent if the tag was, or if nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
    /// Puts that were sent by whoever closed it.
    pub attempts: u64,
    /// True if the answer to one of them was lost.
    pub ambiguous: bool,
    /// True if another worker than the first closed it.
    pub recovered: bool,
    /// Why it did not commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorNote>,
}

/// An error, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ErrorNote {
    /// The code of the table.
    pub code: Text,
    /// What happened.
    pub text: Text,
}

/// Why somebody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObservationCause {
    /// The tag was not where the log says.
    Drift,
    /// A check of the ledger.
    Verify,
    /// A cause that this version does not know. Only read, never written.
    #[serde(other, skip_serializing)]
    Other,
}

/// Somebody looked, and the tag was not what the log says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What the log says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Digest>,
    /// What the registry answered; absent if the tag was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
    /// Why somebody looked.
    pub cause: ObservationCause,
    /// Who moved it, where an event of the registry says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributed: Option<Attribution>,
}

/// Who moved a tag, as an event of the registry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// Where the event came from.
    pub source: Text,
    /// Who, as the event names them.
    pub actor: Text,
    /// When, as the event says.
    pub at: Timestamp,
}

/// Somebody approved exactly the move from one digest to another; void when either changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: Text,
    /// The live digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    /// The target.
    pub to: Digest,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// An emergency stop: no move of this channel is put until it is released or ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Why.
    pub reason: Text,
    /// Who.
    pub by: Text,
    /// When it ends by itself; absent: when it is released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Why.
    pub reason: Text,
    /// Who.
    pub by: Text,
}

/// Flux reported that it runs a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adoption {
    /// Which cluster.
    pub cluster: Text,
    /// The revision, such as `prod@sha256:…`.
    pub revision: Text,
    /// True if Flux says that it is ready.
    pub ready: bool,
    /// When Flux saw it.
    pub at: Timestamp,
}

/// The log goes on in another ledger; nothing is appended after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MovedTo {
    /// Which ledger.
    pub to: Text,
    /// How many entries it took along.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Digest,
}

/// An entry's canonical bytes: they are the record, and are kept and hashed as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    bytes: Bytes,
    leaf: Leaf,
}

impl Sealed {
    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Their leaf hash.
    pub fn leaf(&self) -> Leaf {
        self.leaf
    }
}

impl Entry {
    /// The entry's canonical bytes. ENTRY_TOO_LARGE over 32 KiB; INTERNAL_FAULT for a word that is only ever read.
    pub fn seal(&self) -> Result<Sealed> {
        let mut value = serde_json::to_value(self).map_err(fault)?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("v".to_owned(), 1.into());
        }
        let bytes = canonical(&value).map_err(fault)?;
        match bytes.len() {
            0..=MAX_ENTRY => Ok(Sealed::of(bytes)),
            length => {
                let message = format!("an entry of {length} bytes; the most is {MAX_ENTRY}");
                Err(Error::new(ErrorKind::EntryTooLarge, message))
            }
        }
    }

    /// The entry that these bytes say. The log's own rules (canonical form, chain) are checked by the fold of bytes.
    pub fn open(bytes: &[u8]) -> Result<Entry> {
        serde_json::from_slice(bytes).map_err(|e| Error::new(ErrorKind::LedgerCorrupt, format!("entry: {e}")))
    }
}

fn fault(why: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InternalFault, "the entry cannot be written").because(why)
}

impl Sealed {
    /// These bytes, with their leaf hash.
    pub fn of(bytes: impl Into<Bytes>) -> Sealed {
        let bytes = bytes.into();
        Sealed { leaf: Leaf::from_sha256(leaf_hash(&bytes)), bytes }
    }
}
