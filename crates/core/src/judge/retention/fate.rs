//! `Fate`: a digest is kept or expires, each with its reason.

use std::fmt;

use serde::Serialize;

use crate::value::{Channel, Digest, Tag, Timestamp};

/// What becomes of a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It stays.
    Keep(Keep),
    /// It may go.
    Expire(Expire),
}

/// Why a digest is kept: the first of these that holds, and of equals the one whose channel, tag or index comes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Keep {
    /// It is live.
    Live {
        /// Where.
        channel: Channel,
    },
    /// An open intent names it.
    Open {
        /// Of which channel.
        channel: Channel,
        /// Where the intent stands.
        seq: u64,
    },
    /// It is one of the last digests of a channel.
    Window {
        /// Which channel.
        channel: Channel,
        /// Its place, counted in distinct digests from the newest; what is live is 1.
        nth: u32,
    },
    /// It was live, or was to be, not long ago.
    Recent {
        /// Where.
        channel: Channel,
        /// When it leaves the window.
        until: Timestamp,
    },
    /// A tag that is no pin names it: a version, a channel, a signature. Deleting the digest would remove the tag.
    Tagged {
        /// The first tag that does, in text order.
        tag: Tag,
    },
    /// An index that is kept needs it.
    ChildOf {
        /// Which index.
        index: Digest,
    },
    /// It would expire, but something could not be looked at or is not understood.
    NotUnderstood {
        /// What.
        why: String,
    },
}

/// Why a digest may go. No tag but its own pin names it, and no index that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Expire {
    /// It has left the rollback window of every channel that it was live in.
    Past {
        /// The channel that it was live in last.
        channel: Channel,
        /// Its place there, counted in distinct digests from the newest.
        nth: u32,
        /// When it stopped being live there.
        since: Timestamp,
    },
    /// It never was live: the moves to it were closed without effect, long ago.
    Tried {
        /// The channel that it was to be live in last.
        channel: Channel,
        /// When that move was closed.
        since: Timestamp,
    },
    /// Only an index names it that expires itself.
    ChildOf {
        /// Which index.
        index: Digest,
    },
}

/// Whether a digest has its own pin in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    /// It has; the pin goes first, so that a plan that is void shows before the digest is gone.
    Held,
    /// It has none.
    Absent,
}

/// One digest of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The digest.
    pub digest: Digest,
    /// Whether it is pinned.
    pub pin: Pin,
    /// What becomes of it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// Whether a digest may be deleted from its repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MayDelete {
    /// It may, as long as the plan stands.
    Yes {
        /// Why.
        because: Expire,
        /// Whether a pin must be removed first.
        pin: Pin,
    },
    /// It must stay.
    No {
        /// Why.
        because: Keep,
    },
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fate::Keep(keep) => write!(f, "kept: {keep}"),
            Fate::Expire(expire) => write!(f, "expires: {expire}"),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Keep::Live { channel } => write!(f, "live on {channel}"),
            Keep::Open { channel, seq } => write!(f, "named by the open intent {seq} of {channel}"),
            Keep::Window { channel, nth } => write!(f, "number {nth} of the last digests of {channel}"),
            Keep::Recent { channel, until } => write!(f, "in the window of {channel} until {until}"),
            Keep::Tagged { tag } => write!(f, "tagged {tag}"),
            Keep::ChildOf { index } => write!(f, "part of the index {index}"),
            Keep::NotUnderstood { why } => f.write_str(why),
        }
    }
}

impl fmt::Display for Expire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expire::Past { channel, nth, since } => {
                write!(f, "number {nth} of the digests of {channel}, not live since {since}")
            }
            Expire::Tried { channel, since } => write!(f, "never live; the last move to it on {channel} ended {since}"),
            Expire::ChildOf { index } => write!(f, "part of the index {index}, which expires"),
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
