//! Flux artifacts: packed from a directory, pushed under a version tag.

use std::path::Path;

use serde_json::json;
use tagwarden::flux::{Artifact, ArtifactMeta};
use tagwarden::registry::oci::OciRegistry;
use tagwarden::{Repository, Result, Tag};

use crate::fields::Fields;
use crate::promoter::Given;
use crate::registry::manifest_json;

/// Packs `{directory, source, revision, created}`.
pub fn pack(mut asked: Fields) -> Result<Artifact> {
    let directory: String = asked.need("directory")?;
    let meta = ArtifactMeta {
        source: asked.need("source")?,
        revision: asked.need("revision")?,
        created: asked.need("created")?,
    };
    asked.end()?;
    Artifact::pack(Path::new(&directory), &meta)
}

/// Pushes an artifact to `{repository, tag}`: its digest.
pub async fn push(artifact: &Artifact, registry: &OciRegistry, mut asked: Fields) -> Result<Given> {
    let (repository, tag): (Repository, Tag) = (asked.need("repository")?, asked.need("tag")?);
    asked.end()?;
    let digest = artifact.push(registry, &repository, &tag).await?;
    Given::json(&json!({ "digest": digest, "manifest": manifest_json(artifact.manifest()) }))
}
