//! The port to a registry, by name, whatever is behind it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Error, ErrorKind, Reference, Repository, Result, Tag, Times};

use crate::error::described;
use crate::fields::Fields;
use crate::promoter::Given;

/// Calls the port's method of this name: `resolve`, `fetch`, `put`, `tags` or `has_blob`.
///
/// A put gives `{}` if it was applied, or `{refused}` or `{unknown}` with an error.
pub async fn registry(port: &dyn Registry, method: &str, mut asked: Fields) -> Result<Given> {
    match method {
        "resolve" => {
            let (repository, tag): (Repository, Tag) = (asked.need("repository")?, asked.need("tag")?);
            asked.end()?;
            Given::json(&port.resolve(&repository, &tag).await?)
        }
        "fetch" => {
            let reference: Reference = asked.need("reference")?;
            asked.end()?;
            Given::json(&port.fetch(&reference).await?.map(|manifest| manifest_json(&manifest)))
        }
        "put" => {
            let (repository, tag): (Repository, Tag) = (asked.need("repository")?, asked.need("tag")?);
            let (manifest, time_out) = (manifest(&mut asked)?, asked.ms("time_out")?);
            asked.end()?;
            let put = port.put(&repository, &tag, &manifest, time_out.unwrap_or(Times::default().put())).await;
            Given::json(&match put {
                Put::Applied => json!({}),
                Put::Refused(error) => json!({ "refused": described(&error) }),
                Put::Unknown(error) => json!({ "unknown": described(&error) }),
            })
        }
        "tags" => {
            let repository: Repository = asked.need("repository")?;
            asked.end()?;
            Given::json(&port.tags(&repository).await?)
        }
        "has_blob" => {
            let (repository, digest) = (asked.need::<Repository>("repository")?, asked.need("digest")?);
            asked.end()?;
            Given::json(&port.has_blob(&repository, &digest).await?)
        }
        other => Err(Error::new(ErrorKind::InternalFault, format!("a registry has no method {other}"))),
    }
}

/// A manifest as JSON: its bytes in base 64.
pub(crate) fn manifest_json(manifest: &Manifest) -> Value {
    json!({ "bytes": STANDARD.encode(manifest.bytes()), "media_type": manifest.media_type() })
}

/// A manifest out of `bytes` in base 64 and `media_type`.
pub(crate) fn manifest(asked: &mut Fields) -> Result<Manifest> {
    let (bytes, media_type) = (asked.bytes("bytes")?, asked.need::<String>("media_type")?);
    Manifest::new(bytes, &media_type)
}
