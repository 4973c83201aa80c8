//! Real processes over HTTP: one is killed with SIGKILL at every call of a port and another recovers; many write at once.
//!
//! A child is this test binary, started again for its test `child` with the work in the environment. The registry is in
//! the parent.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tagwarden::ledger::{FileLedger, Journal, Ledger};
use tagwarden::promoter::How;
use tagwarden::protocol::Meet;
use tagwarden::record::{Adoption, Body, EventStatus, Observation, ObservationCause, Source};
use tagwarden::registry::oci::{Lookup, OciOptions, OciRegistry};
use tagwarden::registry::{MemoryRegistry, Registry};
use tagwarden::testing::RegistryServer;
use tagwarden::{Channel, Digest, Promoter, Repository, Terms, Times, Timestamp};
use tagwarden_tests::{verify_ledger, verify_ledgers};

use super::gate::{Call, Gate, What};
use super::world::{PATIENCE, key, tag, text, who};

const WORK: &str = "TAGWARDEN_TEST_WORK";

/// Of those that die. Short, because this is real time.
fn times() -> Times {
    let ms = Duration::from_millis;
    Times::new(ms(1_000), ms(150), ms(150), ms(100)).unwrap()
}

fn oci() -> OciRegistry {
    OciRegistry::new(OciOptions::new().lookup(Lookup::Nowhere)).unwrap()
}

fn prod(repository: &Repository) -> Channel {
    format!("{repository}:prod").parse().unwrap()
}

fn promoter(registry: Arc<dyn Registry>, ledger: Arc<dyn Ledger>) -> Promoter {
    Promoter::new(registry, ledger).with_times(times())
}

fn release(repository: &Repository, name: &str) -> Source {
    Source::Reference(repository.tag(tag(name)))
}

