//! Tests of the result of an append after each answer of a store, and of the number of requests.

use super::*;

/// One append at the end of a log of 2 entries, with these faults of the creates and of the gets. The second value is
/// true if the entry is stored.
async fn append(creates: &[Wrong], gets: &[Wrong]) -> (Result<Appended>, bool) {
    let store = Scripted::default();
    let log = entries(3);
    lay(&store, 0, &log[..2]).await;
    let ledger = opened(&store).await;
    ledger.size(&channel()).await.unwrap();
    store.script(Asked::Create, creates.iter().copied());
    store.script(Asked::Get, gets.iter().copied());
    let append = ledger.append(&channel(), 2, log[2].bytes().clone()).await;
    store.calm();
    let there = store.inner.as_ref().get_opts(&key(2).into(), Default::default()).await;
    let ours = match there {
        Ok(there) => there.bytes().await.unwrap() == *log[2].bytes(),
        Err(_) => false,
    };
    (append, ours)
}

#[tokio::test(start_paused = true)]
async fn after_any_answer_but_ok_the_object_tells() {
    use Wrong::{After, AfterTaken, Beaten, Before, Conflict, Not, Silent};
    for (creates, expected, ours) in [
        (&[Not][..], Appended::Stored, true),
        (&[Before], Appended::Stored, true),
        (&[Before, Before, After], Appended::Stored, true),
        (&[After], Appended::Stored, true),
        (&[AfterTaken], Appended::Stored, true),
        (&[Conflict], Appended::Stored, true),
        (&[Conflict, Conflict, AfterTaken], Appended::Stored, true),
        (&[Silent], Appended::Stored, true),
        (&[Beaten], Appended::Conflict, false),
        (&[Before, Beaten], Appended::Conflict, false),
        (&[Silent, Beaten], Appended::Conflict, false),
    ] {
        let (append, stands) = append(creates, &[]).await;
        assert_eq!((append.unwrap(), stands), (expected, ours), "{creates:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_not_seen_is_ambiguous() {
    use Wrong::{After, AfterTaken, Before, Silent};
    // The answers are lost and the object cannot be read, or the store never answers: the last request may take effect
    // later.
    for (creates, gets) in [
        (&[After][..], &[Before; 3][..]),
        (&[AfterTaken], &[Before; 3]),
        (&[Before], &[Silent; 3]),
        (&[Before; 5], &[]),
        (&[Silent; 5], &[]),
        (&[Silent, Wrong::Denied], &[]),
    ] {
        let error = append(creates, gets).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerAmbiguous, "{creates:?} {gets:?}: {error:?}");
        assert!(error.to_string().ends_with("; whether the entry stands is not known"), "{error}");
        assert!(error.context().any(|(name, value)| (name, value) == ("seq", "2")), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refused_stored_nothing() {
    for (creates, kind) in [
        (&[Wrong::Denied][..], ErrorKind::LedgerDenied),
        (&[Wrong::NoBucket], ErrorKind::LedgerAbsent),
        (&[Wrong::Conflict; 5], ErrorKind::LedgerUnavailable),
    ] {
        let (append, stands) = append(creates, &[]).await;
        let error = append.unwrap_err();
        assert_eq!((error.kind(), stands), (kind, false), "{creates:?}: {error:?}");
    }
    let error = append(&[Wrong::Denied], &[Wrong::Denied]).await.0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerDenied, "{error:?}");
}

#[tokio::test]
async fn an_append_without_conflict_is_one_conditional_put() {
    let store = Scripted::default();
    let ledger = opened(&store).await;
    let log = entries(20);
    store.calm();
    for (seq, sealed) in (0..).zip(&log) {
        assert_eq!(ledger.append(&channel(), seq, sealed.bytes().clone()).await.unwrap(), Appended::Stored);
    }
    let expected: Vec<_> = (0..20).map(|seq| (Asked::Create, key(seq))).collect();
    assert_eq!(asked(&store), expected);
}

#[tokio::test]
async fn a_gap_costs_one_look_and_stores_nothing() {
    let store = Scripted::default();
    let log = entries(3);
    lay(&store, 0, &log[..2]).await;
    let ledger = opened(&store).await;
    store.calm();
    assert_eq!(ledger.append(&channel(), 4, log[2].bytes().clone()).await.unwrap(), Appended::Conflict);
    assert_eq!(asked(&store), [(Asked::Get, key(3))]);
    store.calm();
    // A process that has not read the size first checks that the previous entry exists.
    assert_eq!(ledger.append(&channel(), 2, log[2].bytes().clone()).await.unwrap(), Appended::Stored);
    assert_eq!(asked(&store), [(Asked::Get, key(1)), (Asked::Create, key(2))]);
}

#[tokio::test]
async fn an_entry_that_stands_already_is_ours_or_lost_without_a_put() {
    let store = Scripted::default();
    let ledger = opened(&store).await;
    let log = entries(2);
    for (seq, sealed) in (0..).zip(&log) {
        ledger.append(&channel(), seq, sealed.bytes().clone()).await.unwrap();
    }
    store.calm();
    assert_eq!(ledger.append(&channel(), 0, log[0].bytes().clone()).await.unwrap(), Appended::Stored);
    assert_eq!(ledger.append(&channel(), 0, log[1].bytes().clone()).await.unwrap(), Appended::Conflict);
    assert_eq!(asked(&store), [(Asked::Get, key(0)), (Asked::Get, key(0))]);
    store.take_away(&key(0)).await;
    let error = ledger.append(&channel(), 0, log[0].bytes().clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerCorrupt, "{error:?}");
}

/// A fault of any one request, before or after its effect: every append is stored, and the log has all entries in
/// order.
#[tokio::test(start_paused = true)]
async fn a_fault_of_any_call_leaves_the_truth() {
    for wrong in [Wrong::Before, Wrong::After, Wrong::AfterTaken, Wrong::Conflict, Wrong::Silent] {
        for nth in 0..24 {
            let store = Scripted::default();
            let ledger = opened(&store).await;
            store.nth(nth, wrong);
            let mut log: Vec<EncodedEntry> = Vec::new();
            for _ in 0..6 {
                let _ = ledger.size(&channel()).await;
                let sealed = entry(log.len() as u64, log.last().map(EncodedEntry::leaf), "ada");
                match ledger.append(&channel(), log.len() as u64, sealed.bytes().clone()).await {
                    Ok(Appended::Stored) => log.push(sealed),
                    Ok(Appended::Conflict) => panic!("{wrong:?} of call {nth}: it is not contested"),
                    Err(error) => panic!("{wrong:?} of call {nth}: one fault is survived: {error:?}"),
                }
            }
            store.calm();
            let expected: Vec<Bytes> = log.iter().map(|sealed| sealed.bytes().clone()).collect();
            let anew = opened(&store).await;
            assert_eq!(anew.size(&channel()).await.unwrap(), 6, "{wrong:?} of call {nth}");
            assert_eq!(anew.read(&channel(), 0, 10).await.unwrap(), expected, "{wrong:?} of call {nth}");
        }
    }
}

#[tokio::test]
async fn what_is_opened_to_read_makes_nothing() {
    let store = Scripted::default();
    let log = entries(2);
    lay(&store, 0, &log[..1]).await;
    let ledger = ObjectLedger::over(Arc::new(store.clone()), "team/ledger", OpenMode::Read).await.unwrap();
    assert_eq!(ledger.size(&channel()).await.unwrap(), 1);
    let error = ledger.append(&channel(), 1, log[1].bytes().clone()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::LedgerDenied, "scripted/team/ledger: the ledger was opened to be read only")
    );
    let wrote = |(asked, _): &(Asked, String)| matches!(asked, Asked::Create | Asked::Put);
    assert!(!store.asked().iter().any(wrote), "{:?}", store.asked());
}
