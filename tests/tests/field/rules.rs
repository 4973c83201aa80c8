//! The rules of a move: what may happen between a program and a registry.

use std::time::{Duration, Instant};

use tagwarden::promotion::{OnConflict, RecoveryMode, RecoveryResult};
use tagwarden::{ErrorKind, MoveOptions, MoveResult};
use tagwarden_testing::TestImage;
use tagwarden_tests::proxy::Fault;

use crate::place::{Place, put_of_prod, run};

async fn deployed(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1), ("1.2", 2)]).await;
    place.promoter().bootstrap(&place.prod()).source("1.0").options(run("1")).await.unwrap();
    for other in place.others() {
        assert!(other.promotes("1.0"));
    }
}

/// Waits until the proxy holds a put back.
fn until_delayed(place: &Place, before: u64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while place.proxy.done().delayed == before {
        assert!(Instant::now() < deadline, "no put came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The put of a run for 1.1 is on a slow way when a run for 1.2 begins.
pub async fn runs_at_once(place: &Place) {
    deployed(place).await;
    let (prod, delayed) = (place.prod(), place.proxy.done().delayed);
    place.proxy.script(put_of_prod, [Fault::Delay(Duration::from_millis(200))]);
    let first = tokio::spawn({
        let (promoter, prod) = (place.promoter(), prod.clone());
        async move { promoter.promote(&prod, "1.1").options(run("11")).await }
    });
    tokio::task::block_in_place(|| until_delayed(place, delayed));
    let second = MoveOptions { on_conflict: OnConflict::Requeue, ..run("12") };
    place.promoter().promote(&prod, "1.2").options(second).await.unwrap();
    first.await.unwrap().unwrap();
    for other in place.others() {
        let delayed = place.proxy.done().delayed;
        place.proxy.script(put_of_prod, [Fault::Delay(Duration::from_millis(1500))]);
        let first = other.begins("1.1");
        until_delayed(place, delayed);
        assert!(other.promotes("1.2"));
        assert!(first.wait_with_output().unwrap().status.success());
    }
}

/// The registry takes the put of 1.1, and the answer is lost.
pub async fn lost_answer(place: &Place) {
    deployed(place).await;
    place.proxy.script(put_of_prod, [Fault::LoseAnswer]);
    let receipt = place.promoter().promote(&place.prod(), "1.1").options(run("11")).await.unwrap();
    assert_eq!(receipt.result, MoveResult::Committed);
    for other in place.others() {
        place.proxy.script(put_of_prod, [Fault::LoseAnswer]);
        // crane sends the put again; it is the same put, so long as nothing else came in between.
        assert_eq!(other.promotes("1.1"), other.name() == "crane", "{}", other.name());
    }
}

/// The connection breaks before the put of 1.1 reaches the registry.
pub async fn put_that_never_arrived(place: &Place) {
    deployed(place).await;
    place.proxy.script(put_of_prod, [Fault::Cut]);
    let receipt = place.promoter().promote(&place.prod(), "1.1").options(run("11")).await.unwrap();
    assert_eq!(receipt.result, MoveResult::Committed);
    for other in place.others() {
        place.proxy.script(put_of_prod, [Fault::Cut]);
        assert_eq!(other.promotes("1.1"), other.name() == "crane", "{}", other.name());
    }
}

/// The run for 1.1 is killed while its put is on a slow way. A person promotes 1.2 at once. Then the put lands.
pub async fn dead_worker(place: &Place) {
    const SLOW: Duration = Duration::from_millis(1500);
    deployed(place).await;
    let (prod, delayed) = (place.prod(), place.proxy.done().delayed);
    place.proxy.script(put_of_prod, [Fault::Delay(SLOW)]);
    let promoter = place.promoter();
    let dies = tokio::task::block_in_place(|| {
        let dies = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let prod = prod.clone();
        dies.spawn(async move { promoter.promote(&prod, "1.1").options(run("11")).await });
        until_delayed(place, delayed);
        dies
    });
    dies.shutdown_background();
    place.promoter().promote(&prod, "1.2").options(run("12")).await.unwrap();
    let recovered =
        place.promoter().recover(&prod, RecoveryMode::RollForward, run("13").provenance, SLOW).await.unwrap();
    assert!(matches!(recovered, RecoveryResult::Nothing), "{recovered:?}");
    for other in place.others() {
        let delayed = place.proxy.done().delayed;
        place.proxy.script(put_of_prod, [Fault::Delay(SLOW)]);
        let mut dies = other.begins("1.1");
        until_delayed(place, delayed);
        dies.kill().unwrap();
        dies.wait().unwrap();
        assert!(other.promotes("1.2"));
    }
    tokio::time::sleep(SLOW + Duration::from_millis(500)).await;
}

/// `prod` is at 1.1, without a ledger. A script makes the tag from 1.0 where it is missing, and its look fails.
pub async fn failed_look(place: &Place) {
    place.push(&[("1.0", 0), ("1.1", 1)]).await;
    place.push_sample("prod", "1.1", &TestImage::image(1)).await;
    // The programs try again.
    let of_prod = |head: &[u8]| !put_of_prod(head) && String::from_utf8_lossy(head).contains("/manifests/prod ");
    place.proxy.script(of_prod, vec![Fault::Cut; 100]);
    let soon = MoveOptions { timeout: Duration::from_secs(1), ..run("1") };
    let error = place.promoter().promote(&place.prod(), "1.0").options(soon).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryUnavailable, "{error}");
    for other in place.others() {
        place.proxy.calm();
        place.proxy.script(of_prod, vec![Fault::Cut; 100]);
        if !other.sees_prod() {
            place.proxy.calm();
            assert!(other.promotes("1.0"));
        }
    }
    place.proxy.calm();
    let error = place.promoter().promote(&place.prod(), "1.0").options(run("2")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelNotBootstrapped, "{error}");
}

/// A release for two platforms is promoted.
pub async fn whole_index(place: &Place) {
    deployed(place).await;
    let index = TestImage::index([TestImage::image(31), TestImage::image(32)]);
    place.push_sample("2.0", "2.0", &index).await;
    place.promoter().promote(&place.prod(), "2.0").options(run("20")).await.unwrap();
    for other in place.others() {
        assert!(other.promotes("2.0"));
    }
}
