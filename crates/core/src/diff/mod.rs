//! The changes from one release to another: revisions, platforms, layers, and the files of Flux artifacts.
//!
//! [`Promoter::diff`](crate::Promoter::diff) compares two releases.

mod compare_url;
mod content;
mod files;
mod packed;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::log::{MoveRecord, Op};
use crate::value::{Channel, Digest, Line, ReleaseExpression, ReleaseLabel, Repository, Timestamp};

pub(crate) use compare_url::{Forge, compare_url, is_same_repository, same_host};
pub use content::Layer;
pub(crate) use content::{Contents, platforms};
pub(crate) use files::compare as compare_files;
pub use files::{FileChange, FileDiff};
pub(crate) use packed::{Files, has_files, read as read_files};

/// The difference between two releases.
///
/// `docs/reference/cli.md` has its JSON. A part that is not known is absent; `notes` says why.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReleaseDiff {
    /// The release that is compared with.
    pub old: ReleaseFacts,
    /// The release that is compared.
    pub new: ReleaseFacts,
    /// The page on which GitHub, GitLab or Gitea compares both revisions; absent if a revision is not known, if both
    /// are of different repositories, or if the host is none of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare_url: Option<String>,
    /// The moves between both; absent if there is no channel on which both were live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between: Option<MovesBetween>,
    /// The platforms, such as `linux/arm64`; absent if they are not known, and for what has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Difference<Line>>,
    /// The layers of all platforms; absent if they are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Difference<Layer>>,
    /// The files that differ, by path; absent if they are not known, and for what is no Flux artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<FileDiff>>,
    /// The parts that are not known, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Line>,
}

/// One of the compared releases.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReleaseFacts {
    /// The expression that named it.
    pub name: ReleaseExpression,
    /// Its repository.
    pub repository: Repository,
    /// Its digest.
    pub digest: Digest,
    /// The place that its facts are from.
    pub facts: FactsFrom,
    /// Its name for people, as it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseLabel>,
    /// Its annotations `org.opencontainers.image.{created,revision,source,version,url,title}` by their last word: those
    /// of the manifest, or else those that its move recorded.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<&'static str, Line>,
    /// The last committed move that made it live, on the channel that was named or beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<MadeLive>,
}

crate::error::words! {
    /// The place that the facts about a release are from.
    pub enum FactsFrom {
        /// The registry has its manifest.
        Registry => "registry",
        /// The registry does not have it any more, or did not answer: the facts are those that its move recorded.
        Record => "record",
    }
}

/// A committed move that made a digest live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MadeLive {
    /// The channel.
    pub channel: Channel,
    /// The position of its intent in the channel's log.
    pub seq: u64,
    /// The time at which it was closed.
    pub at: Timestamp,
}

/// The committed moves of one channel from one release to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MovesBetween {
    /// The channel.
    pub channel: Channel,
    /// The time between both moves that made the releases live, in milliseconds; negative if the release that is
    /// compared was live first.
    pub apart_ms: i64,
    /// The number of committed moves after the older one, up to the newer one.
    pub count: u64,
    /// Those moves, newest first; at most 20.
    pub moves: Vec<MoveBetween>,
}

impl MovesBetween {
    /// The greatest number of listed moves.
    pub const MOST: usize = 20;
}

/// A committed move between two releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MoveBetween {
    /// The position of its intent.
    pub seq: u64,
    /// The time at which it was closed.
    pub at: Timestamp,
    /// Its operation.
    pub op: Op,
    /// The digest that it made live.
    pub digest: Digest,
    /// The recorded name of the release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseLabel>,
    /// The id of the actor.
    pub actor: Line,
}

/// Things that only one of two releases has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference<T> {
    /// Those that only the release that is compared has.
    pub added: Vec<T>,
    /// Those that only the release that is compared with has.
    pub gone: Vec<T>,
    /// The number of those that both have.
    pub same: usize,
}

impl<T: Clone + PartialEq> Difference<T> {
    pub(crate) fn of(from: &[T], to: &[T]) -> Difference<T> {
        let only = |these: &[T], others: &[T]| these.iter().filter(|one| !others.contains(one)).cloned().collect();
        let added: Vec<T> = only(to, from);
        Difference { same: to.len() - added.len(), gone: only(from, to), added }
    }
}

impl MadeLive {
    pub(crate) fn of(event: &MoveRecord) -> MadeLive {
        MadeLive { channel: event.channel.clone(), seq: event.seq, at: closed_at(event) }
    }
}

impl MoveBetween {
    pub(crate) fn of(event: &MoveRecord) -> MoveBetween {
        let intent = &event.intent;
        let (provenance, digest) = (&intent.provenance, intent.target.digest);
        let (release, actor) = (provenance.release.clone(), provenance.actor.id.clone());
        MoveBetween { seq: event.seq, at: closed_at(event), op: intent.op, digest, release, actor }
    }
}

fn closed_at(event: &MoveRecord) -> Timestamp {
    event.outcome.as_ref().map_or(event.at, |outcome| outcome.at)
}
