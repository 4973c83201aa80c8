//! `TestImage`: small valid images and indexes, for tests and demonstrations.

use bytes::Bytes;
use serde_json::{Value, json};

use tagwarden::Digest;
use tagwarden::registry::{MANIFEST_TYPES, Manifest};

/// A small valid image or index, with every blob and image that it names. The same number always gives the same bytes.
///
/// ```
/// use tagwarden_testing::TestImage;
/// assert_eq!(TestImage::image(1).manifest, TestImage::image(1).manifest);
/// assert_ne!(TestImage::image(1).manifest.digest(), TestImage::image(2).manifest.digest());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestImage {
    /// The manifest.
    pub manifest: Manifest,
    /// The blobs that it names, the config first; none for an index.
    pub blobs: Vec<Bytes>,
    /// The images that an index names; none for an image.
    pub children: Vec<TestImage>,
}

impl TestImage {
    /// An OCI image with a config and one layer of its own: a gzipped tar without files, whose gzip header contains
    /// `number`.
    pub fn image(number: u64) -> TestImage {
        let config = json!({
            "architecture": "amd64",
            "config": { "Labels": { "release": number.to_string() } },
            "os": "linux",
            "rootfs": { "diff_ids": [EMPTY_TAR], "type": "layers" },
        });
        let config = Bytes::from(config.to_string());
        let layer = empty_layer(&format!("layer-{number}"));
        let [image, ..] = MANIFEST_TYPES;
        let manifest = json!({
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer)],
            "mediaType": image,
            "schemaVersion": 2,
        });
        TestImage { manifest: made(&manifest, image), blobs: vec![config, layer], children: Vec::new() }
    }

    /// An OCI index of `children`, in their order.
    pub fn index(children: impl IntoIterator<Item = TestImage>) -> TestImage {
        let children: Vec<TestImage> = children.into_iter().collect();
        let [_, index, ..] = MANIFEST_TYPES;
        let manifests: Vec<Value> = children
            .iter()
            .map(|child| {
                let mut entry = descriptor(child.manifest.media_type().as_str(), child.manifest.bytes());
                if let Some(fields) = entry.as_object_mut() {
                    fields.insert("platform".to_owned(), json!({ "architecture": "amd64", "os": "linux" }));
                }
                entry
            })
            .collect();
        let manifest = json!({ "manifests": manifests, "mediaType": index, "schemaVersion": 2 });
        TestImage { manifest: made(&manifest, index), blobs: Vec::new(), children }
    }

    /// The digest of the manifest.
    pub fn digest(&self) -> Digest {
        self.manifest.digest()
    }
}

#[allow(clippy::expect_used, reason = "the media type is a constant, and the manifest is small")]
fn made(manifest: &Value, media_type: &str) -> Manifest {
    Manifest::new(manifest.to_string(), media_type).expect("a manifest")
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "digest": Digest::of(bytes).to_string(), "mediaType": media_type, "size": bytes.len() })
}

/// The SHA-256 of a tar without files: 1,024 zero bytes.
const EMPTY_TAR: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// An empty tar as gzip (RFC 1952) with `name` as the original file's name, so that each name gives another digest.
fn empty_layer(name: &str) -> Bytes {
    const FNAME: u8 = 8;
    let header = [0x1f, 0x8b, 8, FNAME, 0, 0, 0, 0, 0, 255];
    let deflated_zeros = [0x63, 0x60, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x8c, 0x54, 0x00, 0x00];
    let crc32_and_length = [0x2e, 0xaf, 0xb5, 0xef, 0, 4, 0, 0];
    [&header[..], name.as_bytes(), &[0], &deflated_zeros, &crc32_and_length].concat().into()
}
