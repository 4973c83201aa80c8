//! The present and past states of channels.

use std::sync::Arc;
use std::time::Instant;

use tagwarden::drift::{ChannelAudit, Drift};
use tagwarden::ledger::ChannelLog;
use tagwarden::promotion::{ChannelStatus, HistoryPage};
use tagwarden::{Channel, Digest, Error, ErrorKind, Promoter, Result};

use crate::args::{AtArgs, ChannelsArgs, CurrentArgs, HistoryArgs, PreviousArgs};
use crate::connect::{self, Setup};
use crate::render::{self, Answer, Style};

/// The number of moves in one read of `history --all`.
const PAGE: usize = 1_000;

pub(super) async fn channels(setup: &Setup, args: &ChannelsArgs, style: Style) -> Result<Answer> {
    let reader = setup.reader(args.read).await?;
    let mut all = Vec::new();
    for channel in reader.channels().await? {
        all.push(reader.current(&channel).await?);
    }
    render::channels(&all, style)
}

pub(super) async fn current(setup: &Setup, args: &CurrentArgs, style: Style) -> Result<Answer> {
    let channel = super::channel(setup, &args.place)?;
    let policy = setup.config.environment(&channel).map(|environment| environment.policy.note());
    if args.read.offline {
        let current = recorded(&setup.reader(args.read).await?, &channel).await?;
        return render::current(&current, None, policy.as_ref(), style);
    }
    let registry = connect::registry(&setup.config, &args.registry, [channel.repository().registry()])?;
    let ledger = setup.ledger_to_read(args.read).await?;
    let promoter = setup.promoter(Arc::new(registry), ledger, args.settle.times()?)?.since(Instant::now());
    let report = promoter.audit(std::slice::from_ref(&channel)).await?;
    let current = match report.channels().first() {
        // Neither ledger nor registry knows the channel, so its name is probably wrong.
        Some(ChannelAudit { drift: Drift::NeverRecorded { observed: None }, .. }) => {
            recorded(&promoter, &channel).await?
        }
        _ => promoter.current(&channel).await?,
    };
    render::current(&current, report.channels().first(), policy.as_ref(), style)
}

/// The state of a channel; CHANNEL_NOT_BOOTSTRAPPED if the ledger has no log of it.
async fn recorded(promoter: &Promoter, channel: &Channel) -> Result<ChannelStatus> {
    let current = promoter.current(channel).await?;
    match current.size {
        0 => {
            let message = format!("the ledger has no log of {channel}");
            Err(Error::new(ErrorKind::ChannelNotBootstrapped, message).with_context("channel", channel))
        }
        _ => Ok(current),
    }
}

pub(super) async fn previous(setup: &Setup, args: &PreviousArgs) -> Result<Answer> {
    let channel = super::channel(setup, &args.place)?;
    match recorded(&setup.reader(args.read).await?, &channel).await?.previous {
        Some(previous) => render::previous(&channel, previous),
        // stdout is either a digest or empty, so that scripts can use it.
        None => {
            let message = format!("{channel} has no previous live digest");
            Err(Error::new(ErrorKind::RollbackNoTarget, message).with_context("channel", channel))
        }
    }
}

pub(super) async fn history(setup: &Setup, args: &HistoryArgs, style: Style) -> Result<Answer> {
    let channel = super::channel(setup, &args.place)?;
    let reader = setup.reader(args.read).await?;
    let now = recorded(&reader, &channel).await?;
    let digest: fn(Digest) -> String = if args.full { |digest| digest.to_string() } else { |digest| digest.short() };
    if args.entries {
        let end = args.before.unwrap_or(now.size).min(now.size);
        let first = if args.all { 0 } else { end.saturating_sub(u64::from(args.limit)) };
        let mut log = ChannelLog::new(setup.ledger_to_read(args.read).await?, channel.clone());
        log.refresh().await?;
        let mut entries = log.read(first, usize::try_from(end - first).unwrap_or(usize::MAX)).await?;
        entries.iter_mut().for_each(|entry| entry.body.hide_credentials());
        entries.reverse();
        return render::entries(&channel, &entries, Some(first).filter(|first| *first > 0), digest, style);
    }
    let limit = if args.all { PAGE } else { usize::try_from(args.limit).unwrap_or(usize::MAX) };
    let mut page = reader.history_page(&channel, args.before, limit).await?;
    while let (true, Some(next)) = (args.all, page.next) {
        let HistoryPage { events, next, .. } = reader.history_page(&channel, Some(next), limit).await?;
        page.events.extend(events);
        page.next = next;
    }
    render::history(&now, &page, digest, style)
}

pub(super) async fn at(setup: &Setup, args: &AtArgs, style: Style) -> Result<Answer> {
    let channel = super::channel(setup, &args.place)?;
    let reader = setup.reader(args.read).await?;
    recorded(&reader, &channel).await?;
    let was = reader.at(&channel, args.time).await?;
    render::at(&channel, args.time, was.as_ref(), style)
}
