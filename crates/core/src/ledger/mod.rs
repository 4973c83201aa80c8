//! The port to a ledger: one log per channel, appended one position at a time.

#[cfg(all(feature = "file", unix))]
mod export;
#[cfg(all(feature = "file", unix))]
mod file;
mod journal;
mod memory;
#[cfg(any(all(feature = "file", unix), feature = "object-store"))]
mod name;
#[cfg(feature = "object-store")]
mod object;
#[cfg(feature = "postgres")]
mod postgres;
mod snapshot;
mod transfer;
mod url;

#[cfg(all(feature = "file", unix))]
pub use export::{Exported, export, exports};
#[cfg(all(feature = "file", unix))]
pub use file::{FileLedger, Notice, Repair, verify_file};
pub use journal::{Journal, Written};
pub use memory::MemoryLedger;
#[cfg(feature = "object-store")]
pub use object::ObjectLedger;
#[cfg(feature = "postgres")]
pub use postgres::PostgresLedger;
pub use snapshot::Snapshot;
pub use transfer::{Ending, Survey, Transfer, Transferred, Watch};
pub use url::LedgerUrl;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::record::{ChannelState, LogReport, Verifier};
use crate::value::{Channel, Timestamp};

/// How many entries are verified at once.
const VERIFIED: usize = 8192;

/// Whether a ledger is opened to be written, or to be read only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be read and appended to.
    Write,
    /// To be read only: nothing is made or changed, and read permission is enough.
    Read,
}

/// How an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Append {
    /// The entry stands at that position, and survives a crash.
    Stored,
    /// The position was not the next one: another entry stands there, or there is a gap before it. Nothing was stored.
    Lost,
}

/// What a ledger knows of an append that was not acknowledged, and that no read shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unacknowledged {
    /// Nothing can be known: such an entry may still land.
    NotKnown,
    /// There is none.
    None,
    /// This entry: it stands after the last one that counts, and may count later.
    Entry(Bytes),
}

/// Where the logs are kept.
///
/// # Laws
/// Each is a function of [`conformance::ledger`](crate::conformance). Per channel:
/// - **Append-if-next.** `append(channel, seq, bytes)` stores the bytes at that position if and only if it is the next.
/// - **One order.** Appends are serialisable across tasks, processes and (where the backend says so) machines.
/// - **Read your writes.** A read sees every append that returned before it began.
/// - **Durable.** An append that returned `Stored` survives a crash.
/// - **Unknown is said.** An append whose end is not known is LEDGER_AMBIGUOUS, never `Lost` and never `Stored`.
/// - **Bytes are exact.** What is read is what was appended; no log is mixed up with another.
///
/// Logs of different channels need not be ordered. A backend stores sealed bytes: it can lose or refuse an entry, it
/// cannot weaken the chain.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync + 'static {
    /// How many entries the log has; 0 if there is none.
    async fn size(&self, channel: &Channel) -> Result<u64>;

    /// The entries from position `from` on, in order and without gaps: at least one if there is one, at most `limit`.
    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>>;

    /// Stores the entry at `seq` if that is the next position. LEDGER_AMBIGUOUS if it is not known whether it did.
    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Append>;

    /// What is known of an append after the head that was not acknowledged. By default nothing is.
    async fn unacknowledged(&self, channel: &Channel) -> Result<Unacknowledged> {
        let _ = channel;
        Ok(Unacknowledged::NotKnown)
    }

    /// The time now by the ledger's own clock, as of its last answer; none, the default, if it has no clock. A move is judged
    /// by it: see `docs/protocol.md`, *Clocks*.
    fn time(&self) -> Option<Timestamp> {
        None
    }

    /// Every channel that has a log, in their order.
    async fn channels(&self) -> Result<Vec<Channel>>;

    /// Checks a channel's whole log, from its first byte, whatever an index says. An error means that it could not be
    /// read; what breaks a rule of the format is in the report.
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

    /// The backend's index, if it keeps one.
    fn index(&self) -> Option<&dyn Index> {
        None
    }
}

/// What may be looked up in an index, as a 64-bit hash. Collisions are allowed: what is found is a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term(pub u64);

/// How many entries an index may stand behind the head, where they are cheap to read.
const BEHIND: u64 = 256;

/// Derived data that makes look-ups cheap on long logs: a fold up to some position, and where to find things before it.
///
/// It is a cache: bound to a position by size and leaf hash, trusted up to there (also for what is *not* in it), the
/// rest of the log is scanned. Deleting it loses nothing.
#[async_trait]
pub trait Index: fmt::Debug + Send + Sync {
    /// The fold that the index stands at, or none if there is no index or it cannot be used.
    async fn state(&self, channel: &Channel) -> Result<Option<ChannelState>>;

    /// The positions below the index's own that were indexed under `term`, newest first. An error if the index is gone
    /// since `state` gave it out, because an empty answer would say that the term is not there; the next `state` is none.
    async fn find(&self, channel: &Channel, term: Term) -> Result<Vec<u64>>;

    /// How many entries the index may stand behind the head, all of which a cold look-up reads. 256 by default; fewer
    /// where each entry is a request.
    fn behind(&self) -> u64 {
        BEHIND
    }

    /// Moves the index on to `state`, with the terms of the entries in between. Does nothing if the index does not
    /// stand at `from` any more; from 0 it begins anew, unless what is there is an index of this very log. The terms of
    /// an entry must never change.
    async fn extend(&self, channel: &Channel, from: u64, state: &ChannelState, terms: &[(Term, u64)]) -> Result<()>;
}
