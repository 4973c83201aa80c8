//! The ledger in a Git branch over HTTP: each fault of a server has its code and its words, and nothing is lost.

#![cfg(unix)]

mod faults;
mod history;
mod long_use;
mod secrets;

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use tagwarden::ledger::{Appended, GitLedger, Ledger, OpenMode};
use tagwarden::log::{Body, EncodedEntry, Entry, Hold, HoldScope};
use tagwarden::{Channel, Clock as _, ErrorKind, Provenance, SystemClock};
use tagwarden_tests::git_http::GitServer;
use tempfile::TempDir;

/// A Git server and the caches of some machines.
struct World {
    server: GitServer,
    machines: TempDir,
}

impl World {
    fn new() -> World {
        World { server: GitServer::start(), machines: tempfile::tempdir().unwrap() }
    }

    /// The ledger as a machine with its own cache opens it.
    async fn machine(&self, name: &str) -> GitLedger {
        self.machine_at(name, &self.server.ledger()).await
    }

    async fn machine_at(&self, name: &str, url: &str) -> GitLedger {
        GitLedger::open(url, OpenMode::Write).await.unwrap().cache(self.cache(name))
    }

    fn cache(&self, name: &str) -> PathBuf {
        self.machines.path().join(name)
    }

    fn commits(&self) -> usize {
        self.server.commits("tagwarden").len()
    }
}

fn prod() -> Channel {
    "registry.example.com/acme/shop:prod".parse().unwrap()
}

/// The entry after `log`.
fn next(channel: &Channel, log: &[Bytes]) -> Bytes {
    let body = Body::Hold(Hold {
        scope: HoldScope::All,
        reason: "because".parse().unwrap(),
        provenance: Provenance::new("manual", "1", "ada").unwrap(),
        until: None,
    });
    let parent = log.last().map(|before| EncodedEntry::of(before.clone()).leaf());
    // Git reads more of a history whose commits all have one time.
    let (at, id) = (SystemClock.now(), uuid::Uuid::now_v7());
    let entry = Entry { channel: channel.clone(), seq: log.len() as u64, id, at, parent, body };
    entry.seal().unwrap().bytes().clone()
}

/// Appends one entry to `log` and to the ledger.
async fn append(ledger: &GitLedger, channel: &Channel, log: &mut Vec<Bytes>) -> tagwarden::Result<()> {
    let entry = next(channel, log);
    let appended = ledger.append(channel, log.len() as u64, entry.clone()).await?;
    assert_eq!(appended, Appended::Stored);
    log.push(entry);
    Ok(())
}

async fn fill(ledger: &GitLedger, channel: &Channel, count: usize) -> Vec<Bytes> {
    let mut log = Vec::new();
    for _ in 0..count {
        append(ledger, channel, &mut log).await.unwrap();
    }
    log
}

async fn whole(ledger: &GitLedger, channel: &Channel) -> Vec<Bytes> {
    let mut read = Vec::new();
    while (read.len() as u64) < ledger.size(channel).await.unwrap() {
        read.extend(ledger.read(channel, read.len() as u64, usize::MAX).await.unwrap());
    }
    read
}

/// The text of an error of this kind that has these parts.
fn refused<T: std::fmt::Debug>(result: tagwarden::Result<T>, kind: ErrorKind, parts: &[&str]) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    for part in parts {
        assert!(error.message().contains(part), "{error}\nlacks {part}");
    }
    error.message().to_owned()
}

/// Runs an ignored test of this program in a process of its own. Its output is checked by the caller.
fn child(test: &str, directory: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).current_dir(directory);
    for name in ["GITHUB_ACTIONS", "GITLAB_CI", "CI_JOB_TOKEN", "TAGWARDEN_GIT_TOKEN"] {
        command.env_remove(name);
    }
    let run = command.envs(variables.iter().copied()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{text}");
    text
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is set by the parent"))
}

#[tokio::test]
async fn reads_cost_few_requests() {
    let world = World::new();
    let writer = world.machine("writer").await;
    let mut log = fill(&writer, &prod(), 2).await;
    let reader = world.machine("reader").await;
    let requests = async |what: &str, most: usize, size: usize| {
        world.server.clear_requests();
        assert_eq!(reader.size(&prod()).await.unwrap(), size as u64);
        assert_eq!(reader.read(&prod(), 0, size).await.unwrap().len(), size);
        let seen = world.server.requests();
        assert!(seen.len() <= most, "{what}: {seen:#?}");
    };
    requests("cold", 5, 2).await;
    requests("warm", 2, 2).await;
    world.server.clear_requests();
    append(&writer, &prod(), &mut log).await.unwrap();
    let seen = world.server.requests();
    assert!(seen.len() <= 4, "an append: {seen:#?}");
    requests("moved", 5, 3).await;
}
