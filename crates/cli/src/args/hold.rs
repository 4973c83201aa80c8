//! Arguments of `hold`, `unhold` and `holds`.

use std::time::Duration;

use clap::Args;
use tagwarden::{Line, Timestamp, parse_duration};

use super::{ReadArgs, RegistryArgs, ScopeArg, WhoArgs};

/// One channel, or all of the pipeline.
#[derive(Debug, Args)]
pub(crate) struct ReachArgs {
    /// The channel: HOST/REPOSITORY:TAG, such as registry.example.com/acme/shop:prod, or its environment's name in
    /// tagwarden.toml, such as prod
    #[arg(value_name = "CHANNEL", required_unless_present = "pipeline")]
    pub(crate) channel: Option<String>,
    /// Every environment of the pipeline in tagwarden.toml
    #[arg(long, conflicts_with = "channel")]
    pub(crate) pipeline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// Why, in one line of at most 1,024 characters
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Line,
    /// Which moves it stops: promotions (promote and bootstrap; rollback, repair and adopt pass), or all
    #[arg(long, value_enum, default_value_t = ScopeArg::Promotions)]
    pub(crate) scope: ScopeArg,
    /// When it ends by itself, RFC 3339, such as 2026-11-23T18:00:00Z. Default: when it is ended by unhold
    #[arg(long, value_name = "TIME", conflicts_with = "for_")]
    pub(crate) until: Option<Timestamp>,
    /// How long it is in force, such as 2h. Default: until it is ended by unhold
    #[arg(long = "for", id = "for_", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) for_: Option<Duration>,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UnholdArgs {
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// Which hold: its id, as `tagwarden holds` lists it
    #[arg(value_name = "ID", required_unless_present = "mine")]
    pub(crate) id: Option<u64>,
    /// End every hold of the same provider and actor as this command
    #[arg(long, conflicts_with = "id")]
    pub(crate) mine: bool,
    /// Why, in one line of at most 1,024 characters
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Line,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HoldsArgs {
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}
