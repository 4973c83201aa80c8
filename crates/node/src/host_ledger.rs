//! A `Ledger` that is written in JavaScript.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use napi_derive::napi;
use serde::Deserialize;
use serde_json::json;
use tagwarden::ledger::{self, Append};
use tagwarden::{Channel, Error, ErrorKind, Result};

use crate::host::{Ask, Host};
use crate::ledger::Ledger;

/// A ledger behind `ask`.
#[napi(catch_unwind)]
pub fn host_ledger(ask: Ask, time_out: f64) -> napi::Result<Ledger> {
    Ok(Ledger::of(Arc::new(HostLedger(Host::new("ledger", ask, time_out)?))))
}

#[derive(Debug)]
struct HostLedger(Host);

/// How an append ended, as it comes from JavaScript.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    Stored,
    Lost,
}

const SILENT: ErrorKind = ErrorKind::LedgerUnavailable;

#[async_trait]
impl ledger::Ledger for HostLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        self.0.ask("size", json!([channel]), SILENT).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let entries: Vec<String> = self.0.ask("read", json!([channel, from, limit]), SILENT).await?;
        let decoded = entries.into_iter().map(|entry| STANDARD.decode(entry).map(Bytes::from));
        decoded.collect::<Result<_, _>>().map_err(|e| Error::new(SILENT, "ledger.read: not base 64").because(e))
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Append> {
        let arguments = json!([channel, seq, STANDARD.encode(bytes)]);
        // Thrown, late or not understood: the entry may be there.
        match self.0.ask("append", arguments, ErrorKind::LedgerAmbiguous).await? {
            Ended::Stored => Ok(Append::Stored),
            Ended::Lost => Ok(Append::Lost),
        }
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        // Their order is the core's, which JavaScript cannot know: it is not that of their texts.
        let mut channels: Vec<Channel> = self.0.ask("channels", json!([]), SILENT).await?;
        channels.sort();
        Ok(channels)
    }
}
