//! Resolves words on the command line: a channel, a source, a repository.

use tagwarden::config::Config;
use tagwarden::ledger::Ledger;
use tagwarden::log::Source;
use tagwarden::{AsWritten, Channel, Error, ErrorKind, ReleaseName, Repository, Result, Tag};

/// The channel of `HOST/REPOSITORY:TAG`, or of the environment with that name.
pub(crate) fn channel(config: &Config, text: &str) -> Result<Channel> {
    if text.contains('/') {
        return text.parse().map(|AsWritten(channel)| channel);
    }
    match config.channel(text) {
        Some(channel) => Ok(channel.clone()),
        None => Err(Error::new(ErrorKind::ValueInvalid, unknown(config, text))),
    }
}

/// The repository of `HOST/PATH`, or of a channel.
pub(crate) fn repository(config: &Config, text: &str) -> Result<Repository> {
    if text.contains('/') && !text.rsplit('/').next().unwrap_or_default().contains([':', '@']) {
        return text.parse().map(|AsWritten(repository)| repository);
    }
    channel(config, text).map(|channel| channel.repository().clone())
}

/// The source of a release, and the tag that was written beside its digest. `text` is a full reference, a digest or a
/// bare word. A bare word is the environment with that name; else a channel of `home`'s repository, if the ledger has
/// its log; else a tag of that repository.
pub(crate) async fn source(
    config: &Config,
    ledger: &dyn Ledger,
    home: &Channel,
    text: &str,
) -> Result<(Source, Option<Tag>)> {
    let ReleaseName { reference, tag } = match text {
        whole if whole.contains('/') => whole.parse()?,
        both if both.contains('@') => format!("{}:{both}", home.repository()).parse()?,
        digest if digest.contains(':') => home.repository().digest(digest.parse()?).into(),
        word => match config.channel(word) {
            Some(channel) => return Ok((Source::Channel(channel.clone()), None)),
            None => home.repository().tag(word.parse::<Tag>()?).into(),
        },
    };
    // A pin is a tag, but it cannot be a channel.
    let Ok(channel) = reference.to_string().parse::<Channel>() else { return Ok((Source::Reference(reference), tag)) };
    let governed = config.environment(&channel).is_some() || ledger.size(&channel).await? > 0;
    Ok((if governed { Source::Channel(channel) } else { Source::Reference(reference) }, tag))
}

fn unknown(config: &Config, text: &str) -> String {
    let what = format!("channel: {text:?} is no HOST/REPOSITORY:TAG");
    match &config.file {
        None => format!("{what}, and there is no tagwarden.toml here or above that could name it"),
        Some(file) if config.environments.is_empty() => {
            format!("{what}, and {} has no pipeline that could name it", file.display())
        }
        Some(file) => {
            let names: Vec<_> = config.environments.iter().map(|known| known.environment.as_str()).collect();
            format!("{what}, and {} names {}", file.display(), names.join(", "))
        }
    }
}
