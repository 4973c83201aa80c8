//! `Entry`: one record of a channel's log, version 1 of the format (`docs/reference/ledger-format.md`).

use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use super::body::{
    Approval, Block, Check, Deployment, Hold, Migrated, Observation, Outcome, PolicyEntry, Takeover, Unblock, Unhold,
};
use super::encode::canonical;
use super::intent::Intent;
use super::merkle::leaf_hash;
use crate::error::{Error, ErrorKind, Result, words};
use crate::value::{Channel, Digest, Provenance, Timestamp, public};

/// The most bytes that an entry may have: 32 KiB.
pub const MAX_ENTRY: usize = 32 * 1024;

/// The hash of an entry's bytes as a leaf of a Merkle tree: SHA-256(0x00 ‖ bytes) (RFC 6962, section 2.1).
pub type EntryHash = Digest;

/// One immutable record in a channel's log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Entry {
    /// The channel in whose log the entry is.
    pub channel: Channel,
    /// Its position, from 0.
    pub seq: u64,
    /// The entry's own UUIDv7.
    pub id: Uuid,
    /// The time of writing, by the writer's clock. It is for information only; entries are ordered by `seq`.
    pub at: Timestamp,
    /// The leaf hash of the entry before it; absent at position 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<EntryHash>,
    /// The content, by kind.
    #[serde(flatten)]
    pub body: Body,
}

macro_rules! bodies {
    ($($(#[doc = $doc:literal])+ $kind:ident($body:ty) => $word:literal;)+) => {
        /// The content of an entry, by kind.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(tag = "kind", content = "body", rename_all = "lowercase")]
        pub enum Body {
            $($(#[doc = $doc])+ $kind($body),)+
        }

        words! {
            /// The kind of an entry.
            pub enum Kind {
                $($(#[doc = $doc])+ $kind => $word,)+
            }
        }

        impl Body {
            /// The kind of the content.
            pub fn kind(&self) -> Kind {
                match self { $(Body::$kind(_) => Kind::$kind,)+ }
            }

            /// The body of this kind in JSON.
            pub(super) fn read(kind: Kind, json: &[u8]) -> serde_json::Result<Body> {
                Ok(match kind { $(Kind::$kind => Body::$kind(serde_json::from_slice(json)?),)+ })
            }
        }
    };
}

bodies! {
    /// A move begins.
    Intent(Box<Intent>) => "intent";
    /// A move ends.
    Outcome(Outcome) => "outcome";
    /// Another worker takes an open move over.
    Takeover(Takeover) => "takeover";
    /// The tag was seen at a digest other than the live one.
    Observation(Observation) => "observation";
    /// A person's consent to exactly one move.
    Approval(Approval) => "approval";
    /// Moves are stopped.
    Hold(Hold) => "hold";
    /// The end of a hold.
    Unhold(Unhold) => "unhold";
    /// A named verdict about a digest.
    Check(Check) => "check";
    /// A digest is declared unfit.
    Block(Block) => "block";
    /// The end of a block.
    Unblock(Unblock) => "unblock";
    /// The policy that judges the moves after this entry.
    Policy(PolicyEntry) => "policy";
    /// A cluster reported that it runs a digest.
    Deployment(Deployment) => "deployment";
    /// The log continues in another ledger.
    Migrated(Migrated) => "migrated";
}

impl Body {
    /// Leaves the credentials out of its addresses before it is shown. An entry of an early version may have them; later
    /// versions do not record them.
    pub fn hide_credentials(&mut self) {
        match self {
            Body::Intent(intent) => intent.target.hide_credentials(),
            Body::Block(block) => block.url = block.url.take().and_then(|url| public(url.as_str()).parse().ok()),
            _ => {}
        }
    }

    /// The actor and the pipeline run that wrote it; none for an outcome, an observation or a deployment.
    pub fn provenance(&self) -> Option<&Provenance> {
        match self {
            Body::Intent(intent) => Some(&intent.provenance),
            Body::Takeover(takeover) => Some(&takeover.provenance),
            Body::Approval(approval) => Some(&approval.provenance),
            Body::Hold(hold) => Some(&hold.provenance),
            Body::Unhold(unhold) => Some(&unhold.provenance),
            Body::Check(check) => Some(&check.provenance),
            Body::Block(block) => Some(&block.provenance),
            Body::Unblock(unblock) => Some(&unblock.provenance),
            Body::Policy(policy) => Some(&policy.provenance),
            Body::Migrated(migrated) => Some(&migrated.provenance),
            Body::Outcome(_) | Body::Observation(_) | Body::Deployment(_) => None,
        }
    }
}

/// An entry's canonical bytes. They are the record: they are stored and hashed unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedEntry {
    bytes: Bytes,
    leaf: EntryHash,
}

impl EncodedEntry {
    /// These bytes, with their leaf hash.
    pub fn of(bytes: impl Into<Bytes>) -> EncodedEntry {
        let bytes = bytes.into();
        EncodedEntry { leaf: EntryHash::Sha256(leaf_hash(&bytes)), bytes }
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Their leaf hash.
    pub fn leaf(&self) -> EntryHash {
        self.leaf
    }
}

impl Entry {
    /// The entry's canonical bytes. ENTRY_TOO_LARGE over 32 KiB; INTERNAL_FAULT for a value that is only ever read,
    /// never written, such as [`Verdict::Other`](super::Verdict::Other).
    pub fn seal(&self) -> Result<EncodedEntry> {
        let mut value = serde_json::to_value(self).map_err(fault)?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("v".to_owned(), 1.into());
        }
        let bytes = canonical(&value).map_err(fault)?;
        match bytes.len() {
            0..=MAX_ENTRY => Ok(EncodedEntry::of(bytes)),
            length => {
                let message = format!("an entry of {length} bytes; the most is {MAX_ENTRY}");
                Err(Error::new(ErrorKind::EntryTooLarge, message))
            }
        }
    }
}

fn fault(why: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InternalFault, "the entry cannot be written").with_source(why)
}
