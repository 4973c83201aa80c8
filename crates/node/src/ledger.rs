//! Ledgers that the core implements.

use std::sync::Arc;

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use tagwarden::Channel;
use tagwarden::ledger::{Appended, Ledger, LedgerUrl, MemoryLedger, OpenMode as CoreMode};
use tagwarden_bind::convert::to;

use crate::args::Options;
use crate::backend::Stored;
use crate::call::{Promise, run, sync};
use crate::given::{Text, Uint8Array, Whole};
use crate::host::{Count, List, Nullable, Time};
use crate::records::OpenMode;

/// A ledger that the core implements.
#[napi]
pub struct OpenedLedger {
    pub(crate) core: Arc<dyn Ledger>,
}

#[napi]
impl OpenedLedger {
    /// A ledger in memory. It is gone with the process.
    #[napi(constructor, catch_unwind)]
    #[allow(clippy::new_without_default, reason = "it is the constructor of JavaScript")]
    pub fn new() -> OpenedLedger {
        OpenedLedger { core: Arc::new(MemoryLedger::new()) }
    }

    /// The number of entries in the log; 0 if there is no log.
    #[napi(catch_unwind)]
    pub fn size(&self, channel: Text<Channel>, options: Option<Options>) -> Promise<Count> {
        let core = Arc::clone(&self.core);
        run(options.unwrap_or_default().abort, async move { Ok(to(core.size(&channel).await?)) })
    }

    /// The entries from `from` on, in order and without gaps: at least one if there is one, at most `limit`.
    #[napi(catch_unwind)]
    pub fn read(
        &self,
        channel: Text<Channel>,
        from: Whole,
        limit: Whole,
        options: Option<Options>,
    ) -> Promise<List<Buffer>> {
        let core = Arc::clone(&self.core);
        run(options.unwrap_or_default().abort, async move {
            let entries = core.read(&channel, from.0, limit.size()).await?;
            Ok(entries.iter().map(|entry| entry.to_vec().into()).collect())
        })
    }

    /// Stores the bytes at `seq` if and only if that is the next position.
    #[napi(catch_unwind)]
    pub fn append(
        &self,
        channel: Text<Channel>,
        seq: Whole,
        entry: Uint8Array,
        options: Option<Options>,
    ) -> Promise<Stored> {
        let core = Arc::clone(&self.core);
        run(options.unwrap_or_default().abort, async move {
            Ok(match core.append(&channel, seq.0, entry.0).await? {
                Appended::Stored => Stored::Stored,
                Appended::Conflict => Stored::Lost,
            })
        })
    }

    /// Every channel that has a log.
    #[napi(catch_unwind)]
    pub fn channels(&self, options: Option<Options>) -> Promise<List<String>> {
        let core = Arc::clone(&self.core);
        run(options.unwrap_or_default().abort, async move { Ok(to(core.channels().await?)) })
    }

    /// The time of the copy that this ledger reads, if it was opened with `offline`; null if a read shows what is stored
    /// now.
    #[napi(getter, catch_unwind)]
    pub fn as_of(&self) -> Nullable<Time> {
        to(self.core.as_of())
    }
}

options! {
    /// How to open a ledger.
    #[derive(Default)]
    pub struct OpenOptions {
        /// `write` by default; for `read`, read permission is enough, and nothing is created or changed; `offline` is as
        /// `read`, but of a Git branch only what this machine has of it, without a fetch.
        pub access: Option<OpenMode>,
    }
}

/// Opens the ledger at a directory's path or a URL: `git` (a branch of the CI job's repository, else of `origin`),
/// `git+https://`, `git+ssh://`, `file://`, `s3://`, `gs://`, `az://`, `postgres://`. It creates a missing directory, and
/// nothing else; the branch of a Git repository is created by the first append. CONFIG_INVALID, LEDGER_ABSENT,
/// LEDGER_DENIED, LEDGER_UNSUPPORTED.
#[napi(catch_unwind)]
pub fn open_ledger(url: LedgerAddress, options: Option<Options<OpenOptions>>) -> napi::Result<Promise<OpenedLedger>> {
    let Options { rest: OpenOptions { access }, abort } = options.unwrap_or_default();
    let url: LedgerUrl = sync(url.0.parse())?;
    let access = access.map_or(CoreMode::Write, Into::into);
    Ok(run(abort, async move { Ok(OpenedLedger { core: url.open(access).await? }) }))
}

/// Creates the directory, the tables or the Git branch of a ledger. Safe to repeat.
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn init_ledger(url: LedgerAddress, options: Option<Options>) -> napi::Result<Promise<()>> {
    let url: LedgerUrl = sync(url.0.parse())?;
    Ok(run(options.unwrap_or_default().abort, async move { Ok(url.init().await?) }))
}

/// A path or a URL. It may have a password, so that an error of its type quotes nothing.
#[derive(serde::Deserialize)]
pub struct LedgerAddress(String);

argument!(LedgerAddress = "url");
