//! The file ledger among real processes: many writers, and writers that are killed.
//!
//! A child is this very test binary, started again for its test `child` with the work in the environment.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tagwarden::ledger::{Appended, FileLedger, Ledger};
use tagwarden::log::{Body, EncodedEntry, Entry, Hold, HoldScope};
use tagwarden::{Channel, Provenance, Timestamp};
use tagwarden_testing::conformance::ledger::LedgerHarness;

const DIR: &str = "TAGWARDEN_TEST_LEDGER";
const COUNT: &str = "TAGWARDEN_TEST_COUNT";

fn channel() -> Channel {
    "reg.io/acme/shop:prod".parse().unwrap()
}

fn hold(seq: u64, parent: Option<EncodedEntry>, reason: &str) -> EncodedEntry {
    let body = Body::Hold(Hold {
        scope: HoldScope::All,
        reason: reason.parse().unwrap(),
        provenance: Provenance::new("manual", "1", "test").unwrap(),
        until: None,
    });
    let at = Timestamp::from_unix_ms(1_795_000_000_000);
    let parent = parent.map(|parent| parent.leaf());
    Entry { channel: channel(), seq, id: uuid::Uuid::now_v7(), at, parent, body }.seal().unwrap()
}

/// Appends `count` entries of its own, each behind whatever is last by then; calls `acknowledged` after each.
async fn write(ledger: &dyn Ledger, count: u64, who: &str, mut acknowledged: impl FnMut(u64, &str)) {
    for nth in 0..count {
        let reason = format!("{who} {nth} {}", "x".repeat((nth as usize * 61) % 900));
        loop {
            let size = ledger.size(&channel()).await.unwrap();
            let last = match size.checked_sub(1) {
                Some(seq) => ledger.read(&channel(), seq, 1).await.unwrap().into_iter().next().map(EncodedEntry::of),
                None => None,
            };
            let entry = hold(size, last, &reason);
            if ledger.append(&channel(), size, entry.bytes().clone()).await.unwrap() == Appended::Stored {
                acknowledged(size, &reason);
                break;
            }
        }
    }
}

/// The reasons of the whole log, after a check of each position and parent.
async fn whole_log(ledger: &dyn Ledger) -> Vec<String> {
    // A look at the size finishes what a dead process left.
    let size = ledger.size(&channel()).await.unwrap();
    let mut reasons = Vec::new();
    let mut last: Option<EncodedEntry> = None;
    loop {
        let page = ledger.read(&channel(), reasons.len() as u64, 500).await.unwrap();
        if page.is_empty() {
            break;
        }
        for bytes in page {
            let entry = Entry::open(&bytes).unwrap();
            assert_eq!(entry.seq, reasons.len() as u64);
            assert_eq!(entry.parent, last.map(|last| last.leaf()), "at {}", entry.seq);
            let Body::Hold(hold) = entry.body else { panic!("{entry:?}") };
            reasons.push(hold.reason.to_string());
            last = Some(EncodedEntry::of(bytes));
        }
    }
    assert_eq!(size, reasons.len() as u64);
    reasons
}

fn start(dir: &Path, count: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--quiet"])
        .env(DIR, dir)
        .env(COUNT, count.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The work of a child, which its environment says.
#[test]
#[ignore = "a child of the tests that start one"]
fn child() {
    let (dir, count) = (std::env::var_os(DIR).unwrap(), std::env::var(COUNT).unwrap());
    let ledger = FileLedger::open(dir).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let who = std::process::id().to_string();
    runtime.block_on(write(&ledger, count.parse().unwrap(), &who, |seq, reason| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nstored {seq} {reason}").unwrap();
        out.flush().unwrap();
    }));
}

/// The entries that a child says it stored.
fn stored(child: &mut Child) -> impl Iterator<Item = (usize, String)> + use<> {
    BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).filter_map(|line| {
        let (seq, reason) = line.strip_prefix("stored ")?.split_once(' ')?;
        Some((seq.parse().ok()?, reason.to_owned()))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_writers_in_one_process_store_every_entry_once() {
    let dir = tempfile::tempdir().unwrap();
    // Four openings of the directory, so that the lock file matters, too.
    let mut writers = tokio::task::JoinSet::new();
    for opening in 0..4 {
        let ledger = Arc::new(FileLedger::open(dir.path()).unwrap());
        for writer in 0..4 {
            let ledger = ledger.clone();
            let who = format!("{opening}.{writer}");
            writers.spawn(async move { write(ledger.as_ref(), 200, &who, |_, _| {}).await });
        }
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let ledger = FileLedger::open(dir.path()).unwrap();
    let reasons = whole_log(&ledger).await;
    assert_eq!(reasons.len(), 16 * 200);
    let distinct: std::collections::BTreeSet<_> = reasons.iter().collect();
    assert_eq!(distinct.len(), reasons.len());
}

#[tokio::test]
async fn eight_processes_store_every_entry_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..8).map(|_| start(dir.path(), 200)).collect();
    let readers: Vec<_> = children
        .iter_mut()
        .map(|child| {
            let stored = stored(child);
            std::thread::spawn(move || stored.collect::<Vec<_>>())
        })
        .collect();
    let mut acknowledged: Vec<_> = readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    acknowledged.sort();
    let reasons = whole_log(&FileLedger::open(dir.path()).unwrap()).await;
    assert_eq!(acknowledged, reasons.into_iter().enumerate().collect::<Vec<_>>());
    assert_eq!(acknowledged.len(), 8 * 200);
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    const KILLS: usize = 40;
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        let mut child = start(dir.path(), u64::MAX);
        let mut stored = stored(&mut child);
        acknowledged.extend(stored.by_ref().take(1 + round % 5));
        // Somewhere in the next append, at a place that differs from round to round.
        std::thread::sleep(std::time::Duration::from_micros(37 * round as u64 % 700));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(stored);

        let ledger = FileLedger::open(dir.path()).unwrap();
        let reasons = whole_log(&ledger).await;
        for (seq, reason) in &acknowledged {
            assert_eq!(reasons.get(*seq), Some(reason), "acknowledged at {seq} before kill {round}");
        }
        // At most the one append that was under way came on top, each time.
        assert!(reasons.len() <= acknowledged.len() + round + 1);
    }
    let ledger = FileLedger::open(dir.path()).unwrap();
    write(&ledger, 1, "after", |_, _| {}).await;
    assert!(whole_log(&ledger).await.last().unwrap().starts_with("after 0 "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requirements_hold_beside_other_processes() {
    struct Dir(tempfile::TempDir);

    #[async_trait::async_trait]
    impl LedgerHarness for Dir {
        async fn open(&self) -> tagwarden::Result<Arc<dyn Ledger>> {
            Ok(Arc::new(FileLedger::open(self.0.path())?))
        }
    }

    let store = Dir(tempfile::tempdir().unwrap());
    let mut others: Vec<_> = (0..2).map(|_| start(store.0.path(), 50)).collect();
    tagwarden_testing::conformance::ledger::all(&store).await.unwrap();
    for other in &mut others {
        assert_eq!(stored(other).count(), 50);
        assert!(other.wait().unwrap().success());
    }
}
