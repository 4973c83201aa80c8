//! The files of a directory, read so that the same content is the same whatever machine it lies on.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::value::Text;

/// The most bytes of content that are packed: 64 MiB. It is held in memory, and Kubernetes manifests are far smaller.
pub const MAX_SOURCE: u64 = 64 * 1024 * 1024;

/// What version control keeps beside the content; it is never packed.
const VERSION_CONTROL: [&str; 7] = [".git", ".gitignore", ".gitmodules", ".gitattributes", ".hg", ".svn", ".jj"];

/// One thing to pack, by its path inside the directory, with `/` between components.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory(String),
    File(String, Vec<u8>),
}

/// What is in `dir`: each directory before what it holds, names in byte order. Directories without a file in them are
/// left out, as version control does.
pub(super) fn read(dir: &Path) -> Result<Vec<Node>> {
    let root = fs::canonicalize(dir).map_err(|e| io(dir, "cannot be read", &e))?;
    if !root.is_dir() {
        return Err(bad(dir, "is not a directory"));
    }
    let mut source = Source { root, left: MAX_SOURCE, nodes: Vec::new() };
    source.walk(dir, "")?;
    match source.nodes.is_empty() {
        true => Err(bad(dir, "has no file to pack")),
        false => Ok(source.nodes),
    }
}

struct Source {
    /// Without symbolic links, so that what lies inside can be told.
    root: PathBuf,
    left: u64,
    nodes: Vec<Node>,
}

impl Source {
    fn walk(&mut self, dir: &Path, prefix: &str) -> Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(|e| io(dir, "cannot be read", &e))? {
            let entry = entry.map_err(|e| io(dir, "cannot be read", &e))?;
            let name =
                entry.file_name().into_string().map_err(|_| bad(&entry.path(), "has a name that is not UTF-8"))?;
            names.push((name, entry.path()));
        }
        names.sort();
        for (name, path) in names {
            if VERSION_CONTROL.contains(&name.as_str()) {
                continue;
            }
            let inside = format!("{prefix}{name}");
            let kind = fs::symlink_metadata(&path).map_err(|e| io(&path, "cannot be read", &e))?.file_type();
            if kind.is_dir() {
                let before = self.nodes.len();
                self.nodes.push(Node::Directory(inside.clone()));
                self.walk(&path, &format!("{inside}/"))?;
                if self.nodes.len() == before + 1 {
                    self.nodes.truncate(before);
                }
            } else if kind.is_file() {
                let content = self.content(&path)?;
                self.nodes.push(Node::File(inside, content));
            } else if kind.is_symlink() {
                let content = self.linked(&path)?;
                self.nodes.push(Node::File(inside, content));
            } else {
                return Err(bad(&path, "is neither a file nor a directory"));
            }
        }
        Ok(())
    }

    /// What a symbolic link points at, as if it were a file: Flux skips links when it unpacks.
    fn linked(&mut self, path: &Path) -> Result<Vec<u8>> {
        let target = fs::canonicalize(path).map_err(|e| io(path, "is a symbolic link that leads nowhere", &e))?;
        let Ok(inside) = target.strip_prefix(&self.root) else {
            return Err(bad(path, "is a symbolic link that leaves the directory"));
        };
        if inside.iter().any(|part| VERSION_CONTROL.iter().any(|name| part == *name)) {
            return Err(bad(path, "is a symbolic link into what is not packed"));
        }
        match target.is_file() {
            true => self.content(&target),
            false => Err(bad(path, "is a symbolic link to something else than a file; Flux would not follow it")),
        }
    }

    fn content(&mut self, path: &Path) -> Result<Vec<u8>> {
        let file = fs::File::open(path).map_err(|e| io(path, "cannot be read", &e))?;
        let mut content = Vec::new();
        file.take(self.left + 1).read_to_end(&mut content).map_err(|e| io(path, "cannot be read", &e))?;
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            None => return Err(bad(path, &format!("makes it more than {MAX_SOURCE} bytes"))),
        }
        Ok(content)
    }
}

fn bad(path: &Path, why: &str) -> Error {
    let path = Text::lossy(path.display().to_string());
    Error::new(ErrorKind::SourceInvalid, format!("{path} {why}")).with("path", path)
}

fn io(path: &Path, why: &str, error: &std::io::Error) -> Error {
    bad(path, &format!("{why}: {error}"))
}
