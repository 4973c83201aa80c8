//! Arguments of the commands about this program itself: `demo` and `completions`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;
use tagwarden::AsWritten;

use super::{RegistryArgs, path};

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Pack this directory of Kubernetes manifests instead of the built-in application
    #[arg(long, value_name = "DIR", value_parser = path)]
    pub(crate) source: Option<PathBuf>,
    /// Use a real registry, HOST[:PORT]/REPOSITORY: tags dev, preprod, prod and 1.4.0 to 1.4.2 are made there, and stay;
    /// with --ledger, in a repository of its own beside it. Default: a registry inside this process, which ends with it
    #[arg(long, value_name = "HOST/REPOSITORY")]
    pub(crate) registry: Option<AsWritten<tagwarden::Repository>>,
    /// Keep the ledger in this directory, which must be empty or absent. Default: a temporary one, which is removed; or the
    /// one of --ledger, where this run has channels of its own, which stay
    #[arg(long, value_name = "DIR", value_parser = path)]
    pub(crate) keep: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) access: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}
