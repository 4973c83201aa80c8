//! Tests of the ledger over bare repositories of this host.

mod cache;
mod faults;
mod history;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::error::Error;
use crate::log::{Body, EncodedEntry, Entry, EntryHash, Hold, HoldScope};
use crate::value::Provenance;

/// A server's repository and the caches of some machines.
struct World {
    dir: TempDir,
}

impl World {
    fn new() -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        world.git(&["init", "--quiet", "--bare", "."]);
        world
    }

    fn server(&self) -> std::path::PathBuf {
        let server = self.dir.path().join("server.git");
        std::fs::create_dir_all(&server).unwrap();
        server
    }

    /// The output of git in the server's repository.
    fn git(&self, arguments: &[&str]) -> String {
        let run = Command::new("git").args(arguments).current_dir(self.server()).output().unwrap();
        assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).trim().to_owned()
    }

    /// Lays a log of `count` entries into the branch without the ledger, which would take a push for each.
    fn lay(&self, channel: &Channel, count: u64) -> Vec<Bytes> {
        let mut log: Vec<Bytes> = Vec::new();
        for seq in 0..count {
            let parent = log.last().map(|before| EncodedEntry::of(before.clone()).leaf());
            log.push(entry(channel, seq, parent, "ada").bytes().clone());
        }
        let mut input = b"commit refs/heads/tagwarden\ncommitter ada <ada@x.invalid> 1 +0000\ndata 0\n".to_vec();
        for (file, first) in log.chunks(100).zip((0..).step_by(100)) {
            let text = view::text(file);
            let path = layout::directory(channel);
            let head = format!("M 100644 inline {path}/{first:012}.jsonl\ndata {}\n", text.len());
            input.extend_from_slice(&[head.as_bytes(), &text, b"\n"].concat());
        }
        let imported = command::Git::outside(&self.server(), Duration::from_secs(60)).args(["fast-import", "--quiet"]);
        assert!(imported.input(input).run().unwrap().is_ok());
        log
    }

    fn hook(&self, name: &str, script: &str) {
        let hook = self.server().join("hooks").join(name);
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn url(&self) -> String {
        format!("git+file://{}", self.server().display())
    }

    async fn open(&self, machine: &str, access: OpenMode) -> GitLedger {
        GitLedger::open(&self.url(), access).await.unwrap().cache(self.dir.path().join(machine))
    }

    async fn writer(&self, machine: &str) -> GitLedger {
        self.open(machine, OpenMode::Write).await
    }

    /// The repository in the cache of a machine.
    fn repository(&self, ledger: &GitLedger) -> std::path::PathBuf {
        ledger.branch.cache.repository()
    }
}

fn channel() -> Channel {
    "reg.io:5000/acme/shop:Prod".parse().unwrap()
}

const LOG: &str = "reg.io%3a5000/acme/shop/@%50rod";

fn entry(channel: &Channel, seq: u64, parent: Option<EntryHash>, by: &str) -> EncodedEntry {
    let body = Body::Hold(Hold {
        scope: HoldScope::All,
        reason: "because".parse().unwrap(),
        provenance: Provenance::new("manual", "1", by).unwrap(),
        until: None,
    });
    let at = Timestamp::from_unix_ms(1_795_000_000_000);
    Entry { channel: channel.clone(), seq, id: uuid::Uuid::now_v7(), at, parent, body }.seal().unwrap()
}

/// Appends entries from position `from` up to `to`.
async fn fill(ledger: &GitLedger, channel: &Channel, from: u64, to: u64) -> Vec<Bytes> {
    let mut written: Vec<Bytes> = Vec::new();
    for seq in from..to {
        let parent = written.last().map(|before| EncodedEntry::of(before.clone()).leaf());
        let entry = entry(channel, seq, parent, "ada");
        assert_eq!(ledger.append(channel, seq, entry.bytes().clone()).await.unwrap(), Appended::Stored);
        written.push(entry.bytes().clone());
    }
    written
}

async fn whole(ledger: &GitLedger, channel: &Channel) -> Vec<Bytes> {
    let mut read = Vec::new();
    while read.len() < usize::try_from(ledger.size(channel).await.unwrap()).unwrap() {
        let page = ledger.read(channel, read.len() as u64, usize::MAX).await.unwrap();
        assert!(!page.is_empty());
        read.extend(page);
    }
    read
}

fn refused<T: fmt::Debug>(result: Result<T>, kind: ErrorKind, parts: &[&str]) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(parts.iter().all(|part| error.to_string().contains(part)), "{error}");
    error
}

