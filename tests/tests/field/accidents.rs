//! Accidents of a release process.

use std::collections::BTreeSet;

use tagwarden::drift::Drift;
use tagwarden::log::{Block, Hold, HoldScope, Unhold};
use tagwarden::policy::{GuardrailUse, Mode, Order, OrderBy, Policy, Refusal};
use tagwarden::promotion::DiffOptions;
use tagwarden::{Clock, Error, ErrorKind, Pipeline, Provenance, Stage, SystemClock};
use tagwarden_testing::TestImage;

use crate::place::{Place, attempt, run};

/// The codes of the findings that refused a move.
fn refused_by(error: &Error) -> Vec<String> {
    assert_eq!(error.kind(), ErrorKind::PolicyRefused, "{error}");
    let refusal: &Refusal = error.source_as().unwrap();
    refusal.refusals().filter_map(|finding| finding.code().map(str::to_owned)).collect()
}

/// `prod` is at 1.0, everywhere.
async fn deployed(place: &Place) {
    place.promoter().bootstrap(&place.prod()).source("1.0").options(run("1")).await.unwrap();
    for other in place.others() {
        assert!(other.promotes("1.0"));
    }
}

/// A policy by which releases go forward.
fn forward_only() -> Policy {
    let order = Order::new(OrderBy::Semver, false).unwrap();
    let refuses = GuardrailUse { mode: Some(Mode::Refuse), ops: BTreeSet::new() };
    Policy::standard().with_order(Some(order)).with_use("forward-only", refuses).unwrap()
}

/// The build of 1.1 is slow, and its run promotes it after the one of 1.2.
pub async fn older_build(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1), ("1.2", 2)]).await;
    let (promoter, prod) = (place.builder().policy(forward_only()).build().unwrap(), place.prod());
    promoter.bootstrap(&prod).source("1.0").options(run("1")).await.unwrap();
    promoter.promote(&prod, "1.2").options(run("12")).await.unwrap();
    let error = promoter.promote(&prod, "1.1").options(run("11")).await.unwrap_err();
    assert_eq!(refused_by(&error), ["ORDER_OUTDATED"]);
    for other in place.others() {
        assert!(other.promotes("1.0") && other.promotes("1.2") && other.promotes("1.1"));
    }
}

/// 1.1 is bad and rolled back. The next run of the pipeline promotes it again.
pub async fn undone_rollback(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1)]).await;
    deployed(place).await;
    let (promoter, prod) = (place.promoter(), place.prod());
    promoter.promote(&prod, "1.1").options(run("11")).await.unwrap();
    promoter.rollback(&prod).options(run("12")).await.unwrap();
    let error = promoter.promote(&prod, "1.1").options(run("13")).await.unwrap_err();
    assert_eq!(refused_by(&error), ["ROLLED_BACK"]);
    for other in place.others() {
        assert!(other.promotes("1.1") && other.promotes("1.0") && other.promotes("1.1"));
    }
}

/// 1.1 is known to be bad. A person promotes it to `prod`, where it never was.
pub async fn bad_release(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1)]).await;
    deployed(place).await;
    let (promoter, prod) = (place.promoter(), place.prod());
    let digest = promoter.digest_of(&prod, &"1.1".parse().unwrap()).await.unwrap().unwrap();
    let provenance = Provenance::new("manual", "1", "bob").unwrap();
    let block = Block { digest, reason: "it loses orders".parse().unwrap(), provenance, url: None };
    promoter.block(&prod, block).await.unwrap();
    let error = promoter.promote(&prod, "1.1").options(run("11")).await.unwrap_err();
    assert_eq!(refused_by(&error), ["TARGET_BLOCKED"]);
    for other in place.others() {
        assert!(other.promotes("1.1"));
    }
}

