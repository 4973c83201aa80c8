//! Packing and pushing releases.

use std::path::{Path, PathBuf};

use serde_json::json;
use tagwarden::flux::{Artifact, ArtifactMeta, FilledMeta, MetaParts, PackOptions, Packed};
use tagwarden::{AsWritten, Channel, Error, ErrorKind, Result, without_credentials};

use crate::args::PushArgs;
use crate::connect::{self, Setup};
use crate::progress::say;
use crate::render::{Answer, Fields};

/// The number of left-out paths that are printed.
const SAID: usize = 5;

pub(super) async fn push(setup: &Setup, args: &PushArgs) -> Result<Answer> {
    // A version tag never moves, but its text has the syntax of a channel.
    let AsWritten(version): AsWritten<Channel> = args.reference.parse().map_err(|e: Error| {
        let given = without_credentials(&args.reference);
        Error::new(e.kind(), format!("{given:?} is no HOST/REPOSITORY:VERSION: {e}"))
    })?;
    if let Err(e) = std::fs::read_dir(&args.path) {
        return Err(Error::new(ErrorKind::SourceInvalid, format!("{}: {e}", args.path.display())));
    }
    let mut parts = MetaParts::default();
    parts.source = args.source.clone();
    parts.revision = args.revision.clone();
    parts.created = args.created;
    let mut options = PackOptions::default();
    options.ignore_paths = args.ignore_paths.clone();
    options.include = args.include.clone();
    let FilledMeta { meta, warnings, .. } = filled(args.path.clone(), parts).await?;
    let Packed { artifact, left_out, .. } = pack(args.path.clone(), meta.clone(), options).await?;
    for warning in &warnings {
        say(&format!("warning: {warning}"));
    }
    say_left_out(&left_out);
    let registry = connect::registry(&setup.config, &args.registry, [version.repository().registry()])?;
    let digest = artifact.push(&registry, version.repository(), version.tag()).await?;
    let size = artifact.manifest().bytes().len();
    let text = Fields::under(format!("pushed {version}"))
        .field("digest", digest)
        .field("source", &meta.source)
        .field("revision", &meta.revision)
        .field("created", meta.created)
        .field("layer", format!("{} bytes", artifact.layer().len()))
        .text();
    let json = json!({
        "reference": version,
        "digest": digest,
        "media_type": artifact.manifest().media_type(),
        "size": size,
        "source": meta.source,
        "revision": meta.revision,
        "created": meta.created,
        "left_out": left_out,
        "warnings": warnings,
    });
    Answer::done(&json, text)
}

/// The metadata, with missing parts from git and the CI.
async fn filled(dir: PathBuf, parts: MetaParts) -> Result<FilledMeta> {
    let env = |name: &str| std::env::var(name).ok();
    let filled = tokio::task::spawn_blocking(move || parts.fill(&dir, env)).await;
    filled.map_err(|e| Error::new(ErrorKind::InternalFault, "asking git ended early").with_source(e))?
}

/// Packs `dir` on a blocking thread.
pub(crate) async fn pack(
    dir: impl AsRef<Path> + Send + 'static,
    meta: ArtifactMeta,
    options: PackOptions,
) -> Result<Packed> {
    let packed = tokio::task::spawn_blocking(move || Artifact::pack(dir.as_ref(), &meta, &options)).await;
    packed.map_err(|e| Error::new(ErrorKind::InternalFault, "packing ended early").with_source(e))?
}

/// Prints one line about the paths that are not in the artifact.
pub(crate) fn say_left_out(paths: &[String]) {
    if let Some(line) = left_out(paths) {
        say(&line);
    }
}

fn left_out(paths: &[String]) -> Option<String> {
    let named: Vec<&str> = paths.iter().take(SAID).map(String::as_str).collect();
    let more = match paths.len().saturating_sub(SAID) {
        0 if named.is_empty() => return None,
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("left out {}: {}{more} (to pack one all the same: --include PATH)", paths.len(), named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_one_line() {
        let line = |count: usize| left_out(&(1..=count).map(|n| format!("{n}.png")).collect::<Vec<_>>());
        assert_eq!(line(0), None);
        assert_eq!(line(2).unwrap(), "left out 2: 1.png, 2.png (to pack one all the same: --include PATH)");
        assert_eq!(
            line(7).unwrap(),
            "left out 7: 1.png, 2.png, 3.png, 4.png, 5.png and 2 more (to pack one all the same: --include PATH)"
        );
    }
}
