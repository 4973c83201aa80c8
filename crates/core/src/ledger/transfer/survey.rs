//! `MigrationPlan`: the entries that both ledgers have of a channel's log, before anything is written.

use bytes::Bytes;
use serde::Serialize;

use super::Migration;
use super::entries::{differ, entry, located, read_page};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Body, Defect, DefectCode, Entry, Migrated, MigratedTo};
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
    /// The position of the intent of the move that is open in the source.
    #[serde(skip)]
    open: Option<u64>,
}

impl MigrationPlan {
    /// Reads the source up to its end, verifies it, and compares the target. LEDGER_TRUNCATED if the source has fewer
    /// than `seen` entries.
    pub(super) async fn of(transfer: &Migration, channel: &Channel, seen: u64) -> Result<MigrationPlan> {
        let source = transfer.from.as_ref();
        let seen = seen.max(source.size(channel).await.map_err(|e| e.with_context("channel", channel))?);
        let report = source.verify(channel).await.map_err(|e| e.with_context("channel", channel))?;
        let last = entry(source, channel, report.entries.saturating_sub(1)).await?;
        // A last entry `migrated` is not copied.
        let closing = last.as_ref().and_then(closes);
        let size = report.entries.saturating_sub(u64::from(closing.is_some()));
        // An entry with broken bytes, position or parent is an error, and so is a broken last entry `migrated`. An entry
        // that breaks another rule is copied as it is, unless the verification ended because there are too many. If the
        // log is to be closed, an entry of a kind that this version does not know is an error too.
        let stops = |defect: &Defect| {
            let is_unknown = transfer.closing.is_some() && defect.code == DefectCode::Kind;
            defect.code.ends_reading() || is_unknown || defect.seq >= size || report.entries < seen
        };
        if let Some(defect) = report.defects.into_iter().find(stops) {
            return Err(located(defect, channel, "source"));
        }
        if report.entries < seen {
            let message = format!("the log of {channel} had {seen} entries, and has {}", report.entries);
            return Err(Error::new(ErrorKind::LedgerTruncated, message).with_context("channel", channel));
        }
        let root = closing.as_ref().map_or(report.root, |closing| closing.root);
        let migrated = closing.map(|closing| MigratedTo { seq: size, ledger: closing.ledger });
        if let (Some(migrated), Some(closing)) = (&migrated, &transfer.closing)
            && migrated.ledger != closing.name
        {
            // Another migration would give the log two continuations.
            return Err(migrated.error(channel));
        }
        if size == 0 {
            let message = format!("the source has no log of {channel}");
            return Err(Error::new(ErrorKind::ChannelNotBootstrapped, message).with_context("channel", channel));
        }
        let open = report.open_intent;
        let mut plan = MigrationPlan { channel: channel.clone(), size, root, there: 0, migrated, open };
        plan.check_target(transfer).await?;
        plan.check_at_rest(transfer).await?;
        Ok(plan)
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
                Some(closing) => self.closed_target(last, closing.ledger),
                None => self.first_difference(transfer).await?,
            });
        }
        // If the source is closed already, the transfer was finished before, and the target may have been migrated
        // further.
        if there > self.size && self.migrated.is_none() {
            let end = entry(target, &self.channel, there - 1).await?;
            if let Some(closing) = end.as_ref().and_then(closes) {
                return Err(self.closed_target(there - 1, closing.ledger));
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

/// The content of an entry that closes the log; none for any other entry.
fn closes(bytes: &Bytes) -> Option<Migrated> {
    match Entry::open(bytes).ok()?.body {
        Body::Migrated(migrated) => Some(migrated),
        _ => None,
    }
}
