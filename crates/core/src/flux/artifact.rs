//! `Artifact`: a directory of Kubernetes manifests as an OCI artifact that Flux consumes.

use std::path::Path;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};

use super::meta::ArtifactMeta;
use super::rules::PackOptions;
use super::source::{self, Node};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::Manifest;
use crate::value::{Digest, Line, Timestamp, public};

/// The media type of an artifact's config.
pub const CONFIG_TYPE: &str = "application/vnd.cncf.flux.config.v1+json";

/// The media type of an artifact's one layer.
pub const CONTENT_TYPE: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A Flux artifact: a manifest, its config and its one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    manifest: Manifest,
    config: Bytes,
    layer: Bytes,
}

/// An artifact, and the paths of the directory that it does not contain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packed {
    /// The packed artifact.
    pub artifact: Artifact,
    /// The paths inside the directory that were left out, in the order of the archive. A directory that was left out
    /// as a whole ends with `/`, and the paths inside it are not listed.
    pub left_out: Vec<String>,
}

impl Artifact {
    /// Packs the files under `dir`. The same content, paths, `meta` and options give the same bytes. The machine, the
    /// owner, the permissions, the times and the order on disk do not matter.
    ///
    /// These paths are left out, and listed in [`Packed::left_out`]:
    ///
    /// - paths that match the patterns of `options`. Without patterns there, the patterns of `flux push artifact`
    ///   ([`DEFAULT_IGNORE_PATHS`](super::DEFAULT_IGNORE_PATHS)) apply;
    /// - paths that match a `.sourceignore`, in the directory of that file and below. The syntax is that of
    ///   `.gitignore`, and the nearest file is read first. A `.sourceignore` takes precedence over the default
    ///   patterns, but not over the patterns of `options`. The file itself is packed, as Flux does: source-controller
    ///   reads it again;
    /// - paths that look like a secret: `.env` and `.env.*`; private keys, by their name (`id_rsa` and the like,
    ///   `*.key`, `*.p12`, `*.pfx`, `*.ppk`, `*.jks`, `*.keystore`) or by the first line of their content; `*.pem`; and
    ///   `.git`, `.hg`, `.svn` and `.jj`. No pattern brings these back.
    ///
    /// A path of [`PackOptions::include`] is packed all the same. In the archive:
    ///
    /// - Directories have mode 0755, files 0644. Empty directories are not packed.
    /// - A symbolic link to a file inside `dir` is packed as that file, because Flux skips links.
    ///
    /// SOURCE_INVALID, naming the path: `dir` cannot be read, or has no file to pack; a path to include was not found;
    /// a link points outside `dir`, at a secret, at nothing or at a directory; a name is not UTF-8; a `.sourceignore`
    /// cannot be read; a path is neither a file nor a directory; the content is larger than
    /// [`MAX_SOURCE`](super::MAX_SOURCE) bytes. VALUE_INVALID for options that cannot be read.
    pub fn pack(dir: &Path, meta: &ArtifactMeta, options: &PackOptions) -> Result<Packed> {
        let (nodes, left_out) = source::read(dir, options)?;
        let tar = archive(&nodes)?;
        let layer = compress(&tar)?;
        // An image config like that of go-containerregistry for Flux, so that tools that count its layers accept it.
        let config = serde_json::json!({
            "architecture": "",
            "config": {},
            "os": "",
            "rootfs": { "diff_ids": [Digest::of(&tar)], "type": "layers" },
        });
        let config = config.to_string().into_bytes();
        // The keys are sorted here, so that the bytes do not depend on the features of serde_json.
        let manifest = serde_json::json!({
            "annotations": {
                "org.opencontainers.image.created": whole_seconds(meta.created),
                "org.opencontainers.image.revision": meta.revision,
                "org.opencontainers.image.source": public(meta.source.as_str()),
            },
            "config": descriptor(CONFIG_TYPE, &config),
            "layers": [descriptor(CONTENT_TYPE, &layer)],
            "mediaType": MANIFEST_TYPE,
            "schemaVersion": 2,
        });
        let manifest = Manifest::new(manifest.to_string(), MANIFEST_TYPE)?;
        let artifact = Artifact { manifest, config: config.into(), layer: layer.into() };
        Ok(Packed { artifact, left_out })
    }

    /// The manifest. Its digest is the digest of the release.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The config's bytes.
    pub fn config(&self) -> &Bytes {
        &self.config
    }

    /// The layer's bytes: a tar archive, compressed with gzip.
    pub fn layer(&self) -> &Bytes {
        &self.layer
    }

    /// The blobs that must be in the repository before the manifest is put: the config and the layer.
    pub fn blobs(&self) -> [&Bytes; 2] {
        [&self.config, &self.layer]
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({ "digest": Digest::of(bytes), "mediaType": media_type, "size": bytes.len() })
}

/// The time in RFC 3339 without a fraction, as Flux writes it.
fn whole_seconds(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

fn archive(nodes: &[Node]) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in nodes {
        let (kind, mode) = match path.ends_with('/') {
            true => (tar::EntryType::Directory, 0o755),
            false => (tar::EntryType::Regular, 0o644),
        };
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(u64::try_from(content.len()).unwrap_or(u64::MAX));
        builder.append_data(&mut header, path, content.as_slice()).map_err(|e| {
            let path = Line::lossy(path);
            Error::new(ErrorKind::SourceInvalid, format!("{path} cannot be packed: {e}")).with_context("path", path)
        })?;
    }
    builder.into_inner().map_err(|e| Error::new(ErrorKind::InternalFault, format!("the archive cannot be closed: {e}")))
}

/// Compresses with gzip at level 6, without name and time. The bytes are those of `flate2`'s Rust backend.
fn compress(tar: &[u8]) -> Result<Vec<u8>> {
    use std::io::Write;
    // 255 is "unknown operating system" (RFC 1952).
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
    let compressed = gzip.write_all(tar).and_then(|()| gzip.finish());
    compressed.map_err(|e| Error::new(ErrorKind::InternalFault, format!("the archive cannot be compressed: {e}")))
}

#[cfg(test)]
mod tests;
