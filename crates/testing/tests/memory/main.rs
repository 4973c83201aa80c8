//! The registry in memory: its port, its faults and its lag.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod lag;
mod sample;

use std::time::Duration;

use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Digest, ErrorKind, Repository, Tag};
use tagwarden_testing::*;
use tokio::time::Instant;

const TIMEOUT: Duration = Duration::from_secs(15);

struct Shop {
    registry: MemoryRegistry,
    repository: Repository,
    prod: Tag,
    /// The manifest that `prod` points at.
    old: Manifest,
    /// The manifest of the tag `1.4.2`.
    new: Manifest,
}

fn shop() -> Shop {
    let registry = MemoryRegistry::new();
    let repository: Repository = "reg.io/shop".parse().unwrap();
    let prod: Tag = "prod".parse().unwrap();
    let old = registry.push_image(&repository, &prod, 1);
    let new = registry.push_image(&repository, &"1.4.2".parse().unwrap(), 2);
    Shop { registry, repository, prod, old, new }
}

impl Shop {
    async fn put(&self) -> Put {
        self.registry.put(&self.repository, &self.prod, &self.new, TIMEOUT).await
    }

    async fn resolve(&self) -> Option<Digest> {
        self.registry.resolve(&self.repository, &self.prod).await.unwrap()
    }

    fn at(&self) -> &'static str {
        match self.registry.peek(&self.repository, &self.prod) {
            None => "gone",
            Some(digest) if digest == self.old.digest() => "old",
            Some(digest) if digest == self.new.digest() => "new",
            Some(_) => "foreign",
        }
    }
}

fn said(put: &Put) -> &'static str {
    match put {
        Put::Applied => "applied",
        Put::Refused(_) => "refused",
        Put::Unknown(_) => "unknown",
    }
}

