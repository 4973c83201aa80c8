//! Tests of the ledger over bare repositories of this host.

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
            let path = layout::LogDir::of(channel).path();
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

fn objects(repository: &Path) -> Vec<std::path::PathBuf> {
    let files = |dir: std::fs::DirEntry| std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path());
    std::fs::read_dir(repository.join("objects")).unwrap().flat_map(|dir| files(dir.unwrap())).collect()
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
async fn branch_that_was_forced_back_is_truncated_and_a_rewritten_one_is_forked() {
    let world = World::new();
    let ledger = world.writer("one").await;
    fill(&ledger, &channel(), 0, 4).await;
    let tip = world.git(&["rev-parse", "tagwarden"]);
    world.git(&["update-ref", "refs/heads/tagwarden", "tagwarden~3"]);
    for ledger in [&ledger, &world.writer("one").await] {
        let said = ["4 were read on this machine before", &tip, "--force-with-lease"];
        refused(ledger.size(&channel()).await, ErrorKind::LedgerTruncated, &said);
        let next = entry(&channel(), 4, None, "ada");
        let append = ledger.append(&channel(), 4, next.bytes().clone()).await.unwrap_err();
        assert_eq!(append.kind(), ErrorKind::LedgerAmbiguous, "{append:?}");
        assert!(append.to_string().contains(&tip), "{append}");
    }
    // A machine with its memory, but with a new repository, sees it by the head of the log.
    std::fs::remove_dir_all(world.repository(&ledger)).unwrap();
    refused(ledger.size(&channel()).await, ErrorKind::LedgerTruncated, &["4 were read on this machine before"]);
    // Another entry takes the place of one that was read.
    fill(&world.writer("two").await, &channel(), 1, 5).await;
    let said = ["another entry was read there before on this machine"];
    refused(ledger.size(&channel()).await, ErrorKind::LedgerForked, &said);
    assert_eq!(world.writer("three").await.size(&channel()).await.unwrap(), 5);
    world.git(&["update-ref", "refs/heads/tagwarden", &tip]);
    std::fs::remove_dir_all(world.repository(&ledger)).unwrap();
    assert_eq!(ledger.size(&channel()).await.unwrap(), 4, "it was restored");
}

#[tokio::test]
async fn branch_that_is_gone_is_truncated_and_never_empty() {
    let world = World::new();
    let ledger = world.writer("one").await;
    fill(&ledger, &channel(), 0, 1).await;
    world.git(&["update-ref", "-d", "refs/heads/tagwarden"]);
    let said = ["the branch tagwarden is gone"];
    refused(ledger.size(&channel()).await, ErrorKind::LedgerTruncated, &said);
    std::fs::remove_dir_all(world.repository(&ledger)).unwrap();
    refused(world.writer("one").await.size(&channel()).await, ErrorKind::LedgerTruncated, &said);
    assert_eq!(world.writer("two").await.size(&channel()).await.unwrap(), 0);
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
async fn broken_cache_heals_itself() {
    let world = World::new();
    let ledger = world.writer("one").await;
    let mut log = fill(&ledger, &channel(), 0, 2).await;
    let repository = world.repository(&ledger);
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("a left lock", |dir| std::fs::write(dir.join("shallow.lock"), "").unwrap()),
        ("a left lock of the tip", |dir| std::fs::write(dir.join("refs/tagwarden/tip.lock"), "").unwrap()),
        ("no repository", |dir| std::fs::remove_dir_all(dir).unwrap()),
        ("no objects", |dir| {
            for object in objects(dir) {
                if object.is_file() {
                    std::fs::remove_file(object).unwrap();
                }
            }
        }),
        ("a broken tip", |dir| std::fs::write(dir.join("refs/tagwarden/tip"), "1".repeat(40)).unwrap()),
        ("a broken configuration", |dir| std::fs::write(dir.join("config"), "[core").unwrap()),
    ];
    for (what, damage) in damages {
        for ledger in [ledger.clone(), world.writer("one").await] {
            damage(&repository);
            let size = ledger.size(&channel()).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(size, log.len() as u64, "{what}");
            damage(&repository);
            log.extend(fill(&ledger, &channel(), size, size + 1).await);
        }
    }
    assert_eq!(whole(&world.writer("two").await, &channel()).await, log);
}

#[tokio::test]
async fn large_cache_is_made_anew() {
    let world = World::new();
    let ledger = world.writer("one").await;
    fill(&ledger, &channel(), 0, 2).await;
    let packs = world.repository(&ledger).join("objects/pack");
    for nth in 0..200 {
        std::fs::write(packs.join(format!("tmp-{nth}")), "x").unwrap();
    }
    assert_eq!(ledger.size(&channel()).await.unwrap(), 2);
    assert!(std::fs::read_dir(packs).unwrap().count() < 10);
}

