//! The object-store ledger on a long log compared with a short one, over a store that takes 2 ms for each request.
//!
//! `cargo bench -p tagwarden-tests --bench objects`. The store is in memory, so the measured time is the number of
//! sequential requests. The total number of requests is printed as well. `TAGWARDEN_BENCH_ENTRIES` sets the length of
//! the long log; the default is 100,000 entries (about 100 MB).

#[path = "shared/paired.rs"]
mod paired;
mod shared;
#[path = "shared/store.rs"]
mod store;

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use tagwarden::ledger::{Appended, Ledger, ObjectLedger, OpenMode};
use tagwarden::log::Source;
use tagwarden::{Channel, MoveOptions, Promoter, Provenance, Tag};
use tagwarden_testing::MemoryRegistry;
use tokio::runtime::Runtime;

use crate::paired::paired;
use crate::shared::entries;
use crate::store::Store;

const SHORT: u64 = 100;
const REQUEST: Duration = Duration::from_millis(2);

/// The number of requests of an open. They check that the store honours conditional writes.
const PROBE: u64 = 2;

fn main() {
    let long = std::env::var("TAGWARDEN_BENCH_ENTRIES").map_or(100_000, |count| count.parse().expect("a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = World { runtime, store: Store::default(), registry: MemoryRegistry::new() };
    world.append();
    world.logs(long);
}

struct World {
    runtime: Runtime,
    store: Store,
    registry: MemoryRegistry,
}

impl World {
    /// A new ledger over the slow store.
    fn ledger(&self) -> ObjectLedger {
        let store = Arc::new(self.store.slow(REQUEST));
        self.runtime.block_on(ObjectLedger::over(store, "", OpenMode::Write)).unwrap()
    }

    fn promoter(&self) -> Promoter {
        Promoter::new(Arc::new(self.registry.clone()), Arc::new(self.ledger()))
    }

    /// An append without conflict compared with one PUT of the same bytes.
    fn append(&self) {
        let channel = channel("append");
        let live = self.registry.push_image(channel.repository(), channel.tag(), 1).digest();
        let all: Vec<_> = entries(&channel, 1000, live).collect();
        let ledger = self.ledger();
        let slow = self.store.slow(REQUEST);
        let (seq, plain) = (Cell::new(0), Cell::new(0));
        paired(
            ("an append", 1.3, 400),
            || {
                let at = seq.replace(seq.get() + 1);
                let start = Instant::now();
                let stored = ledger.append(&channel, at, all[at as usize].clone());
                assert_eq!(self.runtime.block_on(stored).unwrap(), Appended::Stored);
                start.elapsed()
            },
            "a PUT of the same bytes",
            || {
                let at = plain.replace(plain.get() + 1);
                let key = Path::from(format!("plain/{at}"));
                let start = Instant::now();
                self.runtime.block_on(slow.put(&key, all[at as usize].clone().into())).unwrap();
                start.elapsed()
            },
        );
    }

    /// Reads and a promotion on a long log compared with a short one. Each uses a newly opened ledger.
    fn logs(&self, long: u64) {
        for size in [SHORT, long] {
            let channel = sized(size);
            let image = self.registry.push_image(channel.repository(), channel.tag(), size);
            let start = Instant::now();
            self.runtime.block_on(self.write_log(&channel, size));
            let wrote = start.elapsed();
            let start = Instant::now();
            let quick =
                self.runtime.block_on(ObjectLedger::over(Arc::new(self.store.clone()), "", OpenMode::Write)).unwrap();
            let promoter = Promoter::new(Arc::new(self.registry.clone()), Arc::new(quick));
            let state = self.runtime.block_on(promoter.state(&channel)).unwrap();
            assert_eq!((state.size, state.live), (size, Some(image.digest())));
            println!("{size} entries: put in {wrote:.1?}, first read and indexed in {:.1?}", start.elapsed());
            // An append writes the hint at which a newly opened ledger starts to search for the head.
            self.promote(size, &promoter, "first");
        }
        let current = |size: u64| {
            let promoter = self.promoter();
            let start = Instant::now();
            let current = self.runtime.block_on(promoter.current(&sized(size))).unwrap();
            assert!(current.live.is_some() && current.previous.is_some() && current.event.is_some());
            start.elapsed()
        };
        let page = |size: u64| {
            let promoter = self.promoter();
            let start = Instant::now();
            let page = self.runtime.block_on(promoter.history_page(&sized(size), None, 50)).unwrap();
            assert!(page.events.len() >= 49);
            start.elapsed()
        };
        let nth = Cell::new(0);
        let keyed = |size: u64| {
            let name = format!("n{}", nth.replace(nth.get() + 1));
            self.promote(size, &self.promoter(), &name)
        };
        for size in [SHORT, long] {
            let requests = |work: &dyn Fn(u64) -> Duration| {
                let before = self.store.asked();
                work(size);
                self.store.asked() - before - PROBE
            };
            let [current, page, keyed] = [requests(&current), requests(&page), requests(&keyed)];
            println!("requests at {size} entries: current {current}, history page {page}, promotion {keyed}");
        }
        paired(("current and previous, long log", 2.0, 60), || current(long), "100 entries", || current(SHORT));
        paired(("history page of 50, long log", 2.0, 60), || page(long), "100 entries", || page(SHORT));
        paired(("promotion with a key, long log", 2.0, 60), || keyed(long), "100 entries", || keyed(SHORT));
    }

    fn promote(&self, size: u64, promoter: &Promoter, name: &str) -> Duration {
        let tag: Tag = name.parse().unwrap();
        let repository = sized(size).repository().clone();
        let seed = name.bytes().fold(size, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        self.registry.push_image(&repository, &tag, seed.wrapping_add(1_000_000));
        let terms = MoveOptions {
            idempotency_key: Some(name.parse().unwrap()),
            ..MoveOptions::new(Provenance::new("manual", "bench", "bench").unwrap())
        };
        let start = Instant::now();
        let source = Source::Reference(repository.tag(tag));
        self.runtime.block_on(promoter.promote(&sized(size), source).options(terms).into_future()).unwrap();
        start.elapsed()
    }

    async fn write_log(&self, channel: &Channel, size: u64) {
        let live = self.registry.peek(channel.repository(), channel.tag()).unwrap();
        // Append the first entry through the ledger, to find the folder for the other objects.
        let ledger = ObjectLedger::over(Arc::new(self.store.clone()), "", OpenMode::Write).await.unwrap();
        let mut all = entries(channel, size, live);
        ledger.append(channel, 0, all.next().unwrap()).await.unwrap();
        let folder =
            self.store.folder("/00000000000000000000.json", channel.repository().path().rsplit('/').next().unwrap());
        for (seq, entry) in (1..size).zip(all) {
            self.store.put(&Path::from(format!("{folder}/{seq:020}.json")), entry.into()).await.unwrap();
        }
    }
}

fn channel(name: &str) -> Channel {
    format!("registry.example.com/acme/{name}:prod").parse().unwrap()
}

fn sized(size: u64) -> Channel {
    channel(&format!("shop{size}"))
}
