//! Tests of the index: a blob is one object, and a look-up takes few requests at any length of the log.

use super::*;

#[tokio::test]
async fn blob_is_one_object_and_a_read_only_ledger_stores_none() {
    let store = Scripted::default();
    let ledger = opened(&store).await;
    let blob = Bytes::from_static(b"blob");
    assert_eq!(ledger.get(&channel(), "state").await.unwrap(), None);
    store.calm();
    ledger.put(&channel(), "state", blob.clone()).await.unwrap();
    assert_eq!(asked(&store), [(Asked::Put, format!("{ROOT}/index/state"))]);
    assert_eq!(opened(&store).await.get(&channel(), "state").await.unwrap(), Some(blob));
    let reader = ObjectLedger::over(Arc::new(store.clone()), "team/ledger", OpenMode::Read).await.unwrap();
    store.calm();
    reader.put(&channel(), "state", Bytes::new()).await.unwrap();
    assert_eq!(asked(&store), []);
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
        journal.committed(&key(0)).await.unwrap();
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