#[tokio::test]
async fn offline_reads_what_was_read_before_and_says_when() {
    let world = World::new();
    let ledger = world.writer("one").await;
    let before = Timestamp::from_unix_ms(0);
    refused(ledger.clone().offline().size(&channel()).await, ErrorKind::LedgerAbsent, &["no copy", "once online"]);
    let log = fill(&ledger, &channel(), 0, 3).await;
    world.git(&["update-ref", "-d", "refs/heads/tagwarden"]);
    let offline = world.open("one", OpenMode::Read).await.offline();
    assert_eq!(whole(&offline, &channel()).await, log);
    assert!(offline.as_of().unwrap() > before);
    assert_eq!(ledger.as_of(), None);
    let next = entry(&channel(), 3, None, "ada");
    refused(offline.append(&channel(), 3, next.bytes().clone()).await, ErrorKind::LedgerDenied, &["read only"]);
}

#[tokio::test]
async fn refusal_of_a_hook_is_denied_with_its_words_and_stores_nothing() {
    let world = World::new();
    world.hook("pre-receive", "echo 'only through pull requests' >&2; exit 1");
    let ledger = world.writer("one").await;
    let next = entry(&channel(), 0, None, "ada");
    let append = ledger.append(&channel(), 0, next.bytes().clone()).await;
    refused(append, ErrorKind::LedgerDenied, &["only through pull requests"]);
    assert_eq!(world.git(&["for-each-ref"]), "");
    world.hook("pre-receive", "exit 0");
    fill(&ledger, &channel(), 0, 1).await;
}

#[tokio::test]
async fn answer_that_is_lost_after_the_update_is_stored() {
    let world = World::new();
    // The server dies after it moved the branch and before it says so.
    world.hook("post-receive", "kill -9 $PPID");
    let ledger = world.writer("one").await;
    let log = fill(&ledger, &channel(), 0, 2).await;
    assert_eq!(world.git(&["rev-list", "--count", "tagwarden"]), "2");
    assert_eq!(whole(&ledger, &channel()).await, log);
}

#[tokio::test]
async fn push_that_is_never_answered_is_ambiguous() {
    let world = World::new();
    world.hook("pre-receive", "kill -9 $PPID");
    let ledger = world.writer("one").await;
    let next = entry(&channel(), 0, None, "ada");
    let append = ledger.append(&channel(), 0, next.bytes().clone()).await;
    refused(append, ErrorKind::LedgerAmbiguous, &["it is not known whether the entry was stored"]);
    world.hook("pre-receive", "exit 0");
    assert_eq!(ledger.append(&channel(), 0, next.bytes().clone()).await.unwrap(), Appended::Stored);
}

#[tokio::test]
async fn push_over_its_time_is_ended_and_sent_again() {
    let world = World::new();
    let ledger = world.writer("one").await.timeout(Duration::from_secs(2));
    fill(&ledger, &channel(), 0, 1).await;
    let first = world.dir.path().join("first");
    world.hook("pre-receive", &format!("[ -e {0} ] && exit 0; touch {0}; sleep 600", first.display()));
    fill(&ledger, &channel(), 1, 2).await;
    assert_eq!(world.git(&["rev-list", "--count", "tagwarden"]), "2");
}

#[tokio::test]
async fn entry_of_another_place_is_refused() {
    let world = World::new();
    let ledger = world.writer("one").await;
    let next = entry(&channel(), 1, None, "ada");
    refused(ledger.append(&channel(), 0, next.bytes().clone()).await, ErrorKind::InternalFault, &["this position"]);
}

#[tokio::test]
async fn edit_by_hand_is_corrupt_or_forked() {
    let world = World::new();
    let ledger = world.writer("one").await;
    fill(&ledger, &channel(), 0, 2).await;
    let clone = world.dir.path().join("clone");
    let run = |arguments: &[&str]| {
        let run = Command::new("git").args(arguments).current_dir(world.dir.path()).output().unwrap();
        assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    };
    let server = world.server().display().to_string();
    run(&["clone", "--quiet", "--branch", "tagwarden", &server, "clone"]);
    let file = clone.join(LOG).join("000000000000.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("because", "BECAUSE")).unwrap();
    let commit = ["-C", "clone", "-c", "user.name=eve", "-c", "user.email=eve@x.invalid", "commit", "-qam", "edit"];
    run(&commit);
    run(&["-C", "clone", "push", "--quiet", "origin", "HEAD"]);
    refused(ledger.size(&channel()).await, ErrorKind::LedgerForked, &["another entry was read there before"]);
    std::fs::write(&file, text.trim_end()).unwrap();
    run(&commit);
    run(&["-C", "clone", "push", "--quiet", "origin", "HEAD"]);
    refused(world.writer("two").await.size(&channel()).await, ErrorKind::LedgerCorrupt, &["no newline"]);
}
