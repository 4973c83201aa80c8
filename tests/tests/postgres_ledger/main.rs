//! `PostgresLedger` on a real PostgreSQL: requirements, races, kills, SQL and look-ups.

mod lost;
mod refused;
mod restart;
mod sql;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tagwarden::ledger::{Appended, ChannelLog, Ledger, OpenMode, PostgresLedger};
use tagwarden::log::{Body, ChannelState, Deployment};
use tagwarden::{Channel, Clock, ErrorKind, Result, SystemClock, Timestamp};
use tagwarden_testing::conformance::ledger;
use tagwarden_tests::postgres::Postgres;
use tokio::task::JoinSet;

/// The URL of a database with a ledger.
struct At(String);

#[async_trait]
impl ledger::LedgerHarness for At {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        Ok(Arc::new(PostgresLedger::open(&self.0, OpenMode::Write).await?))
    }
}

/// Creates a database with a ledger, and opens it.
async fn made(server: &Postgres, name: &str) -> (String, PostgresLedger) {
    let url = server.database(name);
    PostgresLedger::init(&url).await.unwrap();
    let ledger = PostgresLedger::open(&url, OpenMode::Write).await.unwrap();
    (url, ledger)
}

fn channel(name: &str) -> Channel {
    format!("registry.example.com/acme/{name}:prod").parse().unwrap()
}

/// An entry that does not change the state. A log may have any number of them.
fn deployment(revision: &str) -> Body {
    let (cluster, revision) = ("test".parse().unwrap(), revision.parse().unwrap());
    Body::Deployment(Deployment { cluster, revision, ready: true, at: Timestamp::from_unix_ms(0) })
}

