//! Many writers of one channel, in one process and in eight: no move is lost, and no two moves interleave.

use std::sync::Arc;
use std::time::Duration;

use tagwarden::ledger::ChannelLog;
use tagwarden::log::{Body, Deployment, Entry, MoveStatus, Observation, ObservationCause};
use tagwarden::registry::Registry;
use tagwarden::{Digest, Promoter, Repository, Timestamp};
use tagwarden_testing::MemoryRegistry;
use tagwarden_testing::RegistryServer;
use tagwarden_tests::{number_of, verify_ledger};

use super::backend::{Backend, Place, export, on, real_time};
use super::child::{bootstrap, hold_all, oci, prod, push_releases, registry_with_prod, start, write_all};
use super::world::text;

/// The default number of writes of each of the sixteen writers.
const EACH: u64 = 20;

/// The limit for eight processes on an emulator, which handles some hundred requests a second. Each process that loses
/// a position needs several requests for its entry.
const EACH_ON_AN_EMULATOR: u64 = 25;

/// The limit for eight processes in a Git branch, which takes some ten entries a second. Each lost push costs a fetch.
const EACH_IN_A_GIT_BRANCH: u64 = 5;

fn each() -> u64 {
    number_of("TAGWARDEN_WRITES").unwrap_or(EACH)
}

/// Asserts that the moves are in order, that none is lost, that the tag and the log agree, and that both verifiers
/// accept the log.
async fn all_are_there(place: &Place, memory: &MemoryRegistry, repository: &Repository, moves: usize) {
    let channel = prod(repository);
    let promoter = Promoter::new(Arc::new(memory.clone()), place.open());
    let report = promoter.verify(&channel).await.unwrap();
    assert_eq!((report.defect, report.committed), (None, moves as u64 + 1));
    let mut keys = std::collections::BTreeSet::new();
    let mut before = None;
    let mut from: Option<Digest> = None;
    loop {
        let page = promoter.history_page(&channel, before, 500).await.unwrap();
        for event in &page.events {
            assert_eq!(event.status(), MoveStatus::Committed, "{event:?}");
            assert!(
                from.is_none_or(|from| from == event.intent.target.digest),
                "each begins where the one before ended"
            );
            from = event.intent.previous;
            keys.insert(event.intent.key.clone());
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(keys.len(), moves + 1, "none is lost");
    assert_eq!(promoter.state(&channel).await.unwrap().live, memory.peek(repository, channel.tag()));
    let log = tempfile::NamedTempFile::new().unwrap();
    export(place.open().as_ref(), &channel, log.path()).await;
    let verified = verify_ledger(log.path()).unwrap();
    assert_eq!(verified["committed"], moves + 1);
}

async fn sixteen_writers_and_an_auditor(place: &Place) {
    let memory = MemoryRegistry::new();
    let repository: Repository = "reg.io/acme/shop".parse().unwrap();
    push_releases(&memory, &repository, 16);
    let registry: Arc<dyn Registry> = Arc::new(memory.clone());
    let ledger = place.open();
    bootstrap(Arc::clone(&registry), Arc::clone(&ledger), &repository).await;
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let promoter = Promoter::new(Arc::clone(&registry), Arc::clone(&ledger));
            let repository = repository.clone();
            tokio::spawn(async move { write_all(&promoter, &repository, writer, each()).await })
        })
        .collect();
    let (auditing, channel) = (Arc::clone(&ledger), prod(&repository));
    let auditor = tokio::spawn(async move {
        let mut journal = ChannelLog::new(auditing, channel);
        let mut noted = 0_u64;
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let at = Timestamp::from_unix_ms(1_790_000_000_000 + i64::try_from(noted).unwrap());
            let body = match noted % 2 {
                0 => Body::Observation(Observation {
                    expected: None,
                    observed: Some(Digest::of(b"a hotfix")),
                    cause: ObservationCause::Drift,
                }),
                _ => Body::Deployment(Deployment { cluster: text("blue"), revision: text("prod"), ready: true, at }),
            };
            journal.note(body, at).await.unwrap();
            noted += 1;
        }
    });
    for writer in writers {
        writer.await.unwrap();
    }
    auditor.abort();
    drop(auditor.await);
    let entries = ledger.size(&prod(&repository)).await.unwrap();
    // The policy, and for each move an intent and an outcome.
    let of_the_writers = 1 + 2 * (16 * each() + 1);
    println!("{entries} entries, {} of the auditor", entries - of_the_writers);
    assert!(entries > of_the_writers, "the auditor was there");
    all_are_there(place, &memory, &repository, 16 * each() as usize).await;
}

async fn eight_processes(place: &Place) {
    let server = RegistryServer::start().await.unwrap();
    let repository = server.repository("acme/shop");
    push_releases(server.memory(), &repository, 16);
    let ledger = place.open();
    bootstrap(Arc::new(oci()), Arc::clone(&ledger), &repository).await;
    run_eight(place, "write", &repository, each()).await;
    all_are_there(place, server.memory(), &repository, 16 * each() as usize).await;
}

