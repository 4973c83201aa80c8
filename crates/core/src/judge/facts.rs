//! `Facts`: everything that a guardrail may look at, gathered before it is asked.

use serde::{Deserialize, Serialize};

use crate::record::{ActiveHold, ChannelState, Op, Source, TargetManifest, UpstreamLog};
use crate::value::{Channel, Digest, Environment, Provenance, Tag, Text, Timestamp};

/// What guardrails judge. More facts may be added: build it with [`Facts::new`], then set what is known.
///
/// A fact that is left as it was made counts against the move wherever that matters: no target is an absent one, and
/// [`Passage::Never`] is where the target was. As JSON, for guardrails in other languages, what is none is left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Facts {
    /// What the move does.
    pub op: Op,
    /// The channel that it moves.
    pub channel: Channel,
    /// What the last committed move made the channel point at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Digest>,
    /// The live digest before the last move that changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// What the registry answered for the channel's tag; none if the tag is proven absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
    /// Where the target was named, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The manifest that the channel is to point at; none if it is proven absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetManifest>,
    /// Parts of the target that are proven missing in the registry. A rollback and a repair look at all of them, a
    /// promotion at manifests, the others at none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Text>,
    /// Parts of the target that could not be looked at, with the registry's words, and manifests that are not understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Text>,
    /// The tag that was written beside the source's digest, and what it points at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tagged: Option<Tagged>,
    /// What the caller said that the channel must point at.
    pub expected: ExpectedDigest,
    /// Who asked, in which pipeline run.
    pub provenance: Provenance,
    /// The holds in force now that stop such a move.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<ActiveHold>,
    /// The policy that the log says is binding; a move under another one is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding_policy: Option<Digest>,
    /// The environment before this one; none if there is none, or if no pipeline is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// Whether the target was live in this channel.
    pub here: Passage,
    /// When it is judged.
    pub at: Timestamp,
}

impl Facts {
    /// The facts of a channel's log at `at`: live, previous, and the holds in force then. Observed, target and upstream
    /// are none, nothing is expected, and the target was never live here, until they are set.
    pub fn new(op: Op, state: &ChannelState, provenance: Provenance, at: Timestamp) -> Facts {
        Facts {
            op,
            channel: state.channel.clone(),
            live: state.live,
            previous: state.previous,
            observed: None,
            source: None,
            target: None,
            missing: Vec::new(),
            unknown: Vec::new(),
            tagged: None,
            expected: ExpectedDigest::Any,
            provenance,
            holds: state.holds_at(at).filter(|hold| hold.scope.covers(op)).cloned().collect(),
            binding_policy: state.policy.filter(|policy| policy.binding).map(|policy| policy.digest),
            upstream: None,
            here: Passage::Never,
            at,
        }
    }

    /// What the channel points at before the move: the live digest for a promotion or rollback (which only start where
    /// the registry agrees), what the registry answered for a bootstrap, repair or adoption.
    pub fn before(&self) -> Option<Digest> {
        match self.op {
            Op::Promote | Op::Rollback => self.live,
            Op::Bootstrap | Op::Repair | Op::Adopt => self.observed,
        }
    }
}

/// What the channel must point at for the move to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedDigest {
    /// Anything, or nothing.
    #[default]
    Any,
    /// Nothing: it has no live digest, and its tag is absent.
    Absent,
    /// This digest: live for a promotion or rollback, observed for a bootstrap, repair or adoption.
    At(Digest),
}

/// Whether a digest was live in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Passage {
    /// It is live now.
    Live,
    /// It was live and is not now.
    Earlier,
    /// No committed move made it live.
    #[default]
    Never,
}

/// A tag that was written beside a digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Tagged {
    /// The tag.
    pub tag: Tag,
    /// What the registry answered for it; none if the tag is proven absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<Digest>,
}

/// The environment before a channel's own in the pipeline, as its log says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Upstream {
    /// Its name.
    pub environment: Environment,
    /// Its channel.
    pub channel: Channel,
    /// What is live there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Digest>,
    /// Whether the target was live there.
    pub passage: Passage,
    /// How many entries of its log were read.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Digest,
}

impl Upstream {
    /// The log that was read, as an intent names it.
    pub fn log(&self) -> UpstreamLog {
        let Upstream { environment, channel, size, root, .. } = self.clone();
        UpstreamLog { environment, channel, size, root }
    }
}
