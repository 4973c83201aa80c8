//! The search for a release's parts, on the in-memory registry.

use super::*;
use crate::registry::ARTIFACT_TYPES;
use crate::testing::{Call, MemoryRegistry, ReadFault, TestImage};

struct World {
    registry: MemoryRegistry,
    repository: Repository,
}

fn world() -> World {
    World { registry: MemoryRegistry::new(), repository: "reg.io/acme/shop".parse().unwrap() }
}

/// A manifest of this media type and text.
fn manifest(media_type: &str, json: &str) -> Manifest {
    Manifest::new(json.to_owned(), media_type).unwrap()
}

fn texts(parts: &[Line]) -> Vec<&str> {
    parts.iter().map(Line::as_str).collect()
}

impl World {
    fn store(&self, sample: &TestImage) {
        self.registry.store(&self.repository, sample);
        self.registry.clear_calls();
    }

    async fn look(&self, manifest: &Manifest, depth: Depth) -> Parts {
        let (registry, repository): (&dyn Registry, _) = (&self.registry, &self.repository);
        Preflight { registry, repository, depth }.parts(manifest).await
    }

    async fn all(&self, manifest: &Manifest) -> Parts {
        self.look(manifest, Depth::Everything).await
    }
}

#[tokio::test(start_paused = true)]
async fn image_whose_layer_is_gone_misses_a_blob() {
    let (w, sample) = (world(), TestImage::image(1));
    w.store(&sample);
    assert_eq!(w.all(&sample.manifest).await, Parts::default());
    let layer = Digest::of(&sample.blobs[1]);
    w.registry.delete_blob(&w.repository, &layer);
    let parts = w.all(&sample.manifest).await;
    assert_eq!((texts(&parts.missing), parts.unknown), (vec![format!("blob {layer}").as_str()], vec![]));
}

#[tokio::test(start_paused = true)]
async fn sparse_index_misses_a_manifest_at_either_depth() {
    let w = world();
    let index = TestImage::index([TestImage::image(1), TestImage::image(2)]);
    w.store(&index);
    let child = index.children[1].manifest.digest();
    w.registry.delete_manifest(&w.repository, &child);
    for depth in [Depth::Manifests, Depth::Everything] {
        let parts = w.look(&index.manifest, depth).await;
        assert_eq!(texts(&parts.missing), [format!("manifest {child} (linux/amd64)")]);
        assert_eq!(parts.unknown, []);
    }
}

#[tokio::test(start_paused = true)]
async fn promotion_asks_for_no_blob_and_for_nothing_of_an_image() {
    let w = world();
    let index = TestImage::index([TestImage::image(1), TestImage::image(2)]);
    w.store(&index);
    w.look(&index.children[0].manifest, Depth::Manifests).await;
    assert_eq!(w.registry.calls(), []);
    w.look(&index.manifest, Depth::Manifests).await;
    let calls = w.registry.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| matches!(call, Call::Fetch { .. })), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn blob_named_by_two_images_is_looked_at_once() {
    let w = world();
    let layers = [TestImage::image(1), TestImage::image(1)];
    let index = TestImage::index(layers);
    w.store(&index);
    w.all(&index.manifest).await;
    assert_eq!(w.registry.calls().len(), 3, "a manifest and two blobs");
}

#[tokio::test(start_paused = true)]
async fn part_that_cannot_be_looked_at_is_unknown_in_the_registrys_words() {
    let (w, sample) = (world(), TestImage::image(1));
    w.store(&sample);
    let config = Digest::of(&sample.blobs[0]);
    w.registry.script_reads([ReadFault::Unavailable]);
    let parts = w.all(&sample.manifest).await;
    assert_eq!(parts.missing, []);
    let [unknown] = &parts.unknown[..] else { panic!("{parts:?}") };
    assert!(unknown.as_str().starts_with(&format!("blob {config}: the registry gave no answer")), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn host_that_does_not_answer_is_waited_for_ten_seconds_in_all() {
    let (w, sample) = (world(), TestImage::index([TestImage::image(1), TestImage::image(2)]));
    w.store(&sample);
    w.registry.script_reads_when(
        |call: &Call| matches!(call, Call::HasBlob { .. }),
        vec![ReadFault::Slow(Duration::from_secs(60)); 8],
    );
    let began = Instant::now();
    let parts = w.all(&sample.manifest).await;
    assert_eq!(began.elapsed(), WITHIN);
    assert_eq!((parts.missing.len(), parts.unknown.len()), (0, 4));
    assert!(parts.unknown[0].as_str().ends_with("reg.io did not say within 10 s whether it is there"));
}

#[tokio::test(start_paused = true)]
async fn manifest_that_is_not_understood_is_unknown_and_misses_nothing() {
    let w = world();
    let odd = manifest("application/vnd.example.thing.v1+json", "{}");
    for depth in [Depth::Manifests, Depth::Everything] {
        let parts = w.look(&odd, depth).await;
        assert_eq!(parts.missing, []);
        assert_eq!(
            texts(&parts.unknown),
            [format!(
                "{} is not understood: manifest: the media type \"application/vnd.example.thing.v1+json\" is not one of a \
                 manifest or an index",
                odd.digest()
            )]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn artifact_manifest_is_looked_at_by_its_blobs() {
    let w = world();
    let (there, gone) = (w.registry.store_blob(&w.repository, "sbom"), Digest::of(b"gone"));
    let blob = |digest: Digest| format!(r#"{{"mediaType":"text/plain","digest":"{digest}","size":4}}"#);
    for artifact in ARTIFACT_TYPES {
        let manifest = manifest(artifact, &format!(r#"{{"blobs":[{},{}]}}"#, blob(there), blob(gone)));
        let parts = w.all(&manifest).await;
        assert_eq!((texts(&parts.missing), parts.unknown), (vec![format!("blob {gone}").as_str()], vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn child_that_is_no_manifest_is_unknown_when_absent() {
    let w = world();
    let [_, index, ..] = MANIFEST_TYPES;
    let layer = Digest::of(b"layer");
    let child = format!(r#"{{"mediaType":"application/vnd.buildkit.cache","digest":"{layer}","size":5}}"#);
    let index = manifest(index, &format!(r#"{{"schemaVersion":2,"manifests":[{child}]}}"#));
    let parts = w.all(&index).await;
    assert_eq!(parts.missing, []);
    assert!(parts.unknown[0].as_str().contains("application/vnd.buildkit.cache is not the media type of one"));
}
