//! The file ledger on a disk that is full, or that fails: with a real file system and real system calls.
//!
//! Where the machine lacks what a test needs, it says so by name and passes; with `CI=true` that is a failure.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(all(feature = "file", target_os = "linux"))]

use std::path::Path;
use std::process::Command;

use tagwarden::ledger::{Appended, FileLedger, Ledger, Repair};
use tagwarden::log::{Body, EncodedEntry, Entry, Hold, HoldScope};
use tagwarden::{Channel, ErrorKind, Provenance, Timestamp};

const DIR: &str = "TAGWARDEN_TEST_LEDGER";

fn channel() -> Channel {
    "reg.io/acme/shop:prod".parse().unwrap()
}

fn entry(seq: u64) -> EncodedEntry {
    let reason = "x".repeat(1000).parse().unwrap();
    let body = Body::Hold(Hold {
        scope: HoldScope::All,
        reason,
        provenance: Provenance::new("manual", "1", "test").unwrap(),
        until: None,
    });
    let at = Timestamp::from_unix_ms(1_795_000_000_000);
    Entry { channel: channel(), seq, id: uuid::Uuid::now_v7(), at, parent: None, body }.seal().unwrap()
}

fn skip(test: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{test} cannot run in CI: {why}");
    eprintln!("skipped: {test}: {why}");
}

/// A small file system, unmounted when dropped.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(bytes: u64) -> Result<Tmpfs, String> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(dir.path());
        match mount.output() {
            Ok(output) if output.status.success() => Ok(Tmpfs(dir)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(e) => Err(format!("mount: {e}")),
        }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn full_disk_is_unavailable_and_partial_writes_do_not_count() {
    let tmpfs = match Tmpfs::mount(128 * 1024) {
        Ok(tmpfs) => tmpfs,
        Err(why) => return skip("full_disk_is_unavailable_and_partial_writes_do_not_count", &why),
    };
    let dir = tmpfs.0.path().join("ledger");
    let ledger = FileLedger::open(&dir).unwrap();
    let mut stored = Vec::new();
    let error = loop {
        let seq = stored.len() as u64;
        let entry = entry(seq).bytes().clone();
        match ledger.append(&channel(), seq, entry.clone()).await {
            Ok(append) => assert_eq!(append, Appended::Stored),
            Err(error) => break error,
        }
        stored.push(entry);
        assert!(stored.len() < 1000, "the disk never got full");
    };
    assert_eq!(error.kind(), ErrorKind::LedgerUnavailable, "{error:?}");
    assert!(error.to_string().contains("cannot write: No space left on device"), "{error}");
    for ledger in [&ledger, &FileLedger::open(&dir).unwrap()] {
        assert_eq!(ledger.size(&channel()).await.unwrap(), stored.len() as u64);
        assert_eq!(ledger.read(&channel(), 0, 1000).await.unwrap(), stored);
    }
}

/// The work of a child under strace: three appends, and what became of them.
#[test]
#[ignore = "a child of the test below"]
fn child() {
    let dir = std::env::var_os(DIR).unwrap();
    let ledger = FileLedger::open(dir).unwrap();
    // strace counts the calls of each thread by itself.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    for seq in 0..3 {
        let append = runtime.block_on(ledger.append(&channel(), seq, entry(seq).bytes().clone()));
        let size = runtime.block_on(ledger.size(&channel())).unwrap();
        match append {
            Ok(append) => println!("\nappend {seq}: {append:?}, size {size}"),
            Err(error) => println!("\nappend {seq}: {}, size {size}", error.code()),
        }
    }
    for notice in ledger.notices() {
        println!("\nnotice: {}", matches!(notice.repair, Repair::WrittenAgain { .. }));
    }
}

/// The output of a child whose n-th fdatasync failed.
fn with_failing_sync(dir: &Path, nth: usize) -> Result<Vec<String>, String> {
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=fdatasync", "-e", &format!("inject=fdatasync:error=EIO:when={nth}"), "-o"])
        .arg("/dev/null")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--quiet"])
        .env(DIR, dir)
        .output()
        .map_err(|e| format!("strace: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let said: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("append ") || line.starts_with("notice"))
        .map(str::to_owned)
        .collect();
    match said.is_empty() {
        true => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        false => Ok(said),
    }
}

#[tokio::test]
async fn failed_fdatasync_is_ambiguous_and_its_bytes_are_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    // The first sync settles the new log, the second is the first append's, the third the second one's.
    let said = match with_failing_sync(dir.path(), 3) {
        Ok(said) => said,
        Err(why) => return skip("failed_fdatasync_is_ambiguous_and_its_bytes_are_rewritten", &why),
    };
    assert_eq!(
        said,
        [
            "append 0: Stored, size 1",
            // The line that was left is cut and written again by the next look, and counts from then on.
            "append 1: LEDGER_AMBIGUOUS, size 2",
            "append 2: Stored, size 3",
            "notice: true",
        ]
    );
    let ledger = FileLedger::open(dir.path()).unwrap();
    assert_eq!(ledger.read(&channel(), 0, 9).await.unwrap().len(), 3);
}
