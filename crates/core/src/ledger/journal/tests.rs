//! Tests of `ChannelLog` over a file ledger, and over a ledger that returns one entry per read.

use bytes::Bytes;

use super::*;
use crate::ledger::{EVERY, FileLedger, IndexStore, MemoryLedger};
use crate::log::{Intent, Op, Status, proptests};
use crate::testing::{Fault, FaultyLedger};
use crate::value::{Digest, IdempotencyKey};

fn channel() -> Channel {
    "reg.io/acme/shop:prod".parse().unwrap()
}

pub(in crate::ledger) fn key(nth: u64) -> IdempotencyKey {
    format!("key-{nth}").parse().unwrap()
}

pub(in crate::ledger) fn digest(nth: u64) -> Digest {
    Digest::of(&nth.to_be_bytes())
}

fn intent(state: &ChannelState, nth: u64) -> Body {
    let op = if state.live.is_none() { Op::Bootstrap } else { Op::Promote };
    Body::Intent(Box::new(Intent { key: key(nth), ..proptests::intent(nth, op, state.live, digest(nth)) }))
}

pub(in crate::ledger) fn outcome(seq: u64, nth: u64) -> Body {
    Body::Outcome(proptests::outcome(nth, seq, Status::Committed, Some(digest(nth))))
}

/// Appends these moves and leaves the last one open.
pub(in crate::ledger) async fn moves(journal: &mut ChannelLog, moves: std::ops::Range<u64>) -> u64 {
    let at = Timestamp::from_unix_ms(0);
    let last = moves.end - 1;
    let mut open = 0;
    if journal.state().size == 0 {
        assert!(matches!(journal.append(0, proptests::policy(), at).await.unwrap(), Appended::Stored));
    }
    for nth in moves {
        open = journal.state().size;
        let body = intent(journal.state(), nth);
        assert!(matches!(journal.append(open, body, at).await.unwrap(), Appended::Stored));
        if nth != last {
            assert!(matches!(journal.append(open + 1, outcome(open, nth), at).await.unwrap(), Appended::Stored));
        }
    }
    open
}

#[tokio::test]
async fn a_log_without_an_index_yet_is_looked_up_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = ChannelLog::new(Arc::new(FileLedger::open(dir.path()).unwrap()), channel());
    let seq = moves(&mut journal, 1..4).await;
    assert_eq!(journal.committed(&key(2)).await.unwrap().map(|(seq, request, _)| (seq, request)), Some((3, digest(2))));
    assert_eq!(journal.committed(&key(3)).await.unwrap().map(|(seq, request, _)| (seq, request)), None, "it is open");
    journal.append(seq + 1, outcome(seq, 3), Timestamp::from_unix_ms(0)).await.unwrap();
    assert_eq!(journal.made_live(&digest(3)).await.unwrap(), Some(seq));
    assert_eq!(journal.made_live(&digest(9)).await.unwrap(), None);
}

#[tokio::test]
async fn index_of_a_file_ledger_is_stored_and_used_and_may_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    let mut journal = ChannelLog::new(Arc::new(ledger.clone()), channel());
    let seq = moves(&mut journal, 1..EVERY).await;
    journal.append(seq + 1, outcome(seq, EVERY - 1), Timestamp::from_unix_ms(0)).await.unwrap();
    journal.refresh().await.unwrap();
    journal.committed(&key(0)).await.unwrap();
    let names = ["state", "moves"];
    let files = || names.map(|name| dir.path().join(format!("index/reg.io%2facme%2fshop%3aprod.{name}")));
    assert!(files().iter().all(|file| file.exists()));
    for deleted in 0..=names.len() {
        for file in &files()[..deleted] {
            std::fs::remove_file(file).unwrap();
        }
        let mut anew = ChannelLog::new(Arc::new(ledger.clone()), channel());
        assert_eq!(anew.refresh().await.unwrap().size, seq + 2);
        for nth in [1, 7, EVERY - 1] {
            let found = anew.committed(&key(nth)).await.unwrap();
            assert_eq!(found.map(|(seq, request, _)| (seq, request)), Some((2 * nth - 1, digest(nth))));
        }
        assert!(files().iter().all(|file| file.exists()), "it is stored again");
    }
    assert_eq!(ledger.notices(), []);
}

