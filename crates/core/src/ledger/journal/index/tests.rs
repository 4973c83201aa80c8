//! Tests of the index: whatever happens to its blobs, no answer changes, and a good index saves reading the log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::journal::tests::{digest, key, moves, outcome};
use crate::ledger::{ChannelLog, IndexStore, MemoryLedger};
use crate::log::{Body, Op, Status, proptests};
use crate::testing::{Fault, FaultyLedger};
use crate::value::Timestamp;

type Blobs = BTreeMap<String, Bytes>;

/// A place for the index of one log, and the log in memory.
#[derive(Debug)]
struct Shelf {
    log: Arc<MemoryLedger>,
    blobs: Mutex<Blobs>,
    every: u64,
    /// The number of entries that were read.
    read: AtomicU64,
}

impl Shelf {
    fn new(every: u64) -> Arc<Shelf> {
        Arc::new(Shelf { log: Arc::default(), blobs: Mutex::default(), every, read: AtomicU64::new(0) })
    }

    /// A journal of a new process.
    fn journal(self: &Arc<Shelf>) -> ChannelLog {
        let ledger = FaultyLedger::over(self.log.clone()).with_index(self.clone());
        let shelf = Arc::clone(self);
        ledger.rule(move |_| {
            let shelf = Arc::clone(&shelf);
            let count = move |entries: &mut Vec<Bytes>| {
                shelf.read.fetch_add(entries.len() as u64, Ordering::Relaxed);
            };
            Some(Fault::pass().edit(count))
        });
        ChannelLog::new(Arc::new(ledger), channel())
    }

    async fn journal_at_head(self: &Arc<Shelf>) -> ChannelLog {
        let mut journal = self.journal();
        journal.refresh().await.unwrap();
        journal
    }

    fn blobs(&self) -> Blobs {
        self.blobs.lock().unwrap().clone()
    }

    fn put_back(&self, blobs: &Blobs) {
        self.blobs.lock().unwrap().clone_from(blobs);
    }
}

#[async_trait]
impl IndexStore for Shelf {
    async fn get(&self, _: &Channel, name: &str) -> Result<Option<Bytes>> {
        Ok(self.blobs.lock().unwrap().get(name).cloned())
    }

    async fn put(&self, _: &Channel, name: &str, blob: Bytes) -> Result<()> {
        self.blobs.lock().unwrap().insert(name.to_owned(), blob);
        Ok(())
    }

    fn every(&self) -> u64 {
        self.every
    }
}

fn channel() -> Channel {
    "reg.io/acme/shop:prod".parse().unwrap()
}

/// Appends these moves, and commits the last one too.
async fn commit(journal: &mut ChannelLog, range: std::ops::Range<u64>) {
    let last = range.end - 1;
    let open = moves(journal, range).await;
    journal.append(open + 1, outcome(open, last), Timestamp::from_unix_ms(0)).await.unwrap();
}

/// A ledger whose log has the moves 1 to `count`, and whose index was stored at its end.
async fn ledger(count: u64, every: u64) -> Arc<Shelf> {
    let shelf = Shelf::new(every);
    commit(&mut shelf.journal(), 1..count + 1).await;
    shelf.journal_at_head().await.committed(&key(0)).await.unwrap();
    assert_eq!(shelf.blobs().len(), 2);
    shelf
}

/// The position of the intent of the `nth` move.
fn seq(nth: u64) -> u64 {
    2 * nth - 1
}

