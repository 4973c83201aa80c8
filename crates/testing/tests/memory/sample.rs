//! The sample images.

use std::io::Read;

use tagwarden::registry::Content;

use super::*;

/// The SHA-256 of a tar without files: 1,024 zero bytes.
const EMPTY_TAR: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

#[test]
fn an_image_names_its_blobs_and_its_layer_is_an_empty_tar() {
    let sample = TestImage::image(7);
    let Content::Image { config, layers } = sample.manifest.content().unwrap() else { panic!("an image") };
    let named: Vec<_> = [config].into_iter().chain(layers).map(|descriptor| descriptor.digest).collect();
    assert_eq!(named, sample.blobs.iter().map(|blob| Digest::of(blob)).collect::<Vec<_>>());
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&sample.blobs[1][..]).read_to_end(&mut tar).unwrap();
    assert_eq!(tar, [0; 1024]);
    assert_eq!(Digest::of(&tar).to_string(), EMPTY_TAR);
}

#[test]
fn an_index_names_its_children() {
    let index = TestImage::index([TestImage::image(1), TestImage::image(2)]);
    let Content::Index { manifests } = index.manifest.content().unwrap() else { panic!("an index") };
    let named: Vec<_> = manifests.iter().map(|descriptor| descriptor.digest).collect();
    assert_eq!(named, [TestImage::image(1).digest(), TestImage::image(2).digest()]);
}
