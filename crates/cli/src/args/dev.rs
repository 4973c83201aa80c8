//! Arguments of `dev`.

use std::time::Duration;

use clap::{Args, Subcommand};
use tagwarden::parse_duration;
use tagwarden_testing::Vendor;

use super::help;

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    #[command(subcommand)]
    pub(crate) command: DevCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DevCommand {
    /// Serve an empty OCI registry on 127.0.0.1 until Ctrl-C, that answers as a vendor's registry does. Its content is
    /// lost when it ends.
    #[command(after_help = help::DEV_REGISTRY)]
    Registry(DevRegistryArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DevRegistryArgs {
    /// Imitate this registry: ghcr, ecr, quay, harbor or acr. Default: none, answers are those of distribution
    #[arg(long, value_name = "NAME")]
    pub(crate) vendor: Option<Vendor>,
    /// The port of 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 5000)]
    pub(crate) port: u16,
    /// Demand a login as the vendor does: the user `ci` with the password `ci`. Default: every request is allowed
    #[arg(long)]
    pub(crate) login: bool,
    /// Create this repository, such as acme/shop; may be repeated. An ecr refuses a push to any other. Default: none
    #[arg(long, value_name = "PATH")]
    pub(crate) repository: Vec<String>,
    /// Make the tags immutable that fit this pattern, in which a * stands for any characters; may be repeated. Default:
    /// none
    #[arg(long, value_name = "PATTERN")]
    pub(crate) immutable: Vec<String>,
    /// Leave the tags mutable that fit this pattern; may be repeated. Default: none
    #[arg(long, value_name = "PATTERN", requires = "immutable")]
    pub(crate) excluding: Vec<String>,
    /// A read of a tag answers any value that the tag had within this time. Default: 2s for ghcr, 1s for acr, else 0s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) lag: Option<Duration>,
}
