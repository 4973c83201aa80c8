//! Tests of a store that stops honouring conditions after the probe: the fork is detected and reported.

use super::*;
use crate::ledger::ChannelLog;

#[tokio::test]
async fn an_overwritten_entry_is_a_fork_at_the_next_look_of_a_reader_that_saw_it() {
    let store = Scripted::default();
    let log = entries(3);
    let (ada, bob) = (opened(&store).await, opened(&store).await);
    for ledger in [&ada, &bob] {
        for (seq, sealed) in (0..).zip(&log[..2]) {
            ledger.append(&channel(), seq, sealed.bytes().clone()).await.unwrap();
        }
    }
    let mine = entry(2, Some(log[1].leaf()), "bob");
    assert_eq!(ada.append(&channel(), 2, log[2].bytes().clone()).await.unwrap(), Appended::Stored);
    store.script(Asked::Create, [Wrong::Overwrites]);
    assert_eq!(bob.append(&channel(), 2, mine.bytes().clone()).await.unwrap(), Appended::Stored);
    assert_eq!(bob.size(&channel()).await.unwrap(), 3);
    for _ in 0..2 {
        let error = ada.size(&channel()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerForked, "{error:?}");
        let said = error.to_string();
        assert!(said.starts_with("scripted/team/ledger: seq 2: another entry was read there before"), "{said}");
        assert!(said.contains("does not honour conditional writes any more: stop every writer"), "{said}");
    }
    // The journal of a move stops with the same error.
    let error = ChannelLog::new(Arc::new(ada), channel()).refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerForked, "{error:?}");
}

#[tokio::test]
async fn an_entry_that_continues_an_overwritten_one_is_a_fork_for_a_reader_that_saw_the_other() {
    let store = Scripted::default();
    let log = entries(4);
    let bob = opened(&store).await;
    lay(&store, 0, &log[..2]).await;
    bob.size(&channel()).await.unwrap();
    let mine = entry(2, Some(log[1].leaf()), "bob");
    assert_eq!(bob.append(&channel(), 2, mine.bytes().clone()).await.unwrap(), Appended::Stored);
    // Ada's entry at position 3 continues her entry at position 2, which Bob's entry replaced.
    lay(&store, 3, &log[3..]).await;
    let error = bob.size(&channel()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerForked, "{error:?}");
    assert!(error.to_string().contains("seq 3: its parent is not the entry before it"), "{error}");
    // A new reader finds a broken chain at that position.
    let anew: Arc<dyn Ledger> = Arc::new(opened(&store).await);
    let error = ChannelLog::new(anew, channel()).refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerCorrupt, "{error:?}");
    assert!(error.context().any(|(name, value)| (name, value) == ("seq", "3")), "{error:?}");
}

#[tokio::test]
async fn the_hint_is_a_witness_for_processes_that_come_later() {
    let store = Scripted::default();
    let log = entries(3);
    lay(&store, 0, &log[..2]).await;
    let mine = entry(2, Some(log[1].leaf()), "bob");
    lay(&store, 2, std::slice::from_ref(&mine)).await;
    hint(&store, 3, log[2].leaf()).await;
    let error = opened(&store).await.size(&channel()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerForked, "{error:?}");
    assert!(error.to_string().contains("seq 2: "), "{error}");
}

#[tokio::test]
async fn a_cut_tail_is_seen_by_a_reader_that_saw_the_longer_log() {
    let store = Scripted::default();
    lay(&store, 0, &entries(5)).await;
    let ledger = opened(&store).await;
    ledger.size(&channel()).await.unwrap();
    store.take_away(&key(4)).await;
    let error = ledger.size(&channel()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerTruncated);
    assert_eq!(
        error.to_string(),
        format!("scripted/team/ledger: seq 4: {} is not there, and it was read before", key(4))
    );
}
