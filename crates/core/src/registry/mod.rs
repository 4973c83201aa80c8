//! The port to a registry, and what it holds: manifests, byte- and type-exact.

mod content;
mod description;
mod manifest;
mod memory;
#[cfg(feature = "oci")]
pub mod oci;
mod pin;
mod sample;

pub use content::{Content, Descriptor};
pub use description::Description;
pub use manifest::{ARTIFACT_TYPES, MANIFEST_TYPES, MAX_MANIFEST, Manifest};
pub use memory::{Call, Change, Chaos, ErrorAnswer, Fault, MemoryRegistry, ReadFault, Untagged, Writer};
pub use pin::{pin_tag, pinned};
pub use sample::Sample;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::value::{Digest, Reference, Repository, Tag, Timestamp};

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

/// What a registry answered for a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagAnswer {
    /// The digest, or none if the tag is proven absent.
    pub digest: Option<Digest>,
    /// The registry's own time of the answer (RFC 9110, *Date*), if it said one. It is a claim, and may be off.
    pub date: Option<Timestamp>,
}

/// Where manifests are kept and tags point at them.
///
/// # Laws
/// Each is checked by functions of [`conformance::registry`](crate::conformance::registry), named behind it.
/// - **Absent is proven.** `Ok(None)` is only answered when the registry said that the thing is not there; a failure to
///   look is an error, never `None`. (`absent_is_proven`, `a_failure_is_not_an_absence`)
/// - **Bytes are exact.** What `fetch` returns has the digest that it was asked for, and the media type that it was put
///   with. A mismatch is REGISTRY_DIGEST_MISMATCH. (`bytes_are_exact`, `fetches_by_tag_and_digest_agree`)
/// - **A put is applied, refused or unknown.** `Refused` means that nothing was moved and nothing will land later.
///   (`a_refused_put_moves_nothing`)
/// - **A tag has one digest.** After an applied put, `resolve` and a `fetch` by tag answer it until the next put. Where a
///   registry's reads lag, they may answer any value, a digest or absent, that the tag had within the lag, in any order,
///   and never another. (`a_tag_has_one_digest`, `last_put_wins`, `puts_at_once_leave_one`)
/// - **A put moves its own tag alone.** (`a_put_keeps_other_tags`)
/// - **Nothing is hidden.** Every tag is listed once, and what a stored manifest names is found. (`tags_are_listed`,
///   `what_is_named_is_found`)
///
/// A registry has no compare-and-swap: two puts of one tag both succeed, and the later one wins.
#[async_trait]
pub trait Registry: fmt::Debug + Send + Sync + 'static {
    /// The digest that a tag points at, or none if it is proven absent.
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>>;

    /// The same, with the registry's own time of the answer. An adapter that knows no time leaves it as it is: then nothing
    /// that a log says is old at once, and a move waits its settle time out.
    async fn read_tag(&self, repository: &Repository, tag: &Tag) -> Result<TagAnswer> {
        Ok(TagAnswer { digest: self.resolve(repository, tag).await?, date: None })
    }

    /// The manifest of a reference, hashed and checked, or none if it is proven absent.
    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>>;

    /// Points `tag` at `manifest`, with its exact bytes and media type, and gives up after `timeout`.
    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put;

    /// All tags of a repository, pins included, in no order. An absent repository has none.
    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>>;

    /// True if the blob is there, false if it is proven absent.
    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool>;
}