/// A run for 1.1 looks at `prod`, and is slow. A run for 1.2 begins later and ends first. Then the slow one goes on.
pub async fn late_run(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1), ("1.2", 2)]).await;
    deployed(place).await;
    let (slow, fast, prod) = (place.promoter(), place.promoter(), place.prod());
    let plan = slow.promote(&prod, "1.1").options(run("11")).plan().await.unwrap();
    fast.promote(&prod, "1.2").options(run("12")).await.unwrap();
    let error = slow.execute(plan.approve().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelChanged, "{error}");
    for other in place.others() {
        assert!(other.promotes("1.2") && other.promotes("1.1"));
    }
}

/// A CI repeats the step that promoted 1.1, because it lost the answer, after 1.2 is live.
pub async fn retried_job(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1), ("1.2", 2)]).await;
    deployed(place).await;
    let (promoter, prod) = (place.promoter(), place.prod());
    promoter.promote(&prod, "1.1").options(attempt("11", 1)).await.unwrap();
    promoter.promote(&prod, "1.2").options(attempt("12", 1)).await.unwrap();
    let error = place.promoter().promote(&prod, "1.1").options(attempt("11", 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IdempotencySuperseded, "{error}");
    for other in place.others() {
        assert!(other.promotes("1.1") && other.promotes("1.2") && other.promotes("1.1"));
    }
}

fn hold(by: &str) -> Hold {
    let provenance = Provenance::new("manual", "1", by).unwrap();
    Hold { scope: HoldScope::Promotions, reason: "incident 7".parse().unwrap(), provenance, until: None }
}

/// ada and bob hold `prod`. ada ends her hold. The pipeline's next run promotes 1.1.
pub async fn two_holds(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1)]).await;
    deployed(place).await;
    let (promoter, prod) = (place.promoter(), place.prod());
    let of_ada = promoter.hold(&prod, hold("ada")).await.unwrap();
    promoter.hold(&prod, hold("bob")).await.unwrap();
    let Hold { reason, provenance, .. } = hold("ada");
    promoter.unhold(&prod, Unhold { hold: of_ada, reason, provenance }).await.unwrap();
    let error = promoter.promote(&prod, "1.1").options(run("11")).await.unwrap_err();
    assert_eq!(refused_by(&error), ["CHANNEL_HELD"]);
    // The hold of a tag is a habit there, and the pipeline does not know it.
    for other in place.others() {
        assert!(other.promotes("1.1"));
    }
}

/// A freeze until a time is in force when a scheduled run promotes 1.1.
pub async fn freeze(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1)]).await;
    deployed(place).await;
    let (promoter, prod) = (place.promoter(), place.prod());
    let until = SystemClock.now().plus(std::time::Duration::from_secs(3600));
    promoter.hold(&prod, Hold { until: Some(until), ..hold("ada") }).await.unwrap();
    let error = promoter.promote(&prod, "1.1").options(run("11")).await.unwrap_err();
    assert_eq!(refused_by(&error), ["CHANNEL_HELD"]);
    for other in place.others() {
        assert!(other.promotes("1.1"));
    }
}

/// A gate scans 1.1. Before it is promoted, the tag 1.1 is pushed again with other content.
pub async fn replaced_release(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1)]).await;
    deployed(place).await;
    let (promoter, prod) = (place.promoter(), place.prod());
    let plan = promoter.promote(&prod, "1.1").options(run("11")).plan().await.unwrap();
    let (_, scanned) = plan.change().unwrap();
    place.push_sample("1.1", "1.1 pushed again", &TestImage::image(66)).await;
    let receipt = promoter.execute(plan.approve().unwrap()).await.unwrap();
    assert_eq!(receipt.digest, scanned);
    for other in place.others() {
        assert!(other.promotes("1.1"));
    }
}

