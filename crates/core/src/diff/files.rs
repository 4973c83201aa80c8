//! `Files`: the files in the layers of a Flux artifact, and the files that differ.

use std::collections::BTreeMap;
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
    /// The unified diff of its lines, if it was asked for; absent for a file that is not UTF-8 text, or larger than
    /// 1 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unified: Option<String>,
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

/// The content of files, by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

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
    let mut archive = tar::Archive::new(MultiGzDecoder::new(layer).take(most + 1));
    let mut files = Files::new();
    for entry in archive.entries().map_err(|e| bad(&e.to_string()))? {
        let mut entry = entry.map_err(|e| bad(&e.to_string()))?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|e| bad(&e.to_string()))?;
        files.insert(path.strip_prefix("./").map(str::to_owned).unwrap_or(path), content);
    }
    // An archive that is cut between two entries looks whole.
    match archive.into_inner().limit() {
        0 => Err(bad(&format!("it has more than {most} bytes when it is unpacked"))),
        _ => Ok(files),
    }
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
        let unified = if unified { lines(path, old, new) } else { None };
        Some(FileDiff { path: path.clone(), change, unified })
    });
    differing.collect()
}

/// The unified diff of a file's lines; none if a side is no text, or too large.
fn lines(path: &str, old: Option<&Vec<u8>>, new: Option<&Vec<u8>>) -> Option<String> {
    let text = |bytes: Option<&Vec<u8>>| match bytes {
        Some(bytes) if bytes.len() > MAX_TEXT || bytes.contains(&0) => None,
        Some(bytes) => String::from_utf8(bytes.clone()).ok(),
        None => Some(String::new()),
    };
    let (from, to) = (text(old)?, text(new)?);
    let name = |side: &str, there: bool| if there { format!("{side}/{path}") } else { "/dev/null".to_owned() };
    let diff = TextDiff::configure().timeout(TEXT_WITHIN).diff_lines(&from, &to);
    let (from, to) = (name("a", old.is_some()), name("b", new.is_some()));
    Some(diff.unified_diff().context_radius(CONTEXT).header(&from, &to).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(named: &[(&str, &[u8])]) -> Files {
        named.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect()
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
        assert_eq!(unified[3], None, "it is no text");
        assert!(compare(&from, &to, false).iter().all(|file| file.unified.is_none()));
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
            assert_eq!(error.kind(), ErrorKind::ManifestUnsupported, "{most}");
        }
    }
}
