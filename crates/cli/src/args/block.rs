//! Arguments of `block` and `unblock`.

use clap::Args;
use tagwarden::Line;

use super::{RegistryArgs, WhoArgs};

#[derive(Debug, Args)]
pub(crate) struct BlockArgs {
    /// The release: a digest (sha256:…), a tag of the channel's repository (1.4.2), a whole reference, an environment, of
    /// which the live digest is taken, or what was live on one (prod~1, prod#42)
    #[arg(id = "blocked", value_name = "RELEASE")]
    pub(crate) release: String,
    /// Block it from this channel on: in its log. Default: the first environment of the pipeline
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) only: Option<String>,
    /// Why, in one line of at most 1,024 characters
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Line,
    /// Where people can read more about it
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<Line>,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UnblockArgs {
    /// The release, as for `block`
    #[arg(id = "blocked", value_name = "RELEASE")]
    pub(crate) release: String,
    /// The channel whose log blocks it. Default: the first environment of the pipeline
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) only: Option<String>,
    /// Why, in one line of at most 1,024 characters
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Line,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
