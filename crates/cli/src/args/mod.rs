//! Arguments of the command line. Help texts give units, ranges and defaults; the long texts are in `help`.

mod artifact;
mod block;
mod config;
mod dev;
mod diff;
mod help;
mod hold;
mod ledger;
mod look;
mod moves;
mod program;
mod shared;

pub(crate) use artifact::{ArtifactArgs, ArtifactCommand, PushArgs};
pub(crate) use block::{BlockArgs, UnblockArgs};
pub(crate) use config::{ConfigArgs, ConfigCommand, DraftArgs, ValidateArgs};
pub(crate) use dev::{DevArgs, DevCommand, DevRegistryArgs};
pub(crate) use diff::DiffArgs;
pub(crate) use hold::{HoldArgs, HoldsArgs, ReachArgs, UnholdArgs};
pub(crate) use ledger::{ExportArgs, ImportArgs, InitArgs, LedgerArgs, LedgerCommand, MigrateArgs};
pub(crate) use look::{
    AtArgs, AuditArgs, ChannelsArgs, CurrentArgs, HistoryArgs, PreviousArgs, RetentionArgs, VerifyArgs,
};
pub(crate) use moves::{AdoptArgs, BootstrapArgs, MoveArgs, PromoteArgs, RecoverArgs, RepairArgs, RollbackArgs};
pub(crate) use program::{CompletionsArgs, DemoArgs};
pub(crate) use shared::{
    Global, KeepArgs, Kind, OnConflictArg, PlaceArgs, ReadArgs, RegistryArgs, ScopeArg, SettleArgs, TermsArgs,
    TimesArgs, WhoArgs,
};

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Moves floating OCI environment tags (dev, preprod, prod) as governed release events.
#[derive(Debug, Parser)]
#[command(name = "tagwarden", version, about, long_about = help::ABOUT, after_long_help = help::AFTER)]
#[command(after_help = help::AFTER_SHORT, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole product in a few seconds: no registry and no set-up needed.
    #[command(after_help = help::DEMO)]
    Demo(DemoArgs),
    /// Write a first tagwarden.toml, with comments, from what git and the CI's files say.
    #[command(after_help = help::INIT)]
    Init(DraftArgs),
    /// Check a tagwarden.toml.
    Config(ConfigArgs),
    /// Pack and push releases.
    Artifact(ArtifactArgs),
    /// Take a channel's first state into the ledger: as its tag is, or from a release.
    #[command(after_help = help::BOOTSTRAP)]
    Bootstrap(BootstrapArgs),
    /// Point a channel at a release.
    #[command(after_help = help::PROMOTE)]
    Promote(PromoteArgs),
    /// Point a channel back at what was live before, or at a named digest that was.
    #[command(after_help = help::ROLLBACK)]
    Rollback(RollbackArgs),
    /// Put the live digest back after a push around the ledger.
    #[command(after_help = help::REPAIR)]
    Repair(RepairArgs),
    /// Take what was pushed by hand as live; it needs --reason.
    #[command(after_help = help::ADOPT)]
    Adopt(AdoptArgs),
    /// Close a move that a dead run left open; any machine can.
    #[command(after_help = help::RECOVER)]
    Recover(RecoverArgs),
    /// Declare a release unfit, in its environment and every later one.
    #[command(after_help = help::BLOCK)]
    Block(BlockArgs),
    /// End a block of a release.
    #[command(after_help = help::UNBLOCK)]
    Unblock(UnblockArgs),
    /// Stop promotions of a channel, or every move of it, until the hold is ended.
    #[command(after_help = help::HOLD)]
    Hold(HoldArgs),
    /// End a hold of a channel; the others stay.
    #[command(after_help = help::UNHOLD)]
    Unhold(UnholdArgs),
    /// List the holds in force on a channel.
    #[command(after_help = "Example:\n  tagwarden holds prod")]
    Holds(HoldsArgs),
    /// List the channels of the ledger, one line each: live, since when, by whom, held or open.
    #[command(after_help = "Example:\n  tagwarden channels")]
    Channels(ChannelsArgs),
    /// The live and the previous digest of a channel, who moved it, and whether the registry agrees.
    #[command(after_help = help::CURRENT)]
    Current(CurrentArgs),
    /// The digest that was live before the last move that changed it.
    #[command(after_help = "Example:\n  tagwarden previous prod")]
    Previous(PreviousArgs),
    /// The moves of a channel, newest first.
    #[command(after_help = help::HISTORY)]
    History(HistoryArgs),
    /// Compare two releases: revisions, moves between, platforms, layers, and the files of Flux artifacts.
    #[command(after_help = help::DIFF)]
    Diff(DiffArgs),
    /// The digest that was live at a time.
    #[command(after_help = help::AT)]
    At(AtArgs),
    /// Compare every channel's tag with the ledger: in sync, moved outside, missing, open, unknown.
    #[command(after_help = help::AUDIT)]
    Audit(AuditArgs),
    /// Which digests of a repository must stay, and which may go. Nothing is deleted.
    #[command(after_help = help::RETENTION)]
    Retention(RetentionArgs),
    /// Prove that no entry of the ledger was changed, removed or reordered.
    #[command(after_help = help::VERIFY)]
    Verify(VerifyArgs),
    /// Make a ledger, migrate it to another place, back it up.
    Ledger(LedgerArgs),
    /// Tools to try tagwarden out and to test with.
    Dev(DevArgs),
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  tagwarden completions bash > /etc/bash_completion.d/tagwarden")]
    Completions(CompletionsArgs),
}

/// The path of a file or directory. A URL is none: it would become a file's name, with the password that it may have.
fn path(text: &str) -> Result<PathBuf, String> {
    match text.contains("://") {
        true => Err("a URL is no path of this host".to_owned()),
        false => Ok(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_whole() {
        Cli::command().debug_assert();
    }

    /// Every command and flag has help, and every verb has an example.
    #[test]
    fn everything_has_help() {
        fn check(command: &clap::Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                assert!(arg.get_help().is_some(), "{name} {}", arg.get_id());
            }
            if command.get_subcommands().next().is_none() {
                let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(after.contains("tagwarden "), "{name} has no example");
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
