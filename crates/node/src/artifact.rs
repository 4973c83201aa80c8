//! Flux artifacts: packed from a directory, and pushed under a version tag.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use napi_derive::napi;
use serde_json::json;
use tagwarden::flux::{Artifact, ArtifactMeta};
use tagwarden::{Error, ErrorKind, Repository, Result, Tag};

use crate::call::Call;
use crate::fields::Fields;
use crate::oci::OciRegistry;
use crate::registry::manifest_json;

/// `{dir, source, revision, created}`: the manifest and its blobs, the bytes in base 64.
#[napi(catch_unwind)]
pub fn pack_artifact(request: String) -> Call {
    Call::json(async move {
        let mut asked = Fields::parse("packArtifact", &request)?;
        let artifact = pack(&mut asked).await?;
        asked.end()?;
        let blobs = artifact.blobs().map(|blob| STANDARD.encode(blob));
        Ok(json!({ "manifest": manifest_json(artifact.manifest()), "blobs": blobs }))
    })
}

/// `{repository, tag, dir, source, revision, created}`: the digest that was read back.
#[napi(catch_unwind)]
pub fn push_artifact(registry: &OciRegistry, request: String) -> Call {
    let registry = registry.core();
    Call::json(async move {
        let mut asked = Fields::parse("pushArtifact", &request)?;
        let (repository, tag): (Repository, Tag) = (asked.need("repository")?, asked.need("tag")?);
        let artifact = pack(&mut asked).await?;
        asked.end()?;
        artifact.push(&registry, &repository, &tag).await
    })
}

async fn pack(asked: &mut Fields) -> Result<Artifact> {
    let dir: PathBuf = asked.need("dir")?;
    let meta = ArtifactMeta {
        source: asked.need("source")?,
        revision: asked.need("revision")?,
        created: asked.need("created")?,
    };
    // It reads files and compresses them.
    let packed = tokio::task::spawn_blocking(move || Artifact::pack(&dir, &meta)).await;
    packed.map_err(|e| Error::new(ErrorKind::InternalFault, "packing was cut").because(e))?
}
