//! Tests of the stores that are accepted, and of those that are refused, with the reason.

use super::*;

async fn open(store: &Scripted) -> Result<ObjectLedger> {
    ObjectLedger::over(Arc::new(store.clone()), "team/ledger", OpenMode::Write).await
}

#[tokio::test(start_paused = true)]
async fn a_store_that_ignores_conditions_is_refused_whenever_it_begins() {
    let store = Scripted::default();
    store.always(Asked::Create, Wrong::Overwrites);
    let refused = open(&store).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LedgerUnsupported);
    let said = refused.to_string();
    assert!(
        said.starts_with("scripted/team/ledger: this store does not honour conditional writes: two creates"),
        "{said}"
    );
    assert!(said.contains("Use a store that honours them") && said.ends_with("or use a postgres:// ledger"), "{said}");
    store.calm();
    open(&store).await.unwrap();
    open(&store).await.unwrap();
    store.always(Asked::Create, Wrong::Overwrites);
    assert_eq!(open(&store).await.unwrap_err().kind(), ErrorKind::LedgerUnsupported);
}

#[tokio::test]
async fn a_store_that_was_tried_before_is_tried_again_for_2_requests() {
    let store = Scripted::default();
    open(&store).await.unwrap();
    assert_eq!(store.asked().len(), 4);
    store.calm();
    open(&store).await.unwrap();
    let probe = "team/ledger/probe/create-if-absent.json".to_owned();
    assert_eq!(store.asked(), [(Asked::Create, probe.clone()), (Asked::Get, probe)]);
}

#[tokio::test(start_paused = true)]
async fn an_honest_store_is_taken_whatever_answers_are_lost() {
    for wrong in [Wrong::Before, Wrong::After, Wrong::AfterTaken, Wrong::Conflict, Wrong::Silent] {
        for nth in 0..4 {
            let store = Scripted::default();
            store.nth(nth, wrong);
            open(&store).await.unwrap_or_else(|e| panic!("{wrong:?} of call {nth}: {e:?}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_unavailable_and_one_that_is_not_there_absent() {
    for (wrong, kind) in [
        (Wrong::Before, ErrorKind::LedgerUnavailable),
        (Wrong::Silent, ErrorKind::LedgerUnavailable),
        (Wrong::Conflict, ErrorKind::LedgerUnavailable),
        (Wrong::NoBucket, ErrorKind::LedgerAbsent),
    ] {
        let store = Scripted::default();
        store.always(Asked::Create, wrong);
        let error = open(&store).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{wrong:?}: {error:?}");
    }
}

#[tokio::test]
async fn credentials_that_may_only_read_read_and_are_denied_at_the_first_append() {
    let store = Scripted::default();
    let log = entries(2);
    lay(&store, 0, &log[..1]).await;
    store.always(Asked::Create, Wrong::Denied);
    let ledger = open(&store).await.unwrap();
    assert_eq!(ledger.size(&channel()).await.unwrap(), 1);
    assert_eq!(ledger.read(&channel(), 0, 9).await.unwrap(), [log[0].bytes().clone()]);
    let error = ledger.append(&channel(), 1, log[1].bytes().clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerDenied, "{error:?}");
    assert!(error.to_string().starts_with("scripted/team/ledger: cannot create "), "{error}");
}

#[tokio::test]
async fn a_directory_of_the_other_layout_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    std::fs::write(dir.path().join("reg.io%2fa%3aprod.jsonl"), "").unwrap();
    let error = ObjectLedger::open(&url, OpenMode::Read).await.unwrap_err();
    let expected = format!("{url} holds a ledger of files: give its plain path, {}", dir.path().display());
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::ConfigInvalid, expected));
    let absent = ObjectLedger::open(&format!("{url}/none"), OpenMode::Read).await.unwrap_err();
    assert_eq!(
        (absent.kind(), absent.to_string()),
        (ErrorKind::LedgerAbsent, format!("{url}/none: there is no such directory"))
    );
    assert!(!dir.path().join("none").exists());
}

#[cfg(all(feature = "file", unix))]
#[tokio::test]
async fn a_directory_of_objects_is_no_ledger_of_files() {
    let dir = tempfile::tempdir().unwrap();
    ObjectLedger::open(&format!("file://{}", dir.path().display()), OpenMode::Write).await.unwrap();
    let error = crate::ledger::FileLedger::open(dir.path()).unwrap_err();
    let expected = format!("{} holds a ledger of objects: give it as a URL, file://…", dir.path().display());
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::ConfigInvalid, expected));
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_cannot_be_written_stores_nothing_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ObjectLedger::open(&format!("file://{}", dir.path().display()), OpenMode::Write).await.unwrap();
    // There is a file in place of the log's directory: even root cannot write below it.
    std::fs::write(dir.path().join(OBJECT.encode(&channel())), "").unwrap();
    let error = ledger.append(&channel(), 0, entries(1)[0].bytes().clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerUnavailable, "{error:?}");
    assert!(error.to_string().contains("Not a directory"), "{error}");
}

#[cfg(not(feature = "s3"))]
#[tokio::test]
async fn a_cloud_that_is_not_built_in_is_named_with_its_feature() {
    let error = ObjectLedger::open("s3://bucket/ledger", OpenMode::Read).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    let said = "ledger: s3:// is not built into this program: cargo install tagwarden-cli --features s3";
    assert_eq!(error.to_string(), said);
}

#[tokio::test]
async fn what_is_shown_of_a_ledger_is_where_it_is() {
    let ledger = open(&Scripted::default()).await.unwrap();
    assert_eq!(format!("{ledger:?}"), "ObjectLedger { place: scripted/team/ledger, access: Write, .. }");
}
