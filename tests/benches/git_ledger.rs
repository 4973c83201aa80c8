//! The ledger in a Git branch, over HTTP on loopback (`git http-backend`): a promotion beside the plain commands of
//! Git, and a long log beside a short one.
//!
//! `cargo bench -p tagwarden-tests --bench git_ledger`. The registry is in memory, so that only the ledger's part is
//! measured. `TAGWARDEN_BENCH_ENTRIES` sets the length of the long log, a multiple of 100; the default is 100,000
//! entries. `TAGWARDEN_BENCH_ONLY` runs one part: `promotion` or `log`.

#[path = "shared/paired.rs"]
mod paired;
mod shared;

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tagwarden::ledger::{Appended, GitLedger, Ledger as _, OpenMode};
use tagwarden::log::{Body, EncodedEntry, Entry, Hold, HoldScope, Source};
use tagwarden::{Channel, MoveOptions, Promoter, Provenance, Tag, Timestamp};
use tagwarden_testing::MemoryRegistry;
use tagwarden_tests::git_http::GitServer;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::paired::paired;
use crate::shared::entries;

const SHORT: u64 = 100;

/// The number of entries in one file of the branch.
const FILE: u64 = 100;

/// Both logs of the first part stay within one file.
const PROMOTIONS: usize = 30;

fn main() {
    let long = std::env::var("TAGWARDEN_BENCH_ENTRIES").map_or(100_000, |count| count.parse().expect("a number"));
    let only = std::env::var("TAGWARDEN_BENCH_ONLY").ok();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if wanted("promotion") {
        promotion(&runtime);
    }
    if wanted("log") {
        logs(&runtime, long);
    }
}

/// A promotion with a cache, all opened anew, beside two times fetch, commit and push in a clone.
fn promotion(runtime: &Runtime) {
    let machine = Machine::new();
    let (channel, registry, nth) = (channel(), MemoryRegistry::new(), Cell::new(0));
    let release = || {
        nth.set(nth.get() + 1);
        let tag: Tag = format!("1.{}", nth.get()).parse().unwrap();
        registry.push_image(channel.repository(), &tag, nth.get());
        Source::Reference(channel.repository().tag(tag))
    };
    let promoter = || Promoter::new(Arc::new(registry.clone()), Arc::new(machine.warm(runtime)));
    let first = release();
    runtime.block_on(promoter().bootstrap(&channel).source(first).options(terms()).into_future()).unwrap();

    let promote = || {
        let release = release();
        machine.server.clear_requests();
        let start = Instant::now();
        runtime.block_on(promoter().promote(&channel, release).options(terms()).into_future()).unwrap();
        start.elapsed()
    };
    let clone = Clone::of(&machine.server);
    let plain = || {
        let start = Instant::now();
        clone.append();
        clone.append();
        start.elapsed()
    };
    promote();
    println!("a promotion sends {} requests to the Git server", machine.server.requests().len());
    paired(("a promotion", 1.3, PROMOTIONS), promote, "2 × (git fetch, commit, push)", plain);
}

/// The first read and an append on a long log beside those on a short one. The ledger is opened anew each time.
fn logs(runtime: &Runtime, long: u64) {
    let [long, short] = [long, SHORT].map(|size| {
        let start = Instant::now();
        let log = Log::new(size);
        println!("{size} entries: laid in {:.1?}", start.elapsed());
        log
    });
    let look = |log: &Log| {
        log.machine.cold(|machine| {
            let start = Instant::now();
            assert_eq!(runtime.block_on(machine.warm(runtime).size(&log.channel)).unwrap(), log.size.get());
            start.elapsed()
        })
    };
    // Without a cache there is no index of the log either: all of it is read.
    let current = |log: &Log| {
        log.machine.cold(|machine| {
            let start = Instant::now();
            let promoter = Promoter::new(Arc::new(log.registry.clone()), Arc::new(machine.warm(runtime)));
            let current = runtime.block_on(promoter.current(&log.channel)).unwrap();
            assert!(current.live.is_some());
            start.elapsed()
        })
    };
    let append = |log: &Log, machine: &Machine| {
        let (seq, entry) = (log.size.get(), log.next());
        let start = Instant::now();
        let ledger = machine.warm(runtime);
        let appended = runtime.block_on(ledger.append(&log.channel, seq, entry.bytes().clone())).unwrap();
        let took = start.elapsed();
        assert_eq!(appended, Appended::Stored);
        log.size.set(seq + 1);
        log.last.set(entry.bytes().clone());
        took
    };
    let short_is = "100 entries";
    paired(("a look without a cache, long log", 2.0, 20), || look(&long), short_is, || look(&short));
    paired(("`current` without a cache, long log", 2.0, 5), || current(&long), short_is, || current(&short));
    let cold = |log: &Log| log.machine.cold(|machine| append(log, machine));
    paired(("an append without a cache, long log", 2.0, 20), || cold(&long), short_is, || cold(&short));
    let warm = |log: &Log| append(log, &log.machine);
    paired(("an append, long log", 2.0, 20), || warm(&long), short_is, || warm(&short));
}

