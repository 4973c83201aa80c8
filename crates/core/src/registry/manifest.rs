//! `Manifest`: bytes, media type and digest, kept together and never re-serialised.

use bytes::Bytes;
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::value::{Digest, Hasher, Text};

/// The most bytes that a manifest may have: 4 MiB, what registries are asked to accept (OCI distribution specification).
pub const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// The media types that are asked for, and understood: OCI manifest and index, Docker v2 manifest and list.
pub const MANIFEST_TYPES: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// A manifest as a registry keeps it: the exact bytes, the media type they are served with, and their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    bytes: Bytes,
    media_type: Text,
    digest: Digest,
}

impl Manifest {
    /// The manifest of these bytes; its digest is their SHA-256. MANIFEST_TOO_LARGE over 4 MiB, VALUE_INVALID if the
    /// media type is not a line of text.
    pub fn new(bytes: impl Into<Bytes>, media_type: &str) -> Result<Manifest> {
        let bytes = bytes.into();
        check_size(bytes.len())?;
        Ok(Manifest { digest: Digest::of(&bytes), media_type: media_type.parse()?, bytes })
    }

    /// The manifest that was asked for by `digest`. REGISTRY_LIED if the bytes have another one.
    pub fn verified(bytes: impl Into<Bytes>, media_type: &str, digest: Digest) -> Result<Manifest> {
        let bytes = bytes.into();
        check_size(bytes.len())?;
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        let found = hasher.finish();
        if found != digest {
            let message = format!("asked for {digest}, got bytes of {found}");
            return Err(Error::new(ErrorKind::RegistryLied, message));
        }
        Ok(Manifest { bytes, media_type: media_type.parse()?, digest })
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The media type.
    pub fn media_type(&self) -> &Text {
        &self.media_type
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

fn check_size(bytes: usize) -> Result<()> {
    match bytes {
        0..=MAX_MANIFEST => Ok(()),
        _ => Err(Error::new(ErrorKind::ManifestTooLarge, format!("the manifest has more than {MAX_MANIFEST} bytes"))),
    }
}

/// One thing that a manifest names (OCI image specification, *Content Descriptors*).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: Text,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// What a manifest is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// An image or artifact: a config and layers, all of them blobs.
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
}
