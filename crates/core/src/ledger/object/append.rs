//! One append: a conditional PUT, and the check of the object after any answer but Ok.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::bucket::{BACKOFF, Listing};
use super::fault::Fault;
use super::log::Log;
use super::{ObjectLedger, probe};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Appended, OpenMode};
use crate::log::EncodedEntry;
use crate::value::Channel;

/// The number of times that an append is sent before its result is reported as unknown.
const TRIES: u32 = 5;

/// The time for which one probe counts.
const PROBE_EVERY: Duration = Duration::from_secs(600);

impl ObjectLedger {
    pub(super) async fn append_next(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let log = self.log(channel);
        if self.access == OpenMode::Read {
            let message = format!("{}: the ledger was opened to be read only", self.bucket.place);
            return Err(Error::new(ErrorKind::LedgerDenied, message).with_context("channel", channel));
        }
        let known = log.known().size;
        if seq < known {
            // The position is taken. Compare the stored entry with ours.
            return match log.entry(seq).await? {
                Some(there) if there == bytes => Ok(Appended::Stored),
                Some(_) => Ok(Appended::Conflict),
                None => Err(log.gone(seq, known)),
            };
        }
        if let Some(before) = seq.checked_sub(1).filter(|_| seq > known) {
            match log.entry(before).await? {
                Some(there) => log.learn(seq, EncodedEntry::of(there).leaf()),
                None => return Ok(Appended::Conflict),
            }
        }
        self.probe().await?;
        let append = log.append(seq, &bytes).await?;
        if append == Appended::Stored {
            log.write_hint();
        }
        Ok(append)
    }

    /// Checks that the store honours conditions, and that entries can be written, unless a probe within
    /// [`PROBE_EVERY`] did.
    pub(in crate::ledger) async fn probe(&self) -> Result<()> {
        let mut probed = self.probed.lock().await;
        if probed.is_none_or(|at| at.elapsed() > PROBE_EVERY) {
            probe::probe(&self.bucket).await?;
            *probed = Some(Instant::now());
        }
        Ok(())
    }
}

impl Log {
    /// Stores the entry at `seq`. The caller knows that there is no gap before it.
    ///
    /// A request without an answer may still take effect later. It is sent again until one request has an answer. All
    /// requests have the same bytes: the first that takes effect stores our entry, and every later one finds the
    /// position taken. If no request is answered, the result is unknown.
    async fn append(&self, seq: u64, bytes: &Bytes) -> Result<Appended> {
        let key = self.keys.entry(seq);
        let mut in_doubt = false;
        let mut tries = 1;
        loop {
            let Err(fault) = self.bucket.create(&key, bytes.clone()).await else {
                self.learn(seq + 1, EncodedEntry::of(bytes.clone()).leaf());
                return Ok(Appended::Stored);
            };
            in_doubt |= matches!(fault, Fault::Unclear(_));
            match self.bucket.get(&key).await {
                // In a directory, the file has its name but was not synced: a crash may still remove it.
                Ok(Some(there)) if there == *bytes && fault != Fault::Taken && self.bucket.listing == Listing::Walk => {
                    return Err(self.unfinished(seq, true, fault));
                }
                Ok(Some(there)) => {
                    let append = if there == *bytes { Appended::Stored } else { Appended::Conflict };
                    self.learn(seq + 1, EncodedEntry::of(there).leaf());
                    return Ok(append);
                }
                Ok(None) if (fault == Fault::Taken || fault.passes()) && tries < TRIES => {
                    tokio::time::sleep(BACKOFF.pause(tries)).await
                }
                there => {
                    // If the position is taken and cannot be read, our entry may be the one that took it.
                    let in_doubt = in_doubt || (there.is_err() && fault == Fault::Taken);
                    return Err(self.unfinished(seq, in_doubt, fault));
                }
            }
            tries += 1;
        }
    }

    fn unfinished(&self, seq: u64, in_doubt: bool, fault: Fault) -> Error {
        let key = self.keys.entry(seq);
        let mut error = self.bucket.error(fault, "append", &key);
        if in_doubt {
            let message = format!("{error}; whether the entry stands is not known");
            error = Error::new(ErrorKind::LedgerAmbiguous, message).with_context("key", key);
        }
        error.with_context("channel", &self.channel).with_context("seq", seq)
    }
}
