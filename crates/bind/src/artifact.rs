//! Packing a Flux artifact.

use std::collections::HashMap;
use std::path::PathBuf;

use tagwarden::flux::{Artifact, MetaParts, PackOptions, Packed};
use tagwarden::{Error, ErrorKind, Line, Result, Timestamp};

use crate::args::parse;

/// The content to pack. Missing values come from git and from the CI's variables in `environment`.
#[derive(Clone, Debug, Default)]
pub struct PackArgs {
    /// The directory.
    pub directory: PathBuf,
    /// The URL of the source repository.
    pub source: Option<String>,
    /// The branch or tag, and its commit.
    pub revision: Option<String>,
    /// When the content was made.
    pub created: Option<Timestamp>,
    /// Patterns of paths to leave out.
    pub ignore_paths: Option<Vec<String>>,
    /// Paths that are always packed.
    pub include: Vec<String>,
    /// The environment variables.
    pub environment: HashMap<String, String>,
}

impl PackArgs {
    /// The packed artifact, with warnings for the user.
    pub async fn pack(self) -> Result<(Packed, Vec<Line>)> {
        let mut parts = MetaParts::default();
        parts.source = self.source.map(|text| parse("source", &text)).transpose()?;
        parts.revision = self.revision.map(|text| parse("revision", &text)).transpose()?;
        parts.created = self.created;
        let mut options = PackOptions::default();
        options.ignore_paths = self.ignore_paths;
        options.include = self.include;
        let (directory, environment) = (self.directory, self.environment);
        // Use a blocking thread: packing runs git, reads files and compresses them.
        let packed = tokio::task::spawn_blocking(move || {
            let filled = parts.fill(&directory, |name| environment.get(name).cloned())?;
            Ok((Artifact::pack(&directory, &filled.meta, &options)?, filled.warnings))
        });
        packed.await.map_err(|e| Error::new(ErrorKind::InternalFault, "packing was cut").with_source(e))?
    }
}
