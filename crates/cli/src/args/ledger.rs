//! Arguments of `ledger`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tagwarden::Line;

use super::{ReadArgs, WhoArgs, help, path};

#[derive(Debug, Args)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    pub(crate) command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Make a ledger where there is none.
    #[command(after_help = help::LEDGER_INIT)]
    Init(InitArgs),
    /// Migrate logs to another ledger, where they go on; they are closed here.
    #[command(after_help = help::LEDGER_MIGRATE)]
    Migrate(MigrateArgs),
    /// Write logs into files, as a backup.
    #[command(after_help = help::LEDGER_EXPORT)]
    Export(ExportArgs),
    /// Bring logs back from files that `ledger export` wrote.
    #[command(after_help = help::LEDGER_IMPORT)]
    Import(ImportArgs),
}

// URLs are parsed later, not by clap: its error messages quote the value, and a URL may have a password.

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Which ledger. Default: that of --ledger, TAGWARDEN_LEDGER or tagwarden.toml
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// The ledger that has the logs, as for --ledger
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// The ledger in which they go on
    #[arg(value_name = "TO")]
    pub(crate) to: String,
    /// The channels, as HOST/REPOSITORY:TAG or by environment. Default: every channel of FROM
    #[arg(value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    /// Close FROM although TO has everything already: TO is known to be another ledger
    #[arg(long)]
    pub(crate) resume: bool,
    /// Verify and compare, show what would be done, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Why, in one line of at most 1,024 characters; recorded where a log is closed
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<Line>,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The directory to write into; made if it is not there
    #[arg(value_name = "DIR", value_parser = path)]
    pub(crate) dir: PathBuf,
    /// The channels, as HOST/REPOSITORY:TAG or by environment. Default: every channel of the ledger
    #[arg(value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The directory that has the files
    #[arg(value_name = "DIR", value_parser = path)]
    pub(crate) dir: PathBuf,
    /// The channels, as HOST/REPOSITORY:TAG or by environment. Default: every channel that has a file
    #[arg(value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    /// Verify and compare, show what would be done, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
