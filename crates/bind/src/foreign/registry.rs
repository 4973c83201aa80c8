//! `RegistryPort`: the core's `Registry` over an object of the other language.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Digest, Error, ErrorKind, Reference, Repository, Result, Tag, Target};

use super::{Answer, Meaning, timeout, within};

/// A registry of the other language, with the methods of the port. Its `Debug` text is its name in messages.
#[async_trait]
pub trait ForeignRegistry: fmt::Debug + Send + Sync + 'static {
    /// The digest that a tag points at.
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Answer<Option<Digest>>;
    /// The manifest of a reference.
    async fn fetch(&self, reference: &Reference) -> Answer<Option<ForeignManifest>>;
    /// Points a tag at a manifest.
    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Answer<()>;
    /// All tags of a repository.
    async fn tags(&self, repository: &Repository) -> Answer<Vec<Tag>>;
    /// True if the blob exists.
    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Answer<bool>;
}

/// A manifest of a foreign registry, before its bytes are checked.
#[derive(Clone, Debug)]
pub struct ForeignManifest {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub media_type: String,
}

/// The port over a foreign registry.
#[derive(Debug)]
pub struct RegistryPort<F> {
    foreign: F,
    timeout: Duration,
}

/// The error kinds of a read.
const READ: Meaning = Meaning { codes: &["REGISTRY_", "MANIFEST_"], otherwise: ErrorKind::RegistryUnavailable };

/// The error kinds of a put. With these codes nothing was moved, and nothing will land later.
const PUT: Meaning =
    Meaning { codes: &["REGISTRY_REFUSED", "REGISTRY_DENIED"], otherwise: ErrorKind::RegistryAmbiguous };

impl<F: ForeignRegistry> RegistryPort<F> {
    /// The port, with the timeout of a read in seconds, 30 by default. CONFIG_INVALID if that is not a valid timeout.
    pub fn new(foreign: F, read_timeout: Option<f64>) -> Result<RegistryPort<F>> {
        let timeout = timeout(&foreign, read_timeout)?;
        Ok(RegistryPort { foreign, timeout })
    }

    async fn read<T>(&self, method: &str, call: impl Future<Output = Answer<T>>) -> Result<T> {
        within(self.timeout, call).await.map_err(|raised| READ.error(method, &self.foreign, raised))
    }
}

#[async_trait]
impl<F: ForeignRegistry> Registry for RegistryPort<F> {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        self.read("resolve", self.foreign.resolve(repository, tag)).await
    }

    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>> {
        let found = self.read("fetch", self.foreign.fetch(reference)).await?;
        let Some(ForeignManifest { bytes, media_type }) = found else { return Ok(None) };
        match reference.target() {
            Target::Digest(digest) => Manifest::verified(bytes, &media_type, *digest).map(Some),
            Target::Tag(_) => Manifest::new(bytes, &media_type).map(Some),
        }
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put {
        let Err(raised) = within(timeout, self.foreign.put(repository, tag, manifest, timeout)).await else {
            return Put::Applied;
        };
        let refused = PUT.named(&raised).is_some();
        let error: Error = PUT.error("put", &self.foreign, raised);
        if refused { Put::Refused(error) } else { Put::Unknown(error) }
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        self.read("tags", self.foreign.tags(repository)).await
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        self.read("has_blob", self.foreign.has_blob(repository, digest)).await
    }
}
