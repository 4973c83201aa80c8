//! `Intent`: what a move is to do, who asked for it, and how it was judged.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::value::{Channel, Digest, Environment, IdempotencyKey, Provenance, Text, Timestamp};

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
    /// Puts the live digest back after a write around the ledger.
    Repair,
    /// Takes what was put there by hand as live.
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
pub struct TargetManifest {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The media type that it is served with.
    pub media_type: Text,
    /// Its length in bytes.
    pub size: u64,
    /// Its artifact type, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<Text>,
    /// Its own `org.opencontainers.image.` annotations [`ANNOTATIONS`](TargetManifest::ANNOTATIONS), as far as it has
    /// them and they fit into a line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<Text, Text>,
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

/// How long a worker may take, in milliseconds, each from 1 to 3,600,000. Every worker obeys the times in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Deadlines {
    /// After this, counted from just before the intent (or takeover) was appended, its owner sends no put.
    #[serde(deserialize_with = "milliseconds")]
    pub ttl_ms: u64,
    /// After `ttl_ms` and this, counted from when they first saw it, others may take over.
    #[serde(deserialize_with = "milliseconds")]
    pub grace_ms: u64,
    /// How long a put whose answer was lost may still land.
    #[serde(deserialize_with = "milliseconds")]
    pub quiet_ms: u64,
    /// How long a read of the tag may answer an earlier value.
    #[serde(deserialize_with = "milliseconds")]
    pub settle_ms: u64,
}

fn milliseconds<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match u64::deserialize(from)? {
        ms @ 1..=Deadlines::MAX_MS => Ok(ms),
        ms => Err(D::Error::custom(format!("{ms} ms is not from 1 to {}", Deadlines::MAX_MS))),
    }
}

fn zero<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match u64::deserialize(from)? {
        0 => Ok(0),
        epoch => Err(D::Error::custom(format!("the epoch of an intent is 0, not {epoch}"))),
    }
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
    /// 60 s, 30 s, 30 s and 30 s.
    fn default() -> Deadlines {
        Deadlines { ttl_ms: 60_000, grace_ms: 30_000, quiet_ms: 30_000, settle_ms: 30_000 }
    }
}

/// A move begins. From here on the channel is taken, until an [`Outcome`](super::Outcome) of this move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// What it does.
    pub op: Op,
    /// A UUIDv7; the takeover and the outcome name it.
    pub move_id: Text,
    /// The idempotency key.
    pub key: IdempotencyKey,
    /// The SHA-256 of the canonical request, as it was given.
    pub request: Digest,
    /// The live digest before the move; absent only in a log without a committed move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// What the channel is to point at.
    pub target: TargetManifest,
    /// Where the target was named.
    pub source: Source,
    /// Who asked.
    pub provenance: Provenance,
    /// Why, in the words of who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// What the caller said that the channel must point at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// The release's place among the others, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ReleaseOrder>,
    /// The logs of the earlier environments that were read, as far as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<UpstreamLog>,
    /// How the policy judged it.
    pub decision: Decision,
    /// What the tag pointed at instead of the live digest; only in a repair, absent if the tag was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Digest>,
    /// The log that this one continues; only in a bootstrap, when a repository was renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Predecessor>,
    /// The moves of other channels that belong to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<MoveSet>,
    /// The worker: random.
    pub owner: Text,
    /// Always 0; each takeover adds 1.
    #[serde(deserialize_with = "zero")]
    pub epoch: u64,
    /// The worker's times.
    #[serde(flatten)]
    pub deadlines: Deadlines,
}

/// How a policy judged a move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When it judged, by the clock of the machine that did.
    pub at: Timestamp,
    /// Which policy.
    pub policy: PolicyNote,
    /// What each guardrail said.
    pub findings: Vec<FindingNote>,
    /// Refusals that the caller overrode by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<OverrideNote>,
    /// Positions of the approvals that were counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<u64>,
    /// The checks that were counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckNote>,
}

/// A check that was counted, and the log that it is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckNote {
    /// The channel of that log.
    pub channel: Channel,
    /// Its position there.
    pub seq: u64,
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

/// A refusal that the caller overrode by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverrideNote {
    /// The guardrail's name.
    pub guardrail: Text,
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

/// The log of an earlier environment, as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UpstreamLog {
    /// The environment.
    pub environment: Environment,
    /// Its channel.
    pub channel: Channel,
    /// How many entries were read.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Digest,
}

/// A release's place among the others of its series.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReleaseOrder {
    /// What the value is, such as `semver` or `build-number`.
    pub by: Text,
    /// The value.
    pub value: OrderValue,
    /// Values of another series are not comparable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Text>,
}

/// A number, or a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OrderValue {
    /// Such as the number of a build.
    Number(i64),
    /// Such as a semantic version.
    Text(Text),
}

/// Channels that move together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MoveSet {
    /// The id that all intents of the set have.
    pub id: Text,
    /// Its channels.
    pub channels: Vec<Channel>,
    /// What to do when one of the moves fails.
    pub on_failure: OnFailure,
}

/// What to do when one move of a set fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Go on with the rest.
    Resume,
    /// Move back what was moved.
    Restore,
}

impl TargetManifest {
    /// A manifest without an artifact type and annotations.
    pub fn new(digest: Digest, media_type: Text, size: u64) -> TargetManifest {
        TargetManifest { digest, media_type, size, artifact_type: None, annotations: BTreeMap::new() }
    }

    /// The annotations of a manifest that are recorded, each after `org.opencontainers.image.`.
    pub const ANNOTATIONS: [&'static str; 6] = ["created", "revision", "source", "version", "url", "title"];
}

/// What a caller said that a channel must point at: `absent`, or a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Expected {
    /// Nothing.
    Absent,
    /// This digest.
    Digest(Digest),
}

impl TryFrom<String> for Expected {
    type Error = Error;

    fn try_from(text: String) -> Result<Expected, Error> {
        match text.as_str() {
            "absent" => Ok(Expected::Absent),
            digest => digest.parse().map(Expected::Digest),
        }
    }
}

impl From<Expected> for String {
    fn from(expected: Expected) -> String {
        match expected {
            Expected::Absent => "absent".to_owned(),
            Expected::Digest(digest) => digest.to_string(),
        }
    }
}
