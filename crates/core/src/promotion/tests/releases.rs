//! Rollbacks, and releases by name.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_rollback_goes_only_where_the_channel_was() {
    let w = world().bootstrapped().await;
    assert_eq!(w.kind(w.promoter.rollback(&w.prod).options(terms())).await, ErrorKind::RollbackNoTarget);
    assert_eq!(
        w.kind(w.promoter.rollback(&w.prod).options(terms()).to(w.digests[3])).await,
        ErrorKind::RollbackNoTarget
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollback_goes_to_a_release_or_a_move_by_name() {
    let w = world().bootstrapped().await;
    for release in ["1.1", "1.2"] {
        w.promoter.promote(&w.prod, w.release(release)).options(terms()).await.unwrap();
    }
    let receipt = w.promoter.rollback(&w.prod).options(terms()).to("1.0").await.unwrap();
    assert_eq!(receipt.digest, w.digests[0]);
    let label = receipt.r#move.unwrap().intent.provenance.release.unwrap();
    assert_eq!(label.as_str(), "1.0", "a rollback has the name of the release that it brings back");
    let receipt = w.promoter.rollback(&w.prod).options(terms()).to("prod#3").await.unwrap();
    assert_eq!((receipt.digest, receipt.findings().last().unwrap().verdict), (w.digests[1], Verdict::Pass));
    for (target, why) in [
        ("1.3", "no move of reg.io/acme/shop:prod brought the release 1.3"),
        ("#2", "reg.io/acme/shop:prod has no move at sequence number 2"),
        ("#99", "reg.io/acme/shop:prod has no move at sequence number 99"),
    ] {
        let error = w.promoter.rollback(&w.prod).options(terms()).to(target).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::RollbackNoTarget, why));
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_with_two_digests_is_the_newest_with_a_warning() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let other = w.registry.push_image(w.prod.repository(), &tag("1.1"), 77).digest();
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    w.promoter.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    let receipt = w.promoter.rollback(&w.prod).options(terms()).to("1.1").await.unwrap();
    assert_eq!(receipt.digest, other);
    let warning = receipt.findings().last().unwrap();
    assert_eq!((warning.verdict, warning.code.as_ref().unwrap().as_str()), (Verdict::Warn, "RELEASE_AMBIGUOUS"));
    assert!(warning.why.as_str().contains(&w.digests[1].to_string()), "{}", warning.why);
}

#[tokio::test(start_paused = true)]
async fn a_promotion_from_a_channel_has_the_name_of_the_release_there() {
    let w = world();
    let dev: Channel = "reg.io/acme/shop:dev".parse().unwrap();
    for channel in [&dev, &w.prod] {
        w.promoter.bootstrap(channel).source(w.release("1.0")).options(terms()).await.unwrap();
    }
    w.promoter.promote(&dev, w.release("1.1")).options(terms()).await.unwrap();
    let receipt = w.promoter.promote(&w.prod, Source::Channel(dev)).options(terms()).await.unwrap();
    assert_eq!(receipt.r#move.unwrap().intent.provenance.release.unwrap().as_str(), "1.1");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_finds_out_first_what_is_gone() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let blob = match w.registry.fetch(&w.prod.repository().digest(w.digests[0])).await.unwrap().unwrap().content() {
        Ok(crate::registry::Content::Image { layers, .. }) => layers[0].digest,
        other => panic!("{other:?}"),
    };
    w.registry.delete_blob(w.prod.repository(), &blob);
    let error = w.promoter.rollback(&w.prod).options(terms()).await.unwrap_err();
    assert_eq!(refused_by(&error), ["TARGET_INCOMPLETE"]);
    assert!(error.to_string().contains(&blob.to_string()), "{error}");
}
