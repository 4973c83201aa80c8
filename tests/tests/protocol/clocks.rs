//! Two machines whose clocks differ by nearly two hours: the log's order does not depend on clocks, and no worker takes
//! over early.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tagwarden::log::Source;
use tagwarden::promotion::RecoveryMode;
use tagwarden::{Clock, Promoter, Repository, SystemClock, Times, Timestamp};
use tagwarden_testing::MemoryRegistry;
use tagwarden_tests::verify_ledger;
use tokio::runtime::Builder;

use super::backend::{Backend, Place, export, on, real_time};
use super::child::{bootstrap, prod, push_releases};
use super::world::{tag, terms, who};

/// Just under the limit: with a clock more than one hour off the database's clock, a promotion is refused.
const OFF: Duration = Duration::from_secs(59 * 60);

/// A machine's clock that is wrong by nearly an hour.
#[derive(Debug)]
enum Wrong {
    Early,
    Late,
}

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        match self {
            Wrong::Early => Timestamp::from_unix_ms(SystemClock.now().unix_ms() - OFF.as_millis() as i64),
            Wrong::Late => SystemClock.now().plus(OFF),
        }
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}

fn of(wrong: Wrong, registry: &MemoryRegistry, place: &Place) -> Promoter {
    let second = Duration::from_secs(1);
    let times = Times::new(second, second / 2, second / 2, second / 2).unwrap().with_settle(second / 2).unwrap();
    Promoter::builder()
        .registry(Arc::new(registry.clone()))
        .ledger(place.open())
        .clock(Arc::new(wrong))
        .times(times)
        .build()
        .unwrap()
}

async fn order_is_the_logs(place: &Place) {
    let (registry, repository) = (MemoryRegistry::new(), "reg.io/acme/clocks".parse::<Repository>().unwrap());
    push_releases(&registry, &repository, 0);
    bootstrap(Arc::new(registry.clone()), place.open(), &repository).await;
    let channel = prod(&repository);
    let release = |name: &str| Source::Reference(repository.tag(tag(name)));
    let (early, late) = (of(Wrong::Early, &registry, place), of(Wrong::Late, &registry, place));
    for _ in 0..3 {
        late.promote(&channel, release("1.1")).options(terms()).await.unwrap();
        early.promote(&channel, release("1.0")).options(terms()).await.unwrap();
    }
    let report = early.verify(&channel).await.unwrap();
    assert_eq!((report.defect, report.committed), (None, 7));
    assert_eq!(report.clock_went_back, 3, "it is said, and is no defect");
    let page = late.history_page(&channel, None, 100).await.unwrap();
    let seqs: Vec<u64> = page.events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [13, 11, 9, 7, 5, 3, 1], "the order is that of the log");
    let log = tempfile::NamedTempFile::new().unwrap();
    export(place.open().as_ref(), &channel, log.path()).await;
    assert_eq!(verify_ledger(log.path()).unwrap()["committed"], 7);
}

async fn no_worker_takes_over_early(place: &Place) {
    let (registry, repository) = (MemoryRegistry::new(), "reg.io/acme/taken".parse::<Repository>().unwrap());
    push_releases(&registry, &repository, 0);
    bootstrap(Arc::new(registry.clone()), place.open(), &repository).await;
    let (channel, dying) = (prod(&repository), of(Wrong::Early, &registry, place));
    // A machine with an early clock appends its intent, then dies.
    registry.latency(Duration::from_millis(400));
    let (there, source) = (channel.clone(), Source::Reference(repository.tag(tag("1.1"))));
    let machine = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    drop(machine.spawn(async move { dying.promote(&there, source).options(terms()).await }));
    let other = of(Wrong::Late, &registry, place);
    while other.state(&channel).await.unwrap().open.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    machine.shutdown_background();
    registry.latency(Duration::ZERO);

    let (began, deadline) = (Instant::now(), Duration::from_millis(1500));
    other.recover(&channel, RecoveryMode::RollForward, who(), Duration::from_secs(60)).await.unwrap();
    assert!(began.elapsed() >= deadline, "two hours on the wall are not ttl and grace: {:?}", began.elapsed());
    let state = other.state(&channel).await.unwrap();
    assert_eq!((state.open, state.live), (None, registry.peek(&repository, channel.tag())));
}

async fn hold(place: &Place) {
    order_is_the_logs(place).await;
    no_worker_takes_over_early(place).await;
}

#[test]
fn hold_in_files() {
    on(Backend::File, "clocks::hold_in_files", |place| real_time(hold(place)));
}

#[test]
fn hold_on_postgres() {
    on(Backend::Postgres, "clocks::hold_on_postgres", |place| real_time(hold(place)));
}

#[test]
fn hold_on_s3() {
    on(Backend::S3, "clocks::hold_on_s3", |place| real_time(hold(place)));
}

#[test]
fn hold_on_azure() {
    on(Backend::Azure, "clocks::hold_on_azure", |place| real_time(hold(place)));
}

#[test]
fn hold_on_gcs() {
    on(Backend::Gcs, "clocks::hold_on_gcs", |place| real_time(hold(place)));
}
