//! Arguments of each command.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::Shell;
use tagwarden::flux::Revision;
use tagwarden::{AsWritten, Line, ReleaseExpression, Timestamp, parse_duration};

use super::{KeepArgs, PlaceArgs, RegistryArgs, ScopeArg, SettleArgs, TermsArgs, TimesArgs, WhoArgs};

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Pack this directory of Kubernetes manifests instead of the built-in application
    #[arg(long, value_name = "DIR")]
    pub(crate) source: Option<PathBuf>,
    /// Use a real registry, HOST[:PORT]/REPOSITORY: tags dev, preprod, prod and 1.4.0 to 1.4.2 are made there, and stay;
    /// with --ledger, in a repository of its own beside it. Default: a registry in this process, that ends with it
    #[arg(long, value_name = "HOST/REPOSITORY")]
    pub(crate) registry: Option<AsWritten<tagwarden::Repository>>,
    /// Keep the ledger in this directory, which must be empty or absent. Default: a temporary one, that is removed; or the
    /// one of --ledger, where this run has channels of its own, which stay
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) access: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ArtifactArgs {
    #[command(subcommand)]
    pub(crate) command: ArtifactCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ArtifactCommand {
    /// Pack a directory of Kubernetes manifests as a Flux artifact and push it under a version tag. The same files,
    /// source, revision and time give the same digest on every machine.
    #[command(after_help = super::help::PUSH)]
    Push(PushArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Where to: HOST/REPOSITORY:VERSION
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: String,
    /// The directory to pack; symbolic links may not leave it
    #[arg(long, value_name = "DIR")]
    pub(crate) path: PathBuf,
    /// URL of the source repository; a user or password in it is left out. Default: git's remote `origin`, else what
    /// the CI says
    #[arg(long, value_name = "URL")]
    pub(crate) source: Option<Line>,
    /// Branch or tag and whole commit: main@sha1:<40 hex> or main@sha256:<64 hex>. Default: git's branch (else the CI's
    /// branch or tag, else a tag of the commit) and commit; outside of a git repository, what the CI says
    #[arg(long, value_name = "REVISION")]
    pub(crate) revision: Option<Revision>,
    /// When the content was made, RFC 3339; releases are put in order by it. Default: SOURCE_DATE_EPOCH if it is set,
    /// else the time of the commit as git says it, else now
    #[arg(long, value_name = "TIME")]
    pub(crate) created: Option<Timestamp>,
    /// Leave out what these patterns match, as in a .gitignore; with commas, or repeated. Default:
    /// .git/,.gitignore,.gitmodules,.gitattributes,*.jpg,*.jpeg,*.gif,*.png,*.wmv,*.flv,*.tar.gz,*.zip
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub(crate) ignore_paths: Option<Vec<String>>,
    /// Pack this file or directory, a path inside DIR, whatever would leave it out; may be repeated. Default: none
    #[arg(long, value_name = "PATH")]
    pub(crate) include: Vec<String>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

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
    /// Give the open move up if it has not landed. Default: bring it about, unless a hold stands
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
}

#[derive(Debug, Args)]
pub(crate) struct ChannelsArgs {}

#[derive(Debug, Args)]
pub(crate) struct CurrentArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Ask the ledger alone. Default: ask the registry too, and exit with 4 if it shows something else
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) settle: SettleArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PreviousArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// How many moves to show, from 1
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Show the moves before the one with this seq: the `next` of the page before. Default: the newest
    #[arg(long, value_name = "SEQ")]
    pub(crate) before: Option<u64>,
    /// Show every move
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// Show whole digests, to be copied. Default: their first 12 hex digits
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AtArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// The time, RFC 3339 with its zone, such as 2026-11-23T06:00:00Z
    #[arg(value_name = "TIME")]
    pub(crate) time: Timestamp,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The channels, as HOST/REPOSITORY:TAG or by environment. Default: every channel of the ledger
    #[arg(value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    #[command(flatten)]
    pub(crate) settle: SettleArgs,
    /// Say "lagging" at once where the registry may answer an older value. Default: look again until reads are settled
    #[arg(long, conflicts_with = "timeout")]
    pub(crate) no_settle: bool,
    /// Look at the parts of each live digest, too: its manifests, configs and layers. What is missing is a warning, and
    /// changes no exit code. Default: look at the tags alone, one request for each
    #[arg(long)]
    pub(crate) parts: bool,
    /// How long to look again at most
    #[arg(long, value_name = "TIME", default_value = "3m", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RetentionArgs {
    /// The repository: HOST/PATH, or a channel of it
    #[arg(value_name = "REPOSITORY")]
    pub(crate) repository: String,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Check one exported log (one entry a line) instead of the whole ledger; no ledger is needed
    #[arg(long, value_name = "FILE.jsonl", conflicts_with = "channels")]
    pub(crate) log: Option<PathBuf>,
    /// The channels, as HOST/REPOSITORY:TAG or by environment. Default: every channel of the ledger
    #[arg(value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}
