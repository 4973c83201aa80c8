//! Arguments of the moves, and of `recover`.

use std::time::Duration;

use clap::Args;
use tagwarden::{Line, ReleaseExpression, parse_duration};

use super::{PlaceArgs, RegistryArgs, TermsArgs, TimesArgs, WhoArgs};

/// The arguments of every move.
#[derive(Debug, Args)]
pub(crate) struct MoveArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Show what would be done and what every guardrail says, and move nothing. Exit 3 if it would be refused
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
    #[command(flatten)]
    pub(crate) terms: TermsArgs,
    #[command(flatten)]
    pub(crate) times: TimesArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BootstrapArgs {
    /// The release to begin with; the tag must be absent or point at it already. Default: what the tag points at
    #[arg(long, visible_alias = "from", value_name = "RELEASE")]
    pub(crate) source: Option<String>,
    /// The release's value in the order of releases, of the kind that `[order]` of tagwarden.toml says: a version, a time
    /// (RFC 3339) or a build number. Default: what the source channel's log has, else what the source tag or the
    /// annotations say
    #[arg(long, value_name = "VALUE")]
    pub(crate) order: Option<Line>,
    #[command(flatten)]
    pub(crate) common: MoveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The release to promote: a tag of the same repository (1.4.2), a digest (sha256:…), a whole reference, another
    /// channel (preprod), of which the live digest is taken, or what was live on one (preprod~1, preprod#42,
    /// preprod@{2 hours ago})
    #[arg(long, visible_alias = "from", value_name = "RELEASE")]
    pub(crate) source: String,
    /// The release's value in the order of releases, of the kind that `[order]` of tagwarden.toml says: a version, a time
    /// (RFC 3339) or a build number. Default: what the source channel's log has, else what the source tag or the
    /// annotations say
    #[arg(long, value_name = "VALUE")]
    pub(crate) order: Option<Line>,
    #[command(flatten)]
    pub(crate) common: MoveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The target of the rollback; it must have been live here: a digest, a release by the tag with which it was promoted here
    /// (1.4.1), what was live some changes ago (~2) or at a time (@{2 hours ago}), or what a move made live (#42, by its
    /// sequence number). Default: the previous live digest; after a rollback a second one must name its target
    #[arg(long, value_name = "RELEASE")]
    pub(crate) to: Option<ReleaseExpression>,
    /// Do not ask first. Default: in a terminal, show what changes and ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) common: MoveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    pub(crate) common: MoveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    #[command(flatten)]
    pub(crate) common: MoveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Abort the open move if it has not landed. Default: complete it, unless a hold stops it
    #[arg(long)]
    pub(crate) abort: bool,
    /// The longest to wait. An open move may be taken over after its ttl and grace (90s by default), and is closed
    /// after the quiet time (30s)
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
    #[command(flatten)]
    pub(crate) times: TimesArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
