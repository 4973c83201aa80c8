//! The child process of the tests: this test binary, started again to run its test `child`, with its work in the
//! environment.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tagwarden::ledger::Ledger;
use tagwarden::log::{Source, Unhold};
use tagwarden::promotion::OnConflict;
use tagwarden::promotion::RecoveryMode;
use tagwarden::registry::Registry;
use tagwarden::registry::oci::{CredentialSource, OciOptions, OciRegistry};
use tagwarden::{Channel, ErrorClass, MoveOptions, Promoter, Repository, Times};
use tagwarden_testing::MemoryRegistry;

use super::backend::{Place, open};
use super::gate::{Gate, What};
use super::world::{TIMEOUT, a_hold, key, tag, terms, text, who};

const WORK: &str = "TAGWARDEN_TEST_WORK";

/// The times of a worker that is killed, on the ledger at `url`. They are short, because the test runs in real time. An
/// entry in a Git branch is a push, and nine workers wait for each other.
fn times(url: &str) -> Times {
    let ms = Duration::from_millis;
    let [ttl, wait, put] = if url.starts_with("git+") { [20_000, 1_000, 500] } else { [1_000, 150, 100] };
    Times::new(ms(ttl), ms(wait), ms(wait), ms(put)).unwrap().with_settle(ms(wait)).unwrap()
}

pub fn oci() -> OciRegistry {
    OciRegistry::new(OciOptions::new().lookup(CredentialSource::Nowhere)).unwrap()
}

pub fn prod(repository: &Repository) -> Channel {
    format!("{repository}:prod").parse().unwrap()
}

/// A promoter with the times for the ledger at `url`.
pub fn promoter(registry: Arc<dyn Registry>, ledger: Arc<dyn Ledger>, url: &str) -> Promoter {
    Promoter::builder().registry(registry).ledger(ledger).times(times(url)).build().unwrap()
}

fn release(repository: &Repository, name: &str) -> Source {
    Source::Reference(repository.tag(tag(name)))
}

/// Starts a child with this work: `what` to do, the repository, the ledger's place, and further arguments.
pub fn start(what: &str, repository: &Repository, place: &Place, rest: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child::child", "--ignored", "--nocapture", "--quiet"])
        .env(WORK, format!("{what}\n{repository}\n{}\n{rest}", place.url()))
        .envs(place.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Does the work that the environment names.
#[test]
#[ignore = "a child of the tests that start one"]
fn child() {
    let work = std::env::var(WORK).unwrap();
    let mut words = work.split('\n');
    let mut next = || words.next().unwrap();
    let (what, repository) = (next(), next().parse::<Repository>().unwrap());
    let (url, rest) = (next(), next());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        match what {
            "lossy" => write_through_losses(&repository, url, rest).await,
            "hold" => hold(&repository, open(url).unwrap(), rest).await,
            "die" => die(&repository, url, rest).await,
            _ => write(&repository, open(url).unwrap(), rest).await,
        }
    });
}

