//! The PostgreSQL ledger compared with plain PostgreSQL. Each pair is measured in turns in one run, on a dedicated
//! server.
//!
//! `cargo bench -p tagwarden-tests --bench postgres`. `TAGWARDEN_BENCH_ENTRIES` sets the length of the long log; the
//! default is 1,000,000 entries (about 1 GB). `TAGWARDEN_BENCH_ONLY` runs one part: `append`, `channels` or `log`.

#[path = "shared/paired.rs"]
mod paired;
mod shared;

use std::cell::RefCell;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::SinkExt as _;
use tagwarden::ledger::{Appended, Ledger, OpenMode, PostgresLedger};
use tagwarden::log::{EncodedEntry, Source};
use tagwarden::{Channel, Digest, MoveOptions, Promoter, Provenance, Tag};
use tagwarden_testing::MemoryRegistry;
use tagwarden_tests::postgres::Postgres;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use crate::paired::paired;
use crate::shared::entries;

const SHORT: u64 = 100;

fn main() {
    let Some(server) = Postgres::start("bench", &["max_wal_size=4GB"]) else { return };
    let url = server.database("bench");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(PostgresLedger::init(&url)).unwrap();
    let only = std::env::var("TAGWARDEN_BENCH_ONLY").ok();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("append") {
        appends(&server, &runtime, &url);
    }
    if wanted("channels") {
        channels(&server, &runtime, &url);
    }
    if wanted("log") {
        let long = std::env::var("TAGWARDEN_BENCH_ENTRIES").map_or(1_000_000, |count| count.parse().expect("a number"));
        logs(&server, &runtime, &url, long);
    }
}

/// A durable append compared with inserting and committing one row, with a prepared statement on a connection of its
/// own.
fn appends(server: &Postgres, runtime: &Runtime, url: &str) {
    let ledger = runtime.block_on(PostgresLedger::open(url, OpenMode::Write)).unwrap();
    let mut log = Chain::new(channel("append"));
    let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls)).unwrap();
    runtime.spawn(connection);
    let table = "CREATE TABLE plain (channel text, seq bigint, bytes bytea, PRIMARY KEY (channel, seq))";
    runtime.block_on(client.batch_execute(table)).unwrap();
    let statement = runtime.block_on(client.prepare("INSERT INTO plain VALUES ($1, $2, $3)")).unwrap();
    let mut plain = Chain::new(channel("append"));
    paired(
        ("durable append", 1.3, 1000),
        || {
            let entry = log.next();
            let start = Instant::now();
            let append = runtime.block_on(ledger.append(&log.channel, log.size - 1, entry)).unwrap();
            let took = start.elapsed();
            assert_eq!(append, Appended::Stored);
            took
        },
        "INSERT + COMMIT of a row, prepared, one round trip",
        || {
            let entry = plain.next();
            let (name, seq) = (plain.channel.to_string(), plain.size.cast_signed());
            let start = Instant::now();
            runtime.block_on(client.execute(&statement, &[&name, &seq, &entry.as_ref()])).unwrap();
            start.elapsed()
        },
    );
    println!("  pgbench beside it: {}", pgbench(server, url, 1));
}

/// Eight writers on 1 to 1,000 channels. Each writer has its own channels, unless there are fewer channels than
/// writers.
fn channels(server: &Postgres, runtime: &Runtime, url: &str) {
    const WRITERS: usize = 8;
    for round in 0..2 {
        for count in [1_usize, 10, 100, 1000] {
            let ledger = runtime.block_on(PostgresLedger::open(url, OpenMode::Write)).unwrap();
            let start = Instant::now();
            let writers: Vec<_> = (0..WRITERS.min(count))
                .map(|writer| {
                    let ledger = ledger.clone();
                    let mine = (writer..count).step_by(WRITERS);
                    let mut logs: Vec<Chain> =
                        mine.map(|nth| Chain::new(channel(&format!("c{round}-{count}-{nth}")))).collect();
                    runtime.spawn(async move {
                        let mut stored = 0_u64;
                        while start.elapsed() < Duration::from_secs(4) {
                            for log in &mut logs {
                                let entry = log.next();
                                let append = ledger.append(&log.channel, log.size - 1, entry).await.unwrap();
                                assert_eq!(append, Appended::Stored);
                                stored += 1;
                            }
                        }
                        stored
                    })
                })
                .collect();
            let writing = writers.len();
            let stored: u64 = writers.into_iter().map(|writer| runtime.block_on(writer).unwrap()).sum();
            let rate = stored as f64 / start.elapsed().as_secs_f64();
            println!(
                "{count} channels, {writing} writers: {rate:.0} appends/s; pgbench: {}",
                pgbench(server, url, writing)
            );
        }
    }
}

/// The output of `pgbench` for one-row inserts of the same size by this many clients.
fn pgbench(server: &Postgres, url: &str, clients: usize) -> String {
    let setup =
        "CREATE TABLE IF NOT EXISTS pgbench_rows (client int, seq bigserial, bytes bytea, PRIMARY KEY (client, seq))";
    server.psql("bench", setup).unwrap();
    let script = "INSERT INTO pgbench_rows (client, bytes) VALUES (:client_id, decode(repeat('ab', 800), 'hex'));\n";
    let file = server.socket_directory().join("insert.sql");
    std::fs::write(&file, script).unwrap();
    let mut pgbench = server.program("pgbench");
    pgbench.args(["-n", "-M", "prepared", "-T", "4", "-j", "2", "-c", &clients.to_string(), "-f"]).arg(&file).arg(url);
    let Ok(output) = pgbench.output() else { return "not installed".to_owned() };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |begins: &str| text.lines().find(|line| line.starts_with(begins)).unwrap_or("").to_owned();
    format!("{}, {}", line("latency average"), line("tps"))
}

