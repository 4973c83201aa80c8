//! `Facts`: the input of guardrails, gathered before they judge.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::order::Order;
use crate::error::{Error, Result};
use crate::log::{
    ActiveBlock, ActiveHold, ChannelState, Op, ReleaseOrder, RolledBackCause, Source, TargetManifest, UpstreamLog,
};
use crate::value::{Channel, Digest, Line, Provenance, Tag, Timestamp};

/// The facts that guardrails judge. Fields may be added: build it with [`Facts::new`], then set the facts that are
/// known.
///
/// Where it matters, a fact that is not set counts against the move: without a target, the target counts as absent, and
/// without a passage, it counts as [`LiveHistory::Never`]. As JSON, for guardrails in other languages, a field that is none
/// is left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Facts {
    /// The operation of the move.
    pub op: Op,
    /// The channel of the move.
    pub channel: Channel,
    /// The live digest: the target of the last committed move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Digest>,
    /// The live digest before the last move that changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The digest that the registry answered for the channel's tag; none if the tag is proven absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
    /// The source of the target, as the caller gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The manifest that the channel is to point at; none if it is proven absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetManifest>,
    /// Parts of the target that are proven missing in the registry. A rollback and a repair look at all of them, a
    /// promotion at manifests, the others at none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Line>,
    /// Parts of the target that could not be looked at, with the registry's error, and manifests that are not
    /// understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Line>,
    /// The tag that was written beside the source's digest, and the digest that it points at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tagged: Option<Tagged>,
    /// The digest that the caller requires the channel to point at; any by default.
    pub expected: ExpectedDigest,
    /// The pipeline run and the actor.
    pub provenance: Provenance,
    /// The holds in force now that stop such a move.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<ActiveHold>,
    /// The policy that the log declares binding; a move under another policy is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding_policy: Option<Digest>,
    /// The environment before this one; none if there is none, or if no pipeline is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// The target's history in this channel: live now, earlier, or never.
    pub here: LiveHistory,
    /// The order of releases, as the policy sets it; none if it sets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// The target's place among the releases; none if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<ReleaseOrder>,
    /// The annotation that could not be read, and why, if the place is not known for that reason.
    #[serde(skip)]
    pub(crate) unread: Option<Line>,
    /// The last committed move; none if there is none, or if releases have no order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_move: Option<LiveMove>,
    /// The entry by which the target counts as rolled back; none if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_by: Option<LeftBy>,
    /// The channel of the pipeline's first environment, whose log blocks by default; none without a pipeline.
    #[serde(skip)]
    pub(crate) first: Option<Channel>,
    /// The blocks of the target, here and in every earlier environment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockedOn>,
    /// If the target is blocked: the newest digest that was live here earlier and is not blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<Digest>,
    /// The time of the judgement.
    pub at: Timestamp,
}

impl Facts {
    /// The facts of a channel's log at `at`: live, previous, and the holds in force then. Until they are set, observed,
    /// target and upstream are none, any digest is expected, and the target was never live here.
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
            here: LiveHistory::Never,
            order: None,
            place: None,
            unread: None,
            live_move: None,
            left_by: None,
            first: None,
            blocks: Vec::new(),
            instead: None,
            at,
        }
    }

    /// The digest that the channel points at before the move: the live digest for a promotion or rollback, the observed
    /// digest for a bootstrap, repair or adoption.
    pub fn before(&self) -> Option<Digest> {
        match self.op {
            Op::Promote | Op::Rollback => self.live,
            Op::Bootstrap | Op::Repair | Op::Adopt => self.observed,
        }
    }

    /// True if the move brings a release here: a promotion, and a bootstrap that makes the tag, which is the first
    /// promotion of a new channel. False for a bootstrap that takes the tag as it is.
    pub(crate) fn promotes(&self) -> bool {
        match self.op {
            Op::Promote => true,
            Op::Bootstrap => self.observed.is_none(),
            Op::Rollback | Op::Repair | Op::Adopt => false,
        }
    }
}

/// The digest that the channel must point at before the move starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedDigest {
    /// Any digest, or none.
    #[default]
    Any,
    /// None: the channel has no live digest, and its tag is absent.
    Absent,
    /// This digest: live for a promotion or rollback, observed for a bootstrap, repair or adoption.
    At(Digest),
}

impl FromStr for ExpectedDigest {
    type Err = Error;

    /// Parses `any`, `absent` or a digest.
    fn from_str(text: &str) -> Result<ExpectedDigest> {
        match text {
            "any" => Ok(ExpectedDigest::Any),
            "absent" => Ok(ExpectedDigest::Absent),
            digest => digest.parse().map(ExpectedDigest::At),
        }
    }
}

impl TryFrom<&str> for ExpectedDigest {
    type Error = Error;

    fn try_from(text: &str) -> Result<ExpectedDigest> {
        text.parse()
    }
}

impl From<Digest> for ExpectedDigest {
    fn from(digest: Digest) -> ExpectedDigest {
        ExpectedDigest::At(digest)
    }
}

/// The history of a digest in a channel: live now, earlier, or never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LiveHistory {
    /// It is live now.
    Live,
    /// It was live, and is not live now.
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
    /// The digest that the registry answered for it; none if the tag is proven absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<Digest>,
}

/// The environment before a channel's own in the pipeline, as its log says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Upstream {
    /// Its log, up to the position that was read.
    #[serde(flatten)]
    pub log: UpstreamLog,
    /// The live digest of its channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Digest>,
    /// The target's history in its channel: live now, earlier, or never.
    pub passage: LiveHistory,
}

/// The last committed move of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct LiveMove {
    /// The position of its intent in the log.
    pub seq: u64,
    /// The place of its release among the others; none if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<ReleaseOrder>,
    /// The actor and the pipeline run.
    pub provenance: Provenance,
}

/// The rollback that left a digest, or the takeover that aborted its promotion on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct LeftBy {
    /// The position of the entry.
    pub seq: u64,
    /// Tells which of the two it is.
    pub cause: RolledBackCause,
    /// The actor and the pipeline run.
    pub provenance: Provenance,
    /// The reason of the rollback, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Line>,
}

/// A block in force, and the channel whose log has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct BlockedOn {
    /// The channel: the one that is judged, or that of an earlier environment.
    pub channel: Channel,
    /// The block.
    #[serde(flatten)]
    pub block: ActiveBlock,
}

impl fmt::Display for BlockedOn {
    /// `sha256:… blocked by ada (seq 12): it loses orders, on reg.io/acme/shop:dev`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, on {}", self.block, self.channel)
    }
}