/// Another CI pushes a hotfix to `prod`. Nothing else happens until the nightly check.
pub async fn hand_push(place: &Place) {
    place.push(&[("1.0", 0), ("hotfix", 7)]).await;
    deployed(place).await;
    let (promoter, prod) = (place.promoter(), place.prod());
    place.push_to_ours("prod", "hotfix", &TestImage::image(7)).await;
    let audit = promoter.audit(std::slice::from_ref(&prod)).await.unwrap();
    let drift = &audit.channels()[0].drift;
    assert!(matches!(drift, Drift::MovedOutside { .. }), "{drift:?}");
    let error = promoter.promote(&prod, "1.0").options(run("12")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelDrifted, "{error}");
    promoter.repair(&prod).options(run("13")).await.unwrap();
    // No other program knows what prod should be, so there is no check that could tell.
    for other in place.others() {
        assert!(other.promotes("hotfix"));
    }
}

/// Each build is pushed to the tag `candidate`, and promoted from there. Then the registry removes what has no tag, and
/// the new release must be left.
pub async fn collected_target(place: &Place) {
    place.push_sample("candidate", "1.0", &TestImage::image(0)).await;
    let (promoter, prod) = (place.promoter(), place.prod());
    promoter.bootstrap(&prod).source("candidate").options(run("1")).await.unwrap();
    for other in place.others() {
        assert!(other.promotes("candidate"));
    }
    place.push_sample("candidate", "1.1", &TestImage::image(1)).await;
    promoter.promote(&prod, "candidate").options(run("11")).await.unwrap();
    for other in place.others() {
        assert!(other.promotes("candidate"));
    }
    place.collect_garbage().await;
    promoter.rollback(&prod).options(run("12")).await.unwrap();
    let old = TestImage::image(0).digest().to_string();
    for other in place.others() {
        assert!(!other.promotes(&old), "{}: it is gone", other.name());
    }
}

/// 1.1 was never live in dev, and a run promotes it to `prod`.
pub async fn skipped_environment(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1)]).await;
    let (dev, prod) = (place.channel("dev"), place.prod());
    let stage = |name: &str, channel: &tagwarden::Channel| Stage {
        environment: name.parse().unwrap(),
        channel: channel.clone(),
    };
    let pipeline = Pipeline::new(vec![stage("dev", &dev), stage("prod", &prod)]).unwrap();
    let promoter = place.builder().pipeline(pipeline).build().unwrap();
    promoter.bootstrap(&dev).source("1.0").options(run("1")).await.unwrap();
    promoter.bootstrap(&prod).source("1.0").options(run("2")).await.unwrap();
    let error = promoter.promote(&prod, "1.1").options(run("11")).await.unwrap_err();
    assert_eq!(refused_by(&error), ["STAGE_SKIPPED"]);
    for other in place.others() {
        other.points("dev", "1.0");
        assert!(other.promotes("1.0") && other.promotes("1.1"));
    }
}

/// After a promotion the registry removes what has no tag, and a person asks what the promotion brought.
pub async fn what_it_brings(place: &Place) {
    place.push_sample("candidate", "1.0", &TestImage::image(0)).await;
    let (promoter, prod) = (place.promoter(), place.prod());
    let named = |release: &str, id| {
        let mut options = run(id);
        options.provenance.release = Some(release.parse().unwrap());
        options
    };
    promoter.bootstrap(&prod).source("candidate").options(named("1.0", "1")).await.unwrap();
    place.push_sample("candidate", "1.1", &TestImage::image(1)).await;
    promoter.promote(&prod, "candidate").options(named("1.1", "11")).await.unwrap();
    for other in place.others() {
        assert!(other.promotes("candidate"));
    }
    place.collect_garbage().await;
    let gone = TestImage::image(0).digest();
    assert!(place.others().iter().all(|other| !place.has(&other.path(), &gone)));
    let (old, new) = ("prod~1".parse().unwrap(), "prod".parse().unwrap());
    let options = DiffOptions { channel: Some(prod), ..DiffOptions::default() };
    let diff = promoter.diff(&old, &new, &options).await.unwrap();
    let release = |side: &tagwarden::diff::ReleaseFacts| side.release.as_ref().unwrap().to_string();
    assert_eq!((release(&diff.old), release(&diff.new)), ("1.0".to_owned(), "1.1".to_owned()));
    assert_eq!(diff.layers.unwrap().added.len(), 1);
}
