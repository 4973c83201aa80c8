//! `Intent`: the first entry of a move, with its target, its author and the decision of the policy.

use std::collections::BTreeMap;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::error::words;
use crate::value::{
    Channel, Digest, Environment, IdempotencyKey, Line, Provenance, Repository, Tag, Timestamp, public,
};

words! {
    /// The operation of a move.
    pub enum Op {
        /// Points the channel at another release.
        Promote => "promote",
        /// Points the channel back at a digest that was live on it.
        Rollback => "rollback",
        /// Records the first digest of the channel in the log.
        Bootstrap => "bootstrap",
        /// Puts the live digest back after the tag was moved outside of the ledger.
        Repair => "repair",
        /// Makes the digest that the tag was moved to outside of the ledger the live one.
        Adopt => "adopt",
    }
}

/// The manifest that a move points the channel at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TargetManifest {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The media type that it is served with.
    pub media_type: Line,
    /// Its length in bytes.
    pub size: u64,
    /// Its artifact type, if the manifest names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<Line>,
    /// Its `org.opencontainers.image.` annotations, those in [`ANNOTATIONS`](TargetManifest::ANNOTATIONS). One that the
    /// manifest lacks or that does not fit into a line is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<Line, Line>,
}

/// The source of the target: a reference, or another channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A tag or a digest of a repository.
    Reference(crate::value::Reference),
    /// The live digest of that channel.
    Channel(Channel),
}

impl Source {
    /// The repository that the target is in.
    pub fn repository(&self) -> &Repository {
        match self {
            Source::Reference(reference) => reference.repository(),
            Source::Channel(channel) => channel.repository(),
        }
    }

    /// The tag by which the target was named; none for a digest and for another channel.
    pub(crate) fn tag(&self) -> Option<&Tag> {
        let Source::Reference(reference) = self else { return None };
        reference.tag()
    }
}

/// The time limits of a worker, in milliseconds, each from 1 to 3,600,000. Every worker obeys the limits that the log
/// names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Deadlines {
    /// The owner sends no put later than this, counted from just before it appended the intent (or takeover).
    #[serde(deserialize_with = "milliseconds")]
    pub ttl_ms: u64,
    /// Others may take over after `ttl_ms` plus this, counted from when they first saw the intent (or takeover).
    #[serde(deserialize_with = "milliseconds")]
    pub grace_ms: u64,
    /// A put whose answer was lost may still be applied for this long.
    #[serde(deserialize_with = "milliseconds")]
    pub quiet_ms: u64,
    /// A read of the tag may answer an earlier value for this long.
    #[serde(deserialize_with = "milliseconds")]
    pub settle_ms: u64,
}

fn milliseconds<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match u64::deserialize(from)? {
        ms @ 1..=Deadlines::MAX_MS => Ok(ms),
        ms => Err(D::Error::custom(format!("{ms} ms is not from 1 to {}", Deadlines::MAX_MS))),
    }
}

impl Deadlines {
    /// The longest value of each limit: one hour.
    pub const MAX_MS: u64 = 3_600_000;
}

impl Default for Deadlines {
    /// The default limits: `ttl` 60 s, `grace` 30 s, `quiet` 30 s and `settle` 30 s.
    fn default() -> Deadlines {
        Deadlines { ttl_ms: 60_000, grace_ms: 30_000, quiet_ms: 30_000, settle_ms: 30_000 }
    }
}

/// The beginning of a move. No other move of the channel can begin until the [`Outcome`](super::Outcome) of this one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// Its operation.
    pub op: Op,
    /// A UUIDv7; takeovers and the outcome name it.
    pub move_id: Line,
    /// The idempotency key.
    pub key: IdempotencyKey,
    /// The SHA-256 of the canonical request, as it was given.
    pub request: Digest,
    /// The live digest before the move; absent only in a log without a committed move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The manifest that the channel is to point at.
    pub target: TargetManifest,
    /// The source of the target.
    pub source: Source,
    /// The actor and the pipeline run that asked for the move.
    pub provenance: Provenance,
    /// The reason, in the caller's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Line>,
    /// The value that the caller required the channel to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// The release's place among the others, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<ReleaseOrder>,
    /// The logs of earlier environments that were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<UpstreamLog>,
    /// The decision of the policy.
    pub decision: Decision,
    /// In a repair, the digest that the tag pointed at instead of the live one; absent if the tag was absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Digest>,
    /// The log that this one continues; only in a bootstrap after a repository was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Predecessor>,
    /// The set of channels that this move belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<MoveSet>,
    /// The worker's random id.
    pub owner: Line,
    /// The epoch. It is 0 in an intent; each takeover adds 1.
    pub epoch: u64,
    /// The worker's time limits.
    #[serde(flatten)]
    pub deadlines: Deadlines,
}

