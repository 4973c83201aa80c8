//! The `Registry` and `Ledger` ports of the core, implemented by an object of the other language.
//!
//! After an exception in a write it is unknown whether the write was applied, unless the exception's code says that
//! nothing was written.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tagwarden::ledger::{Appended, Ledger};
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Channel, Digest, Error, ErrorKind, Reference, Repository, Result, Tag, Target};

use crate::host::{HostError, Meaning, Port};
use crate::registry::manifest_json;

/// A registry of the other language. It has the methods of the port. A manifest is `{bytes, media_type}`. A put returns
/// null.
#[derive(Debug)]
pub struct HostRegistry(pub Port);

#[derive(Deserialize)]
struct Held {
    bytes: String,
    media_type: String,
}

/// The error kinds of a read.
pub(crate) const UNREAD: Meaning =
    Meaning { codes: &["REGISTRY_", "MANIFEST_"], otherwise: ErrorKind::RegistryUnavailable };

/// The error kinds of a put. With these codes nothing was moved, and nothing will land later.
const PUT: Meaning =
    Meaning { codes: &["REGISTRY_REFUSED", "REGISTRY_DENIED"], otherwise: ErrorKind::RegistryAmbiguous };

#[async_trait]
impl Registry for HostRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        self.0.ask("resolve", json!({ "repository": repository, "tag": tag }), UNREAD).await
    }

    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>> {
        let held: Option<Held> = self.0.ask("fetch", json!({ "reference": reference }), UNREAD).await?;
        let Some(Held { bytes, media_type }) = held else { return Ok(None) };
        let bytes = decoded(&bytes).map_err(|e| self.0.failed("fetch", e, UNREAD))?;
        match reference.target() {
            Target::Digest(digest) => Manifest::verified(bytes, &media_type, *digest).map(Some),
            Target::Tag(_) => Manifest::new(bytes, &media_type).map(Some),
        }
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put {
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let manifest = manifest_json(manifest);
        let request = json!({ "repository": repository, "tag": tag, "manifest": manifest, "timeout": ms });
        let raised = match self.0.answer("put", request, timeout).await {
            Ok(Value::Null) => return Put::Applied,
            Ok(_) => HostError::broken("it gave what it must not: anything but nothing"),
            Err(raised) => raised,
        };
        match PUT.named(&raised) {
            Some(_) => Put::Refused(self.0.failed("put", raised, PUT)),
            None => Put::Unknown(self.0.failed("put", raised, PUT)),
        }
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        self.0.ask("tags", json!({ "repository": repository }), UNREAD).await
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        self.0.ask("has_blob", json!({ "repository": repository, "digest": digest }), UNREAD).await
    }
}

/// A ledger of the other language. Entries are base 64. An append returns `stored` or `lost`.
#[derive(Debug)]
pub struct HostLedger(pub Port);

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    Stored,
    Lost,
}

/// The error kinds of a read.
const SILENT: Meaning = Meaning { codes: &["LEDGER_"], otherwise: ErrorKind::LedgerUnavailable };

/// The error kinds of an append. After an exception, a timeout or an invalid answer the entry may be stored, except
/// with LEDGER_DENIED: the ledger refused to write.
const APPEND: Meaning = Meaning { codes: &["LEDGER_DENIED"], otherwise: ErrorKind::LedgerAmbiguous };

#[async_trait]
impl Ledger for HostLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        self.0.ask("size", json!({ "channel": channel }), SILENT).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let request = json!({ "channel": channel, "from": from, "limit": limit });
        let entries: Vec<String> = self.0.ask("read", request, SILENT).await?;
        let entries = entries.iter().map(|entry| decoded(entry).map(Bytes::from));
        entries.collect::<std::result::Result<_, _>>().map_err(|e| self.0.failed("read", e, SILENT))
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let request = json!({ "channel": channel, "seq": seq, "bytes": STANDARD.encode(&bytes) });
        let ended = self.0.ask("append", request, APPEND).await;
        match ended.map_err(|error: Error| error.with_context("channel", channel).with_context("seq", seq))? {
            Ended::Stored => Ok(Appended::Stored),
            Ended::Lost => Ok(Appended::Conflict),
        }
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        // Sort as the core does: its order differs from that of the texts, and a host does not know it.
        let mut channels: Vec<Channel> = self.0.ask("channels", json!({}), SILENT).await?;
        channels.sort();
        Ok(channels)
    }
}

fn decoded(text: &str) -> std::result::Result<Vec<u8>, HostError> {
    STANDARD.decode(text).map_err(|e| HostError::broken(format!("it gave no base 64: {e}")))
}
