//! `Content`: the parts that a manifest names, read so that no other reader finds different parts.

mod walk;

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use crate::error::{Error, ErrorKind, Result};
use crate::value::{Digest, Line};

/// The media types that are requested and understood: OCI manifest and index, Docker v2 manifest and list.
pub const MANIFEST_TYPES: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// The media types of artifact manifests, which have `blobs` and no config. No released specification has them, but
/// they are understood if a registry sends one (ORAS, and OCI 1.1 before its release).
pub const ARTIFACT_TYPES: [&str; 2] =
    ["application/vnd.cncf.oras.artifact.manifest.v1+json", "application/vnd.oci.artifact.manifest.v1+json"];

/// The parts of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// An image or artifact: a config and layers, all of which are blobs.
    Image {
        /// The config.
        config: Descriptor,
        /// The layers in order.
        layers: Vec<Descriptor>,
    },
    /// An index or list: other manifests.
    Index {
        /// The manifests in order.
        manifests: Vec<Descriptor>,
    },
    /// An artifact without a config, of one of [`ARTIFACT_TYPES`]: blobs only.
    Artifact {
        /// The blobs in order.
        blobs: Vec<Descriptor>,
    },
}

/// One part that a manifest names (OCI image specification, *Content Descriptors*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The media type that the manifest names; `-` if it names none.
    pub media_type: Line,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

impl Descriptor {
    /// True for a layer that a registry need not store, because only its maker may distribute it (Docker's *foreign*,
    /// OCI's *non-distributable* layers). Its absence proves nothing, and its `urls` are never fetched.
    pub fn is_foreign(&self) -> bool {
        let media_type = self.media_type.as_str();
        media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
            || media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
    }
}

/// The fields of a manifest that are read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct Body {
    #[serde(skip)]
    kind: Kind,
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<RawDescriptor>,
    #[serde(default, deserialize_with = "list")]
    layers: List,
    #[serde(default, deserialize_with = "list")]
    manifests: List,
    #[serde(default, deserialize_with = "list")]
    blobs: List,
    fs_layers: Option<IgnoredAny>,
    subject: Option<RawDescriptor>,
}

/// The kind of a manifest, by its media type; it decides which fields are read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Image,
    Index,
    Artifact,
}

/// A field with a list of descriptors, if it is there. The list is none for `null`, which programs written in Go write
/// for an empty list.
type List = Option<Option<Vec<RawDescriptor>>>;

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<List, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The descriptors of the list; none if the field is absent.
fn descriptors(list: &List) -> Result<Option<Vec<Descriptor>>> {
    let Some(list) = list else { return Ok(None) };
    list.iter().flatten().map(RawDescriptor::descriptor).collect::<Result<_>>().map(Some)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct RawDescriptor {
    media_type: Option<String>,
    digest: String,
    size: u64,
}

/// Reads the body and checks that it is of the kind that its media type names.
pub(super) fn read(bytes: &[u8], media_type: &str) -> Result<Body> {
    let served = essence(media_type);
    if served.starts_with("application/vnd.docker.distribution.manifest.v1+") {
        return Err(unsupported("Docker schema 1 is not supported: push it again with a current client"));
    }
    let kind = kind_of(served)?;
    // A derived struct ignores repetitions of a key that it does not know, and is also read from an array, so check all
    // keys and objects first.
    if let Some(why) = walk::ambiguity(bytes).map_err(invalid)? {
        return Err(ambiguous(why));
    }
    let body = Body { kind, ..serde_json::from_slice(bytes).map_err(invalid)? };
    match body.schema_version {
        // Artifact manifests have no such field.
        _ if kind == Kind::Artifact => {}
        Some(2) => {}
        Some(1) => return Err(unsupported("schemaVersion 1 is not supported: push it again with a current client")),
        Some(other) => return Err(invalid(format!("schemaVersion is {other} instead of 2"))),
        None => return Err(invalid("schemaVersion is missing")),
    }
    if let Some(said) = body.media_type.as_ref().filter(|said| essence(said) != served) {
        return Err(ambiguous(format!("served as {served:?}, but its mediaType says {said:?}")));
    }
    // A list that is given, even an empty one, may be read as the content of the manifest by another reader.
    let is_given = |list: &List| matches!(list, Some(Some(_)));
    let (image, index) = (body.config.is_some() || is_given(&body.layers), is_given(&body.manifests));
    let why = match (kind, body.fs_layers.is_some()) {
        (Kind::Index, schema_1) if image || schema_1 => "an index with parts of an image (config or layers)",
        (Kind::Image, schema_1) if index || schema_1 => {
            "an image with parts of an index (manifests) or of schema 1 (fsLayers)"
        }
        (Kind::Artifact, schema_1) if image || index || schema_1 => {
            "an artifact with parts of an image (config or layers) or of an index (manifests)"
        }
        _ => return Ok(body),
    };
    Err(ambiguous(why))
}

fn kind_of(served: &str) -> Result<Kind> {
    let [image, index, docker_image, docker_list] = MANIFEST_TYPES;
    match served {
        _ if served == index || served == docker_list => Ok(Kind::Index),
        _ if served == image || served == docker_image => Ok(Kind::Image),
        _ if ARTIFACT_TYPES.contains(&served) => Ok(Kind::Artifact),
        _ => Err(unsupported(format!("the media type {served:?} is not one of a manifest or an index"))),
    }
}

impl Body {
    pub(super) fn content(&self) -> Result<Content> {
        match self.kind {
            Kind::Artifact => Ok(Content::Artifact { blobs: descriptors(&self.blobs)?.unwrap_or_default() }),
            Kind::Index => match descriptors(&self.manifests)? {
                Some(manifests) => Ok(Content::Index { manifests }),
                None => Err(invalid("manifests is missing")),
            },
            Kind::Image => match (&self.config, descriptors(&self.layers)?) {
                (Some(config), Some(layers)) => Ok(Content::Image { config: config.descriptor()?, layers }),
                (None, None) => Err(invalid("neither config and layers nor manifests")),
                (None, Some(_)) => Err(invalid("config is missing")),
                (Some(_), None) => Err(invalid("layers is missing")),
            },
        }
    }

    pub(super) fn subject(&self) -> Result<Option<Descriptor>> {
        self.subject.as_ref().map(RawDescriptor::descriptor).transpose()
    }
}

impl RawDescriptor {
    fn descriptor(&self) -> Result<Descriptor> {
        let RawDescriptor { media_type, digest, size } = self;
        let algorithm = digest.split_once(':').map_or("", |(algorithm, _)| algorithm);
        match digest.parse() {
            Ok(digest) => {
                let media_type = Line::lossy(media_type.as_deref().unwrap_or_default());
                Ok(Descriptor { media_type, digest, size: *size })
            }
            Err(_) if !matches!(algorithm, "" | "sha256" | "sha512") => {
                Err(unsupported(format!("a digest of the algorithm {algorithm:?}; sha256 and sha512 are supported")))
            }
            Err(error) => Err(invalid(error)),
        }
    }
}

/// The media type without parameters.
pub(super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or("").trim()
}

fn invalid(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::ManifestInvalid, format!("manifest: {why}"))
}

fn ambiguous(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::ManifestAmbiguous, format!("manifest: {why}"))
}

fn unsupported(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::ManifestUnsupported, format!("manifest: {why}"))
}

#[cfg(test)]
mod tests;
