//! `Ledger`: the port, whatever is behind it, and ledgers by URL.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use napi::bindgen_prelude::Either4;
use napi_derive::napi;
use tagwarden::Channel;
use tagwarden::ledger::{self, Access, Append, LedgerUrl, MemoryLedger};

use crate::call::Call;
use crate::fields::Fields;
use crate::registry::bytes;

/// A ledger that a promoter can use.
#[napi]
pub struct Ledger {
    port: Arc<dyn ledger::Ledger>,
}

impl Ledger {
    pub(crate) fn of(port: Arc<dyn ledger::Ledger>) -> Ledger {
        Ledger { port }
    }

    pub(crate) fn port(&self) -> Arc<dyn ledger::Ledger> {
        Arc::clone(&self.port)
    }
}

/// A ledger in memory.
#[napi(catch_unwind)]
pub fn memory_ledger() -> Ledger {
    Ledger::of(Arc::new(MemoryLedger::new()))
}

/// `{url, access?}`.
#[napi(catch_unwind)]
pub fn open_ledger(request: String) -> Call {
    Call::start(async move {
        let mut asked = Fields::parse("openLedger", &request)?;
        let url = url(&mut asked)?;
        let access = asked.word("access", &[("write", Access::Write), ("read", Access::Read)])?;
        asked.end()?;
        let port = url.open(access.unwrap_or(Access::Write)).await?;
        Ok(Either4::C(Ledger::of(port)))
    })
}

/// `{url}`.
#[napi(catch_unwind)]
pub fn init_ledger(request: String) -> Call {
    Call::json(async move {
        let mut asked = Fields::parse("initLedger", &request)?;
        let url = url(&mut asked)?;
        asked.end()?;
        url.init().await
    })
}

/// `url`, which may hold a password.
fn url(asked: &mut Fields) -> tagwarden::Result<LedgerUrl> {
    match asked.secret("url")? {
        Some(text) => text.parse(),
        None => Err(asked.wrong("url", "it is missing")),
    }
}

#[napi]
impl Ledger {
    /// `{channel}`.
    #[napi(catch_unwind)]
    pub fn size(&self, request: String) -> Call {
        let port = self.port();
        Call::json(async move {
            let mut asked = Fields::parse("size", &request)?;
            let channel: Channel = asked.need("channel")?;
            asked.end()?;
            port.size(&channel).await
        })
    }

    /// `{channel, from, limit}`; the entries in base 64.
    #[napi(catch_unwind)]
    pub fn read(&self, request: String) -> Call {
        let port = self.port();
        Call::json(async move {
            let mut asked = Fields::parse("read", &request)?;
            let channel: Channel = asked.need("channel")?;
            let (from, limit) = (asked.need("from")?, asked.need("limit")?);
            asked.end()?;
            let entries = port.read(&channel, from, limit).await?;
            Ok(entries.iter().map(|entry| STANDARD.encode(entry)).collect::<Vec<_>>())
        })
    }

    /// `{channel, seq, bytes}`: `stored` or `lost`.
    #[napi(catch_unwind)]
    pub fn append(&self, request: String) -> Call {
        let port = self.port();
        Call::json(async move {
            let mut asked = Fields::parse("append", &request)?;
            let channel: Channel = asked.need("channel")?;
            let (seq, bytes) = (asked.need("seq")?, bytes(&mut asked)?);
            asked.end()?;
            Ok(match port.append(&channel, seq, bytes.into()).await? {
                Append::Stored => "stored",
                Append::Lost => "lost",
            })
        })
    }

    #[napi(catch_unwind)]
    pub fn channels(&self) -> Call {
        let port = self.port();
        Call::json(async move { port.channels().await })
    }
}
