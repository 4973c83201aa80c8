//! Reads of one log in pages, and appends at given positions.

use std::time::Duration;

use bytes::Bytes;

use crate::backoff::Backoff;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Appended, Ledger};
use crate::log::{Defect, EncodedEntry, EntryHash};
use crate::value::Channel;

/// The greatest number of entries of one read.
const PAGE: u64 = 1024;

/// The number of times that an append is sent before its result is reported as unknown.
const TRIES: u32 = 4;

/// The pauses before an append that was not answered is sent again.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(400), longest: Duration::from_secs(2) };

/// The entry at a position after an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// Our entry, stored by this append.
    Stored,
    /// The same bytes, stored by an earlier run or by an append whose answer was lost.
    Already,
    Other,
}

/// Appends an entry at `seq`, unless there is an entry already. LEDGER_AMBIGUOUS advises to run the transfer again,
/// which reads the stored entry and compares it.
pub(super) async fn place(ledger: &dyn Ledger, channel: &Channel, seq: u64, bytes: &Bytes) -> Result<Stands> {
    let mut tries = 1;
    loop {
        match ledger.append(channel, seq, bytes.clone()).await {
            Ok(Appended::Stored) => return Ok(Stands::Stored),
            Ok(Appended::Conflict) => {
                let is_ours = entry(ledger, channel, seq).await?.as_ref() == Some(bytes);
                return Ok(if is_ours { Stands::Already } else { Stands::Other });
            }
            Err(error) if error.kind() != ErrorKind::LedgerAmbiguous => {
                return Err(error.with_context("channel", channel));
            }
            // Sending it again is safe: only one append can be stored at a position.
            Err(_) if tries < TRIES => tokio::time::sleep(BACKOFF.pause(tries)).await,
            Err(error) => {
                let message = format!("{channel}: {error}; run this again: it compares the entry that is stored there");
                return Err(Error::new(error.kind(), message).with_context("channel", channel).with_source(error));
            }
        }
        tries += 1;
    }
}

/// Some entries from `from` on, below `end`; LEDGER_TRUNCATED if there are none, because the log had entries up to
/// `end`.
pub(in crate::ledger) async fn read_page(
    ledger: &dyn Ledger,
    channel: &Channel,
    from: u64,
    end: u64,
) -> Result<Vec<Bytes>> {
    let limit = usize::try_from(PAGE.min(end.saturating_sub(from))).unwrap_or(usize::MAX);
    let page = ledger.read(channel, from, limit).await.map_err(|e| e.with_context("channel", channel))?;
    if page.is_empty() && limit > 0 {
        let message = format!("the log of {channel} had {end} entries, and has none at {from}");
        return Err(Error::new(ErrorKind::LedgerTruncated, message)
            .with_context("channel", channel)
            .with_context("seq", from));
    }
    Ok(page)
}

/// The entry at `seq`, if there is one.
pub(in crate::ledger) async fn entry(ledger: &dyn Ledger, channel: &Channel, seq: u64) -> Result<Option<Bytes>> {
    let page = ledger.read(channel, seq, 1).await.map_err(|e| e.with_context("channel", channel))?;
    Ok(page.into_iter().next())
}

/// The leaf hash of the entry at `seq`, which must exist.
pub(super) async fn leaf_of(ledger: &dyn Ledger, channel: &Channel, seq: u64) -> Result<EntryHash> {
    let page = read_page(ledger, channel, seq, seq + 1).await?;
    Ok(EncodedEntry::of(page.into_iter().next().unwrap_or_default()).leaf())
}

/// LEDGER_FORKED: the two logs have different entries at `seq`.
pub(super) fn differ(channel: &Channel, seq: u64) -> Error {
    let message = format!(
        "{channel}: seq {seq}: source and target have different entries there, so that they are two histories; name a \
         target that has no log of this channel"
    );
    Error::new(ErrorKind::LedgerForked, message).with_context("channel", channel).with_context("seq", seq)
}

/// The error of a defect, with the channel and the ledger (`source`, for example).
pub(in crate::ledger) fn located(defect: Defect, channel: &Channel, whose: &'static str) -> Error {
    let (seq, error) = (defect.seq, Error::from(defect));
    let located = Error::new(error.kind(), format!("{channel}: the {whose}'s log: {error}"));
    located.with_context("channel", channel).with_context("seq", seq).with_source(error)
}
