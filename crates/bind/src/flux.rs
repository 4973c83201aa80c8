//! Flux artifacts: packed from a directory, pushed under a version tag.

use std::collections::HashMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tagwarden::flux::{self, Artifact, MetaParts, PackOptions};
use tagwarden::registry::oci::OciRegistry;
use tagwarden::{Error, ErrorKind, Line, Repository, Result, Tag};

use crate::fields::Fields;
use crate::promoter::Given;
use crate::registry::manifest_json;

/// A packed artifact, with warnings for the user.
#[derive(Debug)]
pub struct Packed {
    core: flux::Packed,
    warnings: Vec<Line>,
}

/// Packs `{directory, source?, revision?, created?, ignore_paths?, include?, environment?}`. Missing values come from
/// git and from the CI's variables in `environment`.
pub async fn pack(mut asked: Fields) -> Result<Packed> {
    let directory: PathBuf = asked.need("directory")?;
    let mut parts = MetaParts::default();
    parts.source = asked.take("source")?;
    parts.revision = asked.take("revision")?;
    parts.created = asked.take("created")?;
    let mut options = PackOptions::default();
    options.ignore_paths = asked.take("ignore_paths")?;
    options.include = asked.take("include")?.unwrap_or_default();
    let environment: HashMap<String, String> = asked.take("environment")?.unwrap_or_default();
    asked.end()?;
    // Use a blocking thread: packing runs git, reads files and compresses them.
    let packed = tokio::task::spawn_blocking(move || {
        let filled = parts.fill(&directory, |name| environment.get(name).cloned())?;
        let core = Artifact::pack(&directory, &filled.meta, &options)?;
        Ok(Packed { core, warnings: filled.warnings })
    });
    packed.await.map_err(|e| Error::new(ErrorKind::InternalFault, "packing was cut").with_source(e))?
}

/// Pushes an artifact to `{repository, tag}`. Returns the digest that was read back.
pub async fn push(packed: &Packed, registry: &OciRegistry, mut asked: Fields) -> Result<Given> {
    let (repository, tag): (Repository, Tag) = (asked.written("repository")?, asked.need("tag")?);
    asked.end()?;
    Given::json(&packed.core.artifact.push(registry, &repository, &tag).await?)
}

/// The packed artifact: its manifest, its config and layer in base 64, and the paths that were left out.
pub fn packed(packed: &Packed) -> Result<Given> {
    let flux::Packed { artifact, left_out, .. } = &packed.core;
    let blobs = artifact.blobs().map(|blob| STANDARD.encode(blob));
    let manifest = manifest_json(artifact.manifest());
    let warnings = &packed.warnings;
    Given::json(&json!({ "manifest": manifest, "blobs": blobs, "left_out": left_out, "warnings": warnings }))
}
