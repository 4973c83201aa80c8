//! `FileDiff`: a file that differs between two Flux artifacts.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use similar::TextDiff;

use super::packed::{Files, Packed};

/// The largest file of which the lines are compared, in bytes: 1 MiB.
const MAX_TEXT: usize = 1024 * 1024;

/// The longest time for the lines of one file. After it the difference is correct, but not the shortest one.
const TEXT_WITHIN: Duration = Duration::from_millis(500);

/// The number of unchanged lines around a change.
const CONTEXT: usize = 3;

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileDiff {
    /// Its path in the artifact.
    pub path: String,
    /// The change.
    pub change: FileChange,
    /// The unified diff of its lines, if it was asked for; absent for a link, and for a file that is not UTF-8 text, or
    /// larger than 1 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unified: Option<String>,
    /// The change of a link, or the reason why the lines that were asked for are absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

crate::error::words! {
    /// The change of a file.
    pub enum FileChange {
        /// Only the release that is compared has it.
        Added => "added",
        /// Only the release that is compared with has it.
        Gone => "gone",
        /// Its bytes differ.
        Changed => "changed",
    }
}

/// The files that differ, by path; with the unified diff of each if `unified` is set.
pub(crate) fn compare(from: &Files, to: &Files, unified: bool) -> Vec<FileDiff> {
    let paths: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let differing = paths.into_iter().filter_map(|path| {
        let (old, new) = (from.get(path), to.get(path));
        let change = match (old, new) {
            (Some(old), Some(new)) if old == new => return None,
            (Some(_), Some(_)) => FileChange::Changed,
            (None, _) => FileChange::Added,
            (_, None) => FileChange::Gone,
        };
        let (unified, note) = match (text(old), text(new)) {
            (Err(NoText::Link), _) | (_, Err(NoText::Link)) => (None, Some(of_links(old, new))),
            (Ok(from), Ok(to)) if unified => (Some(lines(path, from, to)), None),
            (Err(why), _) | (_, Err(why)) if unified => (None, Some(why.to_string())),
            _ => (None, None),
        };
        Some(FileDiff { path: path.clone(), change, unified, note })
    });
    differing.collect()
}

/// The reason why something has no lines to compare.
enum NoText {
    Link,
    TooLarge,
    Binary,
}

impl fmt::Display for NoText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoText::Link => f.write_str("it is a link"),
            NoText::TooLarge => write!(f, "its lines are not compared: it has more than {MAX_TEXT} bytes"),
            NoText::Binary => f.write_str("its lines are not compared: it is no UTF-8 text"),
        }
    }
}

/// The text of a file; none if there is no file.
fn text(packed: Option<&Packed>) -> Result<Option<&str>, NoText> {
    match packed {
        None => Ok(None),
        Some(Packed::SymbolicLink(_) | Packed::HardLink(_)) => Err(NoText::Link),
        Some(Packed::File(content)) if content.len() > MAX_TEXT => Err(NoText::TooLarge),
        Some(Packed::File(content)) if content.contains(&0) => Err(NoText::Binary),
        Some(Packed::File(content)) => std::str::from_utf8(content).map(Some).map_err(|_| NoText::Binary),
    }
}

/// `a symbolic link to a.yaml, was a file of 12 bytes`
fn of_links(old: Option<&Packed>, new: Option<&Packed>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => format!("{new}, was {old}"),
        (Some(one), None) | (None, Some(one)) => one.to_string(),
        (None, None) => String::new(),
    }
}

/// The unified diff of a file's lines.
fn lines(path: &str, old: Option<&str>, new: Option<&str>) -> String {
    let name = |side: &str, there: bool| if there { format!("{side}/{path}") } else { "/dev/null".to_owned() };
    let (from, to) = (old.unwrap_or_default(), new.unwrap_or_default());
    let diff = TextDiff::configure().timeout(TEXT_WITHIN).diff_lines(from, to);
    let (from, to) = (name("a", old.is_some()), name("b", new.is_some()));
    diff.unified_diff().context_radius(CONTEXT).header(&from, &to).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(named: &[(&str, &[u8])]) -> Files {
        named.iter().map(|(path, content)| ((*path).to_owned(), Packed::File(content.to_vec()))).collect()
    }

    #[test]
    fn file_that_differs_is_listed_with_its_lines() {
        let from =
            files(&[("a.yaml", b"one\ntwo\n"), ("b.yaml", b"same\n"), ("gone.yaml", b"old\n"), ("x.bin", b"\0")]);
        let to = files(&[("a.yaml", b"one\n2\n"), ("b.yaml", b"same\n"), ("new.yaml", b"new\n"), ("x.bin", b"\0\0")]);
        let found = compare(&from, &to, true);
        let changes: Vec<_> = found.iter().map(|file| (file.path.as_str(), file.change)).collect();
        let want = [
            ("a.yaml", FileChange::Changed),
            ("gone.yaml", FileChange::Gone),
            ("new.yaml", FileChange::Added),
            ("x.bin", FileChange::Changed),
        ];
        assert_eq!(changes, want);
        let unified: Vec<_> = found.iter().map(|file| file.unified.as_deref()).collect();
        assert_eq!(unified[0], Some("--- a/a.yaml\n+++ b/a.yaml\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"));
        assert_eq!(unified[1], Some("--- a/gone.yaml\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n"));
        assert_eq!(unified[2], Some("--- /dev/null\n+++ b/new.yaml\n@@ -0,0 +1 @@\n+new\n"));
        assert_eq!(unified[3], None);
        let notes: Vec<_> = found.iter().map(|file| file.note.as_deref()).collect();
        assert_eq!(notes, [None, None, None, Some("its lines are not compared: it is no UTF-8 text")]);
        assert!(compare(&from, &to, false).iter().all(|file| file.unified.is_none() && file.note.is_none()));
    }

    #[test]
    fn change_of_a_link_is_listed_with_both_ends() {
        let link = |to: &str| Packed::SymbolicLink(to.to_owned());
        let mut from = files(&[("a", b"one\n"), ("b", b"same\n")]);
        let mut to = from.clone();
        from.insert("link".to_owned(), link("a"));
        to.insert("a".to_owned(), Packed::HardLink("b".to_owned()));
        to.insert("link".to_owned(), link("b"));
        to.insert("new".to_owned(), link("a"));
        let found = compare(&from, &to, true);
        let notes: Vec<_> = found.iter().map(|file| (file.path.as_str(), file.note.as_deref().unwrap())).collect();
        let want = [
            ("a", "a hard link to b, was a file of 4 bytes"),
            ("link", "a symbolic link to b, was a symbolic link to a"),
            ("new", "a symbolic link to a"),
        ];
        assert_eq!(notes, want);
        assert!(found.iter().all(|file| file.unified.is_none()));
    }
}
