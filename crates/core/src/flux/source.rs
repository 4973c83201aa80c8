//! Reads the files of a directory so that the result is the same on every machine.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use ignore::gitignore::Gitignore;

use super::rules::{self, IGNORE_FILE, PackOptions, Rules, Verdict};
use super::secret;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Line;

/// The limit of the packed content: 64 MiB. The content is held in memory, and Kubernetes manifests are far smaller.
pub const MAX_SOURCE: u64 = 64 * 1024 * 1024;

/// A file to pack: its path inside the directory, with `/` between components, and its content. The path of a directory
/// ends with `/`, and its content is empty.
pub(super) type Node = (String, Vec<u8>);

/// The content of `dir` that is packed, and the paths that are left out: each directory before its files, names in byte
/// order. Directories without a file are left out, as version control does.
pub(super) fn read(dir: &Path, options: &PackOptions) -> Result<(Vec<Node>, Vec<String>)> {
    let root = fs::canonicalize(dir).map_err(|e| io(dir, "cannot be read", &e))?;
    if !root.is_dir() {
        return Err(bad(dir, "is not a directory"));
    }
    let (rules, scopes, nodes, left_out) = (Rules::of(options)?, Vec::new(), Vec::new(), Vec::new());
    let mut source = Source { root, rules, scopes, left: MAX_SOURCE, nodes, left_out };
    source.walk(dir, "", false)?;
    if let Some(path) = source.rules.not_found() {
        let why = format!("has no {path}, which was to be included; a path inside the directory is needed");
        return Err(bad(dir, &why));
    }
    match (source.nodes.as_slice(), source.left_out.as_slice()) {
        ([], []) => Err(bad(dir, "has no file to pack")),
        ([], left_out) => Err(bad(dir, &format!("has no file to pack; left out: {}", left_out.join(", ")))),
        _ => Ok((source.nodes, source.left_out)),
    }
}

struct Source {
    /// The top directory without symbolic links, to check that a link's target is inside it.
    root: PathBuf,
    rules: Rules,
    /// The patterns of the `.sourceignore` files of the current directory and of those above it.
    scopes: Vec<Gitignore>,
    /// The number of bytes that may still be packed.
    left: u64,
    nodes: Vec<Node>,
    /// The paths that are left out, in the order of `nodes`. A directory that is left out as a whole ends with `/`.
    left_out: Vec<String>,
}

impl Source {
    /// With `below`, the directory is left out, and searched only for included paths.
    fn walk(&mut self, dir: &Path, prefix: &str, below: bool) -> Result<()> {
        let entries = fs::read_dir(dir).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
        let mut entries = entries.map_err(|e| io(dir, "cannot be read", &e))?;
        entries.sort_by_cached_key(fs::DirEntry::file_name);
        let scopes = self.scopes.len();
        if let Some(file) = entries.iter().find(|entry| entry.file_name() == IGNORE_FILE && !below) {
            self.enter(&file.path(), prefix)?;
        }
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name().into_string());
            let name = name.map_err(|_| bad(&path, "has a name that is not UTF-8"))?;
            self.visit(&path, format!("{prefix}{name}"), below)?;
        }
        self.scopes.truncate(scopes);
        Ok(())
    }

    fn visit(&mut self, path: &Path, inside: String, below: bool) -> Result<()> {
        let kind = fs::symlink_metadata(path).map_err(|e| io(path, "cannot be read", &e))?.file_type();
        let verdict = self.rules.judge(&inside, kind.is_dir(), &self.scopes, below);
        if kind.is_dir() {
            let (inside, below) = (format!("{inside}/"), verdict == Verdict::LeftOut);
            if below && !self.rules.leads_to_named(&inside) {
                self.left_out.push(inside);
                return Ok(());
            }
            let before = self.nodes.len();
            self.nodes.push((inside.clone(), Vec::new()));
            self.walk(path, &inside, below)?;
            if self.nodes.len() == before + 1 {
                self.nodes.truncate(before);
            }
            return Ok(());
        }
        let content = match verdict {
            Verdict::LeftOut => None,
            _ => Some(self.content(path, kind, verdict)?),
        };
        let packed = content.filter(|content| verdict == Verdict::Named || !secret::is_private_key(content));
        let Some(content) = packed else {
            self.left_out.push(inside);
            return Ok(());
        };
        let left = self.left.checked_sub(content.len() as u64);
        self.left = left.ok_or_else(|| bad(path, &format!("makes it more than {MAX_SOURCE} bytes")))?;
        self.nodes.push((inside, content));
        Ok(())
    }

    /// Reads the patterns of a `.sourceignore`. A directory of that name has none.
    fn enter(&mut self, path: &Path, prefix: &str) -> Result<()> {
        let kind = fs::symlink_metadata(path).map_err(|e| io(path, "cannot be read", &e))?.file_type();
        if kind.is_dir() {
            return Ok(());
        }
        let text = String::from_utf8(self.content(path, kind, Verdict::Packed)?);
        let text = text.map_err(|_| bad(path, "is not UTF-8"))?;
        let scope = rules::patterns(prefix, text.trim_start_matches('\u{feff}').lines());
        self.scopes.push(scope.map_err(|(line, why)| bad(path, &format!("cannot be read at line {line}: {why}")))?);
        Ok(())
    }

    /// The content of a file, or of the file that a symbolic link leads to: Flux skips links when it unpacks. At most
    /// one byte more than the limit is read.
    fn content(&self, path: &Path, kind: fs::FileType, verdict: Verdict) -> Result<Vec<u8>> {
        let target = match kind.is_symlink() {
            true => self.linked(path, verdict)?,
            false if kind.is_file() => path.to_owned(),
            false => return Err(bad(path, "is neither a file nor a directory")),
        };
        let mut content = Vec::new();
        let read = fs::File::open(&target).and_then(|file| file.take(self.left + 1).read_to_end(&mut content));
        read.map_err(|e| io(&target, "cannot be read", &e))?;
        Ok(content)
    }

    fn linked(&self, path: &Path, verdict: Verdict) -> Result<PathBuf> {
        let target = fs::canonicalize(path).map_err(|e| io(path, "is a symbolic link that leads nowhere", &e))?;
        let Ok(inside) = target.strip_prefix(&self.root) else {
            return Err(bad(path, "is a symbolic link that leaves the directory"));
        };
        // Check the target's own name: a link could otherwise give a secret a harmless name.
        let mut above = inside.parent().into_iter().flatten();
        let secret = above.any(|part| secret::named(&part.to_string_lossy(), true))
            || inside.file_name().is_some_and(|name| secret::named(&name.to_string_lossy(), false));
        if secret && verdict != Verdict::Named {
            return Err(bad(path, "is a symbolic link into what is not packed; it can be included by its name"));
        }
        if !target.is_file() {
            return Err(bad(path, "is a symbolic link to something else than a file; Flux would not follow it"));
        }
        Ok(target)
    }
}

fn bad(path: &Path, why: &str) -> Error {
    let path = Line::lossy(path.display().to_string());
    Error::new(ErrorKind::SourceInvalid, format!("{path} {why}")).with_context("path", path)
}

fn io(path: &Path, why: &str, error: &std::io::Error) -> Error {
    bad(path, &format!("{why}: {error}"))
}
