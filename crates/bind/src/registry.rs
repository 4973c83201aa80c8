//! Calls of a registry's port by method name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Error, ErrorKind, Reference, Repository, Result, Tag, Times};

use crate::fields::Fields;
use crate::promoter::Given;

/// Calls the port's method of this name: `resolve`, `fetch`, `put`, `tags` or `has_blob`.
///
/// A put that was not applied is an error. After REGISTRY_REFUSED and REGISTRY_DENIED nothing was moved, and nothing
/// will land later. After any other error it is unknown whether the put was applied.
pub async fn registry(port: &dyn Registry, method: &str, mut asked: Fields) -> Result<Given> {
    match method {
        "resolve" => {
            let (repository, tag): (Repository, Tag) = (asked.written("repository")?, asked.need("tag")?);
            asked.end()?;
            Given::json(&port.resolve(&repository, &tag).await?)
        }
        "fetch" => {
            let reference: Reference = asked.written("reference")?;
            asked.end()?;
            Given::json(&port.fetch(&reference).await?.map(|manifest| manifest_json(&manifest)))
        }
        "put" => {
            let (repository, tag): (Repository, Tag) = (asked.written("repository")?, asked.need("tag")?);
            let (manifest, timeout) = (manifest(&mut asked)?, asked.ms("timeout")?);
            asked.end()?;
            ended(port.put(&repository, &tag, &manifest, timeout.unwrap_or(Times::default().put())).await)
        }
        "tags" => {
            let repository: Repository = asked.written("repository")?;
            asked.end()?;
            Given::json(&port.tags(&repository).await?)
        }
        "has_blob" => {
            let (repository, digest) = (asked.written::<Repository>("repository")?, asked.need("digest")?);
            asked.end()?;
            Given::json(&port.has_blob(&repository, &digest).await?)
        }
        other => Err(Error::new(ErrorKind::InternalFault, format!("a registry has no method {other}"))),
    }
}

fn ended(put: Put) -> Result<Given> {
    let moved_nothing = |error: &Error| matches!(error.kind(), ErrorKind::RegistryRefused | ErrorKind::RegistryDenied);
    let as_kind = |kind, error: Error| Error::new(kind, error.message()).with_source(error);
    match put {
        Put::Applied => Given::json(&Value::Null),
        Put::Refused(error) if !moved_nothing(&error) => Err(as_kind(ErrorKind::RegistryRefused, error)),
        Put::Unknown(error) if moved_nothing(&error) => Err(as_kind(ErrorKind::RegistryAmbiguous, error)),
        Put::Refused(error) | Put::Unknown(error) => Err(error),
    }
}

/// A manifest as JSON. Its bytes are in base 64.
pub(crate) fn manifest_json(manifest: &Manifest) -> Value {
    let bytes = STANDARD.encode(manifest.bytes());
    json!({ "digest": manifest.digest(), "bytes": bytes, "media_type": manifest.media_type() })
}

/// Reads a manifest from `bytes` in base 64 and `media_type`.
pub(crate) fn manifest(asked: &mut Fields) -> Result<Manifest> {
    let (bytes, media_type) = (asked.bytes("bytes")?, asked.need::<String>("media_type")?);
    Manifest::new(bytes, &media_type)
}
