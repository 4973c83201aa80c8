//! A `Registry` that is written in JavaScript.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use napi_derive::napi;
use serde::Deserialize;
use serde_json::json;
use tagwarden::registry::{self, Manifest, Put};
use tagwarden::{Digest, Error, ErrorKind, Reference, Repository, Result, Tag, Target};

use crate::host::{Ask, Exception, Host};
use crate::registry::{Registry, manifest_json};

/// A registry behind `ask`.
#[napi(catch_unwind)]
pub fn host_registry(ask: Ask, time_out: f64) -> napi::Result<Registry> {
    Ok(Registry::of(HostRegistry(Host::new("registry", ask, time_out)?)))
}

#[derive(Debug)]
struct HostRegistry(Host);

/// A manifest as it comes from JavaScript.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fetched {
    bytes: String,
    media_type: String,
}

/// How a put ended, as it comes from JavaScript.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    Applied,
    Refused(Exception),
    Unknown(Exception),
}

const SILENT: ErrorKind = ErrorKind::RegistryUnavailable;

#[async_trait]
impl registry::Registry for HostRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        self.0.ask("resolve", json!([repository, tag]), SILENT).await
    }

    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>> {
        let fetched: Option<Fetched> = self.0.ask("fetch", json!([reference]), SILENT).await?;
        let Some(Fetched { bytes, media_type }) = fetched else { return Ok(None) };
        let bytes = STANDARD.decode(bytes).map_err(|e| Error::new(SILENT, "registry.fetch: not base 64").because(e))?;
        match reference.target() {
            Target::Digest(digest) => Manifest::verified(bytes, &media_type, *digest).map(Some),
            Target::Tag(_) => Manifest::new(bytes, &media_type).map(Some),
        }
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, time_out: Duration) -> Put {
        let time_out_ms = u64::try_from(time_out.as_millis()).unwrap_or(u64::MAX);
        let arguments = json!([repository, tag, manifest_json(manifest), { "timeOut": time_out_ms }]);
        match self.0.ask_within(time_out, "put", arguments, ErrorKind::RegistryAmbiguous).await {
            Ok(Ended::Applied) => Put::Applied,
            Ok(Ended::Refused(why)) => Put::Refused(why.error("registry.put was refused", ErrorKind::RegistryRefused)),
            Ok(Ended::Unknown(why)) => {
                Put::Unknown(why.error("registry.put ended unclear", ErrorKind::RegistryAmbiguous))
            }
            // Thrown, late or not understood: the put may have landed, or may yet.
            Err(error) => Put::Unknown(error),
        }
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        self.0.ask("tags", json!([repository]), SILENT).await
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        self.0.ask("hasBlob", json!([repository, digest]), SILENT).await
    }
}
