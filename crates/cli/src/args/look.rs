//! Arguments of the commands that only look.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tagwarden::{Timestamp, parse_duration};

use super::{KeepArgs, PlaceArgs, ReadArgs, RegistryArgs, SettleArgs, help, path};

#[derive(Debug, Args)]
pub(crate) struct ChannelsArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Debug, Args)]
#[command(mut_arg("offline", |arg| arg.help(help::CURRENT_OFFLINE)))]
pub(crate) struct CurrentArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    #[command(flatten)]
    pub(crate) settle: SettleArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PreviousArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
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
    /// Show every entry of the log instead of the moves alone: holds, blocks, policies and observations, too. --limit and
    /// --before then count entries
    #[arg(long)]
    pub(crate) entries: bool,
    /// Show whole digests, to be copied. Default: their first 12 hex digits
    #[arg(long)]
    pub(crate) full: bool,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AtArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// The time, RFC 3339 with its zone, such as 2026-11-23T06:00:00Z
    #[arg(value_name = "TIME")]
    pub(crate) time: Timestamp,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The channels, as HOST/REPOSITORY:TAG or by environment. Default: every channel of the ledger
    #[arg(value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
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
    #[arg(long, value_name = "FILE.jsonl", value_parser = path, conflicts_with_all = ["channels", "offline"])]
    pub(crate) log: Option<PathBuf>,
    /// The channels, as HOST/REPOSITORY:TAG or by environment. Default: every channel of the ledger
    #[arg(value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}