/// Makes the next entry of a log, and updates the log's state.
fn next(state: &mut ChannelState, revision: &str) -> Bytes {
    let sealed = state.next(deployment(revision), uuid::Uuid::now_v7(), Timestamp::from_unix_ms(0)).seal().unwrap();
    state.take(sealed.bytes()).unwrap();
    sealed.bytes().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requirements_hold_on_postgres() {
    let Some(server) = Postgres::start("requirements_hold_on_postgres", &[]) else { return };
    let (url, _) = made(&server, "requirements").await;
    ledger::all(&At(url)).await.unwrap();
    // Through the Unix socket, and with another schema name.
    let socket = server.socket_directory().display().to_string().replace('/', "%2F");
    let port = server.host().split(':').next_back().unwrap().to_owned();
    let url = format!("postgres://postgres:pw-of-postgres@{socket}:{port}/requirements?schema=other_1");
    PostgresLedger::init(&url).await.unwrap();
    ledger::append_if_next(&At(url)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ledger_time_is_the_time_of_the_database() {
    let Some(server) = Postgres::start("ledger_time_is_the_time_of_the_database", &[]) else { return };
    let (_, ledger) = made(&server, "time").await;
    assert_eq!(ledger.time(), None, "it was not asked yet");
    for (channel, entries) in [("empty", 0), ("one", 1)] {
        let (channel, mut state) = (self::channel(channel), ChannelState::empty(self::channel(channel)));
        for seq in 0..entries {
            ledger.append(&channel, seq, next(&mut state, "r1")).await.unwrap();
        }
        assert_eq!(ledger.size(&channel).await.unwrap(), entries);
        // The server runs on this machine, so both clocks agree.
        let (here, there) = (SystemClock.now(), ledger.time().expect("a time"));
        assert!(here.unix_ms().abs_diff(there.unix_ms()) < 5_000, "{here} here, {there} there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_store_every_entry_once() {
    const WRITERS: usize = 16;
    const ENTRIES: usize = 200;
    let Some(server) = Postgres::start("sixteen_writers_store_every_entry_once", &[]) else { return };
    let (url, one) = made(&server, "race").await;
    let other = PostgresLedger::open(&url, OpenMode::Write).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let ledger = if writer % 2 == 0 { one.clone() } else { other.clone() };
        writers.spawn(async move {
            let mut journal = ChannelLog::new(Arc::new(ledger), channel("race"));
            for nth in 0..ENTRIES {
                journal.note(deployment(&format!("{writer} {nth}")), Timestamp::from_unix_ms(0)).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    // The read checks the chain.
    let mut journal = ChannelLog::new(Arc::new(one), channel("race"));
    assert_eq!(journal.refresh().await.unwrap().size, (WRITERS * ENTRIES) as u64);
    let entries = journal.read(0, WRITERS * ENTRIES).await.unwrap();
    for writer in 0..WRITERS {
        let mine = entries.iter().filter_map(|entry| match &entry.body {
            Body::Deployment(seen) => seen.revision.as_str().strip_prefix(&format!("{writer} ")).map(str::to_owned),
            _ => None,
        });
        assert!(mine.eq((0..ENTRIES).map(|nth| nth.to_string())), "each of {writer}'s entries once, in its order");
    }
}

/// The position, the entry and the result of an append.
type Said = (u64, Bytes, Result<Appended>);

/// Appends to a log until `stop` is set. Each append is at the current end of the log.
async fn keep_appending(ledger: PostgresLedger, channel: Channel, stop: Arc<AtomicBool>) -> Vec<Said> {
    let mut said = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let mut journal = ChannelLog::new(Arc::new(ledger.clone()), channel.clone());
        let Ok(state) = journal.refresh().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let mut state = ChannelState::clone(&state);
        for _ in 0..50 {
            let (seq, entry) = (state.size, next(&mut state, "killed"));
            let append = ledger.append(&channel, seq, entry.clone()).await;
            let goes_on = matches!(append, Ok(Appended::Stored));
            said.push((seq, entry, append));
            if !goes_on || stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_entries_survive_kills_of_the_server() {
    let Some(mut server) = Postgres::start("acknowledged_entries_survive_kills_of_the_server", &[]) else { return };
    let (_, ledger) = made(&server, "killed").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut appenders = JoinSet::new();
    for nth in 0..4 {
        // Two logs with two writers each.
        appenders.spawn(keep_appending(ledger.clone(), channel(&format!("killed{}", nth / 2)), Arc::clone(&stop)));
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.kill();
        server.start_again(&[]);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.store(true, Ordering::Relaxed);
    let said: Vec<Vec<Said>> = appenders.join_all().await;
    let mut counts = [0; 4];
    for log in ["killed0", "killed1"] {
        let mut journal = ChannelLog::new(Arc::new(ledger.clone()), channel(log));
        let size = journal.refresh().await.unwrap().size;
        assert!(size > 0);
    }
    for (seq, entry, append) in said.into_iter().flatten() {
        let channel = tagwarden::log::Entry::open(&entry).unwrap().channel;
        let stands = ledger.read(&channel, seq, 1).await.unwrap().first() == Some(&entry);
        match append {
            Ok(Appended::Stored) => assert!(stands, "entry {seq} was acknowledged"),
            Ok(Appended::Conflict) => assert!(!stands, "entry {seq} was called lost"),
            Err(ref error) if error.kind() == ErrorKind::LedgerUnavailable => {
                assert!(!stands, "entry {seq} was called not stored: {error:?}");
            }
            Err(ref error) => assert_eq!(error.kind(), ErrorKind::LedgerAmbiguous, "{error:?}"),
        }
        counts[match append {
            Ok(Appended::Stored) => 0,
            Ok(Appended::Conflict) => 1,
            Err(error) if error.kind() == ErrorKind::LedgerUnavailable => 2,
            Err(_) => 3,
        }] += 1;
    }
    let [stored, lost, unavailable, ambiguous] = counts;
    println!("{stored} stored, {lost} lost, {unavailable} not stored, {ambiguous} not known");
    assert!(stored > 20, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_is_safe_at_once_from_several_processes_and_again() {
    let Some(server) = Postgres::start("init_is_safe_at_once_from_several_processes_and_again", &[]) else { return };
    let url = server.database("made");
    let mut inits = JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        inits.spawn(async move { PostgresLedger::init(&url).await });
    }
    for made in inits.join_all().await {
        made.unwrap();
    }
    let ledger = PostgresLedger::open(&url, OpenMode::Write).await.unwrap();
    let entry = next(&mut ChannelState::empty(channel("made")), "kept");
    assert_eq!(ledger.append(&channel("made"), 0, entry.clone()).await.unwrap(), Appended::Stored);
    PostgresLedger::init(&url).await.unwrap();
    assert_eq!(ledger.read(&channel("made"), 0, 9).await.unwrap(), [entry]);
    assert_eq!(server.psql("made", "SELECT version FROM tagwarden.migrations").unwrap(), "1");
}
