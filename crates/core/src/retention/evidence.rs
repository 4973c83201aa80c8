//! `RetentionInput`: the input of a retention plan, from a repository and its channels' logs.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::fate::{DeleteReason, KeepReason, Pin, RetentionDecision};
use super::history::ChannelUsage;
use crate::value::{Channel, Digest, Line, Repository, Tag, Timestamp};

/// The facts about one repository that its retention plan is made from.
///
/// It must be complete: every tag, the shape of every digest that a tag, a pin or an index names, and the log of every
/// channel of the repository. Report what could not be read ([`RetentionInput::failed`], [`ManifestKind::Unreadable`]): then every
/// digest is kept. A shape that was not given also keeps every digest. A tag or a log that was not given is not always
/// noticed.
#[derive(Clone, Debug)]
pub struct RetentionInput {
    pub(super) repository: Repository,
    /// Boxed: a map that grows moves its values, and these are large.
    pub(super) digests: HashMap<Digest, Box<Known>>,
    /// The manifests that each index names.
    pub(super) indexes: HashMap<Digest, Vec<Digest>>,
    pub(super) histories: Vec<ChannelUsage>,
    pub(super) failures: Vec<String>,
}

/// The kind of a manifest: single or index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// An image or artifact: it names no other manifest.
    Single,
    /// An index or list of these manifests. Each of them needs a shape of its own.
    Index(Vec<Digest>),
    /// The manifest is proven absent from the registry, so it names nothing.
    Absent,
    /// The manifest could not be read or is not understood. The text is the reason.
    Unreadable(String),
}

/// The facts about one digest: first those of the registry, then those of the logs.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// True if a tag that is not its pin names it.
    pub(super) tagged: bool,
    pub(super) pinned: bool,
    /// True if an index names it.
    pub(super) child: bool,
    /// True if its manifest was read, or is proven absent.
    pub(super) read: bool,
    /// The reason why its manifest could not be read; of several reasons, the first in text order.
    pub(super) unreadable: Option<String>,
    /// The first index that is not kept and that it is part of.
    pub(super) part_of: Option<Digest>,
    /// The first reason to keep it, in the order of [`KeepReason`].
    pub(super) keep: Option<KeepReason>,
    /// The reason in the logs to expire it: the time since when, the channel, and its place among the channel's
    /// digests. It is the last to end; of equals, that of the first channel.
    pub(super) past: Option<(Timestamp, Reverse<Channel>, Place)>,
}

/// The place of a digest among those of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// It was never live there.
    Tried,
    /// It was live there, and is blocked: it has no place in the rollback window.
    Blocked,
    /// Counted in distinct digests from the newest.
    Nth(u32),
}

impl Known {
    /// True if a tag, a pin or an index in the registry names it.
    pub(super) fn is_named(&self) -> bool {
        self.tagged || self.pinned || self.child
    }

    /// True if it is kept for a reason other than an index that needs it, whatever else is known.
    pub(super) fn stays_by_itself(&self) -> bool {
        self.keep.is_some() || (self.past.is_none() && (self.pinned || !self.child))
    }

    pub(super) fn keep(&mut self, keep: KeepReason) {
        self.keep = self.keep.take().into_iter().chain([keep]).min();
    }

    /// Keeps it if it is not understood, or if `blocked` is the reason why no digest may expire.
    pub(super) fn settle(&mut self, blocked: Option<&str>) {
        let why = match (&self.unreadable, blocked) {
            _ if self.keep.is_some() => return,
            (Some(why), _) => format!("it could not be read: {why}"),
            _ if self.pinned && self.past.is_none() => {
                "it is pinned, and no log of this ledger names it: it may be another ledger's".to_owned()
            }
            (None, Some(why)) => why.to_owned(),
            (None, None) => return,
        };
        self.keep = Some(KeepReason::NotUnderstood { why });
    }

    pub(super) fn pin(&self) -> Pin {
        if self.pinned { Pin::Held } else { Pin::Absent }
    }

    /// The decision, when everything is known.
    pub(super) fn fate(&self) -> RetentionDecision {
        use RetentionDecision::{Expire, Keep};
        match (&self.keep, &self.past, self.part_of) {
            (Some(keep), ..) => Keep(keep.clone()),
            (None, Some((since, Reverse(channel), place)), _) => {
                let (channel, since) = (channel.clone(), *since);
                Expire(match *place {
                    Place::Nth(nth) => DeleteReason::Past { channel, nth, since },
                    Place::Blocked => DeleteReason::Blocked { channel, since },
                    Place::Tried => DeleteReason::Tried { channel, since },
                })
            }
            (None, None, Some(index)) => Expire(DeleteReason::ChildOf { index }),
            (None, None, None) => {
                Keep(KeepReason::NotUnderstood { why: "no tag, index or log that the plan knows names it".to_owned() })
            }
        }
    }
}

impl RetentionInput {
    /// Evidence about `repository` without any facts yet.
    pub fn new(repository: Repository) -> RetentionInput {
        let (digests, indexes) = (HashMap::new(), HashMap::new());
        RetentionInput { repository, digests, indexes, histories: Vec::new(), failures: Vec::new() }
    }

    /// Adds a tag that names `digest`: a version, a channel, a signature, any tag but the digest's own pin.
    ///
    /// A tag that has the name of a pin but points at another digest than the name says also belongs here.
    pub fn tag(&mut self, tag: Tag, digest: &Digest) {
        let known = self.known(digest);
        known.tagged = true;
        known.keep(KeepReason::Tagged { tag });
    }

    /// Adds the fact that the digest has its own pin.
    pub fn pin(&mut self, digest: &Digest) {
        self.known(digest).pinned = true;
    }

    /// Adds the shape of the manifest of `digest`.
    pub fn manifest(&mut self, digest: &Digest, shape: ManifestKind) {
        let known = self.known(digest);
        match shape {
            ManifestKind::Single | ManifestKind::Absent => known.read = true,
            ManifestKind::Index(children) => {
                known.read = true;
                for child in &children {
                    self.known(child).child = true;
                }
                self.indexes.entry(*digest).or_default().extend(children);
            }
            ManifestKind::Unreadable(why) => {
                let why = Line::lossy(why).to_string();
                known.unreadable = known.unreadable.take().into_iter().chain([why]).min();
            }
        }
    }

    /// Adds the history of a channel. Channels of other repositories are ignored.
    pub fn history(&mut self, history: ChannelUsage) {
        if *history.channel.repository() == self.repository {
            self.histories.push(history);
        }
    }

    /// Adds an object that could not be read: the list of tags, the digest of a tag, a log. Every digest is kept then,
    /// with `why` as the reason.
    pub fn failed(&mut self, why: impl Into<String>) {
        self.failures.push(Line::lossy(why.into()).to_string());
    }

    /// The facts about a digest.
    pub(super) fn known(&mut self, digest: &Digest) -> &mut Known {
        self.digests.entry(*digest).or_default()
    }
}
