//! `RetentionDecision`: the decision to keep a digest or to let it expire, with the reason.

use std::fmt;

use serde::Serialize;

use crate::value::{Channel, Digest, Tag, Timestamp};

/// The retention decision about a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RetentionDecision {
    /// The digest must stay.
    Keep(KeepReason),
    /// The digest may be deleted.
    Expire(DeleteReason),
}

/// The reason to keep a digest. If several reasons hold, it is the first in the order of this list; among equal
/// reasons, the one whose channel, tag or index comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeepReason {
    /// The digest is live.
    Live {
        /// The channel on which it is live.
        channel: Channel,
    },
    /// An open intent names it.
    Open {
        /// The channel of the intent.
        channel: Channel,
        /// The position of the intent in the log.
        seq: u64,
    },
    /// It is one of the last digests of a channel.
    Window {
        /// The channel.
        channel: Channel,
        /// Its place, counted in distinct digests from the newest; the live digest is 1.
        nth: u32,
    },
    /// It was live, or was the target of a move without effect, within `keep_for`.
    Recent {
        /// The channel.
        channel: Channel,
        /// The time at which it leaves the window.
        until: Timestamp,
    },
    /// A tag that is not its pin names it: a version, a channel, a signature. Deleting the digest would remove the tag.
    Tagged {
        /// The first such tag, in text order.
        tag: Tag,
    },
    /// An index that is kept needs it.
    ChildOf {
        /// The index.
        index: Digest,
    },
    /// It would expire, but an object that may need it could not be read or is not understood.
    NotUnderstood {
        /// The object, and the reason.
        why: String,
    },
}

/// The reason why a digest may be deleted. No tag but its own pin names it, and no index that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeleteReason {
    /// It was live, and has left the rollback windows of all channels.
    Past {
        /// The channel that it was live in last.
        channel: Channel,
        /// Its place there, counted in distinct digests from the newest.
        nth: u32,
        /// The time at which it stopped being live there.
        since: Timestamp,
    },
    /// It was live and is blocked, so it is no rollback target, and stopped being live longer ago than `keep_for`.
    Blocked {
        /// The channel that it was live in last.
        channel: Channel,
        /// The time at which it stopped being live there.
        since: Timestamp,
    },
    /// It was never live: all moves to it were closed without effect, longer ago than `keep_for`.
    Tried {
        /// The channel of the last of these moves.
        channel: Channel,
        /// The time at which that move was closed.
        since: Timestamp,
    },
    /// Only indexes that expire themselves name it.
    ChildOf {
        /// The index.
        index: Digest,
    },
}

/// Tells if a digest has its own pin in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    /// It has a pin. Delete the pin first: a plan that is void then shows before the digest is deleted.
    Held,
    /// It has no pin.
    Absent,
}

/// One digest of a plan, with its decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DigestRetention {
    /// The digest.
    pub digest: Digest,
    /// Tells if it is pinned.
    pub pin: Pin,
    /// The decision.
    #[serde(flatten)]
    pub fate: RetentionDecision,
}

/// Tells if a digest may be deleted from its repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MayDelete {
    /// It may be deleted, as long as the plan is valid.
    Yes {
        /// The reason.
        because: DeleteReason,
        /// Tells if a pin must be removed first.
        pin: Pin,
    },
    /// It must stay.
    No {
        /// The reason.
        because: KeepReason,
    },
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeepReason::Live { channel } => write!(f, "live on {channel}"),
            KeepReason::Open { channel, seq } => write!(f, "named by the open intent {seq} of {channel}"),
            KeepReason::Window { channel, nth } => write!(f, "number {nth} of the last digests of {channel}"),
            KeepReason::Recent { channel, until } => write!(f, "in the window of {channel} until {until}"),
            KeepReason::Tagged { tag } => write!(f, "tagged {tag}"),
            KeepReason::ChildOf { index } => write!(f, "part of the index {index}"),
            KeepReason::NotUnderstood { why } => f.write_str(why),
        }
    }
}

impl fmt::Display for DeleteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeleteReason::Past { channel, nth, since } => {
                write!(f, "number {nth} of the digests of {channel}, not live since {since}")
            }
            DeleteReason::Blocked { channel, since } => {
                write!(f, "blocked, so no rollback target of {channel}; not live since {since}")
            }
            DeleteReason::Tried { channel, since } => {
                write!(f, "never live; the last move to it on {channel} ended {since}")
            }
            DeleteReason::ChildOf { index } => write!(f, "part of the index {index}, which expires"),
        }
    }
}

impl fmt::Display for MayDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MayDelete::Yes { because, pin: Pin::Held } => write!(f, "yes, after its pin: {because}"),
            MayDelete::Yes { because, pin: Pin::Absent } => write!(f, "yes: {because}"),
            MayDelete::No { because } => write!(f, "no: {because}"),
        }
    }
}
