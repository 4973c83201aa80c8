//! Faults at the ports of any ledger and any registry.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tagwarden::ledger::{Appended, Ledger, MemoryLedger};
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Channel, Digest, Error, ErrorKind, Repository, Tag};
use tagwarden_testing::*;
use tokio::time::{Instant, sleep};

const TIMEOUT: Duration = Duration::from_secs(15);

fn ledger() -> (FaultyLedger, Channel) {
    (FaultyLedger::over(Arc::new(MemoryLedger::new())), "reg.io/shop:prod".parse().unwrap())
}

fn lost() -> Error {
    Error::new(ErrorKind::LedgerAmbiguous, "the answer was lost")
}

async fn entries(ledger: &FaultyLedger, channel: &Channel) -> Vec<Bytes> {
    ledger.read(channel, 0, 100).await.unwrap()
}

#[tokio::test]
async fn faulty_ledger_without_faults_keeps_every_requirement() {
    let (ledger, _) = ledger();
    let ledger = Arc::new(ledger);
    conformance::ledger::all(&move || Ok(ledger.clone() as Arc<dyn Ledger>)).await.unwrap();
}

#[tokio::test]
async fn scripted_faults_are_met_one_each_and_in_order() {
    let (ledger, channel) = ledger();
    ledger.script_when(LedgerCall::appends, [Fault::pass(), Fault::before(lost()), Fault::after(lost())]);
    assert_eq!(ledger.append(&channel, 0, "a".into()).await.unwrap(), Appended::Stored);
    assert_eq!(ledger.append(&channel, 1, "b".into()).await.unwrap_err().kind(), ErrorKind::LedgerAmbiguous);
    assert_eq!(entries(&ledger, &channel).await, ["a"], "before: it has no effect");
    assert_eq!(ledger.append(&channel, 1, "c".into()).await.unwrap_err().kind(), ErrorKind::LedgerAmbiguous);
    assert_eq!(entries(&ledger, &channel).await, ["a", "c"], "after: it has its effect");
    assert_eq!(ledger.append(&channel, 2, "d".into()).await.unwrap(), Appended::Stored);
}

#[tokio::test]
async fn rule_is_for_calls_without_a_scripted_fault_until_calm() {
    let (ledger, channel) = ledger();
    ledger.rule(|call| matches!(call, LedgerCall::Size { .. }).then(|| Fault::before(lost())));
    ledger.rule(|_| panic!("the first rule has a fault for every size"));
    ledger.script_when(|_| true, [Fault::pass()]);
    assert_eq!(ledger.size(&channel).await.unwrap(), 0);
    for _ in 0..3 {
        ledger.size(&channel).await.unwrap_err();
    }
    ledger.calm();
    assert_eq!(ledger.size(&channel).await.unwrap(), 0);
    assert!(ledger.channels().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn work_is_done_before_the_call_and_before_its_answer() {
    let (ledger, channel) = ledger();
    let second = Duration::from_secs(1);
    let slow = Fault::pass().first(sleep(second)).then(async move { sleep(second).await });
    ledger.script_when(LedgerCall::appends, [slow, Fault::pass().then(pending())]);
    let began = Instant::now();
    ledger.append(&channel, 0, "a".into()).await.unwrap();
    assert_eq!(began.elapsed(), 2 * second);
    tokio::time::timeout(TIMEOUT, ledger.append(&channel, 1, "b".into())).await.unwrap_err();
    assert_eq!(entries(&ledger, &channel).await, ["a", "b"], "it had its effect");
}

#[tokio::test]
async fn edit_changes_answers_of_its_type_only() {
    let (ledger, channel) = ledger();
    ledger.append(&channel, 0, "a".into()).await.unwrap();
    ledger.rule(|_| Some(Fault::pass().edit(|size: &mut u64| *size += 7)));
    assert_eq!(ledger.size(&channel).await.unwrap(), 8);
    assert_eq!(entries(&ledger, &channel).await, ["a"]);
}

fn registry() -> (FaultyRegistry, Repository, Tag, Manifest) {
    let memory = MemoryRegistry::new();
    let (repository, prod) = ("reg.io/shop".parse().unwrap(), "prod".parse().unwrap());
    let manifest = memory.push_image(&repository, &prod, 1);
    (FaultyRegistry::over(Arc::new(memory)), repository, prod, manifest)
}

#[tokio::test]
async fn faulty_registry_without_faults_answers_as_the_other_one() {
    let (registry, repository, prod, manifest) = registry();
    assert_eq!(registry.resolve(&repository, &prod).await.unwrap(), Some(manifest.digest()));
    assert_eq!(registry.fetch(&repository.tag(prod.clone())).await.unwrap(), Some(manifest.clone()));
    assert_eq!(registry.tags(&repository).await.unwrap(), [prod]);
    assert!(registry.has_blob(&repository, &Digest::of(&TestImage::image(1).blobs[0])).await.unwrap());
    let latest: Tag = "latest".parse().unwrap();
    assert!(matches!(registry.put(&repository, &latest, &manifest, TIMEOUT).await, Put::Applied));
    assert_eq!(registry.resolve(&repository, &latest).await.unwrap(), Some(manifest.digest()));
}

#[tokio::test]
async fn put_is_unknown_with_an_ambiguous_error_and_else_refused() {
    let (registry, repository, _, manifest) = registry();
    let latest: Tag = "latest".parse().unwrap();
    let fails = [ErrorKind::RegistryAmbiguous, ErrorKind::RegistryDenied].map(|kind| Error::new(kind, "no"));
    let put = latest.clone();
    registry.script_when(move |call| call.puts(&put), fails.map(Fault::before));
    assert!(matches!(registry.put(&repository, &latest, &manifest, TIMEOUT).await, Put::Unknown(_)));
    assert!(matches!(registry.put(&repository, &latest, &manifest, TIMEOUT).await, Put::Refused(_)));
    assert_eq!(registry.resolve(&repository, &latest).await.unwrap(), None);
}
