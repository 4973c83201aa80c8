//! Pushing a packed artifact under a version tag.

use std::time::Duration;

use super::Artifact;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::oci::OciRegistry;
use crate::registry::{Put, Registry};
use crate::value::{Digest, Repository, Tag, or_nothing};

/// The timeout of the manifest's put.
const PUT_TIMEOUT: Duration = Duration::from_secs(30);

impl Artifact {
    /// Pushes config, layer and manifest, and points `tag` at the manifest. Returns the digest that was read back.
    ///
    /// A version tag never moves: REGISTRY_REFUSED if it already points at something else. Pushing the same artifact
    /// again succeeds.
    pub async fn push(&self, registry: &OciRegistry, repository: &Repository, tag: &Tag) -> Result<Digest> {
        let (registry, digest) = (&registry.moving(), self.manifest().digest());
        match registry.resolve(repository, tag).await? {
            Some(there) if there == digest => return Ok(digest),
            Some(there) => {
                let message = format!("{repository}:{tag} is {there} already; a version tag does not move");
                return Err(Error::new(ErrorKind::RegistryRefused, message).with_context("tag", tag));
            }
            None => {}
        }
        for blob in self.blobs() {
            registry.push_blob(repository, blob.clone()).await?;
        }
        let unanswered = match registry.put(repository, tag, self.manifest(), PUT_TIMEOUT).await {
            Put::Applied => None,
            Put::Refused(error) => return Err(error),
            Put::Unknown(error) => Some(error),
        };
        match (registry.resolve(repository, tag).await?, unanswered) {
            (Some(there), _) if there == digest => Ok(digest),
            (_, Some(error)) => Err(error),
            (there, None) => {
                let there = or_nothing(there);
                let message = format!("{repository}:{tag} points at {there} after the push of {digest}");
                Err(Error::new(ErrorKind::RegistryDigestMismatch, message).with_context("tag", tag))
            }
        }
    }
}
