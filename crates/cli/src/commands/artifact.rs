//! Packing and pushing releases.

use std::path::Path;

use serde_json::json;
use tagwarden::flux::{Artifact, ArtifactMeta};
use tagwarden::{Channel, Error, ErrorKind, Result, Timestamp};

use crate::args::PushArgs;
use crate::connect;
use crate::render::{Answer, Fields};

pub(super) async fn push(args: &PushArgs) -> Result<Answer> {
    // A version is a tag that never moves; by its form it is what a channel is.
    let version: Channel = args
        .reference
        .parse()
        .map_err(|e: Error| Error::new(e.kind(), format!("{:?} is no HOST/REPOSITORY:VERSION: {e}", args.reference)))?;
    let created = match (args.created, std::env::var("SOURCE_DATE_EPOCH")) {
        (Some(created), _) => created,
        (None, Ok(epoch)) if !epoch.is_empty() => ArtifactMeta::source_date_epoch(&epoch)?,
        _ => Timestamp::from_unix_ms(0),
    };
    let meta = ArtifactMeta { source: args.source.clone(), revision: args.revision.clone(), created };
    let artifact = pack(args.path.clone(), meta).await?;
    let registry = connect::registry(&args.registry, version.repository().registry())?;
    let digest = artifact.push(&registry, version.repository(), version.tag()).await?;
    let size = artifact.manifest().bytes().len();
    let text = Fields::under(format!("pushed {version}"))
        .field("digest", digest)
        .field("revision", &args.revision)
        .field("layer", format!("{} bytes", artifact.layer().len()))
        .text();
    let json = json!({
        "reference": version,
        "digest": digest,
        "media_type": artifact.manifest().media_type(),
        "size": size,
        "revision": args.revision,
    });
    Answer::done(&json, text)
}

/// Packs `dir` on a thread that may block.
pub(crate) async fn pack(dir: impl AsRef<Path> + Send + 'static, meta: ArtifactMeta) -> Result<Artifact> {
    let packed = tokio::task::spawn_blocking(move || Artifact::pack(dir.as_ref(), &meta)).await;
    packed.map_err(|e| Error::new(ErrorKind::InternalFault, "packing ended early").because(e))?
}
