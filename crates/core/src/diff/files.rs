//! `Files`: the files in the layers of a Flux artifact, and the files that differ.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use serde::Serialize;
use similar::TextDiff;

use super::Layer;
use crate::error::{Error, ErrorKind, Result};
use crate::flux::{CONTENT_TYPE, MAX_SOURCE};
use crate::registry::Registry;
use crate::value::{Digest, Repository};

/// The media type of a Helm chart's content, which Flux consumes as well.
const CHART_TYPE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

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

/// The files and links in artifacts, by path.
pub(crate) type Files = BTreeMap<String, Packed>;

/// A file or a link in an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packed {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A symbolic link to this path.
    SymbolicLink(String),
    /// Another name of the file at this path.
    HardLink(String),
}

impl fmt::Display for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Packed::File(content) => write!(f, "a file of {} bytes", content.len()),
            Packed::SymbolicLink(to) => write!(f, "a symbolic link to {to}"),
            Packed::HardLink(to) => write!(f, "a hard link to {to}"),
        }
    }
}

/// True if the release has layers of files that Flux consumes.
pub(crate) fn has_files(layers: &[Layer]) -> bool {
    layers.iter().any(is_of_files)
}

fn is_of_files(layer: &Layer) -> bool {
    [CONTENT_TYPE, CHART_TYPE].contains(&layer.media_type.as_str())
}

/// Reads the files of a Flux artifact. An error if a layer is absent, is larger than [`MAX_SOURCE`] when it is unpacked,
/// or is no tar archive in gzip.
pub(crate) async fn read(registry: &dyn Registry, repository: &Repository, layers: &[Layer]) -> Result<Files> {
    let mut files = Files::new();
    for Layer { digest, .. } in layers.iter().filter(|layer| is_of_files(layer)) {
        let most = usize::try_from(MAX_SOURCE).unwrap_or(usize::MAX);
        let bytes = registry.fetch_blob(repository, digest, most).await?.filter(|bytes| digest.verify(bytes));
        let Some(bytes) = bytes else {
            return Err(Error::new(ErrorKind::RegistryAbsent, format!("the registry does not have {digest}")));
        };
        files.extend(unpack(&bytes, digest, MAX_SOURCE)?);
    }
    Ok(files)
}

/// The files of a layer of at most this many bytes when it is unpacked.
fn unpack(layer: &[u8], digest: &Digest, most: u64) -> Result<Files> {
    let bad = |why: &str| Error::new(ErrorKind::ManifestUnsupported, format!("the layer {digest}: {why}"));
    // A small layer may unpack to any length.
    let mut unpacked = MultiGzDecoder::new(layer).take(most + 1);
    let files = files_in(&mut unpacked);
    // An archive that is cut between two entries looks whole, and one that is cut elsewhere fails.
    match (unpacked.limit(), files) {
        (0, _) => Err(bad(&format!("it has more than {most} bytes when it is unpacked, the most that is compared"))),
        (_, files) => files.map_err(|e| bad(&e.to_string())),
    }
}

fn files_in(archive: &mut impl Read) -> std::io::Result<Files> {
    let mut files = Files::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let text = |bytes: &[u8]| {
            let path = String::from_utf8_lossy(bytes).into_owned();
            path.strip_prefix("./").map(str::to_owned).unwrap_or(path)
        };
        let target = |name: Option<std::borrow::Cow<'_, [u8]>>| text(&name.unwrap_or_default());
        let packed = match entry.header().entry_type() {
            tar::EntryType::Regular => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                Packed::File(content)
            }
            tar::EntryType::Symlink => Packed::SymbolicLink(target(entry.link_name_bytes())),
            tar::EntryType::Link => Packed::HardLink(target(entry.link_name_bytes())),
            _ => continue,
        };
        files.insert(text(&entry.path_bytes()), packed);
    }
    Ok(files)
}

/// The files that differ, by path; with the unified diff of each if `unified` is set.
pub(crate) fn compare(from: &Files, to: &Files, unified: bool) -> Vec<FileDiff> {
    let paths: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
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
fn text(packed: Option<&Packed>) -> std::result::Result<Option<&str>, NoText> {
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

    #[test]
    fn links_of_a_layer_are_read() {
        let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        archive.append_data(&mut header, "./a", &b"one\n"[..]).unwrap();
        for (kind, path) in [(tar::EntryType::Symlink, "soft"), (tar::EntryType::Link, "hard")] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            archive.append_link(&mut header, path, "a").unwrap();
        }
        let layer = archive.into_inner().unwrap().finish().unwrap();
        let found = unpack(&layer, &Digest::of(&layer), MAX_SOURCE).unwrap();
        let texts: Vec<_> = found.iter().map(|(path, packed)| format!("{path} {packed}")).collect();
        assert_eq!(texts, ["a a file of 4 bytes", "hard a hard link to a", "soft a symbolic link to a"]);
    }

    #[test]
    fn layer_that_is_no_archive_is_an_error() {
        let error = unpack(b"nonsense", &Digest::of(b"nonsense"), MAX_SOURCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ManifestUnsupported);
        assert!(error.to_string().starts_with("the layer sha256:"), "{error}");
    }

    #[test]
    fn layer_that_is_too_large_is_an_error_wherever_it_is_cut() {
        let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for path in ["a", "b"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(512);
            archive.append_data(&mut header, path, &[b'x'; 512][..]).unwrap();
        }
        let layer = archive.into_inner().unwrap().finish().unwrap();
        let digest = Digest::of(&layer);
        // Both entries have a header and a content of 512 bytes, and two empty blocks follow.
        assert_eq!(unpack(&layer, &digest, 3072).unwrap().len(), 2);
        for most in [1, 512, 1023, 1024, 1025, 1536, 2047] {
            let error = unpack(&layer, &digest, most).map(|files| files.len()).unwrap_err();
            let want = format!("it has more than {most} bytes when it is unpacked, the most that is compared");
            assert!(error.to_string().ends_with(&want), "{most}: {error}");
            assert_eq!(error.kind(), ErrorKind::ManifestUnsupported, "{most}");
        }
    }
}
