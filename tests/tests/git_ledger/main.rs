//! `GitLedger` with real Git: in a repository of this host, and over HTTP with the backend of Git itself.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(unix)]

mod races;
mod requests;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tagwarden::ledger::{Appended, GitLedger, Ledger, OpenMode};
use tagwarden::log::{Body, EncodedEntry, Entry, EntryHash, Hold, HoldScope};
use tagwarden::{Channel, Clock as _, Provenance, Result, SystemClock};
use tagwarden_testing::conformance::ledger::{self as requirements, LedgerHarness};
use tagwarden_tests::git_http::GitServer;
use tempfile::TempDir;

/// A ledger's URL, and the caches of the machines that open it.
struct Machines {
    url: String,
    caches: TempDir,
    next: AtomicUsize,
    /// True if every process has a cache of its own, as on another machine.
    apart: bool,
}

impl Machines {
    fn at(url: impl Into<String>, apart: bool) -> Machines {
        Machines { url: url.into(), caches: tempfile::tempdir().unwrap(), next: AtomicUsize::new(0), apart }
    }

    fn cache(&self, machine: &str) -> PathBuf {
        self.caches.path().join(machine)
    }

    async fn open(&self, machine: &str) -> GitLedger {
        GitLedger::open(&self.url, OpenMode::Write).await.unwrap().cache(self.cache(machine))
    }
}

#[async_trait]
impl LedgerHarness for Machines {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        let machine = if self.apart { self.next.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let ledger = GitLedger::open(&self.url, OpenMode::Write).await?;
        Ok(Arc::new(ledger.cache(self.cache(&machine.to_string()))))
    }
}

/// An empty bare repository in `dir`, and the URL of the ledger in it.
fn bare(dir: &Path) -> String {
    let run = Command::new("git").args(["init", "--quiet", "--bare", "server.git"]).current_dir(dir).status().unwrap();
    assert!(run.success());
    format!("git+file://{}/server.git", dir.display())
}

fn channel(name: &str) -> Channel {
    format!("conformance.example/{name}:prod").parse().unwrap()
}

/// An entry; `by` names the writer.
fn entry(channel: &Channel, seq: u64, parent: Option<EntryHash>, by: &str) -> EncodedEntry {
    let body = Body::Hold(Hold {
        scope: HoldScope::All,
        reason: by.parse().unwrap(),
        provenance: Provenance::new("manual", "1", "test").unwrap(),
        until: None,
    });
    // Git reads more of a history whose commits all have one time.
    let at = SystemClock.now();
    Entry { channel: channel.clone(), seq, id: uuid::Uuid::now_v7(), at, parent, body }.seal().unwrap()
}

/// Appends an entry at the end of a log with these entries.
async fn append(ledger: &GitLedger, channel: &Channel, log: &mut Vec<Bytes>, by: &str) -> Result<Appended> {
    let parent = log.last().map(|last| EncodedEntry::of(last.clone()).leaf());
    let next = entry(channel, log.len() as u64, parent, by);
    let appended = ledger.append(channel, log.len() as u64, next.bytes().clone()).await?;
    if appended == Appended::Stored {
        log.push(next.bytes().clone());
    }
    Ok(appended)
}

async fn whole(ledger: &dyn Ledger, channel: &Channel) -> Vec<Bytes> {
    let mut read = Vec::new();
    let size = ledger.size(channel).await.unwrap();
    while (read.len() as u64) < size {
        let page = ledger.read(channel, read.len() as u64, usize::MAX).await.unwrap();
        assert!(!page.is_empty());
        read.extend(page);
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requirements_hold_on_one_machine() {
    let dir = tempfile::tempdir().unwrap();
    requirements::all(&Machines::at(bare(dir.path()), false)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requirements_hold_on_several_machines() {
    let dir = tempfile::tempdir().unwrap();
    requirements::all(&Machines::at(bare(dir.path()), true)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requirements_hold_over_http() {
    let server = GitServer::start();
    requirements::all(&Machines::at(server.ledger(), true)).await.unwrap();
}
