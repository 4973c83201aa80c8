//! Several writers on several machines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tagwarden::ledger::{Appended, GitLedger, Ledger};
use tagwarden::log::EncodedEntry;
use tagwarden_tests::git_http::GitServer;
use tagwarden_tests::number_of;
use tokio::sync::Barrier;

use super::{Machines, append, bare, channel, entry, whole};

/// Default of TAGWARDEN_RACES: the number of positions for which 8 writers race.
const RACES: u64 = 10;

/// Default of TAGWARDEN_GIT_WRITES: the number of entries of each of 16 writers.
const EACH: u64 = 5;

async fn writers(machines: &Machines, count: usize) -> Vec<GitLedger> {
    let mut writers = Vec::new();
    for writer in 0..count {
        writers.push(machines.open(&writer.to_string()).await);
    }
    writers
}

async fn exactly_one_wins(machines: &Machines) {
    let writers = writers(machines, 8).await;
    let channel = channel("race");
    let mut parent = None;
    for seq in 0..number_of("TAGWARDEN_RACES").unwrap_or(RACES) {
        let start = Arc::new(Barrier::new(writers.len()));
        let races = writers.iter().cloned().enumerate().map(|(writer, ledger)| {
            let (channel, start) = (channel.clone(), start.clone());
            let entry = entry(&channel, seq, parent, &format!("writer {writer}"));
            tokio::spawn(async move {
                start.wait().await;
                (ledger.append(&channel, seq, entry.bytes().clone()).await.unwrap(), entry)
            })
        });
        let mut won: Vec<EncodedEntry> = Vec::new();
        for race in races.collect::<Vec<_>>() {
            let (appended, entry) = race.await.unwrap();
            won.extend((appended == Appended::Stored).then_some(entry));
        }
        assert_eq!(won.len(), 1, "the winners of position {seq}: {won:?}");
        assert_eq!(writers[0].read(&channel, seq, 1).await.unwrap(), [won[0].bytes().clone()]);
        parent = Some(won[0].leaf());
    }
}

/// 16 writers over 4 channels: every entry is stored once, and no log has a gap.
async fn no_entry_is_lost(machines: &Machines) {
    let each = number_of("TAGWARDEN_GIT_WRITES").unwrap_or(EACH);
    let tasks = writers(machines, 16).await.into_iter().enumerate().map(|(writer, ledger)| {
        tokio::spawn(async move {
            let channel = channel(&format!("shop-{}", writer % 4));
            for nth in 0..each {
                loop {
                    let mut log = whole(&ledger, &channel).await;
                    if append(&ledger, &channel, &mut log, &format!("{writer} {nth}")).await.unwrap()
                        == Appended::Stored
                    {
                        break;
                    }
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let reader = machines.open("reader").await;
    assert_eq!(reader.channels().await.unwrap(), [0, 1, 2, 3].map(|nth| channel(&format!("shop-{nth}"))));
    for channel in reader.channels().await.unwrap() {
        let report = reader.verify(&channel).await.unwrap();
        assert_eq!((report.defect, report.entries), (None, 4 * each), "{channel}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_one_of_8_writers_wins_each_race_on_files() {
    let dir = tempfile::tempdir().unwrap();
    exactly_one_wins(&Machines::at(bare(dir.path()), true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_one_of_8_writers_wins_each_race_over_http() {
    let server = GitServer::start();
    exactly_one_wins(&Machines::at(server.ledger(), true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_entry_of_16_writers_is_lost_on_files() {
    let dir = tempfile::tempdir().unwrap();
    no_entry_is_lost(&Machines::at(bare(dir.path()), true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_entry_of_16_writers_is_lost_over_http() {
    let server = GitServer::start();
    no_entry_is_lost(&Machines::at(server.ledger(), true)).await;
}

/// Four writers of one channel lose to each other, read the log again and go on. A writer of another channel has to find
/// its place among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writer_of_another_channel_gets_its_turn_in_a_crowd() {
    let dir = tempfile::tempdir().unwrap();
    let machines = Machines::at(bare(dir.path()), true);
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = writers(&machines, 5).await;
    let alone = writers.pop().unwrap();
    let crowd = writers.into_iter().map(|ledger| {
        let done = Arc::clone(&done);
        tokio::spawn(async move {
            let mut won = 0;
            while !done.load(Ordering::Relaxed) {
                let mut log = whole(&ledger, &channel("crowd")).await;
                let appended = append(&ledger, &channel("crowd"), &mut log, "crowd").await.unwrap();
                won += u64::from(appended == Appended::Stored);
            }
            won
        })
    });
    let crowd: Vec<_> = crowd.collect();
    let mut log = Vec::new();
    while log.len() < 5 {
        assert_eq!(append(&alone, &channel("alone"), &mut log, "alone").await.unwrap(), Appended::Stored);
    }
    done.store(true, Ordering::Relaxed);
    let mut won = 0;
    for writer in crowd {
        won += writer.await.unwrap();
    }
    println!("the crowd stored {won} entries, and the writer alone 5");
    // With the same chance for each of the five, it is some 20. A writer that pauses longer while it loses came after
    // 500, and later.
    assert!(won < 150, "{won} entries came before these 5");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_one_cache_take_turns() {
    let server = GitServer::start();
    let machines = Machines::at(server.ledger(), true);
    let mut tasks = Vec::new();
    for writer in 0..8 {
        let ledger = machines.open("one").await;
        tasks.push(tokio::spawn(async move {
            let (channel, mut log) = (channel(&format!("turn-{writer}")), Vec::new());
            for _ in 0..3 {
                assert_eq!(append(&ledger, &channel, &mut log, "turn").await.unwrap(), Appended::Stored);
                assert_eq!(whole(&ledger, &channel).await, log);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // No process lost a push to a writer of the same machine.
    assert_eq!(server.commits("tagwarden").len(), 24);
}
