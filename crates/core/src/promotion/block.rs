//! Blocks: declares digests unfit for a channel and those after it in the pipeline, and ends that.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use super::inner::Inner;
use super::past::committed;
use super::promoter::Promoter;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Block, Body, ChannelState, Unblock};
use crate::policy::BlockedOn;
use crate::value::{Channel, Digest, Pipeline, ReleaseExpression};

/// The number of moves that one read backwards asks for.
const PAGE: usize = 64;

impl Promoter {
    /// The channel and the digest of a block, or of its end, that names a release: the channel is `only`, or by default
    /// that of the pipeline's first environment, so that the block counts in each of them.
    ///
    /// CONFIG_INVALID without `only` and without a pipeline. REGISTRY_ABSENT if the tag does not exist now; other errors
    /// as [`digest_of`](Promoter::digest_of).
    pub async fn block_target(&self, only: Option<&Channel>, release: &ReleaseExpression) -> Result<(Channel, Digest)> {
        let first = || self.inner.pipeline.as_ref()?.stages().first().map(|stage| &stage.channel);
        let Some(channel) = only.or_else(first) else {
            let message = "no pipeline names a first environment: name the channel (`only`)";
            return Err(Error::new(ErrorKind::ConfigInvalid, message));
        };
        let digest = self.digest_of(channel, release).await?.ok_or_else(|| {
            let message = format!("{release} does not exist now: name its digest; `tagwarden history --full` shows it");
            Error::new(ErrorKind::RegistryAbsent, message).with_context("channel", channel)
        })?;
        Ok((channel.clone(), digest))
    }

    /// Declares a digest unfit for the channel, and for every later environment of the pipeline. Returns the position of
    /// the block in the channel's log; if the digest is blocked there already, that of the earlier block.
    ///
    /// CHANNEL_ABSENT if the ledger has no log of the channel, it is not in the pipeline, and the registry has no such
    /// tag: a misspelled name must not seem to be blocked. If the registry does not answer, the block is recorded.
    pub async fn block(&self, channel: &Channel, block: Block) -> Result<u64> {
        let state = self.state(channel).await?;
        if let Some(known) = state.block_of(&block.digest) {
            return Ok(known.seq);
        }
        let staged = |pipeline: &Pipeline| pipeline.stages().iter().any(|stage| stage.channel == *channel);
        if state.size == 0 && !self.inner.pipeline.as_ref().is_some_and(staged) {
            self.refuse_absent(channel, "blocked").await?;
        }
        self.inner.journal(channel).lock().await.note(Body::Block(block), self.inner.clock.now()).await
    }

    /// Ends the block of a digest. Returns the position of the entry. VALUE_INVALID if the channel's log does not block
    /// it: the message names the logs that do.
    pub async fn unblock(&self, channel: &Channel, unblock: Unblock) -> Result<u64> {
        let digest = unblock.digest;
        let mut journal = self.inner.refreshed(channel).await?;
        let ended = |state: &ChannelState| state.block_of(&digest).is_none();
        if !ended(journal.state()) {
            match journal.note(Body::Unblock(unblock), self.inner.clock.now()).await {
                // Another process ended it between the look and the append.
                Err(_) if ended(journal.refresh().await?.as_ref()) => {}
                noted => return noted,
            }
        }
        drop(journal);
        let mut others = Vec::new();
        for other in self.channels().await? {
            if self.state(&other).await?.block_of(&digest).is_some() {
                others.push(other.to_string());
            }
        }
        let others = match others.is_empty() {
            true => "no channel of this ledger blocks it".to_owned(),
            false => format!("it is blocked on {} (--only)", others.join(", ")),
        };
        let message = format!("{digest} is not blocked on {channel}; {others}");
        Err(Error::new(ErrorKind::ValueInvalid, message).with_context("channel", channel))
    }

    /// The blocks in force on a channel: those of its own log, and those of every earlier environment.
    pub async fn blocks(&self, channel: &Channel) -> Result<Vec<BlockedOn>> {
        let states = self.inner.with_earlier(channel).await?;
        Ok(states.iter().flat_map(|state| blocks_in(state, None)).collect())
    }
}

/// The blocks in a log: those of one digest, or all.
pub(super) fn blocks_in(state: &ChannelState, digest: Option<&Digest>) -> Vec<BlockedOn> {
    let wanted = state.blocked.iter().filter(|block| digest.is_none_or(|digest| block.digest == *digest));
    wanted.map(|block| BlockedOn { channel: state.channel.clone(), block: block.clone() }).collect()
}

impl Inner {
    /// The states of the logs of every earlier environment, in the pipeline's order, and that of the channel itself.
    pub(super) async fn with_earlier(&self, channel: &Channel) -> Result<Vec<ChannelState>> {
        let earlier = self.pipeline.as_ref().map(|pipeline| pipeline.earlier(channel)).unwrap_or_default();
        let channels = earlier.iter().map(|stage| &stage.channel).chain([channel]);
        let state = async |channel| Ok::<_, Error>(ChannelState::clone(self.refreshed(channel).await?.state()));
        try_join_all(channels.map(state)).await
    }

    /// The blocks of a digest on a channel, in its own log and in those of every earlier environment.
    pub(super) async fn blocks_of(&self, channel: &Channel, digest: &Digest) -> Result<Vec<BlockedOn>> {
        let states = self.with_earlier(channel).await?;
        Ok(states.iter().flat_map(|state| blocks_in(state, Some(digest))).collect())
    }

    /// The newest digest that was live on the channel, is not this one, and is not blocked: one that no rollback left, if
    /// there is one.
    pub(super) async fn unblocked(&self, channel: &Channel, but: Option<Digest>) -> Result<Option<Digest>> {
        let states = self.with_earlier(channel).await?;
        let blocked: BTreeSet<_> = states.iter().flat_map(|state| &state.blocked).map(|block| block.digest).collect();
        let log = self.snapshot(channel).await?;
        let mut rolled_back = None;
        let found = committed(&log, None, PAGE, |event| {
            let digest = event.intent.target.digest;
            if blocked.contains(&digest) || Some(digest) == but {
                return false;
            }
            let is_left = log.state().rolled_back(&digest).is_some();
            rolled_back = rolled_back.or(is_left.then_some(digest));
            !is_left
        });
        Ok(found.await?.map(|event| event.intent.target.digest).or(rolled_back))
    }
}
