//! `Transfer`: takes logs from one ledger to another, entry by entry, as they are.

pub(super) mod entries;
mod survey;
#[cfg(test)]
pub(super) mod tests;

pub use survey::Survey;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use uuid::Uuid;

use self::entries::{Stands, differ, leaf_of, located, place, read_page};
use super::Ledger;
use crate::error::{Error, ErrorKind, Result};
use crate::record::merkle::{Frontier, leaf_hash};
use crate::record::{Body, Entry, Migrated, check_link};
use crate::value::{Channel, Clock, Digest, Provenance, SystemClock, Text};

/// How often the source's last entry is tried to be written, each time at another writer's heels.
const CLOSE_TRIES: u32 = 32;

/// Takes logs from one ledger to another.
///
/// - **Bytes are exact**: what stands in the source stands in the target, at the same positions. The RFC 6962 root over
///   both is compared before the source is closed.
/// - **Only whole logs are taken**: bytes, positions and parents of the source's log are verified before the first entry is
///   appended, and those of each entry again when it is. An entry that breaks a rule of meaning is taken as it is.
/// - **It goes on where it stopped**: what the target has already is compared and left. It may be run again after any
///   error or crash, and by several at once.
/// - **One log goes on in one place**: [migrating](Transfer::migrating) ends with an entry `migrated` in the source, at exactly the
///   size that was taken. After it nothing can be appended there (LEDGER_MIGRATED); it stays readable.
/// - **Two histories are never mixed**: LEDGER_FORKED, with the position, if the target has another one.
///
/// # Memory
/// A page of entries, and what the [`Verifier`](crate::record::Verifier) keeps: 16 bytes an entry and about 45 a
/// committed move.
#[derive(Clone)]
pub struct Transfer {
    from: Arc<dyn Ledger>,
    to: Arc<dyn Ledger>,
    /// What the source's last entry says; none if the source stays as it is.
    closing: Option<Closing>,
    /// Whether it is known that the target is another place than the source.
    apart: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
    watch: Option<Watch>,
}

/// What the last entry of a migrated log says.
#[derive(Clone, Debug)]
struct Closing {
    /// What it calls the target.
    name: Text,
    provenance: Provenance,
    reason: Option<Text>,
}

/// Is told of a channel how many entries are in the target, and how many there will be.
pub type Watch = Arc<dyn Fn(&Channel, u64, u64) + Send + Sync>;

/// What came of a channel's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Transferred {
    /// The channel.
    pub channel: Channel,
    /// How many entries the source and the target have in common: all of the source's but a last one that says the log
    /// goes on elsewhere.
    pub size: u64,
    /// The RFC 6962 root over them, in both.
    pub root: Digest,
    /// How many of them this run appended.
    pub copied: u64,
    /// What became of the source.
    #[serde(flatten)]
    pub ending: Ending,
}

/// What became of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Ending {
    /// It was closed by this run.
    Migrated {
        /// Where the entry stands that says so.
        seq: u64,
    },
    /// It was closed before, by the same transfer.
    MigratedBefore {
        /// Where the entry stands that says so.
        seq: u64,
    },
    /// It stays as it was.
    Copied,
}

impl Transfer {
    /// Migrates logs: the target is where they go on, and the source is closed by an entry that calls it `name`, which must
    /// hold no secret ([`LedgerUrl::name`](super::LedgerUrl::name)).
    /// `provenance` says who migrates them, and is recorded in that entry.
    pub fn migrating(from: Arc<dyn Ledger>, to: Arc<dyn Ledger>, name: Text, provenance: Provenance) -> Transfer {
        let closing = Some(Closing { name, provenance, reason: None });
        Transfer { closing, ..Transfer::copying(from, to) }
    }

    /// With a reason, which is recorded where the source is closed.
    #[must_use]
    pub fn with_reason(mut self, reason: Text) -> Transfer {
        if let Some(closing) = &mut self.closing {
            closing.reason = Some(reason);
        }
        self
    }

    /// Copies logs out of what is not written any more, such as a backup: the source stays as it is. An entry of it that
    /// says the log goes on elsewhere is left out.
    pub fn copying(from: Arc<dyn Ledger>, to: Arc<dyn Ledger>) -> Transfer {
        Transfer { from, to, closing: None, apart: Arc::default(), clock: Arc::new(SystemClock), watch: None }
    }

