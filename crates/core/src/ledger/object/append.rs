//! One append: a conditional PUT, and the truth about it after any answer but Ok.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::bucket::{Listing, pause};
use super::fault::Fault;
use super::log::Log;
use super::{Inner, probe};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Access, Append};
use crate::record::Sealed;
use crate::value::Channel;

/// How often an append is sent before its end is said to be unknown.
const TRIES: u32 = 5;

/// How long a store is believed to honour conditions after it was seen to.
const PROBE_EVERY: Duration = Duration::from_secs(600);

impl Inner {
    pub(super) async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Append> {
        let log = self.log(channel);
        if self.access == Access::Read {
            let message = format!("{}: the ledger was opened to be read only", self.bucket.place);
            return Err(Error::new(ErrorKind::LedgerDenied, message).with("channel", channel));
        }
        let known = log.known().size;
        if seq < known {
            // It is taken; whose it is can still be asked.
            return match log.entry(seq).await? {
                Some(there) if there == bytes => Ok(Append::Stored),
                Some(_) => Ok(Append::Lost),
                None => Err(log.gone(seq, known)),
            };
        }
        if let Some(before) = seq.checked_sub(1).filter(|_| seq > known) {
            match log.entry(before).await? {
                Some(there) => log.learn(seq, Sealed::of(there).leaf()),
                None => return Ok(Append::Lost),
            }
        }
        self.probe().await?;
        let append = log.append(seq, &bytes).await?;
        if append == Append::Stored {
            log.write_hint();
        }
        Ok(append)
    }

    /// Sees that the store honours conditions, unless it did a while ago.
    pub(super) async fn probe(&self) -> Result<()> {
        let mut probed = self.probed.lock().await;
        if probed.is_none_or(|at| at.elapsed() > PROBE_EVERY) {
            probe::probe(&self.bucket).await?;
            *probed = Some(Instant::now());
        }
        Ok(())
    }
}

impl Log {
    /// Stores the entry at `seq`, before which there is no gap.
    ///
    /// A request without an answer may land later. It is sent again until one of them has an answer: the bytes are the
    /// same, so that whichever lands first is ours, and every later one finds the place taken. If none is answered, the
    /// end is not known.
    async fn append(&self, seq: u64, bytes: &Bytes) -> Result<Append> {
        let key = self.keys.entry(seq);
        let mut in_doubt = false;
        let mut tries = 1;
        loop {
            let Err(fault) = self.bucket.create(&key, bytes.clone()).await else {
                self.learn(seq + 1, Sealed::of(bytes.clone()).leaf());
                return Ok(Append::Stored);
            };
            in_doubt |= matches!(fault, Fault::Unclear(_));
            match self.bucket.get(&key).await {
                // It has its name and was not synced: a crash may still take it.
                Ok(Some(there)) if there == *bytes && fault != Fault::Taken && self.bucket.listing == Listing::Walk => {
                    return Err(self.unfinished(seq, true, fault));
                }
                Ok(Some(there)) => {
                    let append = if there == *bytes { Append::Stored } else { Append::Lost };
                    self.learn(seq + 1, Sealed::of(there).leaf());
                    return Ok(append);
                }
                Ok(None) if (fault == Fault::Taken || fault.passes()) && tries < TRIES => pause(tries).await,
                Ok(None) => return Err(self.unfinished(seq, in_doubt, fault)),
                // The place may be taken by our entry, if the store says that it is taken.
                Err(_) => {
                    let in_doubt = in_doubt || fault == Fault::Taken;
                    return Err(self.unfinished(seq, in_doubt, fault));
                }
            }
            tries += 1;
        }
    }

    fn unfinished(&self, seq: u64, in_doubt: bool, fault: Fault) -> Error {
        let error = self.bucket.error(fault, "append", &self.keys.entry(seq));
        let error = match in_doubt {
            true => {
                let message = format!("{}; whether the entry stands is not known", error.message());
                Error::new(ErrorKind::LedgerAmbiguous, message).with("key", self.keys.entry(seq))
            }
            false => error,
        };
        error.with("channel", &self.channel).with("seq", seq)
    }
}
