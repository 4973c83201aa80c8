//! Backends and rules that are written in the other language.
//!
//! What the host answers is not trusted: an answer that is not understood is an error, and an exception in a write leaves
//! its end unknown, unless its code says that nothing was moved.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tagwarden::ledger::{Append, Ledger};
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Channel, Digest, Error, ErrorKind, Reference, Repository, Result, Tag, Target};

use crate::registry::manifest_json;

/// An object of the other language, whose methods are called with JSON.
#[async_trait]
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// Calls a method, whose name is in snake case.
    async fn ask(&self, method: &'static str, request: Value) -> std::result::Result<Value, HostError>;
}

/// An exception of the other language.
#[derive(Clone, Debug)]
pub struct HostError {
    /// The code that it carries, if it has one.
    pub code: Option<String>,
    /// What it says.
    pub message: String,
    /// The exception itself, as the binding keeps it.
    pub exception: Arc<dyn std::error::Error + Send + Sync>,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HostError {}

impl HostError {
    /// The kind that its code names.
    fn kind(&self) -> Option<ErrorKind> {
        ErrorKind::ALL.iter().copied().find(|kind| Some(kind.code()) == self.code.as_deref())
    }

    fn error(self, otherwise: ErrorKind) -> Error {
        Error::new(self.kind().unwrap_or(otherwise), self.message.clone()).because(self)
    }
}

/// Asks, and reads the answer.
async fn asked<T: DeserializeOwned>(
    host: &dyn Host,
    method: &'static str,
    request: Value,
    otherwise: ErrorKind,
) -> Result<T> {
    let answer = host.ask(method, request).await.map_err(|raised| raised.error(otherwise))?;
    serde_json::from_value(answer)
        .map_err(|e| Error::new(otherwise, format!("{method} of {host:?} gave what it must not: {e}")))
}

/// A registry of the other language. Its methods are those of the port; a manifest is `{bytes, media_type}`.
#[derive(Debug)]
pub struct HostRegistry(pub Arc<dyn Host>);

#[derive(Deserialize)]
struct Held {
    bytes: String,
    media_type: String,
}

const UNAVAILABLE: ErrorKind = ErrorKind::RegistryUnavailable;

#[async_trait]
impl Registry for HostRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        let request = json!({ "repository": repository, "tag": tag });
        asked(&*self.0, "resolve", request, UNAVAILABLE).await
    }

    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>> {
        let held: Option<Held> = asked(&*self.0, "fetch", json!({ "reference": reference }), UNAVAILABLE).await?;
        let Some(Held { bytes, media_type }) = held else { return Ok(None) };
        let bytes = STANDARD
            .decode(bytes)
            .map_err(|e| Error::new(UNAVAILABLE, format!("fetch of {:?} gave no bytes", self.0)).because(e))?;
        match reference.target() {
            Target::Digest(digest) => Manifest::verified(bytes, &media_type, *digest).map(Some),
            Target::Tag(_) => Manifest::new(bytes, &media_type).map(Some),
        }
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, time_out: Duration) -> Put {
        let ms = u64::try_from(time_out.as_millis()).unwrap_or(u64::MAX);
        let request =
            json!({ "repository": repository, "tag": tag, "manifest": manifest_json(manifest), "time_out": ms });
        let ambiguous = |message: String| Put::Unknown(Error::new(ErrorKind::RegistryAmbiguous, message));
        let host = &self.0;
        match tokio::time::timeout(time_out, host.ask("put", request)).await {
            Err(_) => ambiguous(format!("put of {host:?} did not answer within {ms} ms")),
            Ok(Ok(Value::Null)) => Put::Applied,
            Ok(Ok(_)) => ambiguous(format!("put of {host:?} gave what it must not: anything but nothing")),
            Ok(Err(raised)) => match raised.kind() {
                Some(kind @ (ErrorKind::RegistryRefused | ErrorKind::RegistryDenied)) => {
                    Put::Refused(raised.error(kind))
                }
                _ => Put::Unknown(Error::new(ErrorKind::RegistryAmbiguous, raised.message.clone()).because(raised)),
            },
        }
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        asked(&*self.0, "tags", json!({ "repository": repository }), UNAVAILABLE).await
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        asked(&*self.0, "has_blob", json!({ "repository": repository, "digest": digest }), UNAVAILABLE).await
    }
}

/// A ledger of the other language. Entries are base 64; an append gives `stored` or `lost`.
#[derive(Debug)]
pub struct HostLedger(pub Arc<dyn Host>);

#[async_trait]
impl Ledger for HostLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        asked(&*self.0, "size", json!({ "channel": channel }), ErrorKind::LedgerUnavailable).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let request = json!({ "channel": channel, "from": from, "limit": limit });
        let entries: Vec<String> = asked(&*self.0, "read", request, ErrorKind::LedgerUnavailable).await?;
        let decoded: std::result::Result<Vec<_>, _> = entries.iter().map(|entry| STANDARD.decode(entry)).collect();
        let decoded = decoded.map_err(|e| {
            Error::new(ErrorKind::LedgerUnavailable, format!("read of {:?} gave no bytes", self.0)).because(e)
        })?;
        Ok(decoded.into_iter().map(Bytes::from).collect())
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Append> {
        let request = json!({ "channel": channel, "seq": seq, "bytes": STANDARD.encode(&bytes) });
        let append: String = asked(&*self.0, "append", request, ErrorKind::LedgerAmbiguous).await?;
        match append.as_str() {
            "stored" => Ok(Append::Stored),
            "lost" => Ok(Append::Lost),
            _ => {
                let message = format!("append of {:?} gave neither stored nor lost", self.0);
                Err(Error::new(ErrorKind::LedgerAmbiguous, message).with("channel", channel).with("seq", seq))
            }
        }
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        // The order of channels is the core's, and not that of their text.
        let mut channels: Vec<Channel> = asked(&*self.0, "channels", json!({}), ErrorKind::LedgerUnavailable).await?;
        channels.sort();
        Ok(channels)
    }
}
