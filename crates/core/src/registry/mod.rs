//! The port to a registry, and the manifests that it stores, with their exact bytes and media types.

mod content;
mod manifest;
#[cfg(feature = "oci")]
pub mod oci;
mod pin;

pub use content::{ARTIFACT_TYPES, Content, Descriptor, MANIFEST_TYPES};
pub use manifest::{Description, MAX_MANIFEST, Manifest};
pub use pin::{pin_tag, pinned};

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::value::{Digest, Reference, Repository, Tag, Timestamp};

/// The result of a put.
#[derive(Debug)]
pub enum Put {
    /// The registry answered that the tag now points at the manifest. This is not proof: read the tag back.
    Applied,
    /// The registry refused the put; the tag did not move.
    Refused(Error),
    /// The answer was lost, late or not clear. The tag may have its old value, the new one or none, and the put may
    /// still be applied.
    Unknown(Error),
}

/// The answer of a registry to a read of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagAnswer {
    /// The digest; none if the tag is proven absent.
    pub digest: Option<Digest>,
    /// The time of the answer by the registry's clock (RFC 9110, *Date*), if the registry gave one. It is a claim, and
    /// may be wrong.
    pub date: Option<Timestamp>,
}

/// A registry: it stores manifests, and its tags point at them.
///
/// # Requirements
/// The functions of `conformance::registry` of the crate `tagwarden-testing` in parentheses check each requirement.
/// - **Absent is proven.** The answer is `Ok(None)` only if the registry said that the manifest or tag does not exist.
///   A failed read is an error, never `None`. (`absent_is_proven`, `a_failure_is_not_an_absence`)
/// - **Bytes are exact.** The manifest from `fetch` has the requested digest, and the media type with which it was put.
///   A mismatch is REGISTRY_DIGEST_MISMATCH. (`bytes_are_exact`, `fetches_by_tag_and_digest_agree`)
/// - **A put is applied, refused or unknown.** `Refused` means that the tag did not move and that the put will not be
///   applied later. (`a_refused_put_moves_nothing`)
/// - **A tag has one digest.** After an applied put, `resolve` and a `fetch` by tag answer its digest until the next
///   put. If the reads of a registry lag, they may answer any value, a digest or absent, that the tag had within the
///   lag, in any order, but no other value. (`a_tag_has_one_digest`, `last_put_wins`, `puts_at_once_leave_one`)
/// - **A put moves its own tag only.** (`a_put_keeps_other_tags`)
/// - **Nothing is hidden.** Every tag is listed once, and every blob and manifest that a stored manifest names is
///   found. (`tags_are_listed`, `what_is_named_is_found`)
///
/// A registry has no compare-and-swap: two puts of one tag both succeed, and the later one wins.
#[async_trait]
pub trait Registry: fmt::Debug + Send + Sync + 'static {
    /// This registry for the requests of a move, its reads included. An adapter that logs in gets the right to push with
    /// the first login of the move, so that the put needs no second one; every other read gets the right to pull alone. With
    /// the default, none, a move uses this registry itself.
    fn for_moves(&self) -> Option<Arc<dyn Registry>> {
        None
    }

    /// The digest that a tag points at, or none if it is proven absent.
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>>;

    /// The digest that a tag points at, with the time of the answer by the registry's clock. An adapter that does not
    /// know the time keeps this default: then no entry of a log counts as old at once, and a move waits for its whole
    /// settle time.
    async fn read_tag(&self, repository: &Repository, tag: &Tag) -> Result<TagAnswer> {
        Ok(TagAnswer { digest: self.resolve(repository, tag).await?, date: None })
    }

    /// The manifest of a reference, hashed and checked, or none if it is proven absent.
    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>>;

    /// Points `tag` at `manifest`, with its exact bytes and media type, and gives up after `timeout`.
    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put;

    /// All tags of a repository, pins included, in any order. The list is empty if the repository does not exist.
    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>>;

    /// True if the blob exists, false if it is proven absent.
    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool>;

    /// The bytes of a blob of at most `max_bytes`, or none if it is proven absent. No move needs it: it shows people what
    /// a release has in it, and its caller checks the digest. The default is REGISTRY_UNSUPPORTED.
    async fn fetch_blob(&self, repository: &Repository, digest: &Digest, max_bytes: usize) -> Result<Option<Bytes>> {
        let _ = max_bytes;
        let message = format!("the blob {digest} of {repository} cannot be read: this adapter reads no blobs");
        Err(Error::new(ErrorKind::RegistryUnsupported, message))
    }
}
