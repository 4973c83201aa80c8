//! Whether another ledger governs a repository: its pins, compared with what this ledger's logs say of it.

use std::collections::BTreeSet;

use super::driver::Run;
use super::inner::Inner;
use super::request::LEDGER_COMPLETE;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Snapshot;
use crate::record::Body;
use crate::registry::pinned;
use crate::value::{Digest, Repository};

/// How many entries of a log are read at once.
const ENTRIES: usize = 4096;

/// How many pins the error names.
const NAMED: usize = 3;

impl Run {
    /// LEDGER_FOREIGN if the repository has a pin whose digest no log of this ledger in that repository names: another ledger
    /// made a move there.
    pub(super) async fn refuse_foreign(&self) -> Result<()> {
        let repository = self.effects.channel.repository();
        let pins: BTreeSet<_> = self.effects.inner.registry.tags(repository).await?.iter().filter_map(pinned).collect();
        // A move pins what its intent names, after it: the logs are read after the pins.
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
        Err(Error::new(ErrorKind::LedgerForeign, message).with("channel", &self.effects.channel))
    }
}

impl Inner {
    /// Those of the digests that no log of this ledger in the repository names.
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

/// Takes out the digests that the intents of a log name: as target, as what was live before, or as what a repair replaced.
async fn strike_out(log: &Snapshot, digests: &mut BTreeSet<Digest>) -> Result<()> {
    let mut from = 0;
    while from < log.state().size && !digests.is_empty() {
        let entries = log.read(from, ENTRIES).await?;
        if entries.is_empty() {
            let message = format!("the log has {from} entries, and {} were seen before", log.state().size);
            let channel = &log.state().channel;
            return Err(Error::new(ErrorKind::LedgerTruncated, message).with("channel", channel));
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