/// A log that was laid into the branch of a server of its own.
struct Log {
    machine: Machine,
    registry: MemoryRegistry,
    channel: Channel,
    size: Cell<u64>,
    last: Cell<Bytes>,
}

impl Log {
    fn new(size: u64) -> Log {
        let (machine, channel, registry) = (Machine::new(), channel(), MemoryRegistry::new());
        let live = registry.push_image(channel.repository(), channel.tag(), 1).digest();
        let last = lay(&machine.server.repository(), entries(&channel, size, live));
        Log { machine, registry, channel, size: Cell::new(size), last: Cell::new(last) }
    }

    /// The entry after the last one.
    fn next(&self) -> EncodedEntry {
        let last = self.last.take();
        let parent = Some(EncodedEntry::of(last.clone()).leaf());
        self.last.set(last);
        let provenance = Provenance::new("manual", "bench", "bench").unwrap();
        let body =
            Body::Hold(Hold { scope: HoldScope::All, reason: "because".parse().unwrap(), provenance, until: None });
        let (seq, id, at) = (self.size.get(), uuid::Uuid::now_v7(), Timestamp::from_unix_ms(1_795_000_000_000));
        Entry { channel: self.channel.clone(), seq, id, at, parent, body }.seal().unwrap()
    }
}

/// Lays a log into the branch, with a commit for each entry. A file is written by the commit of its last entry, so that
/// a log of 100,000 entries takes seconds. Returns the last entry.
fn lay(repository: &Path, entries: impl Iterator<Item = Bytes>) -> Bytes {
    const COMMIT: &str = "commit refs/heads/tagwarden\ncommitter tagwarden <tagwarden@localhost.invalid> 1 +0000\n";
    let mut git = Command::new("git");
    git.arg("-C").arg(repository).args(["fast-import", "--quiet"]).stdin(Stdio::piped());
    let mut import = git.spawn().unwrap();
    let mut input = BufWriter::new(import.stdin.take().unwrap());
    let (mut file, mut last) = (Vec::new(), Bytes::new());
    for (entry, seq) in entries.zip(0_u64..) {
        file.extend_from_slice(&entry);
        file.push(b'\n');
        last = entry;
        input.write_all(COMMIT.as_bytes()).unwrap();
        input.write_all(b"data 0\n").unwrap();
        if (seq + 1).is_multiple_of(FILE) {
            let first = seq + 1 - FILE;
            writeln!(input, "M 100644 inline registry.example.com/acme/shop/@prod/{first:012}.jsonl").unwrap();
            writeln!(input, "data {}", file.len()).unwrap();
            input.write_all(&file).unwrap();
            input.write_all(b"\n").unwrap();
            file.clear();
        }
    }
    assert!(file.is_empty(), "the number of entries is a multiple of {FILE}");
    input.flush().unwrap();
    drop(input);
    assert!(import.wait().unwrap().success());
    last
}

/// A Git server, and a machine with a cache.
struct Machine {
    server: Arc<GitServer>,
    cache: TempDir,
}

impl Machine {
    fn new() -> Machine {
        Machine { server: Arc::new(GitServer::start()), cache: tempfile::tempdir().unwrap() }
    }

    /// The ledger as a process that has just begun opens it.
    fn warm(&self, runtime: &Runtime) -> GitLedger {
        runtime.block_on(GitLedger::open(&self.server.ledger(), OpenMode::Write)).unwrap().cache(self.cache.path())
    }

    /// The time of a call on a machine without a cache.
    fn cold(&self, call: impl FnOnce(&Machine) -> Duration) -> Duration {
        call(&Machine { server: Arc::clone(&self.server), cache: tempfile::tempdir().unwrap() })
    }
}

/// A clone of another branch, with a file to which lines are added.
struct Clone {
    dir: TempDir,
}

impl Clone {
    fn of(server: &GitServer) -> Clone {
        server.commit("plain", &[("log.jsonl", b"")]);
        let clone = Clone { dir: tempfile::tempdir().unwrap() };
        clone.git(&["clone", "--quiet", "--branch=plain", "--single-branch", &server.url(), "."]);
        for (name, value) in [("user.name", "bench"), ("user.email", "bench@localhost.invalid")] {
            clone.git(&["config", name, value]);
        }
        clone
    }

    fn append(&self) {
        self.git(&["fetch", "--quiet"]);
        let mut file = OpenOptions::new().append(true).open(self.dir.path().join("log.jsonl")).unwrap();
        writeln!(file, "{}", "x".repeat(1000)).unwrap();
        self.git(&["commit", "--quiet", "--all", "--message=an entry"]);
        self.git(&["push", "--quiet"]);
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.dir.path()).args(arguments).stdin(Stdio::null());
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        let run = git.output().unwrap();
        assert!(run.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

fn channel() -> Channel {
    "registry.example.com/acme/shop:prod".parse().unwrap()
}

fn terms() -> MoveOptions {
    MoveOptions::new(Provenance::new("manual", "bench", "bench").unwrap())
}
