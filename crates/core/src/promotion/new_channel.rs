//! The warning about a channel that a promotion makes: its name may be misspelt.

use std::time::Duration;

use super::driver::Run;
use super::machine::Change;
use super::request::Operation;
use crate::log::Op;
use crate::policy::Finding;
use crate::value::{Channel, nearest};

/// The name under which the log records the finding.
const NEW_CHANNEL: &str = "new-channel";

/// The longest wait for the ledger's list of channels: it is only needed for the advice.
const LIST_WITHIN: Duration = Duration::from_secs(5);

impl Run {
    /// CHANNEL_NEW: this promotion makes a channel that the pipeline does not name.
    pub(super) async fn finding_of_a_new_channel(&self, change: &Change) -> Option<Finding> {
        let channel = &self.effects.channel;
        let is_first = change.op == Op::Bootstrap && matches!(self.operation, Operation::Promote(_));
        if !is_first || self.named_by_the_pipeline().any(|named| named == channel) {
            return None;
        }
        let advice = match self.similar_channel().await {
            Some(similar) => format!("; did you mean {similar}?"),
            None => String::new(),
        };
        let why = format!("this is the first move of a new channel: the registry has no tag {channel}{advice}");
        Some(Finding::warn(NEW_CHANNEL, "CHANNEL_NEW", why))
    }

    fn named_by_the_pipeline(&self) -> impl Iterator<Item = &Channel> {
        self.effects.inner.pipeline.iter().flat_map(|pipeline| pipeline.stages()).map(|stage| &stage.channel)
    }

    /// The known channel of the same repository whose tag is the most similar. None without such a channel, and if the
    /// ledger cannot list its channels, because the move does not depend on it.
    async fn similar_channel(&self) -> Option<Channel> {
        let (channel, ledger) = (&self.effects.channel, &self.effects.inner.ledger);
        let listed = tokio::time::timeout(LIST_WITHIN, ledger.channels()).await;
        let mut known = listed.ok().and_then(Result::ok).unwrap_or_default();
        known.extend(self.named_by_the_pipeline().cloned());
        known.retain(|known| known.repository() == channel.repository() && known != channel);
        let tags: Vec<&str> = known.iter().map(|known| known.tag().as_str()).collect();
        let tag = nearest(channel.tag().as_str(), &tags)?;
        known.iter().find(|known| known.tag().as_str() == tag).cloned()
    }
}