/// Runs eight children with two writers each.
async fn run_eight(place: &Place, what: &str, repository: &Repository, each: u64) {
    let children: Vec<_> =
        (0..8).map(|child| start(what, repository, place, &format!("{} 2 {each}", 2 * child))).collect();
    for mut child in children {
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
        assert!(ended.success(), "{ended}");
    }
}

/// Sixteen writers of one process share one promoter, as in real use. For backends where an append is a request to a
/// server.
async fn sixteen_appenders(place: &Place) {
    let repository: Repository = "reg.io/acme/shop".parse().unwrap();
    let promoter = Promoter::new(Arc::new(registry_with_prod(&repository)), place.open());
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let (promoter, repository) = (promoter.clone(), repository.clone());
            tokio::spawn(async move { hold_all(&promoter, &repository, writer, each()).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    all_holds_are_there(place, &repository, each()).await;
}

async fn eight_appending_processes(place: &Place, each: u64) {
    let repository: Repository = "reg.io/acme/shop".parse().unwrap();
    run_eight(place, "hold", &repository, each).await;
    all_holds_are_there(place, &repository, each).await;
}

/// Asserts that each writer's entries are there once and in order, and that both verifiers accept the log.
async fn all_holds_are_there(place: &Place, repository: &Repository, each: u64) {
    let (channel, ledger) = (prod(repository), place.open());
    let promoter = Promoter::new(Arc::new(MemoryRegistry::new()), Arc::clone(&ledger));
    let report = promoter.verify(&channel).await.unwrap();
    assert_eq!((report.defect, report.entries), (None, 16 * each));
    let mut next = [0; 16];
    let mut from = 0;
    while from < 16 * each {
        for bytes in ledger.read(&channel, from, 1024).await.unwrap() {
            let reason = match Entry::open(&bytes).unwrap().body {
                Body::Hold(hold) => hold.reason,
                Body::Unhold(unhold) => unhold.reason,
                other => panic!("{from}: {other:?}"),
            };
            let (writer, number) = reason.as_str().split_once('-').unwrap();
            let next = &mut next[writer.parse::<usize>().unwrap()];
            assert_eq!(number.parse::<u64>().unwrap(), *next, "{reason}");
            *next += 1;
            from += 1;
        }
    }
    assert_eq!(next, [each; 16], "none is lost");
    let log = tempfile::NamedTempFile::new().unwrap();
    export(ledger.as_ref(), &channel, log.path()).await;
    assert_eq!(verify_ledger(log.path()).unwrap()["entries"], 16 * each);
}

#[test]
fn in_one_process_on_files() {
    on(Backend::File, "writers::in_one_process_on_files", |place| real_time(sixteen_writers_and_an_auditor(place)));
}

#[test]
fn in_one_process_on_a_directory() {
    on(Backend::Directory, "writers::in_one_process_on_a_directory", |place| real_time(sixteen_appenders(place)));
}

#[test]
fn in_one_process_on_postgres() {
    on(Backend::Postgres, "writers::in_one_process_on_postgres", |place| real_time(sixteen_appenders(place)));
}

#[test]
fn in_one_process_on_s3() {
    on(Backend::S3, "writers::in_one_process_on_s3", |place| real_time(sixteen_appenders(place)));
}

#[test]
fn in_one_process_on_azure() {
    on(Backend::Azure, "writers::in_one_process_on_azure", |place| real_time(sixteen_appenders(place)));
}

#[test]
fn in_one_process_on_gcs() {
    on(Backend::Gcs, "writers::in_one_process_on_gcs", |place| real_time(sixteen_appenders(place)));
}

#[test]
fn in_eight_processes_on_files() {
    on(Backend::File, "writers::in_eight_processes_on_files", |place| real_time(eight_processes(place)));
}

#[test]
fn in_eight_processes_on_a_directory() {
    on(Backend::Directory, "writers::in_eight_processes_on_a_directory", |place| {
        real_time(eight_appending_processes(place, each()))
    });
}

#[test]
fn in_eight_processes_on_postgres() {
    on(Backend::Postgres, "writers::in_eight_processes_on_postgres", |place| {
        real_time(eight_appending_processes(place, each()))
    });
}

#[test]
fn in_eight_processes_on_s3() {
    on(Backend::S3, "writers::in_eight_processes_on_s3", |place| {
        real_time(eight_appending_processes(place, each().min(EACH_ON_AN_EMULATOR)))
    });
}

#[test]
fn in_eight_processes_on_azure() {
    on(Backend::Azure, "writers::in_eight_processes_on_azure", |place| {
        real_time(eight_appending_processes(place, each().min(EACH_ON_AN_EMULATOR)))
    });
}

#[test]
fn in_eight_processes_on_gcs() {
    on(Backend::Gcs, "writers::in_eight_processes_on_gcs", |place| real_time(eight_appending_processes(place, each())));
}

#[test]
fn in_one_process_in_a_git_branch() {
    on(Backend::Git, "writers::in_one_process_in_a_git_branch", |place| real_time(sixteen_appenders(place)));
}

#[test]
fn in_eight_processes_in_a_git_branch() {
    on(Backend::GitHttp, "writers::in_eight_processes_in_a_git_branch", |place| {
        real_time(eight_appending_processes(place, each().min(EACH_IN_A_GIT_BRANCH)))
    });
}