/// A child with this work: what it does, the repository, the ledger's directory, and what it is told besides.
fn start(what: &str, repository: &Repository, ledger: &Path, rest: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::child", "--nocapture", "--quiet"])
        .env(WORK, format!("{what}\n{repository}\n{}\n{rest}", ledger.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The work of a child; without the environment of one there is none to do.
#[test]
fn child() {
    let Ok(work) = std::env::var(WORK) else { return };
    let mut words = work.split('\n');
    let mut next = || words.next().unwrap();
    let (what, repository) = (next(), next().parse::<Repository>().unwrap());
    let ledger: Arc<dyn Ledger> = Arc::new(FileLedger::open(next()).unwrap());
    let rest = next();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        match what {
            "die" => die(&repository, ledger, rest).await,
            _ => write(&repository, ledger, rest).await,
        }
    });
}

/// Promotes, and is killed before or after the n-th call: `3 CrashAfter`.
async fn die(repository: &Repository, ledger: Arc<dyn Ledger>, rest: &str) {
    let (at, what) = rest.split_once(' ').unwrap();
    let what = if what == "CrashBefore" { What::CrashBefore } else { What::CrashAfter };
    let gate = Gate::new(Arc::new(oci()), ledger, None, &[(at.parse().unwrap(), what)]);
    let promoter = promoter(gate.registry(), gate.ledger());
    let work = async {
        drop(promote(&promoter, repository).await);
        // The look back.
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    gate.unless_dead(work).await;
    // No destructor runs, no buffer is written, no lock is given back but by the kernel.
    let killed = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
    panic!("it lives: {killed:?}");
}

async fn promote(promoter: &Promoter, repository: &Repository) -> tagwarden::Result<tagwarden::Receipt> {
    // An append that was under way when its process was killed may come to light with the next one: it is waited for.
    let terms = Terms::of(who()).key(key("ci-7")).meet(Meet::Queue).patience(PATIENCE);
    promoter.promote(&prod(repository), release(repository, "1.1"), terms).await
}

/// Promotes `count` times among others, each time with a key of its own: `3 25` is writer 3, 25 times.
async fn write(repository: &Repository, ledger: Arc<dyn Ledger>, rest: &str) {
    let (writer, count) = rest.split_once(' ').unwrap();
    let (writer, count): (u64, u64) = (writer.parse().unwrap(), count.parse().unwrap());
    let promoter = Promoter::new(Arc::new(oci()), ledger);
    write_all(&promoter, repository, writer, count).await;
}

/// Each writer has two releases of its own, so that no move finds the channel where it goes.
async fn write_all(promoter: &Promoter, repository: &Repository, writer: u64, count: u64) {
    for number in 0..count {
        let name = format!("w{writer}.{}", number % 2);
        let terms = Terms::of(who()).key(key(&format!("{writer}-{number}"))).meet(Meet::Queue).patience(PATIENCE);
        let receipt = promoter.promote(&prod(repository), release(repository, &name), terms).await;
        receipt.unwrap_or_else(|error| panic!("writer {writer}, move {number}: {error}"));
    }
}

fn push_releases(memory: &MemoryRegistry, repository: &Repository, writers: u64) {
    memory.push_image(repository, &tag("1.0"), 0);
    memory.push_image(repository, &tag("1.1"), 1);
    for writer in 0..writers {
        for half in 0..2 {
            memory.push_image(repository, &tag(&format!("w{writer}.{half}")), 100 + 2 * writer + half);
        }
    }
}

async fn bootstrap(registry: Arc<dyn Registry>, ledger: Arc<dyn Ledger>, repository: &Repository) {
    let promoter = Promoter::new(registry, ledger);
    promoter.bootstrap(&prod(repository), Some(release(repository, "1.0")), Terms::of(who())).await.unwrap();
}

/// The one log in a ledger's directory.
fn log_in(directory: &Path) -> std::path::PathBuf {
    let mut logs = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    logs.find(|path| path.extension().is_some_and(|ending| ending == "jsonl")).expect("a log")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_call_is_recovered_by_another() {
    let server = RegistryServer::start().await.unwrap();
    let logs = tempfile::tempdir().unwrap();
    // How many calls there are is counted in a world of its own.
    let calls = {
        let (repository, dir) = (server.repository("count"), tempfile::tempdir().unwrap());
        push_releases(server.memory(), &repository, 0);
        let ledger: Arc<dyn Ledger> = Arc::new(FileLedger::open(dir.path()).unwrap());
        bootstrap(Arc::new(oci()), Arc::clone(&ledger), &repository).await;
        let gate = Gate::new(Arc::new(oci()), ledger, None, &[]);
        promote(&promoter(gate.registry(), gate.ledger()), &repository).await.unwrap();
        gate.calls()
    };
    let points: Vec<(usize, &str, Call)> =
        (1..).zip(calls).flat_map(|(at, call)| [(at, "CrashBefore", call.clone()), (at, "CrashAfter", call)]).collect();
    assert!(points.len() >= 24, "{}", points.len());
    let (mut landed, mut open) = (0, 0);
    for some in points.chunks(9) {
        let runs = some.iter().map(|(at, what, call)| {
            let (server, logs) = (&server, logs.path());
            async move {
                let name = format!("{at} {what} ({:?} {})", call.port, call.what);
                let repository = server.repository(&format!("app/{at}-{}", what.to_lowercase()));
                let dir = tempfile::tempdir().unwrap();
                push_releases(server.memory(), &repository, 0);
                let first: Arc<dyn Ledger> = Arc::new(FileLedger::open(dir.path()).unwrap());
                bootstrap(Arc::new(oci()), first, &repository).await;
                let mut child = start("die", &repository, dir.path(), &format!("{at} {what}"));
                let died = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
                assert_eq!(std::os::unix::process::ExitStatusExt::signal(&died), Some(9), "{name}: {died}");

                let ledger: Arc<dyn Ledger> = Arc::new(FileLedger::open(dir.path()).unwrap());
                let other = Promoter::new(Arc::new(oci()), ledger);
                let channel = prod(&repository);
                let found = other.state(&channel).await.unwrap();
                let how = if at % 2 == 0 { How::Forward } else { How::Abandon };
                let recovered = other.recover(&channel, how, PATIENCE).await;
                recovered.unwrap_or_else(|error| panic!("{name}: {error}"));
                let state = other.state(&channel).await.unwrap();
                let observed = server.memory().peek(&repository, channel.tag());
                assert_eq!((state.open, state.live), (None, observed), "{name}");
                promote(&other, &repository).await.unwrap_or_else(|error| panic!("{name}: again: {error}"));
                assert_eq!(other.verify(&channel).await.unwrap().defect, None, "{name}");
                let wanted = server.memory().peek(&repository, &tag("1.1"));
                assert_eq!(server.memory().peek(&repository, channel.tag()), wanted, "{name}");
                std::fs::copy(log_in(dir.path()), logs.join(format!("{at}-{what}.jsonl"))).unwrap();
                (found.committed == 2, found.open.is_some())
            }
        });
        for (done, was_open) in futures_util::future::join_all(runs).await {
            landed += usize::from(done);
            open += usize::from(was_open);
        }
    }
    println!("{} kills: {open} left a move open, {landed} had closed it", points.len());
    assert!(open >= 8 && landed >= 2, "{open} {landed}");
    assert_eq!(verify_ledgers(logs.path()).unwrap(), points.len());
}

/// Moves in order, none lost, tag and log agree, both verifiers content.
async fn all_are_there(
    ledger: Arc<dyn Ledger>,
    directory: &Path,
    memory: &MemoryRegistry,
    repository: &Repository,
    moves: usize,
) {
    let channel = prod(repository);
    let promoter = Promoter::new(Arc::new(memory.clone()), ledger);
    let report = promoter.verify(&channel).await.unwrap();
    assert_eq!((report.defect, report.committed), (None, moves as u64 + 1));
    let mut keys = std::collections::BTreeSet::new();
    let mut before = None;
    let mut from: Option<Digest> = None;
    loop {
        let page = promoter.history(&channel, before, 500).await.unwrap();
        for event in &page.events {
            assert_eq!(event.status(), EventStatus::Committed, "{event:?}");
            assert!(from.is_none_or(|from| from == event.intent.to.digest), "each begins where the one before ended");
            from = event.intent.from;
            keys.insert(event.intent.key.clone());
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(keys.len(), moves + 1, "none is lost");
    assert_eq!(promoter.state(&channel).await.unwrap().live, memory.peek(repository, channel.tag()));
    let verified = verify_ledger(&log_in(directory)).unwrap();
    assert_eq!(verified["committed"], moves + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_and_an_auditor_in_one_process() {
    const EACH: u64 = 200;
    let (memory, dir) = (MemoryRegistry::new(), tempfile::tempdir().unwrap());
    let repository: Repository = "reg.io/acme/shop".parse().unwrap();
    push_releases(&memory, &repository, 16);
    let registry: Arc<dyn Registry> = Arc::new(memory.clone());
    let ledger: Arc<dyn Ledger> = Arc::new(FileLedger::open(dir.path()).unwrap());
    bootstrap(Arc::clone(&registry), Arc::clone(&ledger), &repository).await;
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let promoter = Promoter::new(Arc::clone(&registry), Arc::clone(&ledger));
            let repository = repository.clone();
            tokio::spawn(async move { write_all(&promoter, &repository, writer, EACH).await })
        })
        .collect();
    let (auditing, channel) = (Arc::clone(&ledger), prod(&repository));
    let auditor = tokio::spawn(async move {
        let mut journal = Journal::new(auditing, channel);
        let mut noted = 0_u64;
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let at = Timestamp::from_unix_ms(1_790_000_000_000 + i64::try_from(noted).unwrap());
            let body = match noted % 2 {
                0 => Body::Observation(Observation {
                    expected: None,
                    observed: None,
                    cause: ObservationCause::Verify,
                    attributed: None,
                }),
                _ => Body::Adoption(Adoption { cluster: text("blue"), revision: text("prod"), ready: true, at }),
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
    println!("{entries} entries, {} of the auditor", entries - 2 * (16 * EACH + 1));
    assert!(entries > 2 * (16 * EACH + 1), "the auditor was there");
    all_are_there(ledger, dir.path(), &memory, &repository, 16 * 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_processes_queue_their_moves() {
    const EACH: usize = 25;
    let (server, dir) = (RegistryServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    let repository = server.repository("acme/shop");
    push_releases(server.memory(), &repository, 8);
    let ledger: Arc<dyn Ledger> = Arc::new(FileLedger::open(dir.path()).unwrap());
    bootstrap(Arc::new(oci()), Arc::clone(&ledger), &repository).await;
    let children: Vec<_> =
        (0..8).map(|writer| start("write", &repository, dir.path(), &format!("{writer} {EACH}"))).collect();
    for mut child in children {
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
        assert!(ended.success(), "{ended}");
    }
    all_are_there(ledger, dir.path(), server.memory(), &repository, 8 * EACH).await;
}
