//! `Migration`: copies logs from one ledger to another, entry by entry, without changing the bytes.

pub(super) mod entries;
mod survey;
#[cfg(test)]
pub(super) mod tests;

pub use survey::MigrationPlan;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use uuid::Uuid;

use self::entries::{Stands, differ, leaf_of, located, place, read_page};
use super::Ledger;
use crate::error::{Error, ErrorKind, Result};
use crate::log::merkle::{Frontier, leaf_hash};
use crate::log::{Body, Entry, Migrated, check};
use crate::value::{Channel, Clock, Digest, Line, Provenance, SystemClock};

/// The number of attempts to append the closing entry to the source. Each one can lose its position to another writer.
const CLOSE_TRIES: u32 = 32;

/// Copies or migrates logs from one ledger to another.
///
/// - **Bytes are exact**: the target gets the same bytes at the same positions. The RFC 6962 roots of both are compared
///   before the source is closed.
/// - **Only complete logs are taken**: bytes, positions and parents of the source's log are verified before the first
///   entry is appended, and those of each entry again when it is appended. An entry that breaks another rule is copied
///   as it is.
/// - **It goes on where it stopped**: entries that the target already has are compared and not written again. It may be
///   run again after any error or crash, and by several processes at once.
/// - **One log goes on in one place**: [migrating](Migration::migrating) ends with an entry `migrated` in the source,
///   directly after the entries that were copied. After it nothing can be appended to the source (LEDGER_MIGRATED); the
///   source stays readable.
/// - **Two histories are never mixed**: LEDGER_FORKED, with the position, if the target has another history.
///
/// # Memory
/// A page of entries, and the memory of the [`Verifier`](crate::log::Verifier): 16 bytes per entry and about 45 per
/// committed move.
#[derive(Clone)]
pub struct Migration {
    from: Arc<dyn Ledger>,
    to: Arc<dyn Ledger>,
    /// The content of the entry that closes the source; none if the source stays open.
    closing: Option<Closing>,
    /// True if it is known that the target is not the same ledger as the source.
    apart: Arc<AtomicBool>,
    watch: Option<MigrationProgress>,
}

/// The content of the last entry of a migrated log.
#[derive(Clone, Debug)]
struct Closing {
    /// The name of the target.
    name: Line,
    provenance: Provenance,
    reason: Option<Line>,
}

/// A progress callback. Its arguments are the channel, the number of entries in the target, and the final number.
pub type MigrationProgress = Arc<dyn Fn(&Channel, u64, u64) + Send + Sync>;

/// The result of the transfer of one channel's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrationResult {
    /// The channel.
    pub channel: Channel,
    /// The number of entries that the source and the target have in common: all entries of the source, except a last
    /// entry `migrated`.
    pub size: u64,
    /// The RFC 6962 root over these entries, in both ledgers.
    pub root: Digest,
    /// The number of these entries that this run appended.
    pub copied: u64,
    /// The state of the source after the transfer.
    #[serde(flatten)]
    pub ending: Ending,
}

/// The state of the source after the transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Ending {
    /// This run closed the source.
    Migrated {
        /// The position of the entry `migrated`.
        seq: u64,
    },
    /// An earlier run of the same transfer closed the source.
    MigratedBefore {
        /// The position of the entry `migrated`.
        seq: u64,
    },
    /// The source is unchanged.
    Copied,
}

impl Migration {
    /// Migrates logs: they go on in the target, and an entry closes the source. That entry names the target `name`,
    /// which must hold no secret ([`LedgerUrl::name`](super::LedgerUrl::name)), and records `provenance`: who migrates
    /// the logs.
    pub fn migrating(from: Arc<dyn Ledger>, to: Arc<dyn Ledger>, name: Line, provenance: Provenance) -> Migration {
        let closing = Some(Closing { name, provenance, reason: None });
        Migration { closing, ..Migration::copying(from, to) }
    }

    /// Sets a reason, which is recorded in the entry that closes the source.
    #[must_use]
    pub fn with_reason(mut self, reason: Line) -> Migration {
        if let Some(closing) = &mut self.closing {
            closing.reason = Some(reason);
        }
        self
    }

    /// Copies logs from a ledger that is not written any more, such as a backup: the source stays as it is. A last
    /// entry `migrated` is left out.
    pub fn copying(from: Arc<dyn Ledger>, to: Arc<dyn Ledger>) -> Migration {
        Migration { from, to, closing: None, apart: Arc::default(), watch: None }
    }

    /// States that the target is not the same ledger as the source, so that the source may be closed by a run that
    /// finds all entries in the target already.
    ///
    /// Two names can mean one ledger, and closing it in favour of itself would end its logs. Therefore a source is
    /// closed only after the target stored an entry that the source had, or if the caller states this: after a run that
    /// was interrupted just before it closed the source.
    #[must_use]
    pub fn resumed(self) -> Migration {
        self.apart.store(true, Ordering::Relaxed);
        self
    }

    /// Sets a progress callback, which is called after each page.
    #[must_use]
    pub fn with_watch(self, watch: MigrationProgress) -> Migration {
        Migration { watch: Some(watch), ..self }
    }

