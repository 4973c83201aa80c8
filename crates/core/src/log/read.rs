//! Reads an entry from stored bytes, and checks everything that does not need the rest of the log.

use serde_json::Value;
use uuid::Uuid;

use super::canonical::{Flaw, canonical, diagnose};
use super::defect::{Broken, Checked, DefectCode, ensure};
use super::entry::{Body, Entry, EntryHash, Kind, MAX_ENTRY};
use super::intent::Op;
use super::merkle::leaf_hash;
use crate::value::{Channel, Digest, Timestamp, is_forbidden};

/// An entry with well-formed bytes and envelope; its body may not be well formed.
#[derive(Debug)]
pub(super) struct ReadEntry<B = Checked<Body>> {
    pub(super) leaf: EntryHash,
    pub(super) channel: Channel,
    pub(super) seq: u64,
    pub(super) id: Uuid,
    pub(super) at: Timestamp,
    /// The parent as written. It is right only if it equals the text of the leaf hash of the entry before.
    pub(super) parent: Option<String>,
    pub(super) body: B,
}

impl ReadEntry {
    /// Separates the envelope from the body.
    pub(super) fn split(self) -> (ReadEntry<()>, Checked<Body>) {
        let ReadEntry { leaf, channel, seq, id, at, parent, body } = self;
        (ReadEntry { leaf, channel, seq, id, at, parent, body: () }, body)
    }

    /// The entry, if its body is well formed.
    pub(super) fn whole(self) -> Checked<Entry> {
        let ReadEntry { channel, seq, id, at, parent, body, .. } = self;
        let not_a_leaf = |e: crate::Error| Broken { code: DefectCode::Parent, why: e.to_string() };
        let parent = parent.map(|parent| parent.parse()).transpose().map_err(not_a_leaf)?;
        Ok(Entry { channel, seq, id, at, parent, body: body? })
    }
}

/// Reads the bytes of an entry. After an error no later entry of the log can be judged.
pub(super) fn read(bytes: &[u8]) -> Checked<ReadEntry> {
    ensure(bytes.len() <= MAX_ENTRY, DefectCode::TooLarge, || format!("over {MAX_ENTRY} bytes"))?;
    let mut fields = canonical_object(bytes)?;
    // In canonical bytes every forbidden character except U+007F is either escaped or not ASCII.
    let plain = bytes.iter().all(|byte| byte.is_ascii() && !matches!(byte, b'\\' | 0x7f));
    if !plain && let Some(text) = forbidden(&fields) {
        let why = format!("a control or bidirectional character in {text:?}");
        return Err(Broken { code: DefectCode::ControlCharacter, why });
    }
    let bad =
        |name: &str, why: &dyn std::fmt::Display| Broken { code: DefectCode::Envelope, why: format!("{name}: {why}") };
    let missing = "missing, or not of its type";
    let mut take = |name: &str| fields.get_mut(name).map(Value::take);
    let text = |name: &str, value: Option<Value>| match value {
        Some(Value::String(text)) => Ok(text),
        _ => Err(bad(name, &missing)),
    };
    let body = take("body").filter(Value::is_object).ok_or_else(|| bad("body", &missing))?;
    let seq = take("seq").as_ref().and_then(Value::as_u64).ok_or_else(|| bad("seq", &missing))?;
    let (at, channel) = (text("at", take("at"))?, text("channel", take("channel"))?);
    let (id, kind) = (text("id", take("id"))?, text("kind", take("kind"))?);
    let parent = take("parent").map(|parent| parent.as_str().map_or_else(|| parent.to_string(), str::to_owned));
    Ok(ReadEntry {
        leaf: EntryHash::from_sha256(leaf_hash(bytes)),
        channel: channel.parse().map_err(|e: crate::Error| bad("channel", &e))?,
        seq,
        id: uuid_v7(&id).ok_or_else(|| bad("id", &format!("{id:?} is not a UUIDv7 in lower case")))?,
        at: Timestamp::of_written(&at)
            .ok_or_else(|| bad("at", &format!("{at:?} is not a time such as 2026-11-23T06:12:31.123Z")))?,
        parent,
        body: read_body(&kind, body),
    })
}

/// The object in canonical bytes of version 1.
fn canonical_object(bytes: &[u8]) -> Checked<Value> {
    let read = serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object);
    let written = read.as_ref().and_then(|value| canonical(value).ok());
    let version =
        |version: Option<i64>| ensure(version == Some(1), DefectCode::TooNew, || "the version is not 1".to_owned());
    match read {
        Some(value) if written.as_deref() == Some(bytes) => {
            version(value.get("v").and_then(Value::as_i64))?;
            Ok(value)
        }
        _ => Err(match diagnose(bytes, "other bytes than the canonical ones say the same") {
            Flaw::NotJson(why) => Broken { code: DefectCode::NotJson, why },
            Flaw::NotCanonical { version: found, why } => match version(found) {
                Ok(()) => Broken { code: DefectCode::NotCanonical, why },
                Err(too_new) => too_new,
            },
        }),
    }
}

/// The first key or string that contains a forbidden character.
fn forbidden(value: &Value) -> Option<&str> {
    let bad = |text: &str| text.chars().any(is_forbidden);
    match value {
        Value::String(text) => Some(text.as_str()).filter(|text| bad(text)),
        Value::Array(items) => items.iter().find_map(forbidden),
        Value::Object(fields) => {
            fields.iter().find_map(|(key, value)| if bad(key) { Some(key.as_str()) } else { forbidden(value) })
        }
        _ => None,
    }
}

/// The UUIDv7 in `text`, if it is spelled in lower case with hyphens (RFC 9562, section 5.7).
fn uuid_v7(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    let rfc = id.get_variant() == uuid::Variant::RFC4122;
    (rfc && id.get_version_num() == 7 && id.hyphenated().to_string() == text).then_some(id)
}

fn read_body(kind: &str, fields: Value) -> Checked<Body> {
    let field = |why: String| Broken { code: DefectCode::Field, why };
    let Some(kind) = Kind::of(kind) else {
        return Err(Broken { code: DefectCode::Kind, why: format!("the kind {kind:?} is not known to this version") });
    };
    let has_author = !matches!(kind, Kind::Outcome | Kind::Observation | Kind::Deployment);
    if has_author && !names_author(&fields) {
        return Err(Broken { code: DefectCode::Provenance, why: "no pipeline run or no actor".to_owned() });
    }
    let body = Body::of(kind, fields).map_err(|e| field(e.to_string()))?;
    let broken = match &body {
        Body::Intent(intent) if intent.op == Op::Adopt && intent.reason.is_none() => Some("adopt needs a reason"),
        Body::Observation(seen) if seen.expected == seen.observed => Some("nothing differs"),
        Body::Policy(policy) if Digest::of(policy.text.as_bytes()) != policy.digest => {
            Some("the digest is not that of the text")
        }
        _ => None,
    };
    match broken {
        Some(why) => Err(field(why.to_owned())),
        None => Ok(body),
    }
}

/// True if a body names a pipeline run and an actor with its kind. A body without them breaks the rule PROVENANCE.
fn names_author(fields: &Value) -> bool {
    let text = |pointer| fields.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let named = ["/provenance/pipeline/provider", "/provenance/pipeline/run_id", "/provenance/actor/id"];
    let kind = text("/provenance/actor/kind");
    named.into_iter().all(|pointer| !text(pointer).is_empty()) && matches!(kind, "human" | "workload")
}
