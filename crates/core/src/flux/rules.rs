//! What is left out of an artifact: by patterns, and because it looks like a secret.

use std::collections::BTreeSet;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::secret;
use crate::error::{Error, ErrorKind, Result};

/// The file with patterns of what is left out, in any directory that is packed.
pub(super) const IGNORE_FILE: &str = ".sourceignore";

/// The patterns of what is left out where none are given: those of `flux push artifact`.
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

/// Which files of a directory are packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackOptions {
    /// Patterns of what is left out, as in a `.gitignore` of the directory. They take the place of
    /// [`DEFAULT_IGNORE_PATHS`] and go before every `.sourceignore`; an empty list leaves nothing out by pattern.
    pub ignore_paths: Option<Vec<String>>,
    /// Paths inside the directory that are packed whatever would leave them out. A directory that is named is packed as
    /// any other: a secret in it is named by itself.
    pub include: Vec<String>,
}

/// Whether a file or a directory is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is, whatever it holds: its path was named.
    Named,
    /// It is, if its content is no private key.
    Packed,
    LeftOut,
}

/// The rules of one directory that is packed. Paths are relative to it, with `/` between components.
#[derive(Debug)]
pub(super) struct Rules {
    given: Gitignore,
    default: Gitignore,
    include: BTreeSet<String>,
    /// Those of `include` that were met.
    found: BTreeSet<String>,
}

/// The patterns of a `.sourceignore`.
#[derive(Debug)]
pub(super) struct Scope {
    /// The directory that it is in, with a `/` at its end; empty for the whole.
    prefix: String,
    patterns: Gitignore,
}

impl Rules {
    /// VALUE_INVALID for a pattern that cannot be read, and for a path that does not lead into the directory.
    pub(super) fn of(options: &PackOptions) -> Result<Rules> {
        let none: &[String] = &[];
        let given = options.ignore_paths.as_deref().unwrap_or(none);
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

    /// Whether `path` is packed. `scopes` are the `.sourceignore` files above it, the nearest last; `below` says that
    /// the directory it is in is left out.
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

    /// Whether something inside a directory that is left out was named.
    pub(super) fn leads_to_named(&self, dir: &str) -> bool {
        let inside = |path: &String| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
        self.include.iter().any(inside)
    }

    /// The first path that was named and not found.
    pub(super) fn not_found(&self) -> Option<String> {
        self.include.difference(&self.found).next().cloned()
    }
}

impl Scope {
    /// The patterns that stand in the `.sourceignore` of the directory `prefix`, or the number of a line that cannot be
    /// read, and why.
    pub(super) fn of(prefix: &str, text: &str) -> std::result::Result<Scope, (usize, String)> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let patterns = patterns(text.lines(), |at, why| (at + 1, why))?;
        Ok(Scope { prefix: prefix.to_owned(), patterns })
    }
}

/// Patterns, one a line; or what `bad` makes of the index of one that cannot be read.
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

/// A path to include, as the walk spells it.
fn named(path: &str) -> Result<String> {
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        parts.push(part);
    }
    if path.starts_with('/') || parts.is_empty() || parts.contains(&"..") {
        let message = format!("include: {path:?} is no path inside the directory that is packed");
        return Err(Error::new(ErrorKind::ValueInvalid, message));
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests;
