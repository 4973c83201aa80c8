//! Flux artifacts: packed from a directory, pushed under a version tag.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tagwarden::flux::{Artifact, ArtifactMeta};
use tagwarden::registry::oci::OciRegistry;
use tagwarden::{Error, ErrorKind, Repository, Result, Tag};

use crate::fields::Fields;
use crate::promoter::Given;
use crate::registry::manifest_json;

/// Packs `{directory, source, revision, created}`.
pub async fn pack(mut asked: Fields) -> Result<Artifact> {
    let directory: PathBuf = asked.need("directory")?;
    let meta = ArtifactMeta {
        source: asked.need("source")?,
        revision: asked.need("revision")?,
        created: asked.need("created")?,
    };
    asked.end()?;
    // It reads files and compresses them.
    let packed = tokio::task::spawn_blocking(move || Artifact::pack(&directory, &meta)).await;
    packed.map_err(|e| Error::new(ErrorKind::InternalFault, "packing was cut").because(e))?
}

/// Pushes an artifact to `{repository, tag}`: the digest that was read back.
pub async fn push(artifact: &Artifact, registry: &OciRegistry, mut asked: Fields) -> Result<Given> {
    let (repository, tag): (Repository, Tag) = (asked.need("repository")?, asked.need("tag")?);
    asked.end()?;
    Given::json(&artifact.push(registry, &repository, &tag).await?)
}

/// What was packed: its manifest, and its config and layer in base 64.
pub fn packed(artifact: &Artifact) -> Result<Given> {
    let blobs = artifact.blobs().map(|blob| STANDARD.encode(blob));
    Given::json(&json!({ "manifest": manifest_json(artifact.manifest()), "blobs": blobs }))
}
