//! The file ledger against what it stands on, each pair measured side by side in one run.
//!
//! `cargo bench -p tagwarden --bench ledger`. The ratios of medians are printed first; criterion's own figures follow.
//! `TAGWARDEN_BENCH_ENTRIES` makes the long log another length than 1,000,000 entries (about 800 MB).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::Criterion;
use tagwarden::Channel;
use tagwarden::ledger::{Appended, FileLedger, Ledger};
use tagwarden::log::EncodedEntry;
use tokio::runtime::Runtime;

const SHORT: u64 = 100;

fn main() {
    let long = std::env::var("TAGWARDEN_BENCH_ENTRIES").map_or(1_000_000, |count| count.parse().expect("a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut criterion =
        Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).configure_from_args();
    appends(&mut criterion, &runtime, dir.path());
    heads(&mut criterion, &runtime, dir.path(), long);
    criterion.final_summary();
}

/// A durable append against write + fdatasync of the same bytes.
fn appends(criterion: &mut Criterion, runtime: &Runtime, dir: &Path) {
    let ledger = FileLedger::open(dir.join("appends")).unwrap();
    let channel = channel(0);
    let mut log = Chain::new(channel.clone());
    let append = |log: &mut Chain| {
        let entry = log.next();
        let start = Instant::now();
        let append = runtime.block_on(ledger.append(&channel, log.size - 1, entry)).unwrap();
        let took = start.elapsed();
        assert_eq!(append, Appended::Stored);
        took
    };
    let mut plain = File::create(dir.join("plain")).unwrap();
    let mut bytes = Chain::new(channel.clone());
    let mut write = || {
        let mut line = bytes.next().to_vec();
        line.push(b'\n');
        let start = Instant::now();
        plain.write_all(&line).unwrap();
        plain.sync_data().unwrap();
        start.elapsed()
    };
    paired("durable append", 1.3, 1000, || append(&mut log), "write + fdatasync", &mut write);
    let mut group = criterion.benchmark_group("durable append");
    group.bench_function("FileLedger", |b| b.iter_custom(|n| (0..n).map(|_| append(&mut log)).sum()));
    group.bench_function("write + fdatasync", |b| b.iter_custom(|n| (0..n).map(|_| write()).sum()));
    group.finish();
}

/// The head and a page in the middle, from a ledger that was just opened, on a long log against a short one.
fn heads(criterion: &mut Criterion, runtime: &Runtime, dir: &Path, long: u64) {
    let dir = dir.join("heads");
    let ledger = FileLedger::open(&dir).unwrap();
    let sizes = [SHORT, long];
    for size in sizes {
        let start = Instant::now();
        let channel = channel(size);
        let mut log = Chain::new(channel.clone());
        let path = dir.join(format!("{}.jsonl", channel.to_string().replace('/', "%2f").replace(':', "%3a")));
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
        while log.size < size - 1 {
            file.write_all(&log.next()).unwrap();
            file.write_all(b"\n").unwrap();
        }
        file.flush().unwrap();
        drop(file);
        println!("{size} entries: written in {:.1?}", start.elapsed());
        // The first append settles the log.
        let entry = log.next();
        assert_eq!(runtime.block_on(ledger.append(&channel, size - 1, entry)).unwrap(), Appended::Stored);
    }
    assert_eq!(ledger.notices(), []);
    drop(ledger);

    let head = |size: u64| {
        let channel = channel(size);
        let start = Instant::now();
        let ledger = FileLedger::open(&dir).unwrap();
        let read = runtime.block_on(async {
            let found = ledger.size(&channel).await.unwrap();
            ledger.read(&channel, found - 64, 64).await.unwrap()
        });
        let took = start.elapsed();
        assert_eq!(read.len(), 64);
        took
    };
    let page = |size: u64| {
        let channel = channel(size);
        let start = Instant::now();
        let ledger = FileLedger::open(&dir).unwrap();
        let read = runtime.block_on(ledger.read(&channel, size / 3, 50)).unwrap();
        let took = start.elapsed();
        assert_eq!(read.len(), 50);
        took
    };
    paired("head, long log", 2.0, 1000, || head(long), "head, 100 entries", || head(SHORT));
    paired("page of 50 in the middle, long log", 2.0, 1000, || page(long), "the same, 100 entries", || page(SHORT));
    let mut group = criterion.benchmark_group("opened anew");
    for size in sizes {
        group.bench_function(format!("head of {size}"), |b| b.iter_custom(|n| (0..n).map(|_| head(size)).sum()));
    }
    group.finish();
}

/// Measures both in turn, and prints the medians and their ratio.
fn paired(
    what: &str,
    goal: f64,
    rounds: usize,
    mut measured: impl FnMut() -> Duration,
    against: &str,
    mut reference: impl FnMut() -> Duration,
) {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..rounds + rounds / 10 {
        // The order alternates, and the first tenth is to warm up.
        let (a, b) = match round % 2 {
            0 => (measured(), reference()),
            _ => {
                let b = reference();
                (measured(), b)
            }
        };
        if round >= rounds / 10 {
            times[0].push(a);
            times[1].push(b);
        }
    }
    let [a, b] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    let ratio = a.as_secs_f64() / b.as_secs_f64();
    println!("{what}: {a:.1?}; {against}: {b:.1?}; ratio {ratio:.2} (goal: at most {goal})");
}

fn channel(nth: u64) -> Channel {
    format!("registry.example.com/acme/shop{nth}:prod").parse().unwrap()
}

/// A log whose entries are chained, made without the cost of sealing each.
struct Chain {
    channel: Channel,
    size: u64,
    parent: Option<tagwarden::Digest>,
    reason: String,
}

impl Chain {
    fn new(channel: Channel) -> Chain {
        Chain { channel, size: 0, parent: None, reason: "r".repeat(460) }
    }

    /// The next entry, about 800 bytes long, as an intent is.
    fn next(&mut self) -> Bytes {
        let Chain { channel, size, reason, .. } = self;
        let parent = self.parent.map(|parent| format!(r#""parent":"{parent}","#)).unwrap_or_default();
        let entry = format!(
            r#"{{"at":"2026-11-23T06:12:31.123Z","body":{{"by":"bench","reason":"{reason}"}},"channel":"{channel}","id":"0193f1c2-0000-7000-8000-{size:012x}","kind":"hold",{parent}"seq":{size},"v":1}}"#
        );
        let sealed = EncodedEntry::of(entry);
        self.size += 1;
        self.parent = Some(sealed.leaf());
        sealed.bytes().clone()
    }
}
