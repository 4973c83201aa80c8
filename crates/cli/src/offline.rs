//! `Offline`: the registry of commands that send no request to a registry, so that they need no HTTP client.

use std::time::Duration;

use async_trait::async_trait;
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Digest, Error, ErrorKind, Reference, Repository, Result, Tag};

/// A registry that answers no request. A request to it is a bug in this program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offline;

fn asked() -> Error {
    Error::new(ErrorKind::InternalFault, "a command that works offline asked the registry")
}

#[async_trait]
impl Registry for Offline {
    async fn resolve(&self, _: &Repository, _: &Tag) -> Result<Option<Digest>> {
        Err(asked())
    }

    async fn fetch(&self, _: &Reference) -> Result<Option<Manifest>> {
        Err(asked())
    }

    async fn put(&self, _: &Repository, _: &Tag, _: &Manifest, _: Duration) -> Put {
        Put::Refused(asked())
    }

    async fn tags(&self, _: &Repository) -> Result<Vec<Tag>> {
        Err(asked())
    }

    async fn has_blob(&self, _: &Repository, _: &Digest) -> Result<bool> {
        Err(asked())
    }
}
