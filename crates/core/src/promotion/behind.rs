//! *Ledger behind*: another ledger moved the tag. This ledger is an older copy of it, or a different one.

use super::driver::Run;
use super::inner::Inner;
use super::machine::Input;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::registry::pin_tag;
use crate::value::{Channel, Digest};

impl Run {
    /// True if the observed digest has a pin that no log of this ledger explains. False if that cannot be read: the
    /// difference then counts as drift.
    pub(super) async fn is_behind(&self, observed: Option<Digest>) -> bool {
        match observed {
            Some(digest) => {
                let effects = &self.effects;
                effects.inner.has_unexplained_pin(&effects.channel, &digest).await.unwrap_or(false)
            }
            None => false,
        }
    }

    /// The input that ends the move without an observation. It also sets the error of the run.
    pub(super) fn tell_behind(&mut self, observed: Option<Digest>) -> Input {
        self.behind = Some(observed);
        Input::Broken(Retry::Never)
    }

    pub(super) fn behind_error(&self, observed: Option<Digest>) -> Error {
        let channel = &self.effects.channel;
        let observed = super::explain::at(observed);
        let message = format!(
            "{channel} points at {observed}, which was promoted (it has a pin) by a move that this ledger does not know: it is \
             an older copy, or another ledger governs the channel. Use that ledger; nothing was written"
        );
        Error::new(ErrorKind::LedgerBehind, message).with_context("channel", channel).with_context("observed", observed)
    }
}

impl Inner {
    /// True if the channel's repository has a pin of `digest`, and no log of this ledger in that repository names it.
    pub(super) async fn has_unexplained_pin(&self, channel: &Channel, digest: &Digest) -> Result<bool> {
        let repository = channel.repository();
        let pin = self.registry.resolve(repository, &pin_tag(digest)).await?;
        Ok(pin == Some(*digest) && !self.unexplained(repository, [*digest].into()).await?.is_empty())
    }
}
