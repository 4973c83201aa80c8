//! `Envelope`: an entry as it was read from its stored bytes, before it is compared with the rest of its log.

use std::fmt;

use serde_json::Value;
use uuid::Uuid;

use super::defect::{Checked, Defect, DefectCode, ensure};
use super::encode::Canonical;
use super::entry::{Body, Entry, EntryHash, Kind, MAX_ENTRY};
use super::intent::Op;
use super::merkle::leaf_hash;
use crate::value::{ActorKind, Channel, Digest, JsonText, Timestamp};

/// An entry whose bytes and envelope are well formed. Its position and its channel are compared with the log before its
/// parent and its body count, so these are kept with the rule that they break.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) leaf: EntryHash,
    pub(super) channel: Channel,
    pub(super) seq: u64,
    pub(super) id: Uuid,
    pub(super) at: Timestamp,
    parent: Checked<Option<EntryHash>>,
    pub(super) body: Checked<Body>,
}

impl Envelope {
    /// Reads the bytes of an entry. After an error no later entry of the log can be judged.
    pub(super) fn read(bytes: &[u8]) -> Checked<Envelope> {
        ensure!(bytes.len() <= MAX_ENTRY, TooLarge, "over {MAX_ENTRY} bytes");
        let fields = Canonical::of(bytes)?;
        let bad = |name: &str, why: &dyn fmt::Display| (DefectCode::Envelope, format!("{name}: {why}"));
        let missing = "missing, or not of its type";
        let text = |name: &str| fields.read::<JsonText>(name).ok_or_else(|| bad(name, &missing));
        let body = fields.bytes("body").filter(|body| body.starts_with(b"{")).ok_or_else(|| bad("body", &missing))?;
        let seq = fields.read("seq").ok_or_else(|| bad("seq", &missing))?;
        let (JsonText(at), JsonText(channel), JsonText(id)) = (text("at")?, text("channel")?, text("id")?);
        let parent = fields.bytes("parent").map(serde_json::from_slice).transpose();
        Ok(Envelope {
            leaf: EntryHash::Sha256(leaf_hash(bytes)),
            channel: channel.parse().map_err(|e: crate::Error| bad("channel", &e))?,
            seq,
            id: uuid_v7(&id).ok_or_else(|| bad("id", &format!("{id:?} is not a UUIDv7 in lower case")))?,
            at: Timestamp::of_written(&at)
                .ok_or_else(|| bad("at", &format!("{at:?} is not a time such as 2026-11-23T06:12:31.123Z")))?,
            parent: parent.map_err(|_| (DefectCode::Parent, "it is not a digest".to_owned())),
            body: body_of(&text("kind")?.0, body),
        })
    }

    /// Reads the bytes of the entry at `seq` in the log of `channel`, after the entry with the leaf hash `parent`.
    pub(super) fn read_at(channel: &Channel, seq: u64, parent: Option<EntryHash>, bytes: &[u8]) -> Checked<Envelope> {
        let envelope = Envelope::read(bytes)?;
        envelope.follows(channel, seq, parent)?;
        Ok(envelope)
    }

    /// Checks that the entry is at `seq` in the log of `channel`, after the entry with the leaf hash `parent`.
    pub(super) fn follows(&self, channel: &Channel, seq: u64, parent: Option<EntryHash>) -> Checked<()> {
        ensure!(self.seq == seq, Sequence, "it says {} and stands at {seq}", self.seq);
        ensure!(self.channel == *channel, Channel, "{} in the log of {channel}", self.channel);
        let before = || parent.map_or_else(|| "absent".to_owned(), |leaf| leaf.to_string());
        ensure!(self.parent == Ok(parent), Parent, "it is not {}", before());
        Ok(())
    }

    /// The entry, if its parent and its body are well formed.
    pub(super) fn entry(self) -> Checked<Entry> {
        let Envelope { channel, seq, id, at, parent, body, .. } = self;
        Ok(Entry { channel, seq, id, at, parent: parent?, body: body? })
    }
}

/// The body of this kind, if it is well formed.
fn body_of(kind: &str, json: &[u8]) -> Checked<Body> {
    let Some(kind) = Kind::ALL.iter().copied().find(|known| known.as_str() == kind) else {
        return Err((DefectCode::Kind, format!("the kind {kind:?} is not known to this version")));
    };
    let body = Body::read(kind, json);
    let has_author = match &body {
        Ok(body) => body.provenance().is_none_or(|provenance| provenance.actor.kind != ActorKind::Other),
        // Entries of these kinds have no author.
        Err(_) if matches!(kind, Kind::Outcome | Kind::Observation | Kind::Deployment) => true,
        Err(_) => names_author(json),
    };
    ensure!(has_author, Provenance, "no pipeline run or no actor");
    let body = body.map_err(|e| {
        let why = e.to_string();
        // The line and column are those in the body alone.
        (DefectCode::Field, why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why).to_owned())
    })?;
    match &body {
        Body::Intent(next) => {
            ensure!(next.epoch == 0, Field, "the epoch of an intent is 0, not {}", next.epoch);
            ensure!(next.op != Op::Adopt || next.reason.is_some(), Field, "adopt needs a reason");
        }
        Body::Observation(seen) => ensure!(seen.expected != seen.observed, Field, "nothing differs"),
        Body::Policy(policy) => {
            let digest = Digest::of(policy.text.as_bytes());
            ensure!(policy.digest == digest, Field, "the digest is not that of the text");
        }
        _ => {}
    }
    Ok(body)
}

/// The UUIDv7 in `text`, if it is spelled in lower case with hyphens (RFC 9562, section 5.7).
fn uuid_v7(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    let rfc = id.get_variant() == uuid::Variant::RFC4122;
    let spelled = id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text;
    (rfc && id.get_version_num() == 7 && spelled).then_some(id)
}

/// True if a body names a pipeline run and an actor with its kind. A body without them breaks the rule PROVENANCE, even
/// if other fields are broken too.
fn names_author(body: &[u8]) -> bool {
    let fields: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |pointer| fields.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let named = ["/provenance/pipeline/provider", "/provenance/pipeline/run_id", "/provenance/actor/id"];
    let kind = text("/provenance/actor/kind");
    named.into_iter().all(|pointer| !text(pointer).is_empty()) && matches!(kind, "human" | "workload")
}

impl Entry {
    /// The entry that these bytes hold, if they are well formed. [`ChannelState::take`](super::ChannelState::take)
    /// checks that it fits its log.
    pub fn open(bytes: &[u8]) -> crate::Result<Entry> {
        let envelope = Envelope::read(bytes).map_err(Defect::at(0))?;
        let seq = envelope.seq;
        Ok(envelope.entry().map_err(Defect::at(seq))?)
    }
}

/// Checks one entry's stored bytes at position `seq` of a channel's log, after the entry with the hash `parent`. The
/// state of the log is not needed: rules about other entries (an intent while another is open, …) are not checked.
pub fn check(
    channel: &Channel,
    seq: u64,
    parent: Option<EntryHash>,
    bytes: &[u8],
) -> Result<(EntryHash, Entry), Defect> {
    let envelope = Envelope::read_at(channel, seq, parent, bytes);
    envelope.and_then(|envelope| Ok((envelope.leaf, envelope.entry()?))).map_err(Defect::at(seq))
}
