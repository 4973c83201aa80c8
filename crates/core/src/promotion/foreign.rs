//! Finds moves of another ledger: compares the pins of a repository with the logs of this ledger. A pin that no log
//! explains means that another ledger governs the repository, or that this ledger is an older copy (*ledger behind*).

use std::collections::BTreeSet;
use std::time::Instant;

use super::driver::Run;
use super::inner::Inner;
use super::machine::Input;
use super::past::each_entry;
use super::request::LEDGER_COMPLETE;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::log::{Body, Entry};
use crate::registry::{pin_tag, pinned};
use crate::value::{Channel, Digest, Line, Repository, joined};

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
        let named = joined(foreign.iter().take(NAMED), ", ");
        let more = match foreign.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let noun = if foreign.len() == 1 { "a pin" } else { "pins" };
        let forbidden =
            self.effects.inner.policy.forbids_override(&Line::lossy(LEDGER_COMPLETE), &self.terms.provenance);
        let lost = forbidden.unwrap_or_else(|| format!("override {LEDGER_COMPLETE} with a reason"));
        let message = format!(
            "{repository} has {noun} that no log of this ledger explains ({named}{more}): another ledger governs it. Use \
             that one; if it is lost, {lost}"
        );
        Err(Error::new(ErrorKind::LedgerForeign, message).with_context("channel", &self.effects.channel))
    }

    /// Refuses the move without an observation (LEDGER_BEHIND) if the observed digest has a pin that no log of this
    /// ledger explains. Returns the machine's input then. None if that cannot be read: the difference then counts as
    /// drift.
    pub(super) async fn refuse_behind(&mut self, observed: Option<Digest>) -> Option<Input> {
        let (observed, channel) = (observed?, &self.effects.channel);
        let behind = self.effects.inner.has_unexplained_pin(channel, &observed).await;
        if !behind.unwrap_or(false) {
            return None;
        }
        let message = format!(
            "{channel} points at {observed}, which was promoted (it has a pin) by a move that this ledger does not know: it is \
             an older copy, or another ledger governs the channel. Use that ledger; nothing was written"
        );
        let error = Error::new(ErrorKind::LedgerBehind, message).with_context("channel", channel);
        self.refusal = Some(error.with_context("observed", observed));
        Some(Input::Broken(Retry::Never))
    }
}

impl Inner {
    /// True if the channel's repository has a pin of `digest`, and no log of this ledger in that repository names it.
    pub(super) async fn has_unexplained_pin(&self, channel: &Channel, digest: &Digest) -> Result<bool> {
        let repository = channel.repository();
        let pin = self.registry.resolve(repository, &pin_tag(digest)).await?;
        Ok(pin == Some(*digest) && !self.unexplained(repository, [*digest].into()).await?.is_empty())
    }

    /// The digests among these that no log of this ledger in the repository names in an intent: as target, as previous
    /// digest, or as the digest that a repair replaced.
    async fn unexplained(&self, repository: &Repository, mut digests: BTreeSet<Digest>) -> Result<BTreeSet<Digest>> {
        if digests.is_empty() {
            return Ok(digests);
        }
        // The logs are read after the pins: the intent that explains a pin is in its log by then.
        let inner = self.since(Instant::now());
        for channel in inner.ledger.channels().await?.iter().filter(|channel| channel.repository() == repository) {
            let log = inner.snapshot(channel).await?;
            if digests.is_empty() {
                continue;
            }
            let strike_out = |entry: &Entry| {
                if let Body::Intent(intent) = &entry.body {
                    for named in [Some(intent.target.digest), intent.previous, intent.replaced].into_iter().flatten() {
                        digests.remove(&named);
                    }
                }
                !digests.is_empty()
            };
            each_entry(&log, strike_out).await?;
        }
        Ok(digests)
    }
}
