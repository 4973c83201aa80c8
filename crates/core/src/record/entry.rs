//! `Entry`: one record of a channel's log, version 1 of the format (`docs/ledger-format.md`).

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::intent::{Deadlines, Intent};
use super::json::canonical;
use super::merkle::leaf_hash;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Channel, Digest, Text, Timestamp};

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