#[tokio::test]
async fn branch_has_one_commit_for_each_entry_and_files_that_are_the_log() {
    let world = World::new();
    let ledger = world.writer("one").await;
    let log = fill(&ledger, &channel(), 0, 3).await;
    assert_eq!(world.git(&["rev-list", "--count", "tagwarden"]), "3");
    let files = world.git(&["ls-tree", "-r", "--name-only", "tagwarden"]);
    assert_eq!(files, format!(".gitattributes\nREADME.md\n{LOG}/000000000000.jsonl"));
    let text = world.git(&["show", &format!("tagwarden:{LOG}/000000000000.jsonl")]);
    assert_eq!(text.as_bytes(), log.join(&b'\n').as_slice());
    let said = world.git(&["log", "-1", "--format=%an|%cn|%at|%ct", "tagwarden"]);
    assert_eq!(said, "ada|tagwarden|1795000000|1795000000");
    world.git(&["fsck", "--strict"]);
}

#[tokio::test]
async fn log_of_several_files_is_read_whole_by_a_machine_without_a_cache() {
    let world = World::new();
    let mut log = world.lay(&channel(), 199);
    log.extend(fill(&world.writer("one").await, &channel(), 199, 202).await);
    for filter in ["false", "true"] {
        world.git(&["config", "uploadpack.allowFilter", filter]);
        let other = world.open(&format!("cold {filter}"), OpenMode::Read).await;
        assert_eq!(other.size(&channel()).await.unwrap(), 202);
        assert_eq!(whole(&other, &channel()).await, log);
        assert_eq!(other.read(&channel(), 99, 2).await.unwrap(), log[99..101]);
        assert_eq!(other.channels().await.unwrap(), [channel()]);
    }
    let other = world.writer("two").await;
    fill(&other, &channel(), 202, 203).await;
    assert_eq!(world.writer("one").await.size(&channel()).await.unwrap(), 203);
}

#[tokio::test]
async fn entries_of_other_channels_come_first_and_both_are_stored() {
    let world = World::new();
    let other: Channel = "reg.io/other:prod".parse().unwrap();
    let (one, two) = (world.writer("one").await, world.writer("two").await);
    for round in 0..3 {
        fill(&one, &channel(), round, round + 1).await;
        fill(&two, &other, round, round + 1).await;
    }
    assert_eq!(one.size(&other).await.unwrap(), 3);
    assert_eq!(two.channels().await.unwrap(), [other, channel()]);
}

#[tokio::test]
async fn append_that_was_stored_before_is_stored_and_another_one_is_lost() {
    let world = World::new();
    let (one, two) = (world.writer("one").await, world.writer("two").await);
    let log = fill(&one, &channel(), 0, 2).await;
    assert_eq!(two.append(&channel(), 1, log[1].clone()).await.unwrap(), Appended::Stored);
    for seq in [0, 1, 3, 100] {
        let late = entry(&channel(), seq, None, "eve");
        for ledger in [&one, &two] {
            assert_eq!(ledger.append(&channel(), seq, late.bytes().clone()).await.unwrap(), Appended::Conflict);
        }
    }
    assert_eq!(whole(&two, &channel()).await, log);
}

#[tokio::test]
async fn reader_of_no_branch_is_told_and_makes_nothing() {
    let world = World::new();
    let reader = world.open("one", OpenMode::Read).await;
    refused(reader.size(&channel()).await, ErrorKind::LedgerAbsent, &["no branch tagwarden", "ledger init"]);
    let next = entry(&channel(), 0, None, "ada");
    refused(reader.append(&channel(), 0, next.bytes().clone()).await, ErrorKind::LedgerDenied, &["read only"]);
    assert_eq!(world.git(&["for-each-ref"]), "");
    let nowhere = format!("git+file://{}/nowhere", world.dir.path().display());
    let error = GitLedger::open(&nowhere, OpenMode::Write).await.unwrap().cache(world.dir.path().join("two"));
    let error = error.size(&channel()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::LedgerAbsent | ErrorKind::LedgerUnavailable), "{error:?}");
}

#[tokio::test]
async fn branch_is_made_once_with_its_notes() {
    let world = World::new();
    for _ in 0..2 {
        world.writer("one").await.start().await.unwrap();
        assert_eq!(world.git(&["ls-tree", "--name-only", "tagwarden"]), ".gitattributes\nREADME.md");
        assert_eq!(world.git(&["rev-list", "--count", "tagwarden"]), "1");
    }
    fill(&world.writer("one").await, &channel(), 0, 1).await;
    assert_eq!(world.git(&["rev-list", "--count", "tagwarden"]), "2");
}

#[tokio::test]
async fn entry_of_another_place_is_refused() {
    let world = World::new();
    let ledger = world.writer("one").await;
    let next = entry(&channel(), 1, None, "ada");
    refused(ledger.append(&channel(), 0, next.bytes().clone()).await, ErrorKind::InternalFault, &["this position"]);
}
