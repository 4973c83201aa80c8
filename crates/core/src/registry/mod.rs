//! The port to a registry, and what it holds: manifests, byte- and type-exact.

mod manifest;
#[cfg(feature = "oci")]
pub mod oci;

pub use manifest::{Content, Descriptor, MANIFEST_TYPES, MAX_MANIFEST, Manifest};

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::value::{Digest, Reference, Repository, Tag};

/// How a put ended.
#[derive(Debug)]
pub enum Put {
    /// The registry says that the tag points at the manifest now. It is not proof: read it back.
    Applied,
    /// The registry refused; the tag is as it was.
    Refused(Error),
    /// The answer was lost, late or not clear: the tag may be old, new or gone, and the put may still land.
    Unknown(Error),
}

/// Where manifests are kept and tags point at them.
///
/// # Laws
/// Each is a function of [`conformance::registry`](crate::conformance).
/// - **Absent is proven.** `Ok(None)` is only answered when the registry said that the thing is not there; a failure to
///   look is an error, never `None`.
/// - **Bytes are exact.** What `fetch` returns has the digest that it was asked for, and the media type that it was put
///   with. A mismatch is REGISTRY_LIED.
/// - **A put is applied, refused or unknown.** `Refused` means that nothing was moved and nothing will land later.
/// - **A tag has one digest.** After an applied put, `resolve` answers it until the next put (some registries read
///   behind their writes for a while).
///
/// A registry has no compare-and-swap: two puts of one tag both succeed, and the later one wins.
#[async_trait]
pub trait Registry: fmt::Debug + Send + Sync + 'static {
    /// The digest that a tag points at, or none if it is proven absent.
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>>;

    /// The manifest of a reference, hashed and checked, or none if it is proven absent.
    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>>;

    /// Points `tag` at `manifest`, with its exact bytes and media type, and gives up after `time_out`.
    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, time_out: Duration) -> Put;

    /// All tags of a repository, pins included, in no order. An absent repository has none.
    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>>;

    /// True if the blob is there, false if it is proven absent.
    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool>;
}
