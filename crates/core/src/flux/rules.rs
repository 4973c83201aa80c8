//! Rules for the paths that are left out of an artifact: by pattern, or because they look like a secret.

use std::collections::BTreeMap;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::secret;
use crate::error::{Error, ErrorKind, Result};

/// The file with ignore patterns. Any packed directory may have one.
pub(super) const IGNORE_FILE: &str = ".sourceignore";

/// The default ignore patterns: those of `flux push artifact`.
pub const DEFAULT_IGNORE_PATHS: [&str; 12] = [
    ".git/",
    ".gitignore",
    ".gitmodules",
    ".gitattributes",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
];

/// Options that select the files to pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackOptions {
    /// Ignore patterns, as in a `.gitignore` of the directory. They replace [`DEFAULT_IGNORE_PATHS`] and take
    /// precedence over every `.sourceignore`. With an empty list, only `.sourceignore` files have patterns.
    pub ignore_paths: Option<Vec<String>>,
    /// Paths inside the directory that are packed even if a rule leaves them out. A directory that is included is
    /// packed like any other: a secret inside it must be included by its own path.
    pub include: Vec<String>,
}

/// The decision about a file or a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Packed, whatever its content: it was included by its path.
    Named,
    /// Packed, unless its content is a private key.
    Packed,
    LeftOut,
}

/// The rules for one packed directory. Paths are relative to it, with `/` between components.
#[derive(Debug)]
pub(super) struct Rules {
    given: Gitignore,
    default: Gitignore,
    /// The paths to include; true for those that were found.
    include: BTreeMap<String, bool>,
}

impl Rules {
    /// VALUE_INVALID for a pattern that cannot be read, and for a path that does not lead into the directory.
    pub(super) fn of(options: &PackOptions) -> Result<Rules> {
        let given = options.ignore_paths.as_deref().unwrap_or_default();
        let default: &[&str] = if options.ignore_paths.is_some() { &[] } else { &DEFAULT_IGNORE_PATHS };
        let bad = |(_, why)| Error::new(ErrorKind::ValueInvalid, format!("ignore paths: {why}"));
        Ok(Rules {
            given: patterns("", given.iter().map(String::as_str)).map_err(bad)?,
            default: patterns("", default.iter().copied()).map_err(bad)?,
            include: options.include.iter().map(|path| Ok((named(path)?, false))).collect::<Result<_>>()?,
        })
    }

    /// The decision about `path`. `scopes` are the patterns of the `.sourceignore` files of the directories above it,
    /// the nearest last. `below` is true if its directory is left out.
    pub(super) fn judge(&mut self, path: &str, is_dir: bool, scopes: &[Gitignore], below: bool) -> Verdict {
        if let Some(found) = self.include.get_mut(path) {
            *found = true;
            return Verdict::Named;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        if below || secret::named(name, is_dir) {
            return Verdict::LeftOut;
        }
        for patterns in std::iter::once(&self.given).chain(scopes.iter().rev()).chain([&self.default]) {
            match patterns.matched(path, is_dir) {
                Match::Ignore(_) => return Verdict::LeftOut,
                Match::Whitelist(_) => return Verdict::Packed,
                Match::None => {}
            }
        }
        Verdict::Packed
    }

    /// True if a path inside `dir`, a directory that is left out, was included. `dir` ends with `/`.
    pub(super) fn leads_to_named(&self, dir: &str) -> bool {
        self.include.keys().any(|path| path.starts_with(dir))
    }

    /// The first path to include that was not found.
    pub(super) fn not_found(&self) -> Option<&String> {
        self.include.iter().find_map(|(path, found)| (!found).then_some(path))
    }
}

/// Parses patterns, one a line, for the paths inside `dir`, which ends with `/` or is empty. The error is the number of
/// the line that cannot be read, and the reason.
pub(super) fn patterns<'a>(
    dir: &str,
    lines: impl Iterator<Item = &'a str>,
) -> std::result::Result<Gitignore, (usize, String)> {
    let mut builder = GitignoreBuilder::new(dir);
    for (at, line) in lines.enumerate() {
        builder.add_line(None, line).map_err(|error| (at + 1, error.to_string()))?;
    }
    builder.build().map_err(|error| (1, error.to_string()))
}

/// A path to include, spelled as the walk spells paths.
fn named(path: &str) -> Result<String> {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if path.starts_with('/') || parts.is_empty() || parts.contains(&"..") {
        let message = format!("include: {path:?} is no path inside the directory that is packed");
        return Err(Error::new(ErrorKind::ValueInvalid, message));
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests;
