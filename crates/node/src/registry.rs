//! `Registry`: the port, whatever is behind it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use napi_derive::napi;
use serde_json::{Value, json};
use tagwarden::registry::{Manifest, Put};
use tagwarden::{Error, Reference, Repository, Result, Tag, registry};

use crate::call::Call;
use crate::error::described;
use crate::fields::Fields;

/// A registry that a promoter can use.
#[napi]
pub struct Registry {
    port: Arc<dyn registry::Registry>,
}

impl Registry {
    pub(crate) fn of(port: impl registry::Registry) -> Registry {
        Registry { port: Arc::new(port) }
    }

    pub(crate) fn port(&self) -> Arc<dyn registry::Registry> {
        Arc::clone(&self.port)
    }
}

#[napi]
impl Registry {
    /// `{repository, tag}`.
    #[napi(catch_unwind)]
    pub fn resolve(&self, request: String) -> Call {
        let port = self.port();
        Call::json(async move {
            let mut asked = Fields::parse("resolve", &request)?;
            let (repository, tag): (Repository, Tag) = (asked.need("repository")?, asked.need("tag")?);
            asked.end()?;
            port.resolve(&repository, &tag).await
        })
    }

    /// `{reference}`; the bytes in base 64.
    #[napi(catch_unwind)]
    pub fn fetch(&self, request: String) -> Call {
        let port = self.port();
        Call::json(async move {
            let mut asked = Fields::parse("fetch", &request)?;
            let reference: Reference = asked.need("reference")?;
            asked.end()?;
            Ok(port.fetch(&reference).await?.map(|manifest| manifest_json(&manifest)))
        })
    }

    /// `{repository, tag, bytes, mediaType, timeOut}`: `{}` if it was applied, or `{refused}` or `{unknown}` with an error.
    #[napi(catch_unwind)]
    pub fn put(&self, request: String) -> Call {
        let port = self.port();
        Call::json(async move {
            let mut asked = Fields::parse("put", &request)?;
            let (repository, tag): (Repository, Tag) = (asked.need("repository")?, asked.need("tag")?);
            let (manifest, time_out) = (manifest(&mut asked)?, asked.ms("timeOut")?);
            asked.end()?;
            let time_out = time_out.unwrap_or(tagwarden::Times::default().put());
            Ok(match port.put(&repository, &tag, &manifest, time_out).await {
                Put::Applied => json!({}),
                Put::Refused(error) => json!({ "refused": described(&error) }),
                Put::Unknown(error) => json!({ "unknown": described(&error) }),
            })
        })
    }

    /// `{repository}`.
    #[napi(catch_unwind)]
    pub fn tags(&self, request: String) -> Call {
        let port = self.port();
        Call::json(async move {
            let mut asked = Fields::parse("tags", &request)?;
            let repository: Repository = asked.need("repository")?;
            asked.end()?;
            port.tags(&repository).await
        })
    }

    /// `{repository, digest}`.
    #[napi(catch_unwind)]
    pub fn has_blob(&self, request: String) -> Call {
        let port = self.port();
        Call::json(async move {
            let mut asked = Fields::parse("hasBlob", &request)?;
            let (repository, digest) = (asked.need::<Repository>("repository")?, asked.need("digest")?);
            asked.end()?;
            port.has_blob(&repository, &digest).await
        })
    }
}

/// A manifest as JSON: its bytes in base 64.
pub(crate) fn manifest_json(manifest: &Manifest) -> Value {
    json!({
        "digest": manifest.digest(),
        "mediaType": manifest.media_type(),
        "bytes": STANDARD.encode(manifest.bytes()),
    })
}

/// A manifest out of `bytes` in base 64 and `mediaType`.
pub(crate) fn manifest(asked: &mut Fields) -> Result<Manifest> {
    let (bytes, media_type) = (bytes(asked)?, asked.need::<String>("mediaType")?);
    Manifest::new(bytes, &media_type)
}

/// `bytes` in base 64.
pub(crate) fn bytes(asked: &mut Fields) -> Result<Vec<u8>> {
    let text: String = asked.need("bytes")?;
    STANDARD.decode(text).map_err(|e: base64::DecodeError| -> Error { asked.wrong("bytes", e) })
}
