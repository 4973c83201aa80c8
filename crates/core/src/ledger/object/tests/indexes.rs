//! Tests of the index: it finds every term, needs few requests at any length of the log, and never gives a wrong
//! answer.

use super::*;
use crate::ledger::Index as _;

/// The state after `size` entries of a log, with the fields that an index uses.
fn state(log: &[EncodedEntry], size: u64) -> ChannelState {
    let mut state = ChannelState::empty(channel());
    (state.size, state.leaf) = (size, log.get(size as usize - 1).map(EncodedEntry::leaf));
    state
}

/// For each entry one term of its own, and one that many entries share.
fn terms(range: std::ops::Range<u64>) -> Vec<(Term, u64)> {
    let hash = |n: u64| Term(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    range.flat_map(|seq| [(hash(seq), seq), (hash(1_000_000 + seq % 7), seq)]).collect()
}

/// Builds an index of 6,000 entries, `step` entries at a time. Its states name leaf hashes of entries that do not
/// exist.
async fn index(ledger: &ObjectLedger, step: u64) -> u64 {
    const SIZE: u64 = 6_000;
    let mut from = 0;
    while from < SIZE {
        let to = (from + step).min(SIZE);
        let mut next = state(&[], 1);
        next.size = to;
        ledger.extend(&channel(), from, &next, &terms(from..to)).await.unwrap();
        from = to;
    }
    SIZE
}

#[tokio::test]
async fn every_term_is_found_newest_first_however_it_was_moved_on() {
    for step in [16, 100, 1_000, 6_000] {
        let store = Scripted::default();
        let size = index(&opened(&store).await, step).await;
        let anew = opened(&store).await;
        assert_eq!(anew.index().unwrap().state(&channel()).await.unwrap().unwrap().size, size);
        for seq in [0, 1, 511, 512, 3_000, size - 1] {
            let term = terms(seq..seq + 1)[0].0;
            assert_eq!(anew.find(&channel(), term).await.unwrap(), [seq], "{step}");
        }
        let shared: Vec<u64> = (0..size).rev().filter(|seq| seq % 7 == 3).collect();
        assert_eq!(anew.find(&channel(), terms(3..4)[1].0).await.unwrap(), shared, "{step}");
        assert!(anew.find(&channel(), Term(42)).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_look_up_is_a_few_requests_at_any_length() {
    let store = Scripted::default();
    index(&opened(&store).await, 16).await;
    let anew = opened(&store).await;
    store.calm();
    anew.index().unwrap().state(&channel()).await.unwrap();
    anew.find(&channel(), terms(77..78)[0].0).await.unwrap();
    // Half of the 12,000 terms are 7 different ones. There is at most one run of each of 5 sizes, and the largest needs
    // a few requests.
    assert!(asked(&store).len() <= 8, "{:?}", asked(&store));
}

#[tokio::test]
async fn an_index_of_another_log_is_begun_anew_and_one_of_this_log_is_left() {
    let store = Scripted::default();
    let log = entries(40);
    lay(&store, 0, &log).await;
    let ledger = opened(&store).await;
    let position =
        async || ledger.index().unwrap().state(&channel()).await.unwrap().map(|state| (state.size, state.leaf));
    ledger.extend(&channel(), 0, &state(&log, 20), &terms(0..20)).await.unwrap();
    assert_eq!(position().await, Some((20, Some(log[19].leaf()))));
    // An extension from another position does nothing, and neither does one from 0, because the index is of this log.
    ledger.extend(&channel(), 5, &state(&log, 40), &terms(5..40)).await.unwrap();
    ledger.extend(&channel(), 0, &state(&log, 10), &terms(0..10)).await.unwrap();
    assert_eq!(position().await, Some((20, Some(log[19].leaf()))));
    lay(&store, 0, &entries(40)).await;
    let anew = opened(&store).await;
    anew.extend(&channel(), 0, &state(&log, 10), &terms(0..10)).await.unwrap();
    assert_eq!(anew.index().unwrap().state(&channel()).await.unwrap().unwrap().size, 10);
}

#[tokio::test]
async fn a_slower_process_takes_nothing_from_what_was_given_out() {
    let store = Scripted::default();
    let ledger = opened(&store).await;
    ledger.extend(&channel(), 0, &state(&[], 20), &terms(0..20)).await.unwrap();
    let head = format!("{ROOT}/index/head.json");
    let old = store.inner.get_opts(&head.as_str().into(), Default::default()).await.unwrap().bytes().await.unwrap();
    ledger.extend(&channel(), 20, &state(&[], 40), &terms(20..40)).await.unwrap();
    store.plant(&head, &old).await;
    assert_eq!(ledger.index().unwrap().state(&channel()).await.unwrap().unwrap().size, 40);
    assert_eq!(ledger.find(&channel(), terms(33..34)[0].0).await.unwrap(), [33]);
}

#[tokio::test]
async fn what_is_damaged_is_no_index_and_an_answer_is_never_made_up() {
    let store = Scripted::default();
    let ledger = opened(&store).await;
    let error = ledger.find(&channel(), Term(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerUnavailable);
    assert!(error.to_string().ends_with("the index is gone, or was never there"), "{error}");
    index(&ledger, 1_000).await;
    let runs: Vec<String> = store
        .asked()
        .into_iter()
        .filter(|(asked, key)| *asked == Asked::Put && key.ends_with(".run"))
        .map(|(_, key)| key)
        .collect();
    for run in &runs {
        store.plant(run, b"short").await;
    }
    let anew = opened(&store).await;
    anew.index().unwrap().state(&channel()).await.unwrap().unwrap();
    assert!(anew.find(&channel(), terms(9..10)[0].0).await.is_err());
    assert_eq!(anew.index().unwrap().state(&channel()).await.unwrap(), None);
    index(&anew, 1_000).await;
    assert_eq!(anew.find(&channel(), terms(9..10)[0].0).await.unwrap(), [9]);
    store.plant(&format!("{ROOT}/index/head.json"), b"{\"state\":").await;
    assert_eq!(opened(&store).await.index().unwrap().state(&channel()).await.unwrap(), None);
}

/// The number of requests of a new process that looks up a key in a log of `count` moves, reads the live digest, and
/// appends.
#[cfg(all(feature = "file", unix))]
async fn requests(count: u64) -> usize {
    use crate::ledger::ChannelLog;
    use crate::ledger::journal::tests::{digest, key, moves, outcome};
    let store = Scripted::default();
    let mut journal = ChannelLog::new(Arc::new(opened(&store).await), channel());
    for first in (1..=count).step_by(10) {
        let open = moves(&mut journal, first..first + 10).await;
        journal.append(open + 1, outcome(open, first + 9), Timestamp::from_unix_ms(0)).await.unwrap();
        journal.refresh().await.unwrap();
    }
    // Write a current hint: this test appends more entries per second than a real process, so the hint lags.
    hint(&store, 1 + 2 * count, journal.state().leaf.unwrap()).await;
    store.calm();
    let mut anew = ChannelLog::new(Arc::new(opened(&store).await), channel());
    let state = anew.refresh().await.unwrap();
    assert_eq!((state.size, state.live), (1 + 2 * count, Some(digest(count))));
    assert_eq!(anew.committed(&key(count + 1)).await.unwrap(), None);
    let open = moves(&mut anew, count + 1..count + 2).await;
    anew.refresh().await.unwrap();
    anew.append(open + 1, outcome(open, count + 1), Timestamp::from_unix_ms(0)).await.unwrap();
    store.asked().len()
}

#[cfg(all(feature = "file", unix))]
#[tokio::test]
async fn a_promotion_by_key_takes_at_most_twice_the_requests_on_a_log_that_is_100_times_longer() {
    let (short, long) = (requests(50).await, requests(5_000).await);
    println!("{short} requests on 100 entries, {long} on 10,000");
    assert!(long <= 2 * short, "{short} requests on 100 entries, {long} on 10,000");
    assert!(short <= 40, "{short}");
}
