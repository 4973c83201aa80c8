//! `Packed`: a file or a link in the layers of a Flux artifact.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::Layer;
use super::content::absent;
use crate::error::{Error, ErrorKind, Result};
use crate::flux::{CONTENT_TYPE, MAX_SOURCE};
use crate::registry::Registry;
use crate::value::{Digest, Repository};

/// The media type of a Helm chart's content, which Flux consumes as well.
const CHART_TYPE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

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

/// Reads the files of a Flux artifact. An error if a layer is absent, is larger than [`MAX_SOURCE`] when it is
/// unpacked, or is no tar archive in gzip.
pub(crate) async fn read(registry: &dyn Registry, repository: &Repository, layers: &[Layer]) -> Result<Files> {
    let mut files = Files::new();
    for Layer { digest, .. } in layers.iter().filter(|layer| is_of_files(layer)) {
        let most = usize::try_from(MAX_SOURCE).unwrap_or(usize::MAX);
        let bytes = registry.fetch_blob(repository, digest, most).await?.filter(|bytes| digest.verify(bytes));
        files.extend(unpack(&bytes.ok_or_else(|| absent(digest))?, digest, MAX_SOURCE)?);
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

#[cfg(test)]
mod tests {
    use super::*;

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
