//! `Envelope`: an entry's stored bytes, checked for everything that needs neither its body nor the rest of its log.

use std::fmt;

use serde_json::Value;
use uuid::Uuid;

use super::defect::{Broken, Checked, Defect, DefectCode, ensure};
use super::encode::Fields;
use super::entry::{Body, Entry, EntryHash, Kind, MAX_ENTRY};
use super::intent::Op;
use super::merkle::leaf_hash;
use crate::value::{ActorKind, Channel, Digest, JsonText, Timestamp};

/// An entry whose bytes and envelope are well formed; its body is not read yet.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) leaf: EntryHash,
    pub(super) channel: Channel,
    pub(super) seq: u64,
    pub(super) id: Uuid,
    pub(super) at: Timestamp,
    /// The parent, if there is one; the inner value is absent if it is no digest.
    parent: Option<Option<EntryHash>>,
    kind: JsonText<'a>,
    body: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Reads the bytes of an entry. After an error no later entry of the log can be judged.
    pub(super) fn read(bytes: &'a [u8]) -> Checked<Envelope<'a>> {
        ensure(bytes.len() <= MAX_ENTRY, DefectCode::TooLarge, || format!("over {MAX_ENTRY} bytes"))?;
        let fields = Fields::of(bytes)?;
        let bad =
            |name: &str, why: &dyn fmt::Display| Broken { code: DefectCode::Envelope, why: format!("{name}: {why}") };
        let missing = "missing, or not of its type";
        let text = |name: &str| fields.read::<JsonText>(name).ok_or_else(|| bad(name, &missing));
        let body = fields.bytes("body").filter(|body| body.starts_with(b"{")).ok_or_else(|| bad("body", &missing))?;
        let seq = fields.read("seq").ok_or_else(|| bad("seq", &missing))?;
        let (JsonText(at), JsonText(channel), JsonText(id)) = (text("at")?, text("channel")?, text("id")?);
        Ok(Envelope {
            leaf: EntryHash::from_sha256(leaf_hash(bytes)),
            channel: channel.parse().map_err(|e: crate::Error| bad("channel", &e))?,
            seq,
            id: uuid_v7(&id).ok_or_else(|| bad("id", &format!("{id:?} is not a UUIDv7 in lower case")))?,
            at: Timestamp::of_written(&at)
                .ok_or_else(|| bad("at", &format!("{at:?} is not a time such as 2026-11-23T06:12:31.123Z")))?,
            parent: fields.bytes("parent").map(|parent| serde_json::from_slice(parent).ok()),
            kind: text("kind")?,
            body,
        })
    }

    /// Checks that the entry is at `seq` in the log of `channel`, after the entry with the leaf hash `parent`.
    pub(super) fn follows(&self, channel: &Channel, seq: u64, parent: Option<EntryHash>) -> Checked<()> {
        ensure(self.seq == seq, DefectCode::Sequence, || format!("it says {} and stands at {seq}", self.seq))?;
        ensure(self.channel == *channel, DefectCode::Channel, || format!("{} in the log of {channel}", self.channel))?;
        ensure(self.parent == parent.map(Some), DefectCode::Parent, || match parent {
            Some(leaf) => format!("it is not {leaf}"),
            None => "it is not absent".to_owned(),
        })
    }

    /// The body, if it is well formed.
    pub(super) fn body(&self) -> Checked<Body> {
        let JsonText(kind) = &self.kind;
        let Some(kind) = Kind::ALL.iter().copied().find(|known| known.as_str() == kind) else {
            let why = format!("the kind {kind:?} is not known to this version");
            return Err(Broken { code: DefectCode::Kind, why });
        };
        let body = Body::read(kind, self.body);
        let has_author = match &body {
            Ok(body) => body.provenance().is_none_or(|provenance| provenance.actor.kind != ActorKind::Other),
            Err(_) => {
                // Entries of these kinds have no author.
                matches!(kind, Kind::Outcome | Kind::Observation | Kind::Deployment) || names_author(self.body)
            }
        };
        ensure(has_author, DefectCode::Provenance, || "no pipeline run or no actor".to_owned())?;
        let body = body.map_err(|e| {
            let why = e.to_string();
            // The line and column are those in the body alone.
            let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why).to_owned();
            Broken { code: DefectCode::Field, why }
        })?;
        let broken = match &body {
            Body::Intent(intent) if intent.op == Op::Adopt && intent.reason.is_none() => Some("adopt needs a reason"),
            Body::Observation(seen) if seen.expected == seen.observed => Some("nothing differs"),
            Body::Policy(policy) if Digest::of(policy.text.as_bytes()) != policy.digest => {
                Some("the digest is not that of the text")
            }
            _ => None,
        };
        ensure(broken.is_none(), DefectCode::Field, || broken.unwrap_or_default().to_owned())?;
        Ok(body)
    }

    /// The entry with this body.
    pub(super) fn entry(self, body: Body) -> Entry {
        let parent = self.parent.flatten();
        Entry { channel: self.channel, seq: self.seq, id: self.id, at: self.at, parent, body }
    }
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
        let envelope = Envelope::read(bytes).map_err(|broken| broken.at(0))?;
        let seq = envelope.seq;
        let parent = ensure(envelope.parent != Some(None), DefectCode::Parent, || "it is not a digest".to_owned());
        let body = parent.and_then(|()| envelope.body()).map_err(|broken| broken.at(seq))?;
        Ok(envelope.entry(body))
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
    let checked = linked(channel, seq, parent, bytes).and_then(|envelope| {
        let body = envelope.body()?;
        Ok((envelope.leaf, envelope.entry(body)))
    });
    checked.map_err(|broken| broken.at(seq))
}

/// Checks the bytes, the position and the parent of one entry, but not its body, and returns its hash.
pub(crate) fn check_link(
    channel: &Channel,
    seq: u64,
    parent: Option<EntryHash>,
    bytes: &[u8],
) -> Result<EntryHash, Defect> {
    linked(channel, seq, parent, bytes).map(|envelope| envelope.leaf).map_err(|broken| broken.at(seq))
}

fn linked<'a>(channel: &Channel, seq: u64, parent: Option<EntryHash>, bytes: &'a [u8]) -> Checked<Envelope<'a>> {
    let envelope = Envelope::read(bytes)?;
    envelope.follows(channel, seq, parent)?;
    Ok(envelope)
}
