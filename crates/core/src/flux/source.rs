//! Reads the files of a directory so that the result is the same on every machine.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::rules::{IGNORE_FILE, PackOptions, Rules, Scope, Verdict};
use super::secret;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Line;

/// The limit of the packed content: 64 MiB. The content is held in memory, and Kubernetes manifests are far smaller.
pub const MAX_SOURCE: u64 = 64 * 1024 * 1024;

/// A file or directory to pack, by its path inside the directory, with `/` between components.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory(String),
    File(String, Vec<u8>),
}

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
    /// The `.sourceignore` files of the current directory and of those above it.
    scopes: Vec<Scope>,
    /// The number of bytes that may still be packed.
    left: u64,
    nodes: Vec<Node>,
    /// The paths that are left out, in the order of `nodes`. A directory that is left out as a whole ends with `/`.
    left_out: Vec<String>,
}

impl Source {
    /// With `below`, the directory is left out, and searched only for included paths.
    fn walk(&mut self, dir: &Path, prefix: &str, below: bool) -> Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(|e| io(dir, "cannot be read", &e))? {
            let entry = entry.map_err(|e| io(dir, "cannot be read", &e))?;
            let name =
                entry.file_name().into_string().map_err(|_| bad(&entry.path(), "has a name that is not UTF-8"))?;
            names.push((name, entry.path()));
        }
        names.sort();
        let scopes = self.scopes.len();
        if let Some((_, path)) = names.iter().find(|(name, _)| name == IGNORE_FILE && !below) {
            self.enter(path, prefix)?;
        }
        for (name, path) in names {
            self.visit(&path, format!("{prefix}{name}"), below)?;
        }
        self.scopes.truncate(scopes);
        Ok(())
    }

    fn visit(&mut self, path: &Path, inside: String, below: bool) -> Result<()> {
        let kind = fs::symlink_metadata(path).map_err(|e| io(path, "cannot be read", &e))?.file_type();
        let verdict = self.rules.judge(&inside, kind.is_dir(), &self.scopes, below);
        if kind.is_dir() {
            let below = verdict == Verdict::LeftOut;
            if below && !self.rules.leads_to_named(&inside) {
                self.left_out.push(format!("{inside}/"));
                return Ok(());
            }
            let before = self.nodes.len();
            self.nodes.push(Node::Directory(inside.clone()));
            self.walk(path, &format!("{inside}/"), below)?;
            if self.nodes.len() == before + 1 {
                self.nodes.truncate(before);
            }
            return Ok(());
        }
        if verdict == Verdict::LeftOut {
            self.left_out.push(inside);
            return Ok(());
        }
        let Some(target) = self.file(path, kind, verdict)? else {
            return Err(bad(path, "is neither a file nor a directory"));
        };
        let content = self.bytes(&target)?;
        if verdict != Verdict::Named && secret::is_private_key(&content) {
            self.left_out.push(inside);
            return Ok(());
        }
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let left = self.left.checked_sub(length);
        self.left = left.ok_or_else(|| bad(path, &format!("makes it more than {MAX_SOURCE} bytes")))?;
        self.nodes.push(Node::File(inside, content));
        Ok(())
    }

    /// Reads the patterns of a `.sourceignore`. A directory of that name has none.
    fn enter(&mut self, path: &Path, prefix: &str) -> Result<()> {
        let kind = fs::symlink_metadata(path).map_err(|e| io(path, "cannot be read", &e))?.file_type();
        let Some(target) = self.file(path, kind, Verdict::Packed)? else { return Ok(()) };
        let text = String::from_utf8(self.bytes(&target)?).map_err(|_| bad(path, "is not UTF-8"))?;
        let scope = Scope::of(prefix, &text);
        self.scopes.push(scope.map_err(|(line, why)| bad(path, &format!("cannot be read at line {line}: {why}")))?);
        Ok(())
    }

    /// The file to read for a path of this kind; none for a path that is neither a file nor a link.
    fn file(&self, path: &Path, kind: fs::FileType, verdict: Verdict) -> Result<Option<PathBuf>> {
        match kind.is_symlink() {
            true => self.linked(path, verdict).map(Some),
            false => Ok(kind.is_file().then(|| path.to_owned())),
        }
    }

    /// The target of a symbolic link. It is packed like a file: Flux skips links when it unpacks.
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

    /// The content of a file. At most one byte more than the limit is read.
    fn bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(self.left + 1).read_to_end(&mut content));
        read.map_err(|e| io(path, "cannot be read", &e))?;
        Ok(content)
    }
}

fn bad(path: &Path, why: &str) -> Error {
    let path = Line::lossy(path.display().to_string());
    Error::new(ErrorKind::SourceInvalid, format!("{path} {why}")).with_context("path", path)
}

fn io(path: &Path, why: &str, error: &std::io::Error) -> Error {
    bad(path, &format!("{why}: {error}"))
}
