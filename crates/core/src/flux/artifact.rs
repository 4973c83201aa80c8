//! `Artifact`: a directory of Kubernetes manifests as an OCI artifact that Flux consumes.

use std::path::Path;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};

use super::revision::Revision;
use super::source::{self, Node};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::Manifest;
use crate::value::{Digest, Text, Timestamp, public};

/// The media type of an artifact's config.
pub const CONFIG_TYPE: &str = "application/vnd.cncf.flux.config.v1+json";

/// The media type of an artifact's one layer.
pub const CONTENT_TYPE: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// What the manifest says about where its content comes from. It is part of the digest; how and when a release is
/// promoted is not, and stands in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactMeta {
    /// The URL of the source repository. A user or password in it is left out.
    pub source: Text,
    /// The branch or tag, and its commit.
    pub revision: Revision,
    /// When the content was made; written in whole seconds. For the same digest from every build, the time of the
    /// commit, or what `SOURCE_DATE_EPOCH` says ([`ArtifactMeta::source_date_epoch`]).
    pub created: Timestamp,
}

impl ArtifactMeta {
    /// The time that a value of `SOURCE_DATE_EPOCH` says: seconds since 1970 (reproducible-builds.org). VALUE_INVALID
    /// if it is not a whole number that lies before the year 10000.
    pub fn source_date_epoch(value: &str) -> Result<Timestamp> {
        const YEAR_10000: u64 = 253_402_300_800;
        match value.parse::<u64>() {
            Ok(seconds) if seconds < YEAR_10000 => {
                let ms = i64::try_from(seconds * 1000).unwrap_or(i64::MAX);
                Ok(Timestamp::from_unix_ms(ms))
            }
            _ => {
                let message = "SOURCE_DATE_EPOCH: not a whole number of seconds since 1970";
                Err(Error::new(ErrorKind::ValueInvalid, message))
            }
        }
    }
}

/// A Flux artifact: a manifest, its config and its one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    manifest: Manifest,
    config: Bytes,
    layer: Bytes,
}

impl Artifact {
    /// Packs the files under `dir`. The same content, paths and `meta` give the same bytes, whatever the machine, the
    /// owner, the permissions, the times and the order on disk.
    ///
    /// - Packed is every file, hidden ones too, but what version control keeps (`.git`, `.gitignore`, `.gitmodules`,
    ///   `.gitattributes`, `.hg`, `.svn`, `.jj`). Flux's own tool also leaves pictures and archives out; nothing is
    ///   dropped by its ending here.
    /// - Directories have mode 0755, files 0644; empty directories are left out.
    /// - A symbolic link to a file inside `dir` is packed as that file, because Flux skips links.
    ///
    /// SOURCE_INVALID, naming the path: `dir` cannot be read or has no file; a link leaves it, leads nowhere or to a
    /// directory; a name is not UTF-8; something is neither file nor directory; the content is over
    /// [`MAX_SOURCE`](super::MAX_SOURCE) bytes.
    pub fn pack(dir: &Path, meta: &ArtifactMeta) -> Result<Artifact> {
        let tar = archive(&source::read(dir)?)?;
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
        Ok(Artifact { manifest, config: config.into(), layer: layer.into() })
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
