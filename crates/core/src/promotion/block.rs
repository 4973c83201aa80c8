//! Blocks: declares a digest unfit for a channel and for the channels after it in the pipeline, and ends a block.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::future::try_join_all;

use super::inner::Inner;
use super::naming::Home;
use super::past::committed;
use super::promoter::Promoter;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{ActiveBlock, Block, Body, ChannelState, Source, Unblock};
use crate::policy::{BlockedOn, NotBlocked};
use crate::value::{Channel, Digest, Pipeline, ReleaseExpression, ReleaseLabel, Target, joined, public_page};

/// The number of moves that one read backwards asks for.
const PAGE: usize = 64;

/// The result of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockResult {
    /// The block was recorded, at this position in the channel's log.
    Recorded(u64),
    /// The channel's log has this block of the digest already. The new one is not recorded, and one unblock ends both.
    Already(Box<ActiveBlock>),
}

impl BlockResult {
    /// The position of the block in force in the channel's log.
    pub fn seq(&self) -> u64 {
        match self {
            BlockResult::Recorded(seq) => *seq,
            BlockResult::Already(known) => known.seq,
        }
    }
}

impl Promoter {
    /// The channel and the digest of a block that names a release: the channel is `only`, or by default that of the
    /// pipeline's first environment, so that the block counts in each of them.
    ///
    /// A tag names the digest that moves brought under that name, even if the tag is gone, or the registry does not
    /// answer; without such a move, the one that it points at. VALUE_INVALID if these digests differ, because the tag
    /// was pushed again: the message has the command for each digest.
    ///
    /// CONFIG_INVALID without `only` and without a pipeline. REGISTRY_ABSENT if neither the registry nor a move has the
    /// tag. RELEASE_UNKNOWN if the record has no such release.
    pub async fn block_target(&self, only: Option<&Channel>, release: &ReleaseExpression) -> Result<(Channel, Digest)> {
        let channel = self.inner.blocking(only)?;
        let digest = self.inner.one_of("block", channel, release, self.inner.meant(channel, release).await?)?;
        Ok((channel.clone(), digest))
    }

    /// The channel and the digest of the end of a block. Like [`block_target`](Promoter::block_target), but among the
    /// digests that a tag may mean, those that the channel's log blocks come first.
    pub async fn unblock_target(
        &self,
        only: Option<&Channel>,
        release: &ReleaseExpression,
    ) -> Result<(Channel, Digest)> {
        let channel = self.inner.blocking(only)?;
        let mut meant = self.inner.meant(channel, release).await?;
        let state = self.state(channel).await?;
        let is_blocked = |meant: &Meant| state.block_of(&meant.digest).is_some();
        if meant.iter().any(is_blocked) {
            meant.retain(is_blocked);
        }
        Ok((channel.clone(), self.inner.one_of("unblock", channel, release, meant)?))
    }

    /// Declares a digest unfit for the channel, and for every later environment of the pipeline. If the channel's log
    /// blocks the digest already, nothing is recorded: a log has one block of a digest. A user, a password or a token
    /// in the block's URL is not recorded.
    ///
    /// VALUE_INVALID if the block's URL is no `http` or `https` URL. CHANNEL_ABSENT if the ledger has no log of the
    /// channel, it is not in the pipeline, and the registry has no such tag: a misspelled name must not seem to be
    /// blocked. If the registry does not answer, the block is recorded.
    pub async fn block(&self, channel: &Channel, mut block: Block) -> Result<BlockResult> {
        block.url = block.url.as_ref().map(public_page).transpose()?;
        let state = self.since(Instant::now()).state(channel).await?;
        if let Some(known) = state.block_of(&block.digest) {
            return Ok(BlockResult::Already(Box::new(known.clone())));
        }
        let staged = |pipeline: &Pipeline| pipeline.stages().iter().any(|stage| stage.channel == *channel);
        if state.size == 0 && !self.inner.pipeline.as_ref().is_some_and(staged) {
            self.refuse_absent(channel, "blocked").await?;
        }
        let mut journal = self.inner.journal(channel).lock_owned().await;
        Ok(BlockResult::Recorded(journal.note(Body::Block(block), self.inner.clock.now()).await?))
    }

