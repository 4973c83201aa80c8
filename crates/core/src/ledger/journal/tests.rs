//! Tests of `ChannelLog` over a file ledger with an index, and over a ledger that returns one entry per read.

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::ledger::{BEHIND, FileLedger, Index};
use crate::log::{Intent, Op, proptests};

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
        assert!(matches!(journal.append(0, proptests::policy(), at).await.unwrap(), AppendResult::At(0)));
    }
    for nth in moves {
        open = journal.state().size;
        let body = intent(journal.state(), nth);
        assert!(matches!(journal.append(open, body, at).await.unwrap(), AppendResult::At(_)));
        if nth != last {
            assert!(matches!(journal.append(open + 1, outcome(open, nth), at).await.unwrap(), AppendResult::At(_)));
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
async fn the_index_is_moved_on_between_moves_and_knows_each_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    let mut journal = ChannelLog::new(Arc::new(ledger.clone()), channel());
    let seq = moves(&mut journal, 1..BEHIND).await;
    journal.refresh().await.unwrap();
    assert_eq!(ledger.state(&channel()).await.unwrap(), None, "a move is open");
    journal.append(seq + 1, outcome(seq, BEHIND - 1), Timestamp::from_unix_ms(0)).await.unwrap();
    journal.refresh().await.unwrap();
    assert_eq!(ledger.state(&channel()).await.unwrap().map(|state| state.size), Some(seq + 2));
    assert!(journal.places.is_empty(), "what the index has is not held in memory as well");
    let mut anew = ChannelLog::new(Arc::new(ledger.clone()), channel());
    anew.refresh().await.unwrap();
    let open = moves(&mut anew, BEHIND..BEHIND + 2).await;
    for journal in [&journal, &anew] {
        for nth in [1, 7, BEHIND - 1] {
            assert_eq!(
                journal.committed(&key(nth)).await.unwrap().map(|(seq, request, _)| (seq, request)),
                Some((2 * nth - 1, digest(nth)))
            );
        }
    }
    assert_eq!(
        anew.committed(&key(BEHIND)).await.unwrap().map(|(seq, request, _)| (seq, request)),
        Some((open - 2, digest(BEHIND)))
    );
}

#[tokio::test]
async fn an_index_that_goes_away_costs_a_scan_and_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    let mut journal = ChannelLog::new(Arc::new(ledger.clone()), channel());
    let seq = moves(&mut journal, 1..BEHIND).await;
    journal.append(seq + 1, outcome(seq, BEHIND - 1), Timestamp::from_unix_ms(0)).await.unwrap();
    journal.refresh().await.unwrap();
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    assert_eq!(
        journal.committed(&key(7)).await.unwrap().map(|(seq, request, _)| (seq, request)),
        Some((13, digest(7))),
        "from the log itself"
    );
    journal.refresh().await.unwrap();
    assert_eq!(
        journal.committed(&key(7)).await.unwrap().map(|(seq, request, _)| (seq, request)),
        Some((13, digest(7)))
    );
    assert_eq!(ledger.state(&channel()).await.unwrap().map(|state| state.size), Some(seq + 2));
}

#[tokio::test]
async fn a_ledger_that_is_only_read_is_looked_up_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = ChannelLog::new(Arc::new(FileLedger::open(dir.path()).unwrap()), channel());
    moves(&mut journal, 1..2 * BEHIND).await;
    let mut reader = ChannelLog::new(Arc::new(FileLedger::open_read_only(dir.path()).unwrap()), channel());
    reader.refresh().await.unwrap();
    assert_eq!(reader.committed(&key(7)).await.unwrap().map(|(seq, request, _)| (seq, request)), Some((13, digest(7))));
}

/// Returns one entry per read. The requirements of a ledger allow this.
#[derive(Debug)]
struct OneAtATime(FileLedger);

#[async_trait]
impl Ledger for OneAtATime {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        self.0.size(channel).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        self.0.read(channel, from, limit.min(1)).await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        self.0.append(channel, seq, bytes).await
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        self.0.channels().await
    }
}

#[tokio::test]
async fn a_short_read_is_not_the_head() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    moves(&mut ChannelLog::new(Arc::new(ledger.clone()), channel()), 1..4).await;
    let mut journal = ChannelLog::new(Arc::new(OneAtATime(ledger)), channel());
    assert_eq!(journal.refresh().await.unwrap().size, 6);
}