/// The decision of a policy about a move.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// The time of the decision, by the clock of the machine that made it.
    pub at: Timestamp,
    /// The policy.
    pub policy: RecordedPolicy,
    /// The finding of each guardrail.
    pub findings: Vec<RecordedFinding>,
    /// Refusals that the caller overrode by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<RecordedOverride>,
    /// Positions of the approvals that were counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<u64>,
    /// The checks that were counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<RecordedCheck>,
}

/// A check that was counted, and the log that it is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordedCheck {
    /// The channel of that log.
    pub channel: Channel,
    /// Its position there.
    pub seq: u64,
}

/// A policy's name and digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordedPolicy {
    /// Its name.
    pub name: Line,
    /// The SHA-256 of its canonical form.
    pub digest: Digest,
}

/// The verdict of a guardrail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No objection.
    Pass,
    /// A warning; it does not stop the move.
    Warn,
    /// A refusal; it stops the move.
    Refuse,
    /// A verdict that this version does not know. Only read, never written.
    #[serde(other, skip_serializing)]
    Other,
}

/// A finding as it is recorded in the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordedFinding {
    /// The guardrail's name.
    pub guardrail: Line,
    /// The verdict.
    pub verdict: Verdict,
    /// The code, if the verdict is a warning or refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Line>,
    /// The reason, with numbers and units.
    pub why: Line,
}

/// A refusal that the caller overrode by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordedOverride {
    /// The guardrail's name.
    pub guardrail: Line,
    /// The reason.
    pub reason: Line,
}

/// The log that a new log continues.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Predecessor {
    /// Its channel.
    pub channel: Channel,
    /// The number of its entries.
    pub size: u64,
    /// Its RFC 6962 root.
    pub root: Digest,
}

/// The log of an earlier environment, up to the position that was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UpstreamLog {
    /// The environment.
    pub environment: Environment,
    /// Its channel.
    pub channel: Channel,
    /// The number of entries that were read.
    pub size: u64,
    /// The RFC 6962 root over those entries.
    pub root: Digest,
}

/// A release's place among the others of its series.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReleaseOrder {
    /// The kind of the value, such as `semver` or `build-number`.
    pub by: Line,
    /// The value.
    pub value: OrderValue,
    /// The series; values of different series cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<Line>,
}

/// The value that orders a release: a number or a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OrderValue {
    /// A number, such as a build number.
    Number(i64),
    /// A version, such as a semantic version.
    Text(Line),
}

/// Channels that move together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MoveSet {
    /// The id in all intents of the set.
    pub id: Line,
    /// Its channels.
    pub channels: Vec<Channel>,
    /// The action when one of the moves fails.
    pub on_failure: OnFailure,
}

/// The action when one move of a set fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Continue with the rest.
    Resume,
    /// Move the channels back that were moved.
    Restore,
}

impl Intent {
    /// The name of the release, for people: the recorded label, else the version annotation of the target, else the tag
    /// of the source. None if the source is a digest or the own tag of `channel`, which is not the name of a release.
    pub fn release_name(&self, channel: &Channel) -> Option<String> {
        let version = || self.target.annotation("version").map(ToString::to_string);
        let source = || match &self.source {
            Source::Channel(source) => Some(source.tag().to_string()),
            Source::Reference(reference) if *reference == channel.reference() => None,
            Source::Reference(reference) => reference.tag().map(ToString::to_string),
        };
        self.provenance.release.as_ref().map(ToString::to_string).or_else(version).or_else(source)
    }
}

impl TargetManifest {
    /// A manifest without an artifact type and annotations.
    pub fn new(digest: Digest, media_type: Line, size: u64) -> TargetManifest {
        TargetManifest { digest, media_type, size, artifact_type: None, annotations: BTreeMap::new() }
    }

    /// Leaves the credentials out of the addresses: an entry of an early version may have them.
    pub(super) fn hide_credentials(&mut self) {
        for (name, value) in &mut self.annotations {
            let is_address = name.as_str().ends_with(".source") || name.as_str().ends_with(".url");
            if is_address && let Ok(address) = public(value.as_str()).parse() {
                *value = address;
            }
        }
    }

    /// The recorded annotation `org.opencontainers.image.` and `name`.
    pub fn annotation(&self, name: &str) -> Option<&Line> {
        let is_it = |key: &Line| key.as_str().strip_prefix("org.opencontainers.image.") == Some(name);
        self.annotations.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value)
    }

    /// The annotations of a manifest that are recorded, each name without its prefix `org.opencontainers.image.`.
    pub const ANNOTATIONS: [&'static str; 6] = ["created", "revision", "source", "version", "url", "title"];
}

/// The value that a caller requires a channel to have: `absent`, or a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", expecting = "the expected value is `absent` or a digest")]
pub enum Expected {
    /// The tag must not exist.
    Absent,
    /// The tag must point at this digest.
    #[serde(untagged)]
    Digest(Digest),
}
