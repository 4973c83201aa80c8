//! The calls of a `MemoryRegistry`, and the changes of its tags.

use std::fmt;
use std::time::Duration;

use tagwarden::{Digest, Reference, Repository, Tag};

/// One call of the port, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`Registry::resolve`](tagwarden::registry::Registry::resolve).
    Resolve {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: Tag,
    },
    /// [`Registry::fetch`](tagwarden::registry::Registry::fetch).
    Fetch {
        /// The tag or digest in its repository.
        reference: Reference,
    },
    /// [`Registry::put`](tagwarden::registry::Registry::put).
    Put {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: Tag,
        /// The manifest's digest.
        digest: Digest,
    },
    /// [`Registry::tags`](tagwarden::registry::Registry::tags).
    Tags {
        /// The repository.
        repository: Repository,
    },
    /// [`Registry::has_blob`](tagwarden::registry::Registry::has_blob).
    HasBlob {
        /// The repository.
        repository: Repository,
        /// The blob's digest.
        digest: Digest,
    },
}

impl Call {
    /// The repository of the call.
    pub fn repository(&self) -> &Repository {
        match self {
            Call::Resolve { repository, .. }
            | Call::Put { repository, .. }
            | Call::Tags { repository }
            | Call::HasBlob { repository, .. } => repository,
            Call::Fetch { reference } => reference.repository(),
        }
    }

    /// True for a put of `tag`.
    pub fn puts(&self, tag: &Tag) -> bool {
        matches!(self, Call::Put { tag: put, .. } if put == tag)
    }

    /// True for a resolve of `tag`.
    pub fn resolves(&self, tag: &Tag) -> bool {
        matches!(self, Call::Resolve { tag: resolved, .. } if resolved == tag)
    }
}

impl fmt::Display for Call {
    /// One line: `resolve reg.io/app:prod`, `fetch reg.io/app@sha256:…`, `put reg.io/app:prod sha256:…`,
    /// `tags reg.io/app`, `blob reg.io/app@sha256:…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::Resolve { repository, tag } => write!(f, "resolve {repository}:{tag}"),
            Call::Fetch { reference } => write!(f, "fetch {reference}"),
            Call::Put { repository, tag, digest } => write!(f, "put {repository}:{tag} {digest}"),
            Call::Tags { repository } => write!(f, "tags {repository}"),
            Call::HasBlob { repository, digest } => write!(f, "blob {repository}@{digest}"),
        }
    }
}

/// The writer of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOrigin {
    /// A put through the port, when it was applied.
    Put,
    /// A writer outside of the port: the set-up of a test, or a foreign writer.
    Outside,
}

/// One change of a tag, when it was applied. A put of the digest that the tag had already is a change too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
    /// The digest before; none if the tag was absent.
    pub previous: Option<Digest>,
    /// The digest after; none if the tag was deleted.
    pub digest: Option<Digest>,
    /// The writer.
    pub by: ChangeOrigin,
    /// The time of the change on tokio's clock, counted from the start of the registry.
    pub at: Duration,
}