#[tokio::test(start_paused = true)]
async fn each_put_fault_has_its_documented_effect() {
    let foreign = TestImage::image(3).manifest;
    let s = Duration::from_secs;
    for (fault, answer, at_once, in_a_minute) in [
        (InjectedFault::Pass, "applied", "new", "new"),
        (InjectedFault::Before, "unknown", "old", "old"),
        (InjectedFault::After, "unknown", "new", "new"),
        (InjectedFault::refused("DENIED"), "refused", "old", "old"),
        (InjectedFault::Denied, "refused", "old", "old"),
        (InjectedFault::Late(s(20)), "unknown", "old", "new"),
        (InjectedFault::Twice(s(20)), "applied", "new", "new"),
        (InjectedFault::Slow(s(14)), "applied", "new", "new"),
        (InjectedFault::Slow(s(16)), "unknown", "old", "new"),
        (InjectedFault::Stale(2), "applied", "new", "new"),
        (InjectedFault::Gone, "unknown", "gone", "gone"),
        (InjectedFault::Ignored, "applied", "old", "old"),
        (InjectedFault::ForeignBefore(foreign.clone()), "applied", "new", "new"),
        (InjectedFault::ForeignAfter(foreign.clone()), "applied", "foreign", "foreign"),
    ] {
        let shop = shop();
        shop.registry.script([fault.clone()]);
        let put = shop.put().await;
        assert_eq!((said(&put), shop.at()), (answer, at_once), "{fault:?}");
        tokio::time::sleep(s(60)).await;
        assert_eq!(shop.at(), in_a_minute, "{fault:?}");
        assert_eq!(shop.registry.faults_left(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn put_that_lands_twice_overwrites_the_put_between() {
    let shop = shop();
    shop.registry.script([InjectedFault::Twice(Duration::from_secs(5))]);
    shop.put().await;
    shop.registry.overwrite(&shop.repository, &shop.prod, &shop.old);
    assert_eq!(shop.at(), "old");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(shop.at(), "new");
    let by: Vec<_> = shop.registry.changes().iter().skip(2).map(|change| (change.by, change.digest)).collect();
    let (old, new) = (Some(shop.old.digest()), Some(shop.new.digest()));
    assert_eq!(by, [(ChangeOrigin::Put, new), (ChangeOrigin::Outside, old), (ChangeOrigin::Put, new)]);
}

#[tokio::test(start_paused = true)]
async fn put_lands_after_its_caller_was_dropped() {
    let shop = shop();
    shop.registry.script([InjectedFault::Slow(Duration::from_secs(5))]);
    let put = tokio::time::timeout(Duration::from_secs(1), shop.put()).await;
    assert!(put.is_err() && shop.at() == "old");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(shop.at(), "new");
}

#[tokio::test(start_paused = true)]
async fn each_read_fault_has_its_documented_effect() {
    for (fault, kind) in [
        (ReadFault::Unavailable, ErrorKind::RegistryUnavailable),
        (ReadFault::Busy, ErrorKind::RegistryBusy),
        (ReadFault::Denied, ErrorKind::RegistryDenied),
        (ReadFault::DigestMismatch, ErrorKind::RegistryDigestMismatch),
    ] {
        let shop = shop();
        shop.registry.script_reads([fault]);
        let error = shop.registry.fetch(&shop.repository.tag(shop.prod.clone())).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().ends_with("(fetch reg.io/shop:prod)"), "{error}");
    }
    let shop = shop();
    let foreign = TestImage::image(3).manifest;
    shop.registry.script_reads([
        ReadFault::ForeignAfter(foreign.clone()),
        ReadFault::DeletedAfter(foreign.digest()),
        ReadFault::Pass,
        ReadFault::ForeignBefore(foreign.clone()),
    ]);
    assert_eq!(shop.resolve().await, Some(shop.old.digest()));
    assert_eq!(shop.resolve().await, Some(foreign.digest()));
    assert_eq!(shop.resolve().await, None);
    assert_eq!(shop.resolve().await, Some(foreign.digest()));
    shop.registry.script_reads([ReadFault::Slow(Duration::from_secs(3))]);
    let begun = Instant::now();
    shop.resolve().await;
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn fault_with_a_condition_applies_only_to_matching_calls() {
    let shop = shop();
    let prod = shop.prod.clone();
    shop.registry.script_when(move |call| call.puts(&prod), [InjectedFault::refused("DENIED"), InjectedFault::After]);
    let other = shop.registry.put(&shop.repository, &"other".parse().unwrap(), &shop.new, TIMEOUT).await;
    assert_eq!(said(&other), "applied");
    let Put::Refused(error) = shop.put().await else { panic!("refused") };
    assert_eq!(
        error.to_string(),
        format!("the registry answered 403 DENIED: scripted by the test (put reg.io/shop:prod {})", shop.new.digest())
    );
    assert_eq!(said(&shop.put().await), "unknown");
    assert_eq!(said(&shop.put().await), "applied");
    let calls: Vec<_> = shop.registry.calls().iter().map(|call| call.to_string()).collect();
    assert_eq!(calls[0], format!("put reg.io/shop:other {}", shop.new.digest()));
    assert_eq!(calls.len(), 4);
}

#[tokio::test]
async fn a_manifest_is_dropped_with_its_last_tag_where_registries_do_so() {
    let Shop { registry, repository, prod, old, new } = shop();
    let registry = registry.untagged(UntaggedPolicy::Dropped);
    let pin = tagwarden::registry::pin_tag(&old.digest());
    registry.push(&repository, &pin, &old);
    registry.overwrite(&repository, &prod, &new);
    assert!(registry.holds(&repository, &old.digest()), "a pin keeps it");
    registry.delete_tag(&repository, &pin);
    assert!(!registry.holds(&repository, &old.digest()));
    assert!(registry.fetch(&repository.digest(old.digest())).await.unwrap().is_none());
}

#[tokio::test]
async fn a_manifest_without_its_blobs_is_refused() {
    let shop = shop();
    let sample = TestImage::image(9);
    let put = || shop.registry.put(&shop.repository, &shop.prod, &sample.manifest, TIMEOUT);
    let Put::Refused(error) = put().await else { panic!("refused") };
    assert!(error.context().any(|context| context == ("registry_code", "MANIFEST_BLOB_UNKNOWN")), "{error:?}");
    assert_eq!(shop.at(), "old");
    shop.registry.store_blob(&shop.repository, sample.blobs[0].clone());
    shop.registry.store_blob(&shop.repository, sample.blobs[1].clone());
    assert_eq!(said(&put().await), "applied");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let history = |seed: u64| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let shop = shop();
            let mut chaos = RandomFaults::new(seed, 50);
            chaos.puts.push(InjectedFault::ForeignAfter(TestImage::image(3).manifest));
            shop.registry.chaos(chaos);
            let mut answers = Vec::new();
            for _ in 0..50 {
                answers.push(said(&shop.put().await).to_owned());
                let seen = shop.registry.resolve(&shop.repository, &shop.prod).await;
                answers.push(format!("{seen:?}"));
            }
            (answers, shop.registry.changes())
        })
    };
    let first = history(1);
    assert_eq!(first, history(1));
    assert_ne!(first, history(2));
    for answer in ["applied", "refused", "unknown"] {
        assert!(first.0.iter().any(|said| said == answer), "{answer} never came");
    }
}