/// Reads and a promotion on a long log compared with a short one. Each uses a newly opened ledger.
fn logs(server: &Postgres, runtime: &Runtime, url: &str, long: u64) {
    let registry = MemoryRegistry::new();
    let opened = || {
        let ledger = runtime.block_on(PostgresLedger::open(url, OpenMode::Write)).unwrap();
        Promoter::new(Arc::new(registry.clone()), Arc::new(ledger))
    };
    for size in [SHORT, long] {
        let channel = sized(size);
        let image = registry.push_image(channel.repository(), channel.tag(), size);
        let start = Instant::now();
        runtime.block_on(write_log(url, &channel, size, image.digest()));
        let wrote = start.elapsed();
        let start = Instant::now();
        let state = runtime.block_on(opened().state(&channel)).unwrap();
        assert_eq!((state.size, state.live), (size, Some(image.digest())));
        println!("{size} entries: copied in in {wrote:.1?}, first read in {:.1?}", start.elapsed());
    }
    server.psql("bench", "VACUUM ANALYZE").unwrap();
    let bytes = "SELECT string_agg(t || ' ' || pg_size_pretty(pg_total_relation_size('tagwarden.' || t)), ', ')
        FROM unnest(ARRAY['entries', 'entries_by_key', 'entries_by_target']) t";
    println!("on disk: {}", server.psql("bench", bytes).unwrap());
    let current = |size: u64| {
        let promoter = opened();
        let start = Instant::now();
        let current = runtime.block_on(promoter.current(&sized(size))).unwrap();
        assert!(current.live.is_some() && current.previous.is_some() && current.event.is_some());
        start.elapsed()
    };
    let page = |size: u64| {
        let promoter = opened();
        let start = Instant::now();
        let page = runtime.block_on(promoter.history_page(&sized(size), None, 50)).unwrap();
        assert!(page.events.len() >= 49);
        start.elapsed()
    };
    let nth = RefCell::new(0);
    let keyed = |size: u64| {
        let nth = nth.replace_with(|nth| *nth + 1);
        let tag: Tag = format!("n{nth}").parse().unwrap();
        let repository = sized(size).repository().clone();
        registry.push_image(&repository, &tag, size.wrapping_mul(31).wrapping_add(1_000_000 + nth));
        let terms = MoveOptions::new(Provenance::new("manual", "bench", "bench").unwrap());
        let terms = MoveOptions { idempotency_key: Some(format!("again-{nth}").parse().unwrap()), ..terms };
        let promoter = opened();
        let start = Instant::now();
        runtime
            .block_on(
                promoter.promote(&sized(size), Source::Reference(repository.tag(tag))).options(terms).into_future(),
            )
            .unwrap();
        start.elapsed()
    };
    paired(("current and previous, long log", 2.0, 200), || current(long), "100 entries", || current(SHORT));
    paired(("history page of 50, long log", 2.0, 200), || page(long), "100 entries", || page(SHORT));
    paired(("promotion with a key, long log", 2.0, 200), || keyed(long), "100 entries", || keyed(SHORT));
}

/// Writes a log of moves with COPY. Each move has a digest of its own, and the last one moves to `live`.
async fn write_log(url: &str, channel: &Channel, size: u64, live: Digest) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let mut copy = Box::pin(client.copy_in::<_, Bytes>("COPY tagwarden.entries FROM STDIN").await.unwrap());
    let mut rows = Vec::new();
    for (seq, entry) in entries(channel, size, live).enumerate() {
        write!(rows, "{channel}\t{seq}\t\\\\x").unwrap();
        for byte in &entry {
            rows.extend([b"0123456789abcdef"[usize::from(byte >> 4)], b"0123456789abcdef"[usize::from(byte & 15)]]);
        }
        rows.push(b'\n');
        if rows.len() > 1 << 20 {
            copy.send(std::mem::take(&mut rows).into()).await.unwrap();
        }
    }
    copy.send(rows.into()).await.unwrap();
    assert_eq!(copy.as_mut().finish().await.unwrap(), size);
}

fn channel(name: &str) -> Channel {
    format!("registry.example.com/acme/{name}:prod").parse().unwrap()
}

fn sized(size: u64) -> Channel {
    channel(&format!("shop{size}"))
}

/// Makes a log of chained entries, each about 800 bytes long, without the cost of encoding each entry.
struct Chain {
    channel: Channel,
    size: u64,
    parent: Option<Digest>,
    reason: String,
}

impl Chain {
    fn new(channel: Channel) -> Chain {
        Chain { channel, size: 0, parent: None, reason: "r".repeat(360) }
    }

    fn next(&mut self) -> Bytes {
        let Chain { channel, size, reason, .. } = self;
        let parent = self.parent.map(|parent| format!(r#""parent":"{parent}","#)).unwrap_or_default();
        let entry = format!(
            r#"{{"at":"2026-11-23T06:12:31.123Z","body":{{"provenance":{{"actor":{{"id":"bench","kind":"workload"}},"pipeline":{{"provider":"bench","run_id":"1"}}}},"reason":"{reason}","scope":"all"}},"channel":"{channel}","id":"0193f1c2-0000-7000-8000-{size:012x}","kind":"hold",{parent}"seq":{size},"v":1}}"#
        );
        let sealed = EncodedEntry::of(entry);
        self.size += 1;
        self.parent = Some(sealed.leaf());
        sealed.bytes().clone()
    }
}
