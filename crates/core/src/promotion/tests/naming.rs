//! Releases by expressions: what is and was live on a channel.

use super::*;
use crate::value::{Environment, ReleaseExpression};

/// preprod and prod in a pipeline. prod went 1.0, 1.1, 1.2, back to 1.1 (seqs 1, 3, 5, 7), one move an hour; preprod
/// is at 1.3.
async fn moved() -> (World, Channel) {
    let w = world();
    let preprod: Channel = "reg.io/acme/shop:stage".parse().unwrap();
    let stage = |name: &str, channel: &Channel| Stage {
        environment: name.parse::<Environment>().unwrap(),
        channel: channel.clone(),
    };
    let pipeline = Pipeline::new(vec![stage("preprod", &preprod), stage("live", &w.prod)]).unwrap();
    let w = w.bootstrapped().await;
    for release in ["1.1", "1.2"] {
        tokio::time::advance(Duration::from_secs(3600)).await;
        w.promoter.promote(&w.prod, w.release(release)).options(terms()).await.unwrap();
    }
    tokio::time::advance(Duration::from_secs(3600)).await;
    w.promoter.rollback(&w.prod).options(terms()).await.unwrap();
    w.promoter.bootstrap(&preprod).source(w.release("1.3")).options(terms()).await.unwrap();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let promoter = w.promoter.to_builder().pipeline(pipeline).policy(free()).build().unwrap();
    (World { promoter, ..w }, preprod)
}

/// A policy without an order of environments: here releases go anywhere.
fn free() -> Policy {
    let named = |guardrail: &&Arc<dyn crate::policy::Guardrail>| guardrail.name() != "promotion-order";
    let standard = Policy::standard();
    Policy::new(text("free"), standard.guardrails().iter().filter(named).cloned().collect()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn source_of_a_promotion_is_any_release_expression() {
    let (w, preprod) = moved().await;
    let digest = w.digests[4];
    for (source, want) in [
        ("1.4".to_owned(), 4),
        ("preprod".to_owned(), 3),
        ("stage".to_owned(), 3),
        (preprod.to_string(), 3),
        ("live~1".to_owned(), 2),
        ("prod~2".to_owned(), 1),
        ("~3".to_owned(), 0),
        ("prod#5".to_owned(), 2),
        ("live@{110m ago}".to_owned(), 2),
        ("@{170 minutes ago}".to_owned(), 1),
        (digest.to_string(), 4),
        (format!("1.9@{digest}"), 4),
        (format!("oci://{}:1.4", w.prod.repository()), 4),
    ] {
        let plan = w.promoter.promote(&w.prod, source.as_str()).options(terms()).plan().await;
        let plan = plan.unwrap_or_else(|e| panic!("{source}: {e}"));
        let target = plan.change().map_or_else(|| plan.settled().unwrap().digest, |(_, target)| target);
        assert_eq!(target, w.digests[want], "{source}");
    }
}

#[tokio::test(start_paused = true)]
async fn target_of_a_rollback_is_any_release_expression() {
    let (w, _) = moved().await;
    let whole = w.prod.repository();
    for (to, want) in [
        ("~1".to_owned(), 2),
        ("live~3".to_owned(), 0),
        ("prod#1".to_owned(), 0),
        ("@{170m ago}".to_owned(), 1),
        ("1.2".to_owned(), 2),
        (format!("{whole}:1.2"), 2),
        (format!("{whole}@{}", w.digests[0]), 0),
    ] {
        let plan = w.promoter.rollback(&w.prod).to(to.as_str()).options(terms()).plan().await;
        let plan = plan.unwrap_or_else(|e| panic!("{to}: {e}"));
        let target = plan.change().map_or_else(|| plan.settled().unwrap().digest, |(_, target)| target);
        assert_eq!(target, w.digests[want], "{to}");
    }
    let refused = async |to: &str| w.promoter.rollback(&w.prod).to(to).options(terms()).plan().await.unwrap_err();
    let error = refused("preprod").await;
    assert_eq!(error.kind(), ErrorKind::RollbackNoTarget);
    assert_eq!(
        error.message(),
        format!("{} was never live on {}: a rollback goes to a digest that was", w.digests[3], w.prod)
    );
    let error = refused("~4").await;
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::RollbackNoTarget, "reg.io/acme/shop:prod had no other live digest 4 changes ago")
    );
    let error = refused("reg.io/other:1.2").await;
    assert_eq!(error.kind(), ErrorKind::ValueInvalid);
    assert!(
        error.message().starts_with("the source is in reg.io/other and the channel in reg.io/acme/shop"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn release_that_the_record_does_not_have_is_unknown() {
    let (w, _) = moved().await;
    w.registry.script([InjectedFault::refused("DENIED")]);
    w.promoter.promote(&w.prod, w.release("1.4")).options(terms()).await.unwrap_err();
    let unknown = async |source: &str| {
        let error = w.promoter.promote(&w.prod, source).options(terms()).plan().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReleaseUnknown, "{source}");
        error.message().to_owned()
    };
    let prod = &w.prod;
    assert_eq!(unknown("preprod~1").await, "reg.io/acme/shop:stage had no other live digest 1 changes ago");
    assert_eq!(unknown("#2").await, format!("{prod} has no move at sequence number 2"));
    assert_eq!(unknown("#10").await, format!("the move of {prod} at sequence number 10 is failed, not committed"));
    assert_eq!(
        unknown("@{1970-01-01T00:00:00Z}").await,
        format!("{prod} had no recorded live digest at 1970-01-01T00:00:00.000Z")
    );
}

/// The request is what was asked: a retry after the channel moved on is the same request.
#[tokio::test(start_paused = true)]
async fn same_key_with_a_past_release_is_the_same_request() {
    let (w, preprod) = moved().await;
    let keyed = || MoveOptions { idempotency_key: Some("key-1".parse().unwrap()), ..terms() };
    let source = || "preprod~0".parse::<ReleaseExpression>().unwrap();
    let receipt = w.promoter.promote(&w.prod, source()).options(keyed()).await.unwrap();
    let intent = receipt.r#move.unwrap().intent;
    assert_eq!(intent.source, Source::Reference(w.prod.repository().digest(w.digests[3])));
    assert_eq!(intent.provenance.release.unwrap().as_str(), "1.3", "the name that the release has there");
    w.promoter.promote(&preprod, w.release("1.4")).options(terms()).await.unwrap();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let receipt = w.promoter.promote(&w.prod, source()).options(keyed()).await.unwrap();
    assert_eq!((receipt.result, receipt.digest), (MoveResult::Replayed, w.digests[3]));
}
