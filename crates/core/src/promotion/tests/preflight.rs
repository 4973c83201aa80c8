//! Moves whose target has parts that are missing, or that cannot be looked at.

use super::*;
use crate::log::RecordedFinding;
use crate::registry::Content;
use crate::testing::{Call, ReadFault, TestImage};

/// The finding of `parts-present` in a receipt.
fn said(receipt: &Receipt) -> &RecordedFinding {
    receipt.findings().iter().find(|finding| finding.guardrail.as_str() == "parts-present").unwrap()
}

fn warned(receipt: &Receipt) -> (&str, &str) {
    let finding = said(receipt);
    assert_eq!(finding.verdict, Verdict::Warn, "{}", finding.why);
    (finding.code.as_ref().unwrap().as_str(), finding.why.as_str())
}

impl World {
    fn push(&self, name: &str, sample: &TestImage) -> Digest {
        self.registry.store(self.prod.repository(), sample);
        self.registry.push(self.prod.repository(), &tag(name), &sample.manifest)
    }

    async fn layer(&self, n: usize) -> Digest {
        match self.manifest(n).await.content() {
            Ok(Content::Image { layers, .. }) => layers[0].digest,
            other => panic!("{other:?}"),
        }
    }

    fn blobs_cannot_be_reached(&self) {
        let blobs = |call: &Call| matches!(call, Call::HasBlob { .. });
        self.registry.script_reads_when(blobs, vec![ReadFault::Unavailable; 32]);
    }
}

#[tokio::test(start_paused = true)]
async fn rollback_with_a_blob_host_down_goes_on_with_a_warning() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    w.blobs_cannot_be_reached();
    let receipt = w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    let (code, why) = warned(&receipt);
    assert_eq!((receipt.digest, code), (w.digests[0], "TARGET_UNKNOWN"));
    assert!(why.contains("the registry gave no answer"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn repair_to_an_incomplete_digest_is_refused() {
    let w = world().bootstrapped().await;
    let layer = w.layer(0).await;
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(3).await);
    w.registry.delete_blob(w.prod.repository(), &layer);
    let error = w.promoter.repair(&w.prod).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["TARGET_INCOMPLETE"]);
    assert!(error.to_string().contains(&format!("blob {layer}")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn repair_with_a_blob_host_down_goes_on_with_a_warning() {
    let w = world().bootstrapped().await;
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(3).await);
    w.blobs_cannot_be_reached();
    let receipt = w.promoter.repair(&w.prod).options(terms()).await.unwrap();
    assert_eq!(warned(&receipt).0, "TARGET_UNKNOWN");
}

#[tokio::test(start_paused = true)]
async fn sparse_index_is_promoted_with_a_warning_and_not_rolled_back_to() {
    let w = world().bootstrapped().await;
    let index = TestImage::index([TestImage::image(7), TestImage::image(8)]);
    w.push("multi", &index);
    let child = index.children[1].manifest.digest();
    w.registry.delete_manifest(w.prod.repository(), &child);
    let receipt = w.promoter.promote(&w.prod, w.release("multi")).options(terms()).await.unwrap();
    let (code, why) = warned(&receipt);
    assert_eq!(code, "TARGET_INCOMPLETE");
    assert!(why.ends_with(&format!("lacks parts: not in the registry: manifest {child} (linux/amd64)")), "{why}");
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let error = w.promoter.rollback(&w.prod).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["TARGET_INCOMPLETE"]);
}

#[tokio::test(start_paused = true)]
async fn manifest_that_is_not_understood_is_promoted_and_rolled_back_to_with_a_warning() {
    let w = world().bootstrapped().await;
    let odd = crate::registry::Manifest::new("{}", "application/vnd.example.thing.v1+json").unwrap();
    w.registry.push(w.prod.repository(), &tag("odd"), &odd);
    let receipt = w.promoter.promote(&w.prod, w.release("odd")).options(terms()).await.unwrap();
    assert_eq!(warned(&receipt).0, "TARGET_UNKNOWN");
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let receipt = w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    assert_eq!((receipt.digest, warned(&receipt).0), (odd.digest(), "TARGET_UNKNOWN"));
}

#[tokio::test(start_paused = true)]
async fn promotion_of_an_image_asks_for_no_part() {
    let w = world().bootstrapped().await;
    w.registry.delete_blob(w.prod.repository(), &w.layer(1).await);
    w.registry.clear_calls();
    let receipt = w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    assert_eq!(said(&receipt).verdict, Verdict::Pass);
    assert!(!w.registry.calls().iter().any(|call| matches!(call, Call::HasBlob { .. })));
}

#[tokio::test(start_paused = true)]
async fn incomplete_target_is_rolled_back_to_and_repaired_where_that_is_overridden_with_a_reason() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let layer = w.layer(0).await;
    w.registry.delete_blob(w.prod.repository(), &layer);
    let known = || MoveOptions { overrides: [text("parts-present")].into(), ..terms() };
    assert_eq!(
        w.kind(w.promoter.rollback(&w.prod).options(known())).await,
        ErrorKind::ValueInvalid,
        "it needs a reason"
    );
    let known = || MoveOptions { reason: Some(text("nodes have the layer")), ..known() };
    let check = |receipt: &Receipt| {
        let (code, why) = warned(receipt);
        assert_eq!((receipt.digest, code), (w.digests[0], "TARGET_INCOMPLETE"));
        assert!(why.contains(&format!("blob {layer}")) && why.ends_with("(overridden)"), "{why}");
        let [RecordedOverride { guardrail, reason }] = &receipt.r#move.as_ref().unwrap().intent.decision.overrides[..]
        else {
            panic!("{receipt:?}")
        };
        assert_eq!((guardrail.as_str(), reason.as_str()), ("parts-present", "nodes have the layer"));
    };
    check(&w.promoter.rollback(&w.prod).options(known()).await.unwrap());
    tokio::time::sleep(Duration::from_secs(60)).await;
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(3).await);
    assert_eq!(refused_by(&w.promoter.repair(&w.prod).options(terms()).await.unwrap_err()), ["TARGET_INCOMPLETE"]);
    check(&w.promoter.repair(&w.prod).options(known()).await.unwrap());
}
