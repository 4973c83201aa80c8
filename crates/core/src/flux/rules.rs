//! Rules for the paths that are left out of an artifact: by pattern, or because they look like a secret.

use std::collections::BTreeSet;

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
    include: BTreeSet<String>,
    /// The paths of `include` that were found.
    found: BTreeSet<String>,
}

/// The patterns of a `.sourceignore`.
#[derive(Debug)]
pub(super) struct Scope {
    /// The directory of the file, with a `/` at its end; empty for the top directory.
    prefix: String,
    patterns: Gitignore,
}

impl Rules {
    /// VALUE_INVALID for a pattern that cannot be read, and for a path that does not lead into the directory.
    pub(super) fn of(options: &PackOptions) -> Result<Rules> {
        let given = options.ignore_paths.as_deref().unwrap_or_default();
        let default: &[&str] = if options.ignore_paths.is_some() { &[] } else { &DEFAULT_IGNORE_PATHS };
        let include = options.include.iter().map(|path| named(path)).collect::<Result<_>>()?;
        let bad = |_, why| Error::new(ErrorKind::ValueInvalid, format!("ignore paths: {why}"));
        Ok(Rules {
            given: patterns(given.iter().map(String::as_str), bad)?,
            default: patterns(default.iter().copied(), bad)?,
            include,
            found: BTreeSet::new(),
        })
    }

    /// The decision about `path`. `scopes` are the `.sourceignore` files of the directories above it, the nearest last.
    /// `below` is true if its directory is left out.
    pub(super) fn judge(&mut self, path: &str, is_dir: bool, scopes: &[Scope], below: bool) -> Verdict {
        if self.include.contains(path) {
            self.found.insert(path.to_owned());
            return Verdict::Named;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        if below || secret::named(name, is_dir) {
            return Verdict::LeftOut;
        }
        let near = scopes.iter().rev().map(|scope| {
            let path = path.strip_prefix(scope.prefix.as_str()).unwrap_or(path);
            (&scope.patterns, path)
        });
        let rules = std::iter::once((&self.given, path)).chain(near).chain([(&self.default, path)]);
        for (patterns, path) in rules {
            match patterns.matched(path, is_dir) {
                Match::Ignore(_) => return Verdict::LeftOut,
                Match::Whitelist(_) => return Verdict::Packed,
                Match::None => {}
            }
        }
        Verdict::Packed
    }

    /// True if a path inside `dir`, a directory that is left out, was included.
    pub(super) fn leads_to_named(&self, dir: &str) -> bool {
        let inside = |path: &String| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
        self.include.iter().any(inside)
    }

    /// The first path to include that was not found.
    pub(super) fn not_found(&self) -> Option<String> {
        self.include.difference(&self.found).next().cloned()
    }
}

impl Scope {
    /// Parses the patterns of the `.sourceignore` in the directory `prefix`. The error is the number of the line that
    /// cannot be read, and the reason.
    pub(super) fn of(prefix: &str, text: &str) -> std::result::Result<Scope, (usize, String)> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let patterns = patterns(text.lines(), |at, why| (at + 1, why))?;
        Ok(Scope { prefix: prefix.to_owned(), patterns })
    }
}

/// Parses patterns, one a line. The error is made by `bad` from the index of the pattern that cannot be read.
fn patterns<'a, E>(
    lines: impl Iterator<Item = &'a str>,
    bad: impl Fn(usize, String) -> E,
) -> std::result::Result<Gitignore, E> {
    let mut builder = GitignoreBuilder::new(".");
    for (at, line) in lines.enumerate() {
        builder.add_line(None, line).map_err(|error| bad(at, error.to_string()))?;
    }
    builder.build().map_err(|error| bad(0, error.to_string()))
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
