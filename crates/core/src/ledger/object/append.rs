//! One append: a conditional PUT, and the check of the object after any answer but Ok. Before it, the probe: a test that
//! the store honours conditional creates, on one object.

use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

use super::ObjectLedger;
use super::bucket::{BACKOFF, Bucket, Listing};
use super::fault::Fault;
use super::log::Log;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Appended, OpenMode};
use crate::log::EncodedEntry;
use crate::value::Channel;

/// The number of times that an append is sent before its result is reported as unknown.
const TRIES: u32 = 5;

/// The time for which one probe counts.
const PROBE_EVERY: Duration = Duration::from_secs(600);

/// The number of creates that are sent until one is refused. The attempts last longer than one second, because some
/// stores (Google Cloud Storage) allow only one change of an object per second.
const PROBE_TRIES: u32 = 8;

impl ObjectLedger {
    pub(super) async fn append_next(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let log = self.log(channel);
        if self.access != OpenMode::Write {
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
            probe(&self.bucket).await?;
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

/// LEDGER_UNSUPPORTED if the store lets two creates of one key succeed.
///
/// The object is created once and never changed. Every later open tries to create it again, and must be refused. So
/// each process tests the store again, for two requests, and a store that stops honouring conditions later is detected.
async fn probe(bucket: &Bucket) -> Result<()> {
    // No channel has a name like it.
    let key = bucket.prefix.clone().join("probe").join("create-if-absent.json");
    let mut mine: Option<Bytes> = None;
    let mut fault = Fault::Taken;
    for tries in 1..=PROBE_TRIES {
        let bytes = Bytes::from(format!("{{\"probe\":\"{}\"}}", Uuid::now_v7()));
        let created = bucket.create(&key, bytes.clone()).await;
        if matches!(&created, Err(fault @ Fault::Refused(..)) if !fault.passes()) {
            return created.map_err(|fault| bucket.error(fault, "create", &key));
        }
        let there = bucket.get(&key).await?;
        let stored = created.is_ok() || there.as_ref() == Some(&bytes);
        match (stored, there) {
            (true, None) if mine.is_none() => return Err(unsupported(bucket, FORGETS)),
            (true, Some(there)) if mine.is_none() && there == bytes => mine = Some(there),
            (false, None) => {}
            (false, Some(there)) if mine.as_ref().is_none_or(|mine| *mine == there) => {
                if created == Err(Fault::Taken) {
                    return Ok(());
                }
            }
            _ => return Err(unsupported(bucket, IGNORES)),
        }
        if let Err(why) = created {
            fault = why;
            tokio::time::sleep(BACKOFF.pause(tries)).await;
        }
    }
    Err(bucket.error(fault, "create", &key))
}

const IGNORES: &str = "this store does not honour conditional writes: two creates of one key (PUT with If-None-Match: *) both succeeded, \
     so two writers could each believe that their entry stands. Nothing but the probe was written. Use a store that \
     honours them (Amazon S3, Google Cloud Storage, Azure Blob Storage and current versions of most compatible stores \
     do), take away the proxy that strips the header, or use a postgres:// ledger";

const FORGETS: &str = "an object that was created is not there when it is read: a ledger needs a store whose reads see every write that \
     returned before. Nothing but the probe was written";

fn unsupported(bucket: &Bucket, why: &str) -> Error {
    Error::new(ErrorKind::LedgerUnsupported, format!("{}: {why}", bucket.place))
}
