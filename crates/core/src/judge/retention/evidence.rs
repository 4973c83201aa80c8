//! `Evidence`: everything that a repository and its channels' logs say about its digests.

use super::history::ChannelHistory;
use super::table::{Row, Rows, Seen};
use crate::value::{Digest, Repository, Tag, Text};

/// What is known about one repository before its digests are judged.
///
/// All of it is needed: every tag, the shape of every digest that a tag, a pin or an index names, and the log of every
/// channel of the repository. What could not be looked at is said ([`Evidence::failed`], [`Shape::Unreadable`]) and keeps
/// everything; what is forgotten is found missing where that can be seen, and keeps everything too.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub(super) repository: Repository,
    pub(super) rows: Rows,
    pub(super) indexes: Vec<(Digest, Box<[Digest]>)>,
    pub(super) unreadable: Vec<(Digest, String)>,
    pub(super) histories: Vec<ChannelHistory>,
    pub(super) failures: Vec<String>,
}

/// What a manifest is, as far as retention is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An image or artifact: it names no other manifest.
    Single,
    /// An index or list of these manifests. Each of them needs a shape of its own.
    Index(Vec<Digest>),
    /// It is proven absent from the registry, so it names nothing.
    Absent,
    /// It could not be read or not be understood; why, made safe to show.
    Unreadable(String),
}

impl Evidence {
    /// Nothing is known about `repository` yet.
    pub fn new(repository: Repository) -> Evidence {
        Evidence {
            repository,
            rows: Rows::default(),
            indexes: Vec::new(),
            unreadable: Vec::new(),
            histories: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// A tag names `digest`: a version, a channel, a signature, anything but the digest's own pin.
    ///
    /// A tag that looks like a pin but points at something else than it says belongs here.
    pub fn tag(&mut self, tag: Tag, digest: &Digest) {
        self.rows.say(digest, Row { tag: Some(tag), ..Row::default() });
    }

    /// The digest has its own pin.
    pub fn pin(&mut self, digest: &Digest) {
        self.rows.say(digest, Row { pinned: true, ..Row::default() });
    }

    /// What the manifest of `digest` is.
    pub fn manifest(&mut self, digest: &Digest, shape: Shape) {
        let seen = match shape {
            Shape::Single | Shape::Absent => Seen::Single,
            Shape::Index(children) => {
                for child in &children {
                    self.rows.say(child, Row { child: true, ..Row::default() });
                }
                self.indexes.push((*digest, children.into()));
                Seen::Index
            }
            Shape::Unreadable(why) => {
                self.unreadable.push((*digest, Text::lossy(why).to_string()));
                Seen::Unreadable
            }
        };
        self.rows.say(digest, Row { seen, ..Row::default() });
    }

    /// What a channel's log says. Channels of other repositories name nothing here and are left out.
    pub fn history(&mut self, history: ChannelHistory) {
        if *history.channel.repository() == self.repository {
            self.histories.push(history);
        }
    }

    /// Something could not be looked at: the list of tags, what a tag points at, a log. Every digest is kept then,
    /// and says why, made safe to show.
    pub fn failed(&mut self, why: impl Into<String>) {
        self.failures.push(Text::lossy(why.into()).to_string());
    }
}