    /// Ends the block of a digest. Returns the position of the entry. VALUE_INVALID if the channel's log does not block
    /// it: the message names the logs that do.
    pub async fn unblock(&self, channel: &Channel, unblock: Unblock) -> Result<u64> {
        let digest = unblock.digest;
        let mut journal = self.inner.since(Instant::now()).refreshed(channel).await?;
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

    /// The newest digest that was live on the channel and is not blocked: a rollback from a blocked live digest goes
    /// there. None if there is none.
    pub async fn unblocked(&self, channel: &Channel) -> Result<Option<Digest>> {
        self.inner.unblocked(channel, None).await
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

/// A digest that the name of a release may mean, and the reason why.
struct Meant {
    digest: Digest,
    why: String,
}

impl Inner {
    /// The channel of the pipeline's first environment: blocks are in its log by default.
    pub(super) fn first_channel(&self) -> Option<&Channel> {
        Some(&self.pipeline.as_ref()?.stages().first()?.channel)
    }

    /// The channel whose log has a block.
    fn blocking<'a>(&'a self, only: Option<&'a Channel>) -> Result<&'a Channel> {
        only.or_else(|| self.first_channel()).ok_or_else(|| {
            let message = "there is no pipeline, so no first environment: name the channel (`only`; --only CHANNEL), or \
                           run where the tagwarden.toml is";
            Error::new(ErrorKind::ConfigInvalid, message)
        })
    }

    /// Each digest that a release may mean, once: the digest that its tag points at, and for each channel of the same
    /// repository the digest that the newest move brought under that name.
    async fn meant(&self, channel: &Channel, release: &ReleaseExpression) -> Result<Vec<Meant>> {
        let home = Home::from(channel);
        let reference = match self.source(&home, release).await?.source {
            Source::Reference(reference) => reference,
            Source::Channel(from) => {
                let live = self.snapshot(&from).await?.state().live;
                let meant = live.map(|digest| Meant { digest, why: format!("it is live on {from}") });
                return Ok(meant.into_iter().collect());
            }
        };
        let (repository, tag) = match reference.target() {
            Target::Tag(tag) => (reference.repository(), tag),
            Target::Digest(digest) => return Ok(vec![Meant { digest: *digest, why: "it is named".to_owned() }]),
        };
        let resolved = self.registry.resolve(repository, tag).await;
        let mut meant = Vec::new();
        if let Ok(Some(digest)) = resolved {
            meant.push(Meant { digest, why: "the tag points at it now".to_owned() });
        }
        let label: ReleaseLabel = tag.as_str().parse()?;
        for moved in self.channels_of(&home, repository).await? {
            let Some(event) = self.brought(&moved, &label).await? else { continue };
            let digest = event.intent.target.digest;
            if meant.iter().all(|known| known.digest != digest) {
                meant.push(Meant { digest, why: format!("{moved} was moved to it at seq {}", event.seq) });
            }
        }
        // A digest from a log is enough, so that a release can be blocked while the registry does not answer.
        if meant.is_empty() {
            resolved?;
        }
        Ok(meant)
    }

    /// The only digest among these; `verb` is the command that is to name one of them.
    fn one_of(&self, verb: &str, channel: &Channel, release: &ReleaseExpression, meant: Vec<Meant>) -> Result<Digest> {
        let (kind, message) = match meant.as_slice() {
            [one] => return Ok(one.digest),
            [] => {
                let history = format!("tagwarden history {channel} --full");
                let message = format!("{release} does not exist now: name its digest; `{history}` shows it");
                (ErrorKind::RegistryAbsent, message)
            }
            _ => {
                let only = NotBlocked::only(channel, self.first_channel());
                let commands = meant.iter().map(|one| format!("tagwarden {verb} {}{only} --reason …", one.digest));
                let commands = joined(commands, "; or ");
                let named = joined(meant.iter().map(|one| format!("{} ({})", one.digest, one.why)), ", ");
                (ErrorKind::ValueInvalid, format!("{release} may mean {named}: name the digest: {commands}"))
            }
        };
        Err(Error::new(kind, message).with_context("channel", channel))
    }

    /// The states of the logs of every earlier environment, in the pipeline's order, and that of the channel itself.
    pub(super) async fn with_earlier(&self, channel: &Channel) -> Result<Vec<ChannelState>> {
        let earlier = self.pipeline.as_ref().map(|pipeline| pipeline.earlier(channel)).unwrap_or_default();
        let state = async |channel| Ok::<_, Error>(ChannelState::clone(self.refreshed(channel).await?.state()));
        // If several logs cannot be read, the error is about the channel's own.
        let (own, earlier) =
            tokio::join!(state(channel), try_join_all(earlier.iter().map(|stage| state(&stage.channel))));
        let (own, mut states) = (own?, earlier?);
        states.push(own);
        Ok(states)
    }

    /// The blocks of a digest on a channel, in its own log and in those of every earlier environment.
    pub(super) async fn blocks_of(&self, channel: &Channel, digest: &Digest) -> Result<Vec<BlockedOn>> {
        let states = self.with_earlier(channel).await?;
        Ok(states.iter().flat_map(|state| blocks_in(state, Some(digest))).collect())
    }

    /// The newest digest that was live on the channel, is not `but`, and is not blocked. A digest that a rollback left
    /// is taken only if there is no other.
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
