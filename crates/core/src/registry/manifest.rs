//! `Manifest`: bytes, media type and digest, kept together and never re-serialised.

use bytes::Bytes;

use super::content::{self, Content, Descriptor};
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

/// Media types of artifact manifests, which have `blobs` and no config. They never became part of a specification: they are
/// understood where they are met (ORAS, and OCI 1.1 before its release).
pub const ARTIFACT_TYPES: [&str; 2] =
    ["application/vnd.cncf.oras.artifact.manifest.v1+json", "application/vnd.oci.artifact.manifest.v1+json"];

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

    /// The manifest that was asked for by `digest`. REGISTRY_DIGEST_MISMATCH if the bytes have another one.
    pub fn verified(bytes: impl Into<Bytes>, media_type: &str, digest: Digest) -> Result<Manifest> {
        let bytes = bytes.into();
        check_size(bytes.len())?;
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        let found = hasher.finish();
        if found != digest {
            let message = format!("asked for {digest}, got bytes of {found}");
            return Err(Error::new(ErrorKind::RegistryDigestMismatch, message));
        }
        Ok(Manifest { bytes, media_type: media_type.parse()?, digest })
    }

    /// The manifest of bytes that were made here, and of a media type that is known to be a line of text.
    pub(super) fn made_here(bytes: Bytes, media_type: Text) -> Manifest {
        Manifest { digest: Digest::of(&bytes), media_type, bytes }
    }

    /// What it is made of, read from the bytes; the bytes stay as they are, canonical JSON or not.
    ///
    /// A list that is `null` is an empty one. Fields that no specification has are not looked at.
    ///
    /// - MANIFEST_UNSUPPORTED: a media type that is none of [`MANIFEST_TYPES`] and [`ARTIFACT_TYPES`] (Docker schema 1 among
    ///   them), or a digest of an algorithm other than sha256 and sha512.
    /// - MANIFEST_INVALID: not one JSON object, a key twice, nested deeper than 127 levels, a field missing or not of its
    ///   form.
    /// - MANIFEST_AMBIGUOUS: `mediaType` differs from the media type that it is served with, parts of an image and of an
    ///   index stand together, or a field's name is written so that some readers take it and others do not.
    pub fn content(&self) -> Result<Content> {
        content::read(self).and_then(|body| body.content()).map_err(|error| error.with("digest", self.digest))
    }

    /// The manifest that this one is about (OCI image specification, `subject`), if it names one. Errors as
    /// [`content`](Manifest::content).
    pub fn subject(&self) -> Result<Option<Descriptor>> {
        content::read(self).and_then(|body| body.subject()).map_err(|error| error.with("digest", self.digest))
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