    /// Says that the target is known to be another place than the source, so that the source may be closed by a run that
    /// finds everything in the target already.
    ///
    /// Two names can lead to one ledger, and closing it in favour of itself would end its logs. Therefore a source is
    /// closed only after the target took an entry that the source had, or if the caller says this: for a run that goes
    /// on after one that was cut off just before the end.
    #[must_use]
    pub fn resumed(self) -> Transfer {
        self.apart.store(true, Ordering::Relaxed);
        self
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Transfer {
        Transfer { clock, ..self }
    }

    /// With a watch that is told how far it is, page by page.
    #[must_use]
    pub fn with_watch(self, watch: Watch) -> Transfer {
        Transfer { watch: Some(watch), ..self }
    }

    /// Looks at both ledgers, verifies the source's log and writes nothing: what a run would do, or why it would not.
    ///
    /// CHANNEL_NOT_BOOTSTRAPPED if the source has no log of the channel; LEDGER_CORRUPT or LEDGER_TOO_NEW if its log
    /// does not hold; CHANNEL_BUSY while a move is open in it (only if it is to be closed); LEDGER_MIGRATED if either log
    /// goes on in a third ledger; LEDGER_FORKED if the target has another history.
    pub async fn survey(&self, channel: &Channel) -> Result<Survey> {
        Survey::of(self, channel).await
    }

    /// Takes the log over, and closes the source if it is to be.
    ///
    /// What others append to the source meanwhile is taken along. The errors are those of the survey and of the two
    /// ledgers; after each of them it may be surveyed and run again, and goes on where it stopped.
    pub async fn run(&self, mut survey: Survey) -> Result<Transferred> {
        let mut target = Target { tree: Frontier::new(), copied: 0 };
        for _ in 0..CLOSE_TRIES {
            self.fill(&survey, &mut target).await?;
            self.verify(&survey, &mut target).await?;
            let ending = match (&survey.migrated, &self.closing) {
                (_, None) => Ending::Copied,
                (Some(migrated), Some(_)) => Ending::MigratedBefore { seq: migrated.seq },
                (None, Some(closing)) => {
                    self.check_apart(&survey)?;
                    survey.check_at_rest(self).await?;
                    match self.close(&survey, closing).await? {
                        Stands::Stored | Stands::Already => Ending::Migrated { seq: survey.size },
                        Stands::Other => {
                            survey.go_on(self).await?;
                            continue;
                        }
                    }
                }
            };
            let Survey { channel, size, root, .. } = survey;
            return Ok(Transferred { channel, size, root, copied: target.copied, ending });
        }
        let channel = &survey.channel;
        let message = format!(
            "{channel}: others wrote into the log {CLOSE_TRIES} times while it was to be closed; stop what moves the \
             channel, and run this again"
        );
        Err(Error::new(ErrorKind::ChannelBusy, message).with("channel", channel))
    }

    /// Appends what the target does not have.
    async fn fill(&self, survey: &Survey, target: &mut Target) -> Result<()> {
        let channel = &survey.channel;
        let mut seq = survey.there + target.copied;
        let mut parent = match seq.checked_sub(1) {
            Some(last) if seq < survey.size => Some(leaf_of(self.from.as_ref(), channel, last).await?),
            _ => None,
        };
        while seq < survey.size {
            for bytes in read_page(self.from.as_ref(), channel, seq, survey.size).await? {
                let leaf =
                    check_link(channel, seq, parent, &bytes).map_err(|e| located(e.into(), channel, "source"))?;
                match place(self.to.as_ref(), channel, seq, &bytes).await.map_err(|e| again(e, channel))? {
                    // The source had it already: what took it now is another place.
                    Stands::Stored => self.apart.store(true, Ordering::Relaxed),
                    Stands::Already => {}
                    Stands::Other => return Err(differ(channel, seq)),
                }
                parent = Some(leaf);
                target.copied += 1;
                seq += 1;
            }
            self.tell(channel, seq, survey.size);
        }
        Ok(())
    }

    /// Reads the target back, from its first entry, and compares the root.
    async fn verify(&self, survey: &Survey, target: &mut Target) -> Result<()> {
        let channel = &survey.channel;
        while target.tree.size() < survey.size {
            for bytes in read_page(self.to.as_ref(), channel, target.tree.size(), survey.size).await? {
                target.tree.push(leaf_hash(&bytes));
            }
        }
        match Digest::from_sha256(target.tree.root()) == survey.root {
            true => Ok(()),
            false => Err(survey.first_difference(self).await?),
        }
    }

    /// CONFIG_INVALID if source and target may be one place.
    fn check_apart(&self, survey: &Survey) -> Result<()> {
        if self.apart.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Survey { channel, size, .. } = survey;
        let message = format!(
            "{channel}: the target had all {size} entries before this run, so that it may be the source under another \
             name, and closing that would end the log; if it is another place, and an earlier migration was cut off, say so \
             with --resume"
        );
        Err(Error::new(ErrorKind::ConfigInvalid, message).with("channel", channel))
    }

    /// Appends the source's last entry at exactly the size that was taken. Another's entry may stand there.
    async fn close(&self, survey: &Survey, closing: &Closing) -> Result<Stands> {
        let (channel, size) = (survey.channel.clone(), survey.size);
        let Closing { name: ledger, provenance, reason } = closing.clone();
        let body = Body::Migrated(Migrated { ledger, size, root: survey.root, provenance, reason });
        let (id, at, parent) = (Uuid::now_v7(), self.clock.now(), survey.leaf);
        let sealed = Entry { channel, seq: size, id, at, parent, body }.seal()?;
        let channel = &survey.channel;
        place(self.from.as_ref(), channel, size, sealed.bytes()).await.map_err(|e| again(e, channel))
    }

    fn tell(&self, channel: &Channel, done: u64, of: u64) {
        if let Some(watch) = &self.watch {
            watch(channel, done, of);
        }
    }
}

/// What is known of the target's log.
#[derive(Debug)]
struct Target {
    /// Over what was read back.
    tree: Frontier,
    /// How many entries this run appended.
    copied: u64,
}

/// An append whose end is not known is settled by running the whole again.
fn again(error: Error, channel: &Channel) -> Error {
    match error.kind() {
        ErrorKind::LedgerAmbiguous => {
            let message = format!("{channel}: {error}; run this again: what stands there is compared");
            Error::new(ErrorKind::LedgerAmbiguous, message).with("channel", channel).because(error)
        }
        _ => error.with("channel", channel),
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("closing", &self.closing)
            .finish_non_exhaustive()
    }
}
