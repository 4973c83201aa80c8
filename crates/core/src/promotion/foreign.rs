//! Finds out if another ledger governs a repository: compares the repository's pins with the logs of this ledger.

use std::collections::BTreeSet;

use super::driver::Run;
use super::inner::Inner;
use super::request::LEDGER_COMPLETE;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Snapshot;
use crate::log::Body;
use crate::registry::pinned;
use crate::value::{Digest, Repository};

/// The number of entries that one read of a log asks for.
const ENTRIES: usize = 4096;

/// The most pins that the error names.
const NAMED: usize = 3;

impl Run {
    /// LEDGER_FOREIGN if the repository has a pin whose digest no log of this ledger in that repository names: another ledger
    /// made a move there.
    pub(super) async fn refuse_foreign(&self) -> Result<()> {
        let repository = self.effects.channel.repository();
        let pins: BTreeSet<_> = self.effects.inner.registry.tags(repository).await?.iter().filter_map(pinned).collect();
        // A move pins the digests of its intent after the intent is in the log: so the logs are read after the pins.
        let foreign = self.effects.inner.unexplained(repository, pins).await?;
        if foreign.is_empty() {
            return Ok(());
        }
        let named: Vec<_> = foreign.iter().take(NAMED).map(Digest::to_string).collect();
        let more = match foreign.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let noun = if foreign.len() == 1 { "a pin" } else { "pins" };
        let message = format!(
            "{repository} has {noun} that no log of this ledger explains ({}{more}): another ledger governs it. Use that one; \
             if it is lost, override {LEDGER_COMPLETE} with a reason",
            named.join(", ")
        );
        Err(Error::new(ErrorKind::LedgerForeign, message).with_context("channel", &self.effects.channel))
    }
}

impl Inner {
    /// The digests among these that no log of this ledger in the repository names.
    pub(super) async fn unexplained(
        &self,
        repository: &Repository,
        mut digests: BTreeSet<Digest>,
    ) -> Result<BTreeSet<Digest>> {
        if digests.is_empty() {
            return Ok(digests);
        }
        for channel in self.ledger.channels().await?.iter().filter(|channel| channel.repository() == repository) {
            strike_out(&self.snapshot(channel).await?, &mut digests).await?;
        }
        Ok(digests)
    }
}

/// Removes the digests that the intents of a log name: as target, as previous digest, or as the digest that a repair
/// replaced.
async fn strike_out(log: &Snapshot, digests: &mut BTreeSet<Digest>) -> Result<()> {
    let mut from = 0;
    while from < log.state().size && !digests.is_empty() {
        let entries = log.read(from, ENTRIES).await?;
        if entries.is_empty() {
            let message = format!("the log has {from} entries, and {} were seen before", log.state().size);
            let channel = &log.state().channel;
            return Err(Error::new(ErrorKind::LedgerTruncated, message).with_context("channel", channel));
        }
        from += entries.len() as u64;
        for entry in &entries {
            if let Body::Intent(intent) = &entry.body {
                for named in [Some(intent.target.digest), intent.previous, intent.replaced].into_iter().flatten() {
                    digests.remove(&named);
                }
            }
        }
    }
    Ok(())
}
