//! `diff`: what changes from one release to another; also as a part of a planned move.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tagwarden::promotion::{DiffOptions, Plan};
use tagwarden::{
    Channel, ChannelName, Promoter, ReleaseExpression, ReleaseName, ReleaseRange, Repository, Result, Times,
};

use crate::args::DiffArgs;
use crate::connect::{self, Setup};
use crate::names;
use crate::render::{self, Answer, Changes, Style};

/// The longest time for the changes of a planned move: a registry that is slow must not delay an incident's rollback.
const WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn diff(setup: &Setup, args: &DiffArgs, style: Style) -> Result<Answer> {
    let ReleaseRange { old, new } = match &args.new {
        Some(new) => ReleaseRange { old: args.old.parse()?, new: new.parse()? },
        None => args.old.parse()?,
    };
    let channel = args.channel.as_ref().map(|channel| names::channel(&setup.config, channel)).transpose()?;
    let options = DiffOptions { channel, unified: args.unified, ..DiffOptions::default() };
    let hosts = [&new, &old].map(|expression| repository(setup, expression).map(Repository::registry));
    let given = options.channel.as_ref().map(|channel| channel.repository().registry());
    let first = setup.config.environments.first().map(|first| first.channel.repository().registry());
    let named: Vec<&str> = given.into_iter().chain(hosts.into_iter().flatten()).collect();
    let hosts = if named.is_empty() { Vec::from_iter(first) } else { named };
    let registry = connect::registry(&setup.config, &args.registry, hosts)?;
    let ledger = setup.ledger_to_read(args.read).await?;
    let promoter = setup.promoter(Arc::new(registry), ledger, Times::default())?.since(Instant::now());
    render::diff(&promoter.diff(&old, &new, &options).await?, style)
}

/// The repository that an expression names by itself.
pub(super) fn repository<'a>(setup: &'a Setup, expression: &'a ReleaseExpression) -> Option<&'a Repository> {
    let channel = match expression {
        ReleaseExpression::Word(word) => setup.config.channel(word.as_str()),
        ReleaseExpression::Past(Some(ChannelName::Word(word)), _) => setup.config.channel(word.as_str()),
        ReleaseExpression::Past(Some(ChannelName::Channel(channel)), _) | ReleaseExpression::Channel(channel) => {
            Some(channel)
        }
        ReleaseExpression::Name(ReleaseName { reference, .. }) | ReleaseExpression::Reference(reference) => {
            return Some(reference.repository());
        }
        ReleaseExpression::Past(None, _) | ReleaseExpression::Digest(..) => None,
    };
    channel.map(Channel::repository)
}

/// The changes that a planned move brings; none if it changes nothing.
pub(super) async fn changes(promoter: &Promoter, channel: &Channel, plan: &Plan) -> Changes {
    let Some((Some(previous), target)) = plan.change().filter(|(previous, target)| *previous != Some(*target)) else {
        return Changes::None;
    };
    let options = DiffOptions { channel: Some(channel.clone()), timeout: WITHIN, ..DiffOptions::default() };
    let (old, new) = (previous.into(), target.into());
    match tokio::time::timeout(WITHIN, promoter.diff(&old, &new, &options)).await {
        Ok(Ok(diff)) => Changes::Known(Box::new(diff)),
        Ok(Err(error)) => Changes::Unknown(error.to_string()),
        Err(_) => Changes::Unknown(format!("no answer within {} s", WITHIN.as_secs())),
    }
}
