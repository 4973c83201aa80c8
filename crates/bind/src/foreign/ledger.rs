//! `LedgerPort`: the core's `Ledger` over an object of the other language.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tagwarden::ledger::{Appended, Ledger};
use tagwarden::{Channel, ErrorKind, Result};

use super::{Answer, Meaning, timeout, within};

/// A ledger of the other language, with the methods of the port. Its `Debug` text is its name in messages.
#[async_trait]
pub trait ForeignLedger: fmt::Debug + Send + Sync + 'static {
    /// The number of entries in the log.
    async fn size(&self, channel: &Channel) -> Answer<u64>;
    /// The entries from position `from` on.
    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Answer<Vec<Bytes>>;
    /// Stores the entry at `seq` if that is the next position: true if it was.
    async fn append(&self, channel: &Channel, seq: u64, entry: Bytes) -> Answer<bool>;
    /// Every channel that has a log, in any order.
    async fn channels(&self) -> Answer<Vec<Channel>>;
}

/// The port over a foreign ledger.
#[derive(Debug)]
pub struct LedgerPort<F> {
    foreign: F,
    timeout: Duration,
}

/// The error kinds of a read.
const READ: Meaning = Meaning { codes: &["LEDGER_"], otherwise: ErrorKind::LedgerUnavailable };

/// The error kinds of an append. After an exception, a timeout or an invalid answer the entry may be stored, except
/// with LEDGER_DENIED: the ledger refused to write.
const APPEND: Meaning = Meaning { codes: &["LEDGER_DENIED"], otherwise: ErrorKind::LedgerAmbiguous };

impl<F: ForeignLedger> LedgerPort<F> {
    /// The port, with the timeout of a call in seconds, 30 by default. CONFIG_INVALID if that is not a valid timeout.
    pub fn new(foreign: F, call_timeout: Option<f64>) -> Result<LedgerPort<F>> {
        let timeout = timeout(&foreign, call_timeout)?;
        Ok(LedgerPort { foreign, timeout })
    }

    async fn call<T>(&self, method: &str, meaning: Meaning, call: impl Future<Output = Answer<T>>) -> Result<T> {
        within(self.timeout, call).await.map_err(|raised| meaning.error(method, &self.foreign, raised))
    }
}

#[async_trait]
impl<F: ForeignLedger> Ledger for LedgerPort<F> {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        self.call("size", READ, self.foreign.size(channel)).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        self.call("read", READ, self.foreign.read(channel, from, limit)).await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let stored = self.call("append", APPEND, self.foreign.append(channel, seq, bytes)).await;
        match stored.map_err(|error| error.with_context("channel", channel).with_context("seq", seq))? {
            true => Ok(Appended::Stored),
            false => Ok(Appended::Conflict),
        }
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        // Sort as the core does: its order differs from that of the texts, and a host does not know it.
        let mut channels = self.call("channels", READ, self.foreign.channels()).await?;
        channels.sort();
        Ok(channels)
    }
}
