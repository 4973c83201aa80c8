//! Arguments of `diff`.

use clap::Args;

use super::{ReadArgs, RegistryArgs};

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The release to compare with; or both, as OLD..NEW, such as preprod..prod
    #[arg(value_name = "OLD")]
    pub(crate) old: String,
    /// The release to compare
    #[arg(value_name = "NEW")]
    pub(crate) new: Option<String>,
    /// The channel that words and steps without a name (~1) are about, or its environment's name. Default: the one that OLD
    /// or NEW names, else words are of the repository of the first environment of tagwarden.toml
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) channel: Option<String>,
    /// Show the lines that differ in each file of a Flux artifact. Default: the names of the files
    #[arg(long, short = 'u')]
    pub(crate) unified: bool,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