/// Checks the answers of a new process about a log of `count` committed moves, for `asked` moves and two that are not in
/// the log.
async fn check(shelf: &Arc<Shelf>, count: u64, asked: impl IntoIterator<Item = u64>) {
    let mut journal = shelf.journal();
    let state = journal.refresh().await.unwrap();
    assert_eq!((state.size, state.live, state.committed), (2 * count + 1, Some(digest(count)), count));
    for nth in asked {
        let found = journal.committed(&key(nth)).await.unwrap();
        assert_eq!(found, Some((seq(nth), digest(nth), digest(nth))), "the key of move {nth}");
        assert_eq!(journal.made_live(&digest(nth)).await.unwrap(), Some(seq(nth)), "the digest of move {nth}");
    }
    for nth in [0, count + 1] {
        assert_eq!(journal.committed(&key(nth)).await.unwrap(), None);
        assert_eq!(journal.made_live(&digest(nth)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn flipped_bit_in_any_byte_of_an_index_changes_no_answer() {
    const COUNT: u64 = 2;
    let shelf = ledger(COUNT, 4).await;
    let good = shelf.blobs();
    for name in [STATE, MOVES] {
        for at in 0..good[name].len() {
            let mut blob = good[name].to_vec();
            blob[at] ^= 1 << (at % 8);
            assert_eq!(decode(&channel(), &blob), None, "byte {at} of {name}");
            shelf.put_back(&good);
            shelf.put(&channel(), name, blob.into()).await.unwrap();
            check(&shelf, COUNT, 1..=COUNT).await;
            assert!(decode(&channel(), &shelf.blobs()[name]).is_some(), "byte {at} of {name}: it is stored again");
        }
    }
}

/// Numbers below a bound, the same in each run (SplitMix64).
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 7_u64;
    move |bound| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) as usize % bound
    }
}

#[tokio::test]
async fn damage_anywhere_in_a_large_index_is_found() {
    const COUNT: u64 = 400;
    let shelf = ledger(COUNT, 4).await;
    let (state, _) = decode(&channel(), &shelf.blobs()[MOVES]).unwrap();
    let rows: Vec<CommittedMove> = (0..20_000)
        .map(|nth| CommittedMove {
            key: Term::Key(&key(nth)).hash(),
            target: Term::Target(&digest(nth)).hash(),
            seq: nth,
        })
        .collect();
    let blob = encode(&state, &rows).unwrap();
    assert_eq!(decode(&channel(), &blob), Some((state, rows)));
    let mut random = random();
    for _ in 0..200 {
        let mut damaged = blob.to_vec();
        let at = random(blob.len());
        match random(4) {
            0 => damaged.truncate(at),
            1 => damaged.push(0),
            // A part that never reached the disk, as after a loss of power.
            2 => damaged[at..].fill(0),
            _ => damaged[at] ^= 1 << random(8),
        }
        assert!(damaged == blob || decode(&channel(), &damaged).is_none());
    }
    // The same through a journal, with one to three flipped bits.
    let good = shelf.blobs();
    for _ in 0..20 {
        let name = [STATE, MOVES][random(2)];
        let mut damaged = good[name].to_vec();
        for _ in 0..=random(3) {
            damaged[random(good[name].len())] ^= 1 << random(8);
        }
        shelf.put_back(&good);
        shelf.put(&channel(), name, damaged.into()).await.unwrap();
        check(&shelf, COUNT, [1, COUNT / 2, COUNT]).await;
    }
}

/// The two blobs are stored at different times by different processes, in any order.
#[tokio::test]
async fn blobs_of_any_two_positions_give_the_same_answers() {
    const COUNT: u64 = 6;
    let shelf = Shelf::new(1);
    let mut writer = shelf.journal();
    let mut stored = vec![Blobs::new()];
    for nth in 1..=COUNT {
        let open = moves(&mut writer, nth..nth + 1).await;
        for _ in 0..2 {
            writer.refresh().await.unwrap();
            // A journal that has read everything stores an index at every position, also while a move is open.
            writer.committed(&key(0)).await.unwrap();
            stored.push(shelf.blobs());
            if writer.state().open.is_some() {
                writer.append(open + 1, outcome(open, nth), Timestamp::from_unix_ms(0)).await.unwrap();
            }
        }
    }
    for of_state in &stored {
        for of_moves in &stored {
            let mut blobs = Blobs::new();
            blobs.extend(of_state.get(STATE).map(|blob| (STATE.to_owned(), blob.clone())));
            blobs.extend(of_moves.get(MOVES).map(|blob| (MOVES.to_owned(), blob.clone())));
            shelf.put_back(&blobs);
            check(&shelf, COUNT, 1..=COUNT).await;
        }
    }
}

#[tokio::test]
async fn index_that_is_lost_or_replaced_after_the_state_was_read_changes_no_answer() {
    const COUNT: u64 = 20;
    let shelf = ledger(COUNT, 4).await;
    let good = shelf.blobs();
    let (mut one, mut other) = (shelf.journal_at_head().await, shelf.journal_at_head().await);
    commit(&mut shelf.journal_at_head().await, COUNT + 1..COUNT + 11).await;
    check(&shelf, COUNT + 10, [1, COUNT + 10]).await;
    assert_ne!(shelf.blobs(), good, "it is stored again");
    // The first finds a later index, and the second none.
    for journal in [&mut one, &mut other] {
        assert_eq!(journal.committed(&key(7)).await.unwrap().map(|(seq, ..)| seq), Some(seq(7)));
        let later = journal.committed(&key(COUNT + 1)).await.unwrap();
        assert_eq!(later, None, "the journal has not read that far");
        shelf.put_back(&Blobs::new());
    }
}

#[tokio::test]
async fn index_of_another_log_or_of_another_name_is_not_used() {
    const COUNT: u64 = 10;
    let shelf = ledger(COUNT, 4).await;
    let good = shelf.blobs();
    // A log of the same channel and length, with other moves.
    let other = Shelf::new(4);
    commit(&mut other.journal(), 101..101 + COUNT).await;
    other.journal_at_head().await.committed(&key(0)).await.unwrap();
    let swapped = |state: &str, moves: &str| {
        BTreeMap::from([(STATE.to_owned(), good[state].clone()), (MOVES.to_owned(), good[moves].clone())])
    };
    for blobs in [other.blobs(), swapped(MOVES, STATE), swapped(STATE, STATE), swapped(MOVES, MOVES)] {
        shelf.put_back(&blobs);
        check(&shelf, COUNT, 1..=COUNT).await;
    }
    let elsewhere: Channel = "reg.io/acme/shop:dev".parse().unwrap();
    assert_eq!(decode(&elsewhere, &good[STATE]), None);
}

#[tokio::test]
async fn look_up_in_a_long_log_reads_the_entries_after_the_index_only() {
    const COUNT: u64 = 1_000;
    let shelf = ledger(COUNT, 64).await;
    commit(&mut shelf.journal_at_head().await, COUNT + 1..COUNT + 20).await;
    shelf.read.store(0, Ordering::Relaxed);
    let mut journal = shelf.journal_at_head().await;
    for nth in 0..COUNT {
        assert_eq!(journal.committed(&key(10_000 + nth)).await.unwrap(), None);
    }
    // The entries that each blob names, and those after them.
    assert_eq!(shelf.read.load(Ordering::Relaxed), 2 + 2 * 19);
    assert_eq!(journal.committed(&key(3)).await.unwrap().map(|(at, ..)| at), Some(seq(3)));
}

#[tokio::test]
async fn move_that_failed_or_is_open_is_not_a_committed_one() {
    let shelf = Shelf::new(2);
    let mut journal = shelf.journal();
    commit(&mut journal, 1..4).await;
    let open = moves(&mut journal, 4..5).await;
    assert_eq!(journal.committed(&key(4)).await.unwrap(), None);
    let failed = Body::Outcome(proptests::outcome(4, open, Status::Failed, None));
    journal.append(open + 1, failed, Timestamp::from_unix_ms(0)).await.unwrap();
    commit(&mut journal, 5..6).await;
    let mut anew = shelf.journal();
    for journal in [&mut journal, &mut anew] {
        journal.refresh().await.unwrap();
        assert_eq!(journal.committed(&key(4)).await.unwrap(), None);
        assert_eq!(journal.made_live(&digest(4)).await.unwrap(), None);
        assert_eq!(journal.committed(&key(5)).await.unwrap().map(|(seq, ..)| seq), Some(open + 2));
    }
}

#[tokio::test]
async fn digest_that_was_live_several_times_is_found_at_its_last_move() {
    let shelf = Shelf::new(2);
    let mut journal = shelf.journal();
    commit(&mut journal, 1..3).await;
    let (open, at) = (journal.state().size, Timestamp::from_unix_ms(0));
    let back = proptests::intent(3, Op::Rollback, journal.state().live, digest(1));
    journal.append(open, Body::Intent(Box::new(back)), at).await.unwrap();
    let back = Body::Outcome(proptests::outcome(3, open, Status::Committed, Some(digest(1))));
    journal.append(open + 1, back, at).await.unwrap();
    for journal in [&mut journal, &mut shelf.journal_at_head().await] {
        assert_eq!(journal.made_live(&digest(1)).await.unwrap(), Some(open));
    }
}

/// An index store that always fails.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl IndexStore for Broken {
    async fn get(&self, _: &Channel, _: &str) -> Result<Option<Bytes>> {
        Err(Error::new(ErrorKind::LedgerDenied, "no right to read the index"))
    }

    async fn put(&self, _: &Channel, _: &str, _: Bytes) -> Result<()> {
        Err(Error::new(ErrorKind::LedgerDenied, "no right to write the index"))
    }

    fn every(&self) -> u64 {
        1
    }
}

#[tokio::test]
async fn error_of_the_index_store_is_no_error_of_the_ledger() {
    let broken = Arc::new(FaultyLedger::over(Arc::new(MemoryLedger::new())).with_index(Arc::new(Broken)));
    commit(&mut ChannelLog::new(broken.clone(), channel()), 1..4).await;
    let mut journal = ChannelLog::new(broken, channel());
    assert_eq!(journal.refresh().await.unwrap().size, 7);
    assert_eq!(journal.committed(&key(2)).await.unwrap().map(|(at, ..)| at), Some(seq(2)));
}

#[test]
fn row_keeps_every_bit() {
    for found in [
        CommittedMove { key: 0, target: 0, seq: 0 },
        CommittedMove { key: u32::MAX, target: 1, seq: u64::MAX - 1 },
        CommittedMove { key: 0x0123_4567, target: 0x89ab_cdef, seq: 0x0123_4567_89ab_cdef },
    ] {
        assert_eq!(CommittedMove::from_row(&found.row()), found);
    }
}
