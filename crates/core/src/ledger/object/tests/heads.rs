//! Tests of the end of a log: its position, the number of requests, and the hint.

use super::*;

async fn cold(store: &Scripted) -> (Result<u64>, Vec<(Asked, String)>) {
    let ledger = ObjectLedger::over(Arc::new(store.clone()), "team/ledger", OpenMode::Read).await.unwrap();
    store.calm();
    let size = ledger.size(&channel()).await;
    (size, asked(store))
}

#[tokio::test]
async fn a_cold_head_takes_3_requests_at_any_length_with_a_hint() {
    for (count, hinted) in [(10, 10), (10, 9), (5_000, 5_000), (5_000, 4_999), (5_000, 4_100)] {
        let store = Scripted::default();
        let log = entries(count);
        lay(&store, 0, &log).await;
        hint(&store, hinted, log[hinted as usize - 1].leaf()).await;
        let (size, asked) = cold(&store).await;
        assert_eq!(size.unwrap(), count);
        let expected = [
            (Asked::Get, format!("{ROOT}/hint/head.json")),
            (Asked::List, format!("{ROOT}/log")),
            (Asked::Get, key(count - 1)),
        ];
        assert_eq!(asked, expected, "{count} entries, a hint at {hinted}");
    }
}

#[tokio::test]
async fn without_a_hint_a_short_log_takes_3_requests_and_a_long_one_grows_with_its_logarithm() {
    for (count, most) in [(0, 2), (1, 3), (999, 3), (1_000, 12), (5_000, 14), (20_000, 18)] {
        let store = Scripted::default();
        lay(&store, 0, &entries(count)).await;
        let (size, asked) = cold(&store).await;
        assert_eq!(size.unwrap(), count);
        assert!(asked.len() <= most, "{count} entries took {} requests: {asked:?}", asked.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_list_is_asked_entry_by_entry() {
    for wrong in [Wrong::Denied, Wrong::Before, Wrong::Silent] {
        for (count, hinted) in [(0, 0), (1, 0), (7, 0), (2_000, 0), (2_000, 2_000), (2_000, 1_990)] {
            let store = Scripted::default();
            let log = entries(count);
            lay(&store, 0, &log).await;
            if hinted > 0 {
                hint(&store, hinted, log[hinted as usize - 1].leaf()).await;
            }
            let ledger = ObjectLedger::over(Arc::new(store.clone()), "team/ledger", OpenMode::Read).await.unwrap();
            store.calm();
            store.always(Asked::List, wrong);
            assert_eq!(ledger.size(&channel()).await.unwrap(), count, "{wrong:?}, {count} entries, a hint at {hinted}");
            let gets = asked(&store).iter().filter(|(asked, _)| *asked == Asked::Get).count();
            assert!(gets <= 32, "{gets} gets for {count} entries");
        }
    }
}

#[tokio::test]
async fn a_warm_head_takes_2_requests_and_one_more_for_each_new_entry() {
    let store = Scripted::default();
    let log = entries(40);
    lay(&store, 0, &log[..10]).await;
    let ledger = opened(&store).await;
    ledger.size(&channel()).await.unwrap();
    store.calm();
    assert_eq!(ledger.size(&channel()).await.unwrap(), 10);
    assert_eq!(asked(&store), [(Asked::Get, key(9)), (Asked::Get, key(10))]);
    lay(&store, 10, &log[10..12]).await;
    store.calm();
    assert_eq!(ledger.size(&channel()).await.unwrap(), 12);
    let read = ledger.read(&channel(), 10, 10).await.unwrap();
    assert_eq!(read, log[10..12].iter().map(|sealed| sealed.bytes().clone()).collect::<Vec<_>>());
    // Entries that `size` has read are not read again.
    assert_eq!(asked(&store).len(), 4);
    lay(&store, 12, &log[12..]).await;
    store.calm();
    assert_eq!(ledger.size(&channel()).await.unwrap(), 40);
    assert!(asked(&store).len() <= 7, "{:?}", asked(&store));
}

#[tokio::test]
async fn a_hint_that_lags_or_says_nothing_does_no_harm() {
    let store = Scripted::default();
    let log = entries(30);
    lay(&store, 0, &log).await;
    for bytes in ["", "{", "{}", "null", "\u{0}", "{\"channel\":\"reg.io/other:prod\",\"leaf\":\"x\",\"size\":9}"] {
        store.plant(&format!("{ROOT}/hint/head.json"), bytes.as_bytes()).await;
        assert_eq!(cold(&store).await.0.unwrap(), 30, "{bytes:?}");
    }
    let of_another = format!("{{\"channel\":\"reg.io/other:prod\",\"leaf\":\"{}\",\"size\":99}}", log[3].leaf());
    store.plant(&format!("{ROOT}/hint/head.json"), of_another.as_bytes()).await;
    assert_eq!(cold(&store).await.0.unwrap(), 30);
    for size in [0, 1, 15, 29, 30] {
        hint(&store, size, log[size.max(1) as usize - 1].leaf()).await;
        assert_eq!(cold(&store).await.0.unwrap(), 30, "{size}");
    }
}

#[tokio::test]
async fn a_hint_that_is_ahead_is_never_believed() {
    let log = entries(30);
    for (laid, hinted) in [(30, 31), (30, 5_000), (0, 1), (29, 30)] {
        let store = Scripted::default();
        lay(&store, 0, &log[..laid]).await;
        hint(&store, hinted, log[0].leaf()).await;
        let error = cold(&store).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerTruncated, "{error:?}");
        let said = error.to_string();
        assert!(
            said.contains(&format!("seq {laid}: ")) && said.contains(&format!("the log had {hinted} entries")),
            "{said}"
        );
        assert!(said.ends_with("delete it"), "{said}");
    }
}

#[tokio::test]
async fn appends_write_the_hint_once_a_second_at_most() {
    let store = Scripted::default();
    let ledger = opened(&store).await;
    store.calm();
    let began = std::time::Instant::now();
    for (seq, sealed) in (0..).zip(&entries(50)) {
        ledger.append(&channel(), seq, sealed.bytes().clone()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let hints = store.asked().iter().filter(|(asked, _)| *asked == Asked::Put).count() as u64;
    assert!((1..=1 + began.elapsed().as_secs()).contains(&hints), "{hints}");
    assert_eq!(cold(&store).await.0.unwrap(), 50);
}

#[tokio::test]
async fn an_entry_that_is_missing_below_the_head_is_named() {
    let store = Scripted::default();
    lay(&store, 0, &entries(9)).await;
    let ledger = opened(&store).await;
    ledger.size(&channel()).await.unwrap();
    store.take_away(&key(4)).await;
    assert_eq!(ledger.read(&channel(), 0, 4).await.unwrap().len(), 4);
    let error = ledger.read(&channel(), 0, 9).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerCorrupt);
    assert_eq!(
        error.to_string(),
        format!("scripted/team/ledger: seq 4: {} is not there, and the log has 9 entries", key(4))
    );
}

#[tokio::test]
async fn channels_are_found_by_their_names_or_by_what_a_first_entry_says() {
    let store = Scripted::default();
    let ledger = opened(&store).await;
    let long: Channel = format!("reg.io/{}:prod", "a/b".repeat(60)).parse().unwrap();
    let body = Body::Hold(Hold {
        scope: HoldScope::All,
        reason: "x".parse().unwrap(),
        provenance: Provenance::new("manual", "1", "ada").unwrap(),
        until: None,
    });
    let at = Timestamp::from_unix_ms(0);
    let first =
        Entry { channel: long.clone(), seq: 0, id: uuid::Uuid::now_v7(), at, parent: None, body }.seal().unwrap();
    ledger.append(&long, 0, first.bytes().clone()).await.unwrap();
    ledger.append(&channel(), 0, entries(1)[0].bytes().clone()).await.unwrap();
    store.plant("team/ledger/notes/readme.txt", b"not a log").await;
    store.plant("team/other/reg.io=2fx=3aprod/log/00000000000000000000.json", b"{}").await;
    assert_eq!(ledger.channels().await.unwrap(), [long.clone(), channel()]);
    let name = OBJECT.encode(&long);
    store.plant(&format!("team/ledger/{name}/log/00000000000000000000.json"), entries(1)[0].bytes()).await;
    let error = ledger.channels().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerCorrupt);
    assert!(error.to_string().ends_with("the first entry is not of the channel of this log"), "{error}");
}
