//! A store that ignores conditions is refused. A store that ignores them later forks the log, and the fork is found.

use std::sync::Arc;
use std::time::Duration;

use tagwarden::ledger::{Appended, ChannelLog};
use tagwarden::log::{Body, Observation, ObservationCause};
use tagwarden::{Digest, ErrorKind, Repository, Timestamp};
use tagwarden_testing::MemoryRegistry;

use super::backend::{Backend, Place, on, open, real_time};
use super::child::{bootstrap, prod, push_releases};

fn observed(name: &str) -> Body {
    let observed = Some(Digest::of(name.as_bytes()));
    Body::Observation(Observation { expected: None, observed, cause: ObservationCause::Drift })
}

async fn is_found(place: &Place) {
    let (proxy, through) = place.proxied();
    proxy.strip_conditions();
    let refused = open(through.url()).unwrap_err();
    println!("{:?}: {refused}", place.backend());
    assert_eq!(refused.kind(), ErrorKind::LedgerUnsupported, "{refused:?}");
    assert!(proxy.done().stripped >= 1, "{proxy:?}");
    proxy.calm();

    let (memory, repository) = (MemoryRegistry::new(), "reg.io/acme/forked".parse::<Repository>().unwrap());
    push_releases(&memory, &repository, 0);
    let (one, other) = (through.open(), through.open());
    bootstrap(Arc::new(memory), Arc::clone(&one), &repository).await;
    let channel = prod(&repository);
    let (mut one, mut other) = (ChannelLog::new(one, channel.clone()), ChannelLog::new(other, channel.clone()));
    assert_eq!((one.refresh().await.unwrap().size, other.refresh().await.unwrap().size), (3, 3));
    let at = Timestamp::from_unix_ms(1_790_000_000_000);
    let stripped = proxy.done().stripped;
    proxy.strip_conditions();
    let first = one.append(3, observed("one"), at).await.unwrap();
    if place.backend() == Backend::Gcs {
        // The store refuses a second change of one object within a second. That would hide the missing condition.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    let second = other.append(3, observed("other"), at).await.unwrap();
    assert_eq!((first, second), (Appended::Stored, Appended::Stored));
    assert_eq!(proxy.done().stripped, stripped + 2);
    proxy.calm();

    let forked = one.refresh().await.unwrap_err();
    println!("{:?}: {forked:?}", place.backend());
    assert_eq!(forked.kind(), ErrorKind::LedgerForked, "{forked:?}");
    let context: Vec<(&str, String)> = forked.context().map(|(name, value)| (name, value.to_owned())).collect();
    assert!(context.contains(&("channel", channel.to_string())), "{forked:?}");
    assert!(context.contains(&("seq", "3".to_owned())), "{forked:?}");
}

#[test]
fn on_s3() {
    on(Backend::S3, "stripped::on_s3", |place| real_time(is_found(place)));
}

#[test]
fn on_azure() {
    on(Backend::Azure, "stripped::on_azure", |place| real_time(is_found(place)));
}

#[test]
fn on_gcs() {
    on(Backend::Gcs, "stripped::on_gcs", |place| real_time(is_found(place)));
}
