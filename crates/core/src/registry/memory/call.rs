//! What a `MemoryRegistry` was asked, and how its tags moved.

use std::fmt;
use std::time::Duration;

use crate::value::{Digest, Reference, Repository, Tag};

/// One call of the port, as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`Registry::resolve`](crate::registry::Registry::resolve).
    Resolve {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: Tag,
    },
    /// [`Registry::fetch`](crate::registry::Registry::fetch).
    Fetch {
        /// The tag or digest in its repository.
        reference: Reference,
    },
    /// [`Registry::put`](crate::registry::Registry::put).
    Put {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: Tag,
        /// The manifest's digest.
        digest: Digest,
    },
    /// [`Registry::tags`](crate::registry::Registry::tags).
    Tags {
        /// The repository.
        repository: Repository,
    },
    /// [`Registry::has_blob`](crate::registry::Registry::has_blob).
    HasBlob {
        /// The repository.
        repository: Repository,
        /// The blob's digest.
        digest: Digest,
    },
}

impl Call {
    /// The repository that it is about.
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

/// Who moved a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// A put through the port, when it landed.
    Put,
    /// Not the port: the set-up of a test, or a foreign writer.
    Outside,
}

/// One change of a tag, when it landed. A put of what was there already is one, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
    /// What it pointed at before; none if it was absent.
    pub previous: Option<Digest>,
    /// What it points at now; none if it is gone.
    pub digest: Option<Digest>,
    /// Who did it.
    pub by: Writer,
    /// When, counted from the registry's beginning on tokio's clock.
    pub at: Duration,
}
