//! Blocks: declare a release unfit, and end that.

use std::sync::Arc;

use tagwarden::log::{Block, Unblock};
use tagwarden::{Channel, Digest, Error, ErrorKind, Promoter, ReleaseExpression, Result, Times};

use crate::args::{BlockArgs, RegistryArgs, UnblockArgs};
use crate::connect::{self, Setup};
use crate::render::{self, Answer};
use crate::{names, provenance};

pub(super) async fn block(setup: &Setup, args: BlockArgs) -> Result<Answer> {
    let provenance = provenance::of(&args.who)?;
    let Asked { channel, promoter } = Asked::new(setup, args.only.as_deref(), &args.registry).await?;
    let release: ReleaseExpression = args.release.parse()?;
    let (channel, digest) = promoter.block_target(Some(&channel), &release).await?;
    let block = Block { digest, reason: args.reason, provenance, url: args.url };
    let result = promoter.block(&channel, block).await?;
    // From here on the block is in the log: a log that cannot be read must not hide that.
    let (reached, mut live, mut failed) = (reached(setup, &channel), Vec::new(), Vec::new());
    for channel in &reached {
        match live_on(&promoter, channel, digest).await {
            Ok(found) => live.extend(found),
            Err(error) => failed.push((channel.clone(), error)),
        }
    }
    let named = super::diff::repository(setup, &release);
    let elsewhere = named.filter(|named| reached.iter().all(|channel| channel.repository() != *named));
    let answer = render::blocked(&channel, &reached, digest, &result, &live, elsewhere)?;
    answer.but("it is not known whether it is live here", &failed)
}

/// If the digest is live on a channel: the channel, and the digest to roll back to if there is one.
async fn live_on(promoter: &Promoter, channel: &Channel, digest: Digest) -> Result<Option<(Channel, Option<Digest>)>> {
    match promoter.state(channel).await?.live == Some(digest) {
        true => Ok(Some((channel.clone(), promoter.unblocked(channel).await?))),
        false => Ok(None),
    }
}

pub(super) async fn unblock(setup: &Setup, args: UnblockArgs) -> Result<Answer> {
    let provenance = provenance::of(&args.who)?;
    let Asked { channel, promoter } = Asked::new(setup, args.only.as_deref(), &args.registry).await?;
    let (channel, digest) = promoter.unblock_target(Some(&channel), &args.release.parse()?).await?;
    promoter.unblock(&channel, Unblock { digest, reason: args.reason, provenance }).await?;
    // The last environment has the blocks of all, and so a block by `--only` of a later one.
    let last = setup.config.environments.last().map(|stage| &stage.channel);
    let is_staged = setup.config.environments.iter().any(|stage| stage.channel == channel);
    let last = last.filter(|_| is_staged).unwrap_or(&channel);
    let (mut left, failed) = match promoter.blocks(last).await {
        Ok(left) => (left, Vec::new()),
        Err(error) => (Vec::new(), vec![(last.clone(), error)]),
    };
    left.retain(|blocked| blocked.block.digest == digest);
    render::unblocked(&channel, digest, &left)?.but("it is not known whether it is still blocked here", &failed)
}

/// The channel whose log has the block, and the promoter.
struct Asked {
    channel: Channel,
    promoter: Promoter,
}

impl Asked {
    async fn new(setup: &Setup, only: Option<&str>, access: &RegistryArgs) -> Result<Asked> {
        let channel = match (only, setup.config.environments.first()) {
            (Some(text), _) => names::channel(&setup.config, text)?,
            (None, Some(first)) => first.channel.clone(),
            (None, None) => {
                let message =
                    "no [[pipeline]] of a tagwarden.toml names a first environment: name the channel with --only";
                return Err(Error::new(ErrorKind::ConfigInvalid, message));
            }
        };
        let registry = Arc::new(connect::registry(&setup.config, access, [channel.repository().registry()])?);
        let ledger = setup.ledger().await?;
        let promoter = setup.promoter(registry, ledger, Times::default())?;
        Ok(Asked { channel, promoter })
    }
}

/// The channels in which a block of this channel counts: itself and every later environment.
fn reached(setup: &Setup, channel: &Channel) -> Vec<Channel> {
    let stages = setup.config.environments.iter().map(|stage| &stage.channel);
    let reached: Vec<_> = stages.skip_while(|stage| *stage != channel).cloned().collect();
    if reached.is_empty() { vec![channel.clone()] } else { reached }
}
