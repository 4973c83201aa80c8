//! `Intent`: what a move is to do, who asked for it, and how it was judged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::value::{Channel, Digest, IdempotencyKey, Provenance, Text};

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
