//! Resolves words on the command line: a channel, a repository.

use tagwarden::config::Config;
use tagwarden::{AsWritten, Channel, Error, ErrorKind, Repository, Result, without_credentials};

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

fn unknown(config: &Config, text: &str) -> String {
    let what = format!("channel: {:?} is no HOST/REPOSITORY:TAG", without_credentials(text));
    match &config.file {
        None => {
            format!("{what}, and no tagwarden.toml in this directory or above names environments (`tagwarden init`)")
        }
        Some(file) if config.environments.is_empty() => {
            format!("{what}, and {} has no [[pipeline]] that names environments", file.display())
        }
        Some(file) => {
            let names: Vec<_> = config.environments.iter().map(|known| known.environment.as_str()).collect();
            format!("{what}, and {} names {}", file.display(), names.join(", "))
        }
    }
}
