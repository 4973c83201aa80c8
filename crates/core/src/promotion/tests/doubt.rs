//! A move that may be open: the append of its intent was not answered, and the log does not have it.

use std::path::Path;

use super::flawed::{always, flawed, gone, over, shared};
use super::*;
use crate::drift::Drift;
use crate::error::ErrorClass;
use crate::ledger::FileLedger;

async fn drift(w: &World, promoter: &Promoter) -> Drift {
    let report = promoter.audit(std::slice::from_ref(&w.prod)).await.unwrap();
    assert_eq!(report.class(), report.channels()[0].drift.class());
    report.channels()[0].drift.clone()
}

/// A promoter whose append of the intent for 1.1 was not answered, and never lands.
async fn in_doubt() -> (World, Promoter) {
    let (w, ledger) = shared().await;
    // Every append is lost without an answer.
    let promoter = over(&w, flawed(&ledger, always(gone)));
    let error = promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveIndeterminate, "{error}");
    (w, promoter)
}

#[tokio::test(start_paused = true)]
async fn unanswered_intent_is_possibly_open_in_current_and_audit() {
    let (w, promoter) = in_doubt().await;
    let current = promoter.current(&w.prod).await.unwrap();
    let doubt = current.possibly_open.expect("a move that may be open");
    assert_eq!((doubt.seq, doubt.op.as_str(), doubt.target), (current.size, "promote", w.digests[1]));
    assert_eq!(current.open, None);
    let found = drift(&w, &promoter).await;
    let want = Drift::PossiblyOpen { seq: current.size, target: w.digests[1], observed: Some(w.digests[0]) };
    assert_eq!((&found, found.class()), (&want, Some(ErrorClass::Indeterminate)));
    assert_eq!(serde_json::to_value(&found).unwrap()["state"], "possibly_open");
    // Another process cannot know of the lost answer.
    assert_eq!(w.promoter.current(&w.prod).await.unwrap().possibly_open, None);
    assert_eq!(drift(&w, &w.promoter).await, Drift::InSync { live: w.digests[0] });
}

#[tokio::test(start_paused = true)]
async fn entry_at_its_position_ends_the_doubt() {
    let (w, promoter) = in_doubt().await;
    w.promoter.hold(&w.prod, hold("incident 7")).await.unwrap();
    assert_eq!(promoter.current(&w.prod).await.unwrap().possibly_open, None);
    assert_eq!(drift(&w, &promoter).await, Drift::InSync { live: w.digests[0] });
}

#[tokio::test(start_paused = true)]
async fn drift_is_said_although_a_move_may_be_open() {
    let (w, promoter) = in_doubt().await;
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(3).await);
    assert_eq!(
        drift(&w, &promoter).await,
        Drift::MovedOutside { expected: w.digests[0], observed: w.digests[3] },
        "it is the worse of both"
    );
}

#[tokio::test(start_paused = true)]
async fn unanswered_hold_is_no_move() {
    let (w, ledger) = shared().await;
    let promoter = over(&w, flawed(&ledger, always(gone)));
    promoter.hold(&w.prod, hold("incident 7")).await.unwrap_err();
    assert_eq!(promoter.current(&w.prod).await.unwrap().possibly_open, None);
}

fn log_file(dir: &Path) -> std::path::PathBuf {
    let mut files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|ext| ext == "jsonl")).expect("a log")
}

/// Promotes 1.1 in a copy of a directory's ledger. Returns the line of its intent.
async fn intent_line(w: &World, dir: &Path) -> Vec<u8> {
    let copy = tempfile::tempdir().unwrap();
    let name = log_file(dir).file_name().unwrap().to_owned();
    let before = std::fs::read(log_file(dir)).unwrap();
    std::fs::write(copy.path().join(name), &before).unwrap();
    let ledger = Arc::new(FileLedger::open(copy.path()).unwrap());
    over(w, ledger).promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let after = std::fs::read(log_file(copy.path())).unwrap();
    let rest = &after[before.len()..];
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(0).await);
    rest[..=rest.iter().position(|byte| *byte == b'\n').unwrap()].to_vec()
}

/// The line was written and not acknowledged: its sync failed, or its process died before the mark.
#[tokio::test(start_paused = true)]
async fn whole_line_that_no_mark_covers_is_possibly_open_to_a_reader() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let mut w = world();
    w.promoter = over(&w, Arc::new(FileLedger::open(dir.path()).unwrap()));
    let w = w.bootstrapped().await;
    let line = intent_line(&w, dir.path()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let append = |bytes: &[u8]| {
        let mut log = std::fs::OpenOptions::new().append(true).open(log_file(dir.path())).unwrap();
        log.write_all(bytes).unwrap();
    };
    let (half, rest) = line.split_at(line.len() / 2);
    append(half);
    let reader = || over(&w, Arc::new(FileLedger::open_read_only(dir.path()).unwrap()));
    assert_eq!(reader().current(&w.prod).await.unwrap().possibly_open, None, "half a line never counts");
    append(rest);
    let promoter = reader();
    let current = promoter.current(&w.prod).await.unwrap();
    let doubt = current.possibly_open.expect("a move that may be open");
    assert_eq!((doubt.seq, doubt.target), (current.size, w.digests[1]));
    assert!(matches!(drift(&w, &promoter).await, Drift::PossiblyOpen { .. }));
    // A process that may write repairs the file, and then the move is open.
    let writer = over(&w, Arc::new(FileLedger::open(dir.path()).unwrap()));
    let current = writer.current(&w.prod).await.unwrap();
    assert_eq!((current.possibly_open, current.open.map(|open| open.target)), (None, Some(w.digests[1])));
}