#[tokio::test]
async fn read_only_ledger_is_looked_up_and_stores_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = ChannelLog::new(Arc::new(FileLedger::open(dir.path()).unwrap()), channel());
    moves(&mut journal, 1..2 * EVERY).await;
    let mut reader = ChannelLog::new(Arc::new(FileLedger::open_read_only(dir.path()).unwrap()), channel());
    reader.refresh().await.unwrap();
    assert_eq!(reader.committed(&key(7)).await.unwrap().map(|(seq, request, _)| (seq, request)), Some((13, digest(7))));
    assert!(!dir.path().join("index").exists());
}

#[tokio::test]
async fn index_that_cannot_be_written_is_left_and_noted() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    std::fs::write(dir.path().join("index"), b"not a directory").unwrap();
    ledger.put(&channel(), "state", Bytes::from_static(b"blob")).await.unwrap();
    let notices: Vec<_> = ledger.notices().iter().map(ToString::to_string).collect();
    assert_eq!(notices, ["reg.io/acme/shop:prod: the index was left as it was: it is not a directory"]);
    let mut journal = ChannelLog::new(Arc::new(ledger), channel());
    moves(&mut journal, 1..4).await;
    assert_eq!(journal.committed(&key(2)).await.unwrap().map(|(seq, ..)| seq), Some(3));
}

#[tokio::test]
async fn a_short_read_is_not_the_head() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    moves(&mut ChannelLog::new(Arc::new(ledger.clone()), channel()), 1..4).await;
    let one_at_a_time = FaultyLedger::over(Arc::new(ledger));
    // The requirements of a ledger allow this.
    one_at_a_time.rule(|_| Some(Fault::pass().edit(|entries: &mut Vec<Bytes>| entries.truncate(1))));
    let mut journal = ChannelLog::new(Arc::new(one_at_a_time), channel());
    assert_eq!(journal.refresh().await.unwrap().size, 6);
}

#[tokio::test]
async fn first_entry_of_a_page_is_compared_with_the_entry_before_it() {
    let channel: Channel = "reg.io/acme/shop:prod".parse().unwrap();
    let logs = [(); 2].map(|()| Arc::new(MemoryLedger::new()));
    let mut state = None;
    for log in &logs {
        let mut journal = ChannelLog::new(Arc::clone(log) as Arc<dyn Ledger>, channel.clone());
        moves(&mut journal, 1..6).await;
        state = Some(Arc::clone(journal.state()));
    }
    let state = state.unwrap();
    let [first, second] = logs;
    let whole = Snapshot { ledger: Arc::clone(&second) as Arc<dyn Ledger>, state: Arc::clone(&state) };
    let entries = whole.read(4, 3).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 5, 6]);
    assert_eq!(whole.read(0, usize::MAX).await.unwrap().len() as u64, state.size);
    assert_eq!(whole.read(state.size, 3).await.unwrap(), []);

    // The entries of the first log below 4, and those of the second log from 4 on.
    let spliced = Arc::new(MemoryLedger::new());
    for (log, from, limit) in [(first, 0, 4), (second, 4, usize::MAX)] {
        for (seq, bytes) in (from..).zip(log.read(&channel, from, limit).await.unwrap()) {
            assert_eq!(spliced.append(&channel, seq, bytes).await.unwrap(), Appended::Stored);
        }
    }
    let spliced = Snapshot { ledger: spliced, state };
    assert_eq!(spliced.read(5, 3).await.unwrap().len(), 3);
    let error = spliced.read(4, 3).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerCorrupt, "{error}");
    assert!(error.to_string().contains("seq 4"), "{error}");
}

#[tokio::test]
async fn last_entry_that_changed_is_a_fork_even_if_it_is_only_the_one_before() {
    let channel: Channel = "reg.io/acme/shop:prod".parse().unwrap();
    let logs = [(); 2].map(|()| Arc::new(MemoryLedger::new()));
    let mut journals = Vec::new();
    for log in &logs {
        let mut journal = ChannelLog::new(Arc::clone(log) as Arc<dyn Ledger>, channel.clone());
        moves(&mut journal, 1..3).await;
        journals.push(journal);
    }
    let state = Arc::clone(journals[0].state());
    let [_, other] = logs;
    let snapshot = Snapshot { ledger: other, state: Arc::clone(&state) };
    assert_eq!(snapshot.read(state.size, 1).await.unwrap_err().kind(), ErrorKind::LedgerForked);
}
