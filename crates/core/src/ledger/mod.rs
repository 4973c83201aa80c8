//! The port to a ledger: one log per channel, appended one position at a time.

#[cfg(all(feature = "file", unix))]
mod export;
#[cfg(all(feature = "file", unix))]
mod file;
#[cfg(all(feature = "git", unix))]
mod git;
mod journal;
mod memory;
#[cfg(any(all(feature = "file", unix), feature = "object-store"))]
mod name;
#[cfg(feature = "object-store")]
mod object;
#[cfg(any(all(feature = "file", unix), feature = "object-store"))]
mod open_logs;
#[cfg(feature = "postgres")]
mod postgres;
mod repair;
mod transfer;
mod url;

#[cfg(all(feature = "file", unix))]
pub use export::{ExportedLog, export, exports, verify_file};
#[cfg(all(feature = "file", unix))]
pub use file::FileLedger;
#[cfg(all(feature = "git", unix))]
pub use git::GitLedger;
pub use journal::{ChannelLog, Snapshot, Term};
pub use memory::MemoryLedger;
#[cfg(feature = "object-store")]
pub use object::ObjectLedger;
#[cfg(feature = "postgres")]
pub use postgres::PostgresLedger;
pub use repair::{Repair, RepairNotice};
pub use transfer::{Ending, Migration, MigrationPlan, MigrationProgress, MigrationResult};
pub use url::LedgerUrl;
pub use url::open::open_ledger;

use std::fmt;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::log::{LogReport, Verifier};
use crate::value::{Channel, Timestamp};

/// Number of entries that one step of the verification reads.
const VERIFIED: usize = 8192;

/// The access with which a ledger is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Read and append.
    Write,
    /// Read only: nothing is created or changed, and read permission is enough.
    Read,
    /// As [`OpenMode::Read`], but from what this machine has of the ledger, if the ledger keeps a copy here: a Git branch
    /// is not fetched, and [`Ledger::as_of`] is the time of its last fetch. LEDGER_ABSENT if there is no copy.
    Offline,
}

/// The result of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The entry is stored at that position, and survives a crash.
    Stored,
    /// The position was not the next one: it already has another entry, or there is a gap before it. Nothing was
    /// stored.
    Conflict,
}

/// The answer of [`Ledger::unacknowledged`] about an append that was not acknowledged and that no read shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unacknowledged {
    /// The ledger cannot know: such an entry may still be stored later.
    NotKnown,
    /// There is no such append.
    None,
    /// There is this entry: it follows the last entry that counts, and may count later.
    Entry(Bytes),
}

/// The place where logs are stored.
///
/// # Requirements
/// Each requirement is tested by a function of `conformance::ledger` of the crate `tagwarden-testing`. The requirements
/// hold for each channel:
/// - **Append-if-next.** `append(channel, seq, bytes)` stores the bytes at that position if and only if it is the next
///   one.
/// - **One order.** Appends are serialisable across tasks, processes and (where the backend says so) machines.
/// - **Read your writes.** A read sees every append that returned before it began.
/// - **Durable.** An append that returned `Stored` survives a crash.
/// - **Ambiguity is reported.** An append that may or may not have been stored is LEDGER_AMBIGUOUS, never `Conflict`
///   and never `Stored`.
/// - **Bytes are exact.** A read returns the bytes that were appended; no log contains entries of another.
///
/// Logs of different channels need not be ordered. A backend stores encoded entries: it can lose or refuse an entry,
/// but the hash chain does not depend on it.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync + 'static {
    /// The number of entries in the log; 0 if there is no log.
    async fn size(&self, channel: &Channel) -> Result<u64>;

    /// The number of entries as it was at `since` or later. The default asks for the size now. A ledger that asks a
    /// server can give what it has read since: several logs of it are then one request.
    async fn size_since(&self, channel: &Channel, since: Instant) -> Result<u64> {
        let _ = since;
        self.size(channel).await
    }

    /// The entries from position `from` on, in order and without gaps: at least one if the log has one there, at most
    /// `limit`.
    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>>;

    /// Stores the entry at `seq` if that is the next position. LEDGER_AMBIGUOUS if it is not known whether the entry
    /// was stored.
    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended>;

    /// The append after the head that was not acknowledged, as far as the ledger knows. The default is `NotKnown`.
    async fn unacknowledged(&self, channel: &Channel) -> Result<Unacknowledged> {
        let _ = channel;
        Ok(Unacknowledged::NotKnown)
    }

    /// The current time by the ledger's own clock, computed from its last answer; none, the default, if it has no
    /// clock. The deadlines of a move are compared with it: see `docs/internals/protocol.md`, *Clocks*.
    fn time(&self) -> Option<Timestamp> {
        None
    }

    /// The time of the copy that this ledger reads, if it was opened to read a copy and not the ledger itself; none, the
    /// default, if a read shows what is stored now.
    fn as_of(&self) -> Option<Timestamp> {
        None
    }

    /// The repairs that this ledger made by itself since it was opened, oldest first, for the operator. None by default.
    fn notices(&self) -> Vec<RepairNotice> {
        Vec::new()
    }

    /// Every channel that has a log, sorted.
    async fn channels(&self) -> Result<Vec<Channel>>;

    /// Checks a channel's whole log from its first byte, without the index. An error means that the log could not be
    /// read; an entry that breaks a rule of the format is in the report.
    async fn verify(&self, channel: &Channel) -> Result<LogReport> {
        let mut verifier = Verifier::new(Some(channel.clone()));
        let mut from = 0;
        loop {
            let entries = self.read(channel, from, VERIFIED).await?;
            if entries.is_empty() {
                return Ok(verifier.finish());
            }
            from += entries.len() as u64;
            verifier.feed(&entries);
        }
    }

    /// The positions of the intents of the committed moves with this value, among the first `size` entries, newest
    /// first. None, the default, if the ledger cannot search: then a [`ChannelLog`] searches with the index.
    async fn search(&self, channel: &Channel, term: Term<'_>, size: u64) -> Result<Option<Vec<u64>>> {
        let _ = (channel, term, size);
        Ok(None)
    }

    /// The place for the index of a log; none, the default, if the ledger has none.
    fn index(&self) -> Option<&dyn IndexStore> {
        None
    }
}

/// A place for the index of each log: named blobs of derived data.
///
/// It asks for nothing more: a blob may be lost, outdated or damaged at any time. A [`ChannelLog`] checks each blob, and
/// reads the log instead of a blob that does not fit. So an error here is never an error of the ledger.
#[async_trait]
pub trait IndexStore: fmt::Debug + Send + Sync {
    /// The blob of this name; none if there is none.
    async fn get(&self, channel: &Channel, name: &str) -> Result<Option<Bytes>>;

    /// Stores the blob in place of an earlier one. A ledger that was opened read-only does nothing.
    async fn put(&self, channel: &Channel, name: &str, blob: Bytes) -> Result<()>;

    /// The number of entries after which the index is stored again. A new process reads up to that many entries in its
    /// first look-up. 256 by default; less where each entry is a request.
    fn every(&self) -> u64 {
        EVERY
    }
}

/// Default of [`IndexStore::every`], in entries, for ledgers where one entry is cheap to read.
const EVERY: u64 = 256;