    /// Reads both ledgers, verifies the source's log and writes nothing. Returns what a run would do, or the error that
    /// a run would return.
    ///
    /// CHANNEL_NOT_BOOTSTRAPPED if the source has no log of the channel; LEDGER_CORRUPT or LEDGER_TOO_NEW if an entry
    /// has broken bytes, position or parent; CHANNEL_BUSY while a move is open in it (only if the source is to be
    /// closed); LEDGER_MIGRATED if either log was migrated to a third ledger; LEDGER_FORKED if the target has another
    /// history.
    pub async fn survey(&self, channel: &Channel) -> Result<MigrationPlan> {
        MigrationPlan::of(self, channel, 0).await
    }

    /// Copies the log, and closes the source in a migration.
    ///
    /// In a migration, entries that others append to the source in the meantime are copied too. The errors are those of
    /// the survey and of the two ledgers. After each of them the log may be surveyed and run again; the run goes on
    /// where it stopped.
    pub async fn run(&self, mut survey: MigrationPlan) -> Result<MigrationResult> {
        // The number of entries that this run appended, and the Merkle tree over the entries that were read back.
        let (mut copied, mut tree) = (0, Frontier::default());
        for _ in 0..CLOSE_TRIES {
            self.fill(&survey, &mut copied).await?;
            self.verify(&survey, &mut tree).await?;
            let ending = match (&survey.migrated, &self.closing) {
                (_, None) => Ending::Copied,
                (Some(migrated), Some(_)) => Ending::MigratedBefore { seq: migrated.seq },
                (None, Some(closing)) => {
                    self.check_apart(&survey)?;
                    match self.close(&survey, closing).await? {
                        Stands::Stored | Stands::Already => Ending::Migrated { seq: survey.size },
                        Stands::Other => {
                            survey = MigrationPlan::of(self, &survey.channel, survey.size).await?;
                            continue;
                        }
                    }
                }
            };
            let MigrationPlan { channel, size, root, .. } = survey;
            return Ok(MigrationResult { channel, size, root, copied, ending });
        }
        let channel = &survey.channel;
        let message = format!(
            "{channel}: others wrote into the log {CLOSE_TRIES} times while it was to be closed; stop what moves the \
             channel, and run this again"
        );
        Err(Error::new(ErrorKind::ChannelBusy, message).with_context("channel", channel))
    }

    /// Appends the entries that the target does not have.
    async fn fill(&self, survey: &MigrationPlan, copied: &mut u64) -> Result<()> {
        let channel = &survey.channel;
        let mut seq = survey.there;
        let mut parent = match seq.checked_sub(1) {
            Some(last) if seq < survey.size => Some(leaf_of(self.from.as_ref(), channel, last).await?),
            _ => None,
        };
        while seq < survey.size {
            for bytes in read_page(self.from.as_ref(), channel, seq, survey.size).await? {
                if let Err(defect) = check(channel, seq, parent, &bytes)
                    && defect.code.ends_reading()
                {
                    return Err(located(defect, channel, "source"));
                }
                match place(self.to.as_ref(), channel, seq, &bytes).await? {
                    // The source had this entry already, so the ledger that stored it now is not the source.
                    Stands::Stored => self.apart.store(true, Ordering::Relaxed),
                    Stands::Already => {}
                    Stands::Other => return Err(differ(channel, seq)),
                }
                parent = Some(Digest::Sha256(leaf_hash(&bytes)));
                *copied += 1;
                seq += 1;
            }
            if let Some(watch) = &self.watch {
                watch(channel, seq, survey.size);
            }
        }
        Ok(())
    }

    /// Reads the target from its first entry, and compares the root.
    async fn verify(&self, survey: &MigrationPlan, tree: &mut Frontier) -> Result<()> {
        while tree.size() < survey.size {
            for bytes in read_page(self.to.as_ref(), &survey.channel, tree.size(), survey.size).await? {
                tree.push(leaf_hash(&bytes));
            }
        }
        if Digest::Sha256(tree.root()) != survey.root {
            return Err(survey.first_difference(self).await?);
        }
        Ok(())
    }

    /// CONFIG_INVALID if source and target may be the same ledger.
    fn check_apart(&self, survey: &MigrationPlan) -> Result<()> {
        if self.apart.load(Ordering::Relaxed) {
            return Ok(());
        }
        let MigrationPlan { channel, size, .. } = survey;
        let message = format!(
            "{channel}: the target had all {size} entries before this run, so that it may be the source under another \
             name, and closing that would end the log; if it is another place, and an earlier migration was cut off, say so \
             with --resume"
        );
        Err(Error::new(ErrorKind::ConfigInvalid, message).with_context("channel", channel))
    }

    /// Appends the closing entry to the source, directly after the entries that were copied. The result is `Other` if
    /// another entry is stored there.
    async fn close(&self, survey: &MigrationPlan, closing: &Closing) -> Result<Stands> {
        let MigrationPlan { channel, size, root, .. } = survey;
        let (seq, parent) = (*size, Some(leaf_of(self.from.as_ref(), channel, size - 1).await?));
        let Closing { name: ledger, provenance, reason } = closing.clone();
        let body = Body::Migrated(Migrated { ledger, size: seq, root: *root, provenance, reason });
        let (id, at) = (Uuid::now_v7(), SystemClock.now());
        let sealed = Entry { channel: channel.clone(), seq, id, at, parent, body }.seal()?;
        place(self.from.as_ref(), channel, seq, sealed.bytes()).await
    }
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("closing", &self.closing)
            .finish_non_exhaustive()
    }
}
