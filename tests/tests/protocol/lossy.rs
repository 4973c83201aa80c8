//! Eight processes that share only the ledger's URL promote one channel of a real registry. Of the answers of both the
//! registry and the ledger, 5 % are lost after the effect.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tagwarden::log::MoveStatus;
use tagwarden::promotion::RecoveryMode;
use tagwarden::registry::oci::OciRegistry;
use tagwarden::registry::{Put, Registry};
use tagwarden::{Digest, Promoter, Repository};
use tagwarden_testing::TestImage;
use tagwarden_tests::docker_registry::{Access, DockerRegistry, Transport};
use tagwarden_tests::proxy::{Fault, Proxy};
use tagwarden_tests::verify_ledger;

use super::backend::{Backend, Place, export, on, real_time};
use super::child::{bootstrap, oci, prod, start};
use super::world::{TIMEOUT, tag, who};

/// The number of promotions of each process.
const EACH: usize = 5;

async fn push(registry: &OciRegistry, repository: &Repository, name: &str, number: u64) {
    let sample = TestImage::image(number);
    for blob in &sample.blobs {
        registry.push_blob(repository, blob.clone()).await.unwrap();
    }
    let put = registry.put(repository, &tag(name), &sample.manifest, Duration::from_secs(15)).await;
    assert!(matches!(put, Put::Applied), "{name}: {put:?}");
}

async fn every_move_is_recorded_once(place: &Place) {
    let Some(server) = DockerRegistry::start("lossy", Access::Open, Transport::Http) else { return };
    let (registry, (ledger, through)) = (Proxy::http(server.host()), place.proxied());
    let repository: Repository = format!("{}/acme/shop", registry.host()).parse().unwrap();
    push(&oci(), &repository, "1.0", 0).await;
    for writer in 0..8 {
        for half in 0..2 {
            push(&oci(), &repository, &format!("w{writer}.{half}"), 100 + 2 * writer + half).await;
        }
    }
    bootstrap(Arc::new(oci()), place.open(), &repository).await;

    registry.chance(11, 5, Fault::LoseAnswer);
    ledger.chance(12, 5, Fault::LoseAnswer);
    let children: Vec<_> =
        (0..8).map(|writer| start("lossy", &repository, &through, &format!("{writer} {EACH}"))).collect();
    for mut child in children {
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
        assert!(ended.success(), "{ended}");
    }
    println!("{:?}: registry {:?}, ledger {:?}", place.backend(), registry.done(), ledger.done());
    assert!(registry.done().lost > 0 && ledger.done().lost > 0, "faults happened");
    registry.calm();
    ledger.calm();

    let (channel, promoter) = (prod(&repository), Promoter::new(Arc::new(oci()), place.open()));
    promoter.recover(&channel, RecoveryMode::RollForward, who(), TIMEOUT).await.unwrap();
    let state = promoter.state(&channel).await.unwrap();
    assert_eq!(state.open, None);
    assert_eq!(state.live, oci().resolve(&repository, channel.tag()).await.unwrap());
    let page = promoter.history_page(&channel, None, 10_000).await.unwrap();
    assert_eq!(page.next, None);
    let committed = page.events.iter().filter(|event| event.status() == MoveStatus::Committed);
    let (mut keys, mut count, mut from) = (BTreeSet::new(), 0, None::<Digest>);
    for event in committed {
        assert!(from.is_none_or(|from| from == event.intent.target.digest), "each begins where the one before ended");
        (from, count) = (event.intent.previous, count + 1);
        keys.insert(event.intent.key.clone());
    }
    assert_eq!((keys.len(), count), (8 * EACH + 1, 8 * EACH + 1), "every move once");
    // Interleaved moves would be a defect in both verifiers, which are implemented independently.
    assert_eq!(promoter.verify(&channel).await.unwrap().defect, None);
    let log = tempfile::NamedTempFile::new().unwrap();
    export(place.open().as_ref(), &channel, log.path()).await;
    assert_eq!(verify_ledger(log.path()).unwrap()["committed"], 8 * EACH + 1);
}

#[test]
fn on_postgres() {
    on(Backend::Postgres, "lossy::on_postgres", |place| real_time(every_move_is_recorded_once(place)));
}

#[test]
fn on_s3() {
    on(Backend::S3, "lossy::on_s3", |place| real_time(every_move_is_recorded_once(place)));
}

#[test]
fn on_azure() {
    on(Backend::Azure, "lossy::on_azure", |place| real_time(every_move_is_recorded_once(place)));
}

#[test]
fn on_gcs() {
    on(Backend::Gcs, "lossy::on_gcs", |place| real_time(every_move_is_recorded_once(place)));
}

#[test]
fn in_a_git_branch() {
    on(Backend::GitHttp, "lossy::in_a_git_branch", |place| real_time(every_move_is_recorded_once(place)));
}
