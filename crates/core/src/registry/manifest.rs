//! `Manifest`: bytes, media type and digest of a manifest; the bytes are never serialised again.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;

use super::content::{self, Body, Content, Descriptor};
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Digest, Line};

/// The largest size of a manifest in bytes: 4 MiB, which registries should accept (OCI distribution specification).
pub const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// A manifest as a registry stores it: the exact bytes, their media type and their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    bytes: Bytes,
    media_type: Line,
    digest: Digest,
}

/// The artifact type and the annotations of a manifest. They decide nothing: they are empty if the manifest cannot be
/// read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Description {
    /// `artifactType` (OCI image specification, *Image Manifest*).
    pub artifact_type: Option<String>,
    /// `annotations` of the manifest itself.
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// The manifest with these bytes; its digest is their SHA-256. MANIFEST_TOO_LARGE over 4 MiB, VALUE_INVALID if the
    /// media type is not a line of text.
    pub fn new(bytes: impl Into<Bytes>, media_type: &str) -> Result<Manifest> {
        let bytes = bytes.into();
        check_size(bytes.len())?;
        Ok(Manifest { digest: Digest::of(&bytes), media_type: media_type.parse()?, bytes })
    }

    /// The manifest that was requested by `digest`. REGISTRY_DIGEST_MISMATCH if the bytes have another digest.
    pub fn verified(bytes: impl Into<Bytes>, media_type: &str, digest: Digest) -> Result<Manifest> {
        let bytes = bytes.into();
        check_size(bytes.len())?;
        let found = digest.algorithm().digest(&bytes);
        if found != digest {
            let message = format!("asked for {digest}, got bytes of {found}");
            return Err(Error::new(ErrorKind::RegistryDigestMismatch, message));
        }
        Ok(Manifest { bytes, media_type: media_type.parse()?, digest })
    }

    /// The parts that the manifest names, read from its bytes. The bytes need not be canonical JSON, and are not
    /// changed.
    ///
    /// A list that is `null` is read as empty. Fields that are in no specification are ignored.
    ///
    /// - MANIFEST_UNSUPPORTED: the media type is not one of [`MANIFEST_TYPES`](super::MANIFEST_TYPES) or [`ARTIFACT_TYPES`](super::ARTIFACT_TYPES) (Docker schema 1,
    ///   for example), or a digest is of an algorithm other than sha256 and sha512.
    /// - MANIFEST_INVALID: not one JSON object, a repeated key, more than 127 levels, or a field that is missing or
    ///   malformed.
    /// - MANIFEST_AMBIGUOUS: `mediaType` differs from the media type of the answer, the manifest has parts of both an
    ///   image and an index, or a field's name is spelled so that only some readers accept it.
    pub fn content(&self) -> Result<Content> {
        self.read().and_then(|body| body.content()).map_err(|error| error.with_context("digest", self.digest))
    }

    /// The manifest that this one refers to (OCI image specification, `subject`), if it names one. The errors are those
    /// of [`content`](Manifest::content).
    pub fn subject(&self) -> Result<Option<Descriptor>> {
        self.read().and_then(|body| body.subject()).map_err(|error| error.with_context("digest", self.digest))
    }

    /// The description of the manifest; empty if it cannot be read.
    pub fn description(&self) -> Description {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    fn read(&self) -> Result<Body> {
        content::read(&self.bytes, self.media_type.as_str())
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The media type.
    pub fn media_type(&self) -> &Line {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn description(json: &str) -> Description {
        Manifest::new(json.to_owned(), "application/vnd.oci.image.manifest.v1+json").unwrap().description()
    }

    #[test]
    fn description_has_artifact_type_and_annotations() {
        let read = description(r#"{"artifactType":"a/b","annotations":{"org.opencontainers.image.version":"1.4.2"}}"#);
        assert_eq!(read.artifact_type.as_deref(), Some("a/b"));
        assert_eq!(read.annotations["org.opencontainers.image.version"], "1.4.2");
    }

    #[test]
    fn description_of_odd_manifest_is_empty() {
        assert_eq!(description("[]"), Description::default());
        assert_eq!(description(r#"{"annotations":{"a":1}}"#), Description::default());
    }
}
