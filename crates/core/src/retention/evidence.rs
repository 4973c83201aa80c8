//! `RetentionInput`: the input of a retention plan, from a repository and its channels' logs.

use std::collections::HashMap;

use super::history::ChannelUsage;
use crate::value::{Digest, Line, Repository, Tag};

/// The facts about one repository that its retention plan is made from.
///
/// It must be complete: every tag, the shape of every digest that a tag, a pin or an index names, and the log of every
/// channel of the repository. Report what could not be read ([`RetentionInput::failed`], [`ManifestKind::Unreadable`]): then every
/// digest is kept. A shape that was not given also keeps every digest. A tag or a log that was not given is not always
/// noticed.
#[derive(Clone, Debug)]
pub struct RetentionInput {
    pub(super) repository: Repository,
    /// In the order in which they were told; a digest may have several.
    pub(super) rows: Vec<(Digest, Row)>,
    pub(super) indexes: Vec<(Digest, Box<[Digest]>)>,
    /// The reasons why manifests could not be read; of several reasons, the first in text order.
    pub(super) unreadable: HashMap<Digest, String>,
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

/// The facts that the registry has about one digest.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The first tag, in text order, that names it and is not its pin.
    pub(super) tag: Option<Tag>,
    pub(super) seen: Seen,
    pub(super) pinned: bool,
    pub(super) child: bool,
}

/// The kind of a digest's manifest. If two kinds are given, the one that is later in this list counts: it keeps more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    #[default]
    No,
    Single,
    Index,
    Unreadable,
}

impl Row {
    /// True if a tag, a pin or an index in the registry names it.
    pub(super) fn held(&self) -> bool {
        self.tag.is_some() || self.pinned || self.child
    }

    fn merge(&mut self, other: Row) {
        self.tag = match (self.tag.take(), other.tag) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.seen = self.seen.max(other.seen);
        self.pinned |= other.pinned;
        self.child |= other.child;
    }
}

impl RetentionInput {
    /// Evidence about `repository` without any facts yet.
    pub fn new(repository: Repository) -> RetentionInput {
        RetentionInput {
            repository,
            rows: Vec::new(),
            indexes: Vec::new(),
            unreadable: HashMap::new(),
            histories: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Adds a tag that names `digest`: a version, a channel, a signature, any tag but the digest's own pin.
    ///
    /// A tag that has the name of a pin but points at another digest than the name says also belongs here.
    pub fn tag(&mut self, tag: Tag, digest: &Digest) {
        self.say(digest, Row { tag: Some(tag), ..Row::default() });
    }

    /// Adds the fact that the digest has its own pin.
    pub fn pin(&mut self, digest: &Digest) {
        self.say(digest, Row { pinned: true, ..Row::default() });
    }

    /// Adds the shape of the manifest of `digest`.
    pub fn manifest(&mut self, digest: &Digest, shape: ManifestKind) {
        let seen = match shape {
            ManifestKind::Single | ManifestKind::Absent => Seen::Single,
            ManifestKind::Index(children) => {
                for child in &children {
                    self.say(child, Row { child: true, ..Row::default() });
                }
                self.indexes.push((*digest, children.into()));
                Seen::Index
            }
            ManifestKind::Unreadable(why) => {
                let why = Line::lossy(why).to_string();
                let known = self.unreadable.entry(*digest).or_insert_with(|| why.clone());
                *known = why.min(std::mem::take(known));
                Seen::Unreadable
            }
        };
        self.say(digest, Row { seen, ..Row::default() });
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

    fn say(&mut self, digest: &Digest, row: Row) {
        match self.rows.last_mut() {
            // Most callers tell all facts about a digest one after the other.
            Some((last, known)) if last == digest => known.merge(row),
            _ => self.rows.push((*digest, row)),
        }
    }

    /// The facts about each digest, sorted by digest, and one row for each of `others`.
    pub(super) fn settle(&mut self, others: impl IntoIterator<Item = Digest>) -> Vec<(Digest, Row)> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.extend(others.into_iter().map(|digest| (digest, Row::default())));
        rows.sort_unstable_by_key(|(digest, _)| *digest);
        rows.dedup_by(|(digest, row), (known, kept)| {
            let same = digest == known;
            if same {
                kept.merge(std::mem::take(row));
            }
            same
        });
        rows
    }
}
