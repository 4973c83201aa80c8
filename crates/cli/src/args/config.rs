//! Arguments of `init` and `config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{help, path};

#[derive(Debug, Args)]
pub(crate) struct DraftArgs {}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a tagwarden.toml, and say in words what it means for each environment.
    #[command(after_help = help::CONFIG_VALIDATE)]
    Validate(ValidateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// The file. Default: the first tagwarden.toml from the working directory upwards
    #[arg(value_name = "FILE", value_parser = path)]
    pub(crate) file: Option<PathBuf>,
}
