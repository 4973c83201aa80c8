//! Arguments of `artifact`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tagwarden::flux::Revision;
use tagwarden::{Line, Timestamp};

use super::{RegistryArgs, help, path};

#[derive(Debug, Args)]
pub(crate) struct ArtifactArgs {
    #[command(subcommand)]
    pub(crate) command: ArtifactCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ArtifactCommand {
    /// Pack a directory of Kubernetes manifests as a Flux artifact and push it under a version tag. The same files,
    /// source, revision and time give the same digest on every machine.
    #[command(after_help = help::PUSH)]
    Push(PushArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Where to: HOST/REPOSITORY:VERSION
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: String,
    /// The directory to pack; its symbolic links must not point outside of it
    #[arg(long, value_name = "DIR", value_parser = path)]
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
    /// Pack this file or directory (a path inside DIR) even if a rule would leave it out; may be repeated. Default: none
    #[arg(long, value_name = "PATH")]
    pub(crate) include: Vec<String>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
