//! `Artifact`: a directory of Kubernetes manifests as an OCI artifact that Flux consumes.

use std::path::Path;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};

use super::meta::ArtifactMeta;
use super::rules::PackOptions;
use super::source::{self, Node};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::Manifest;
use crate::value::{Digest, Text, Timestamp, public};

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

/// An artifact, and what of the directory is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packed {
    /// What was packed.
    pub artifact: Artifact,
    /// The paths inside the directory that were left out, in their order. A directory that was left out as a whole has
    /// a `/` at its end, and what it holds is not listed.
    pub left_out: Vec<String>,
}

impl Artifact {
    /// Packs the files under `dir`. The same content, paths, `meta` and options give the same bytes, whatever the
    /// machine, the owner, the permissions, the times and the order on disk.
    ///
    /// What is left out, and told in [`Packed::left_out`]:
    ///
    /// - what the patterns of `options` match, which are those of `flux push artifact`
    ///   ([`DEFAULT_IGNORE_PATHS`](super::DEFAULT_IGNORE_PATHS)) where none are given;
    /// - what a `.sourceignore` leaves out, in the directory that it is in and below: the syntax of `.gitignore`, the
    ///   nearest file first. It goes before the default patterns and behind those that are given. The file itself is
    ///   packed, as Flux does: source-controller reads it again;
    /// - what looks like a secret: `.env` and `.env.*`, private keys by their name (`id_rsa` and the like, `*.key`,
    ///   `*.p12`, `*.pfx`, `*.ppk`, `*.jks`, `*.keystore`) or because they begin as one, and `*.pem`; and `.git`,
    ///   `.hg`, `.svn` and `.jj`. No pattern brings these back.
    ///
    /// A path of [`PackOptions::include`] is packed all the same. What is packed:
    ///
    /// - Directories have mode 0755, files 0644; empty directories do not stay.
    /// - A symbolic link to a file inside `dir` is packed as that file, because Flux skips links.
    ///
    /// SOURCE_INVALID, naming the path: `dir` cannot be read, or has no file to pack or to include; a link leaves it,
    /// leads to a secret, nowhere or to a directory; a name is not UTF-8; a `.sourceignore` cannot be read; something is
    /// neither file nor directory; the content is over [`MAX_SOURCE`](super::MAX_SOURCE) bytes. VALUE_INVALID for
    /// options that cannot be read.
    pub fn pack(dir: &Path, meta: &ArtifactMeta, options: &PackOptions) -> Result<Packed> {
        let content = source::read(dir, options)?;
        let tar = archive(&content.nodes)?;
        let layer = compress(&tar)?;
        // An image config as go-containerregistry makes it for Flux, so that tools which count layers are content.
        let config = serde_json::json!({
            "architecture": "",
            "config": {},
            "os": "",
            "rootfs": { "diff_ids": [Digest::of(&tar)], "type": "layers" },
        });
        let config = config.to_string().into_bytes();
        // Keys stand in their order here, so that the bytes do not hang on how serde_json was built.
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
        Ok(Packed { artifact, left_out: content.left_out })
    }

    /// The manifest; its digest is the release.
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

    /// What must be in the repository before the manifest is put: the config and the layer.
    pub fn blobs(&self) -> [&Bytes; 2] {
        [&self.config, &self.layer]
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({ "digest": Digest::of(bytes), "mediaType": media_type, "size": bytes.len() })
}

/// RFC 3339 without a fraction, as Flux writes it.
fn whole_seconds(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

fn archive(nodes: &[Node]) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for node in nodes {
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let (path, content) = match node {
            Node::Directory(path) => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                (format!("{path}/"), &[][..])
            }
            Node::File(path, content) => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(0o644);
                (path.clone(), content.as_slice())
            }
        };
        header.set_size(u64::try_from(content.len()).unwrap_or(u64::MAX));
        builder.append_data(&mut header, &path, content).map_err(|e| {
            let path = Text::lossy(&path);
            Error::new(ErrorKind::SourceInvalid, format!("{path} cannot be packed: {e}")).with("path", path)
        })?;
    }
    builder.into_inner().map_err(|e| Error::new(ErrorKind::InternalFault, format!("the archive cannot be closed: {e}")))
}

/// Gzip at level 6, without name and time. The bytes are those of `flate2`'s Rust backend.
fn compress(tar: &[u8]) -> Result<Vec<u8>> {
    use std::io::Write;
    // 255 is "unknown operating system" (RFC 1952).
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
    let compressed = gzip.write_all(tar).and_then(|()| gzip.finish());
    compressed.map_err(|e| Error::new(ErrorKind::InternalFault, format!("the archive cannot be compressed: {e}")))
}

#[cfg(test)]
mod tests;
