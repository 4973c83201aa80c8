//! `MigrationPlan`: the entries that both ledgers have of a channel's log, before anything is written.

use bytes::Bytes;
use serde::Serialize;

use super::Migration;
use super::entries::{differ, entry, located, read_page};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Body, DefectCode, EncodedEntry, Entry, EntryHash, LogReport, MigratedTo, Verifier};
use crate::value::{Channel, Digest, Line};

/// The plan of a transfer of one channel's log.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct MigrationPlan {
    /// The channel.
    pub channel: Channel,
    /// The number of entries of the source that the target is to have: all except a last entry `migrated`.
    pub size: u64,
    /// The RFC 6962 root over these entries.
    pub root: Digest,
    /// The number of these entries that the target already has.
    pub there: u64,
    /// The ledger to which the source's log was migrated, if it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrated: Option<MigratedTo>,
    /// The leaf hash of the last entry that is to be in the target.
    #[serde(skip)]
    pub(super) leaf: Option<EntryHash>,
    /// The position of the intent of the move that is open in the source.
    #[serde(skip)]
    open: Option<u64>,
}

impl MigrationPlan {
    /// Reads the source up to its end, verifies it, and compares the target. LEDGER_TRUNCATED if the source has fewer
    /// than `seen` entries.
    pub(super) async fn of(transfer: &Migration, channel: &Channel, seen: u64) -> Result<MigrationPlan> {
        let source = transfer.from.as_ref();
        let end = source.size(channel).await.map_err(|e| e.with_context("channel", channel))?;
        if end < seen {
            let message = format!("the log of {channel} had {seen} entries, and has {end}");
            return Err(Error::new(ErrorKind::LedgerTruncated, message).with_context("channel", channel));
        }
        // An entry with broken bytes, position or parent is an error. An entry that breaks another rule is copied as it
        // is. If the log is to be closed, an entry of a kind that this version does not know is an error too.
        let closes_source = transfer.closing.is_some();
        let stops = |code: DefectCode| code.ends_reading() || (closes_source && code == DefectCode::Kind);
        let mut verifier = Verifier::new(Some(channel.clone()));
        let (mut read, mut leaf, mut closing) = (0, None, None);
        while read < end {
            let mut page = read_page(source, channel, read, end).await?;
            read += page.len() as u64;
            if read == end {
                closing = page.pop_if(|bytes| closes(bytes).is_some());
            }
            verifier.feed(&page);
            if let Some(defect) = verifier.report().defects.into_iter().find(|defect| stops(defect.code)) {
                return Err(located(defect, channel, "source"));
            }
            leaf = page.last().map(|bytes| EncodedEntry::of(bytes.clone()).leaf()).or(leaf);
        }
        let LogReport { entries: size, root, open_intent: open, .. } = verifier.report();
        let mut plan = MigrationPlan { channel: channel.clone(), size, root, there: 0, migrated: None, leaf, open };
        if let Some(bytes) = closing {
            plan.closed(verifier, &bytes, transfer)?;
        }
        if size == 0 {
            let message = format!("the source has no log of {channel}");
            return Err(Error::new(ErrorKind::ChannelNotBootstrapped, message).with_context("channel", channel));
        }
        plan.check_target(transfer).await?;
        plan.check_at_rest(transfer).await?;
        Ok(plan)
    }

    /// Handles the last entry `migrated` of the source, which is not copied.
    fn closed(&mut self, mut verifier: Verifier, bytes: &Bytes, transfer: &Migration) -> Result<()> {
        let seq = self.size;
        // Verify it like any other entry.
        verifier.feed(std::slice::from_ref(bytes));
        let defect = verifier.finish().defects.into_iter().find(|defect| defect.seq == seq);
        if let Some(defect) = defect {
            return Err(located(defect, &self.channel, "source"));
        }
        let Some(ledger) = closes(bytes) else { return Ok(()) };
        let migrated = MigratedTo { seq, ledger };
        if transfer.closing.as_ref().is_some_and(|closing| closing.name != migrated.ledger) {
            // Another migration would give the log two continuations.
            return Err(migrated.error(&self.channel));
        }
        self.migrated = Some(migrated);
        Ok(())
    }

    /// Compares the entries that the target has, and checks that more can be appended to it.
    async fn check_target(&mut self, transfer: &Migration) -> Result<()> {
        let target = transfer.to.as_ref();
        let there = target.size(&self.channel).await.map_err(|e| e.with_context("channel", &self.channel))?;
        self.there = there.min(self.size);
        let Some(last) = self.there.checked_sub(1) else { return Ok(()) };
        let theirs = entry(target, &self.channel, last).await?;
        if theirs != entry(transfer.from.as_ref(), &self.channel, last).await? {
            return Err(match theirs.as_ref().and_then(closes) {
                // The target's log ends with an entry `migrated`: report this, not a fork.
                Some(ledger) => self.closed_target(last, ledger),
                None => self.first_difference(transfer).await?,
            });
        }
        // If the source is closed already, the transfer was finished before, and the target may have been migrated
        // further.
        if there > self.size && self.migrated.is_none() {
            let end = entry(target, &self.channel, there - 1).await?;
            if let Some(ledger) = end.as_ref().and_then(closes) {
                return Err(self.closed_target(there - 1, ledger));
            }
        }
        Ok(())
    }

    fn closed_target(&self, seq: u64, ledger: Line) -> Error {
        let channel = &self.channel;
        let message = format!(
            "{channel}: the target's log was closed at seq {seq} when it was migrated to {ledger}, and nothing is appended after \
             that; name a target that has no log of this channel, such as another directory, prefix or schema"
        );
        Error::new(ErrorKind::LedgerMigrated, message)
            .with_context("channel", channel)
            .with_context("seq", seq)
            .with_context("ledger", ledger)
    }

    /// CHANNEL_BUSY if a move is open in a source that is to be closed.
    async fn check_at_rest(&self, transfer: &Migration) -> Result<()> {
        let (Some(seq), Some(_)) = (self.open, &transfer.closing) else { return Ok(()) };
        let channel = &self.channel;
        let intent = entry(transfer.from.as_ref(), channel, seq).await?.map(|bytes| Entry::open(&bytes)).transpose()?;
        let move_id = match intent.map(|entry| entry.body) {
            Some(Body::Intent(intent)) => intent.move_id.to_string(),
            _ => "unknown".to_owned(),
        };
        let message = format!(
            "{channel}: move {move_id} is open in the source (seq {seq}), and its outcome must stand there: wait for it, \
             or recover the channel first, then run this again"
        );
        let error = Error::new(ErrorKind::ChannelBusy, message);
        Err(error.with_context("channel", channel).with_context("seq", seq).with_context("move_id", move_id))
    }

    /// The error for the first position where the two logs differ.
    pub(super) async fn first_difference(&self, transfer: &Migration) -> Result<Error> {
        let (channel, mut seq) = (&self.channel, 0);
        while seq < self.size {
            let from = read_page(transfer.from.as_ref(), channel, seq, self.size).await?;
            let to = transfer.to.read(channel, seq, from.len()).await?;
            let same = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
            seq += same as u64;
            if same < from.len().min(to.len()) || to.is_empty() {
                break;
            }
        }
        Ok(differ(channel, seq))
    }
}

/// The ledger that an entry names if it closes the log; none for any other entry.
fn closes(bytes: &Bytes) -> Option<Line> {
    match Entry::open(bytes).ok()?.body {
        Body::Migrated(migrated) => Some(migrated.ledger),
        _ => None,
    }
}
