//! Calls of a ledger's port by method name, and ledgers by URL.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tagwarden::ledger::{Appended, Ledger, LedgerUrl, OpenMode};
use tagwarden::{Channel, Error, ErrorKind, Result};

use crate::fields::Fields;
use crate::promoter::Given;

/// Opens the ledger at `{url, access?}`; access is `write` (the default) or `read`.
pub async fn open_ledger(mut asked: Fields) -> Result<Arc<dyn Ledger>> {
    let url = url(&mut asked)?;
    let access = asked.word("access", &[("write", OpenMode::Write), ("read", OpenMode::Read)])?;
    asked.end()?;
    url.open(access.unwrap_or(OpenMode::Write)).await
}

/// Creates what a ledger at `{url}` needs, such as the tables of a database.
pub async fn init_ledger(mut asked: Fields) -> Result<Given> {
    let url = url(&mut asked)?;
    asked.end()?;
    Given::json(&url.init().await?)
}

/// The argument `url`, which may have a password.
fn url(asked: &mut Fields) -> Result<LedgerUrl> {
    match asked.secret("url")? {
        Some(text) => text.parse(),
        None => Err(asked.wrong("url", "it is missing")),
    }
}

/// Calls the port's method of this name: `size`, `read`, `append` or `channels`. Entries are base 64. An append returns
/// `stored` or `lost`.
pub async fn ledger(port: &dyn Ledger, method: &str, mut asked: Fields) -> Result<Given> {
    match method {
        "size" => {
            let channel: Channel = asked.written("channel")?;
            asked.end()?;
            Given::json(&port.size(&channel).await?)
        }
        "read" => {
            let channel: Channel = asked.written("channel")?;
            let (from, limit) = (asked.need("from")?, asked.need("limit")?);
            asked.end()?;
            let entries = port.read(&channel, from, limit).await?;
            Given::json(&entries.iter().map(|entry| STANDARD.encode(entry)).collect::<Vec<_>>())
        }
        "append" => {
            let channel: Channel = asked.written("channel")?;
            let (seq, bytes) = (asked.need("seq")?, asked.bytes("bytes")?);
            asked.end()?;
            Given::json(&match port.append(&channel, seq, bytes.into()).await? {
                Appended::Stored => "stored",
                Appended::Conflict => "lost",
            })
        }
        "channels" => {
            asked.end()?;
            Given::json(&port.channels().await?)
        }
        other => Err(Error::new(ErrorKind::InternalFault, format!("a ledger has no method {other}"))),
    }
}
