//! `RetentionInput`: the input of a retention plan, from a repository and its channels' logs.

use super::history::ChannelUsage;
use super::table::{Row, Rows, Seen};
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
    pub(super) rows: Rows,
    pub(super) indexes: Vec<(Digest, Box<[Digest]>)>,
    pub(super) unreadable: Vec<(Digest, String)>,
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

impl RetentionInput {
    /// Evidence about `repository` without any facts yet.
    pub fn new(repository: Repository) -> RetentionInput {
        RetentionInput {
            repository,
            rows: Rows::default(),
            indexes: Vec::new(),
            unreadable: Vec::new(),
            histories: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Adds a tag that names `digest`: a version, a channel, a signature, any tag but the digest's own pin.
    ///
    /// A tag that has the name of a pin but points at another digest than the name says also belongs here.
    pub fn tag(&mut self, tag: Tag, digest: &Digest) {
        self.rows.say(digest, Row { tag: Some(tag), ..Row::default() });
    }

    /// Adds the fact that the digest has its own pin.
    pub fn pin(&mut self, digest: &Digest) {
        self.rows.say(digest, Row { pinned: true, ..Row::default() });
    }

    /// Adds the shape of the manifest of `digest`.
    pub fn manifest(&mut self, digest: &Digest, shape: ManifestKind) {
        let seen = match shape {
            ManifestKind::Single | ManifestKind::Absent => Seen::Single,
            ManifestKind::Index(children) => {
                for child in &children {
                    self.rows.say(child, Row { child: true, ..Row::default() });
                }
                self.indexes.push((*digest, children.into()));
                Seen::Index
            }
            ManifestKind::Unreadable(why) => {
                self.unreadable.push((*digest, Line::lossy(why).to_string()));
                Seen::Unreadable
            }
        };
        self.rows.say(digest, Row { seen, ..Row::default() });
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
}