/// Promotes; the process is killed before or after the n-th call: `3 CrashAfter`.
async fn die(repository: &Repository, url: &str, rest: &str) {
    let (at, what) = rest.split_once(' ').unwrap();
    let what = if what == "CrashBefore" { What::CrashBefore } else { What::CrashAfter };
    let gate = Gate::new(Arc::new(oci()), open(url).unwrap(), None, &[(at.parse().unwrap(), what)]);
    let promoter = promoter(gate.registry(), gate.ledger(), url);
    let work = async {
        drop(promote(&promoter, repository).await);
        // Time for the look back.
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    gate.unless_dead(work).await;
    // SIGKILL: no destructor runs, no buffer is written, and only the kernel releases locks.
    let killed = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
    panic!("it lives: {killed:?}");
}

pub async fn promote(promoter: &Promoter, repository: &Repository) -> tagwarden::Result<tagwarden::Receipt> {
    promote_with(promoter, repository, terms()).await
}

/// The same, with these options.
pub async fn promote_with(
    promoter: &Promoter,
    repository: &Repository,
    terms: MoveOptions,
) -> tagwarden::Result<tagwarden::Receipt> {
    // An append of a killed process may become visible only with the next append. Requeue waits for such a move.
    let (idempotency_key, on_conflict) = (Some(key("ci-7")), OnConflict::Requeue);
    let terms = MoveOptions { idempotency_key, on_conflict, ..terms };
    promoter.promote(&prod(repository), release(repository, "1.1")).options(terms).await
}

/// Promotes while others do: `3 2 200` is two writers, 3 and 4, each 200 times.
async fn write(repository: &Repository, ledger: Arc<dyn Ledger>, rest: &str) {
    let numbers: Vec<u64> = rest.split(' ').map(|number| number.parse().unwrap()).collect();
    let &[first, writers, count] = numbers.as_slice() else { panic!("{rest}") };
    let registry: Arc<dyn Registry> = Arc::new(oci());
    let writers = (first..first + writers).map(|writer| {
        let promoter = Promoter::new(Arc::clone(&registry), Arc::clone(&ledger));
        async move { write_all(&promoter, repository, writer, count).await }
    });
    futures_util::future::join_all(writers).await;
}

/// Appends while others do: `3 2 200` is two writers, 3 and 4, each 200 times.
async fn hold(repository: &Repository, ledger: Arc<dyn Ledger>, rest: &str) {
    let numbers: Vec<u64> = rest.split(' ').map(|number| number.parse().unwrap()).collect();
    let &[first, writers, count] = numbers.as_slice() else { panic!("{rest}") };
    let promoter = Promoter::new(Arc::new(registry_with_prod(repository)), ledger);
    let writers = (first..first + writers).map(|writer| hold_all(&promoter, repository, writer, count));
    futures_util::future::join_all(writers).await;
}

/// Appends holds and their ends in turns. Each reason is the writer and its number: `3-17`.
pub async fn hold_all(promoter: &Promoter, repository: &Repository, writer: u64, count: u64) {
    let (channel, mut held) = (prod(repository), None);
    for number in 0..count {
        let reason = format!("{writer}-{number}");
        let written = match held.take() {
            None => promoter.hold(&channel, a_hold(&reason)).await.map(|hold| held = Some(hold)),
            Some(hold) => {
                let unhold = Unhold { hold, reason: text(&reason), provenance: who() };
                promoter.unhold(&channel, unhold).await.map(drop)
            }
        };
        written.unwrap_or_else(|error| panic!("writer {writer}, entry {number}: {error}"));
    }
}

/// Promotes while others do, and retries until each move is committed, like a pipeline that is started again: `3 5` is
/// writer 3, five times.
async fn write_through_losses(repository: &Repository, url: &str, rest: &str) {
    const TRIES: u64 = 50;
    let (writer, count) = rest.split_once(' ').unwrap();
    let pause = || tokio::time::sleep(Duration::from_millis(100));
    let mut ledger = open(url);
    for _ in 0..TRIES {
        if ledger.is_ok() {
            break;
        }
        pause().await;
        ledger = open(url);
    }
    let ms = Duration::from_millis;
    let times = Times::new(ms(6_000), ms(2_500), ms(2_500), ms(2_000)).unwrap().with_settle(ms(2_500)).unwrap();
    let promoter = Promoter::builder().registry(Arc::new(oci())).ledger(ledger.unwrap()).times(times).build().unwrap();
    let channel = prod(repository);
    for number in 0..count.parse::<u64>().unwrap() {
        let name = format!("w{writer}.{}", number % 2);
        let mut ends = Vec::new();
        loop {
            let terms = MoveOptions {
                idempotency_key: Some(key(&format!("{writer}-{number}"))),
                on_conflict: OnConflict::Requeue,
                timeout: TIMEOUT,
                ..MoveOptions::new(who())
            };
            let Err(error) = promoter.promote(&channel, release(repository, &name)).options(terms).await else { break };
            if error.kind().class() == ErrorClass::Indeterminate
                && let Err(error) = promoter.recover(&channel, RecoveryMode::RollForward, who(), TIMEOUT).await
            {
                ends.push(format!("recover: {error:?}"));
            }
            ends.push(format!("{error:?}"));
            assert!(ends.len() < TRIES as usize, "writer {writer}, move {number}: {ends:#?}");
            pause().await;
        }
    }
}

/// Each writer has two releases of its own, so that no move finds its target already live.
pub async fn write_all(promoter: &Promoter, repository: &Repository, writer: u64, count: u64) {
    for number in 0..count {
        let name = format!("w{writer}.{}", number % 2);
        let terms = MoveOptions {
            idempotency_key: Some(key(&format!("{writer}-{number}"))),
            on_conflict: OnConflict::Requeue,
            timeout: TIMEOUT,
            ..MoveOptions::new(who())
        };
        let receipt = promoter.promote(&prod(repository), release(repository, &name)).options(terms).await;
        receipt.unwrap_or_else(|error| panic!("writer {writer}, move {number}: {error}"));
    }
}

pub fn push_releases(memory: &MemoryRegistry, repository: &Repository, writers: u64) {
    memory.push_image(repository, &tag("1.0"), 0);
    memory.push_image(repository, &tag("1.1"), 1);
    for writer in 0..writers {
        for half in 0..2 {
            memory.push_image(repository, &tag(&format!("w{writer}.{half}")), 100 + 2 * writer + half);
        }
    }
}

/// A registry that has the channel's tag: a channel without a log and without a tag cannot be held.
pub fn registry_with_prod(repository: &Repository) -> MemoryRegistry {
    let registry = MemoryRegistry::new();
    registry.push_image(repository, &tag("prod"), 0);
    registry
}

pub async fn bootstrap(registry: Arc<dyn Registry>, ledger: Arc<dyn Ledger>, repository: &Repository) {
    let promoter = Promoter::new(registry, ledger);
    promoter
        .bootstrap(&prod(repository))
        .source(release(repository, "1.0"))
        .options(MoveOptions::new(who()))
        .await
        .unwrap();
}
