//! The cost of a governed move beside its parts, each pair measured side by side in one run.
//!
//! `cargo bench -p tagwarden-tests --bench promotion` prints medians and their ratio. The registry is
//! `tagwarden_testing::RegistryServer` on loopback, the ledger is a `FileLedger`; both sides speak to the same server.
//! `TAGWARDEN_BENCH_ENTRIES` makes the long log another length than 100,000 entries (about 100 MB), and
//! `TAGWARDEN_BENCH_ONLY` runs one part alone: `loopback`, `latency`, `log` or `audit`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "shared/paired.rs"]
mod paired;
mod shared;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, StatusCode};
use tagwarden::drift::Drift;
use tagwarden::ledger::FileLedger;
use tagwarden::log::Source;
use tagwarden::registry::MANIFEST_TYPES;
use tagwarden::registry::oci::{Credentials, OciOptions, OciRegistry};
use tagwarden::{Channel, Digest, IdempotencyKey, MoveOptions, Promoter, Provenance, Repository, Tag};
use tagwarden_testing::{AuthMode, Bearer, Login, MemoryRegistry, RegistryServer};
use tokio::runtime::Runtime;

use crate::paired::paired;
use crate::shared::entries;

const SHORT: u64 = 100;
const CHANNELS: usize = 1000;
/// How many channels an audit looks at at once.
const AT_ONCE: usize = 16;

fn main() {
    let long = std::env::var("TAGWARDEN_BENCH_ENTRIES").map_or(100_000, |count| count.parse().expect("a number"));
    let only = std::env::var("TAGWARDEN_BENCH_ONLY").ok();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    if wanted("loopback") {
        World::new(&runtime, &dir.path().join("loopback")).loopback();
    }
    if wanted("latency") {
        World::new(&runtime, &dir.path().join("latency")).latency();
    }
    if wanted("audit") {
        audit(&runtime, &dir.path().join("audit"));
    }
    if wanted("log") {
        logs(&runtime, &dir.path().join("log"), long);
    }
}

/// A server with two channels that are bootstrapped.
struct World<'a> {
    runtime: &'a Runtime,
    server: RegistryServer,
    dir: &'a Path,
    repository: Repository,
    dev: Channel,
    prod: Channel,
    releases: u64,
    /// True if the registry has logins.
    has_login: bool,
}

impl<'a> World<'a> {
    fn new(runtime: &'a Runtime, dir: &'a Path) -> World<'a> {
        let server = runtime.block_on(RegistryServer::start()).unwrap();
        let repository = server.repository("acme/shop");
        let channel = |tag: &str| repository.tag(tag.parse().unwrap()).to_string().parse::<Channel>().unwrap();
        let (dev, prod) = (channel("dev"), channel("prod"));
        let mut world = World { runtime, server, dir, repository, dev, prod, releases: 0, has_login: false };
        let first = world.release();
        for channel in [world.dev.clone(), world.prod.clone()] {
            let from = world.source(&first);
            runtime.block_on(world.promoter().bootstrap(&channel).source(from).options(terms()).into_future()).unwrap();
        }
        world
    }

    /// A release that was never promoted.
    fn release(&mut self) -> Tag {
        self.releases += 1;
        let tag: Tag = format!("1.{}", self.releases).parse().unwrap();
        self.server.memory().push_image(&self.repository, &tag, self.releases);
        tag
    }

    fn source(&self, tag: &Tag) -> Source {
        Source::Reference(self.repository.tag(tag.clone()))
    }

    /// As a process just started has one: no connection, no token, nothing read.
    fn promoter(&self) -> Promoter {
        promoter(self.dir, self.server.host(), self.has_login)
    }

    fn loopback(&mut self) {
        let world = std::cell::RefCell::new(self);
        let move_tag = |promoter: Option<&Promoter>| {
            let mut world = world.borrow_mut();
            let tag = world.release();
            let start = Instant::now();
            let anew = promoter.is_none().then(|| world.promoter());
            let promoter = promoter.or(anew.as_ref()).unwrap();
            world
                .runtime
                .block_on(promoter.promote(&world.dev, world.source(&tag)).options(terms()).into_future())
                .unwrap();
            let took = start.elapsed();
            world.settle();
            took
        };
        let bare = |client: Option<&Client>| {
            let mut world = world.borrow_mut();
            let tag = world.release();
            let start = Instant::now();
            let anew = client.is_none().then(new_client);
            let client = client.or(anew.as_ref()).unwrap();
            world.runtime.block_on(get_and_put(client, &world.repository, &tag, "bare", None));
            start.elapsed()
        };
        paired(("promotion, all opened anew", 2.5, 100), || move_tag(None), "GET + PUT, new client", || bare(None));
        let (promoter, client) = (world.borrow().promoter(), new_client());
        let name = "GET + PUT, kept connection";
        paired(("promotion, kept connection", 2.5, 200), || move_tag(Some(&promoter)), name, || bare(Some(&client)));
        // The part of it that is the disk's: two entries that must not be lost.
        let mut file = File::create(world.borrow().dir.join("plain")).unwrap();
        let mut synced = || {
            let start = Instant::now();
            for _ in 0..2 {
                file.write_all(&[b'x'; 1200]).unwrap();
                file.sync_data().unwrap();
            }
            start.elapsed()
        };
        let with_syncs = |file: &mut dyn FnMut() -> Duration| bare(Some(&client)) + file();
        let name = "GET + PUT + 2 × (write + fdatasync)";
        paired(("promotion", 2.5, 200), || move_tag(Some(&promoter)), name, || with_syncs(&mut synced));
    }

    fn latency(&mut self) {
        let rounds = 15;
        let world = std::cell::RefCell::new(self);
        world.borrow().server.latency(Duration::from_millis(50));
        let first = || {
            let mut world = world.borrow_mut();
            let tag = world.release();
            world.promote(&world.dev, world.source(&tag))
        };
        // A release that dev has is pinned; prod has not had it.
        let next = || {
            let mut world = world.borrow_mut();
            let tag = world.release();
            world.promote(&world.dev, world.source(&tag));
            world.promote(&world.prod, Source::Channel(world.dev.clone()))
        };
        let bare = |login: Option<&'static str>| {
            let mut world = world.borrow_mut();
            let tag = world.release();
            let start = Instant::now();
            world.runtime.block_on(get_and_put(&new_client(), &world.repository, &tag, "bare", Some(login)));
            start.elapsed()
        };
        let four = "GET /v2/, GET, GET /v2/, PUT";
        paired(("+ 50 ms, first promotion", 1.05, rounds), first, four, || bare(None));
        paired(("+ 50 ms, next environment", 0.8, rounds), next, four, || bare(None));
        world.borrow_mut().has_login = true;
        world.borrow().server.access(AuthMode::Bearer(Bearer::new(Login::new("ci", "pw"))));
        let six = "the same with 2 requests for a token";
        paired(("+ 50 ms, token, first promotion", 1.05, rounds), first, six, || bare(Some("ci:pw")));
        paired(("+ 50 ms, token, next environment", 0.85, rounds), next, six, || bare(Some("ci:pw")));
    }

    fn promote(&self, channel: &Channel, from: Source) -> Duration {
        let start = Instant::now();
        self.runtime.block_on(self.promoter().promote(channel, from).options(terms()).into_future()).unwrap();
        let took = start.elapsed();
        self.settle();
        took
    }

    /// Lets the look back end, so that it does not fall into what is measured next.
    fn settle(&self) {
        self.runtime.block_on(async {
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                if self.server.requests().iter().all(|seen| seen.status.is_some()) {
                    break self.server.clear_requests();
                }
            }
        });
    }
}

fn promoter(dir: &Path, host: &str, has_login: bool) -> Promoter {
    let login = if has_login { Credentials::password("ci", "pw") } else { Credentials::Anonymous };
    let registry = OciRegistry::new(OciOptions::new().credentials(host, login)).unwrap();
    Promoter::new(Arc::new(registry), Arc::new(FileLedger::open(dir).unwrap()))
}

fn new_client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Points `to` at the release `tag` and records nothing. With `ping` it asks `/v2/` before each, as `crane tag` does,
/// and gets a token each time if there is a login.
async fn get_and_put(client: &Client, repository: &Repository, tag: &Tag, to: &str, ping: Option<Option<&str>>) {
    let base = format!("http://{}/v2", repository.registry());
    let manifests = format!("{base}/{}/manifests", repository.path());
    let token = |actions: &'static str| {
        let base = base.clone();
        async move {
            let login = ping?;
            let root = client.get(format!("{base}/")).send().await.unwrap();
            let login = login?;
            assert_eq!(root.status(), StatusCode::UNAUTHORIZED);
            let host = repository.registry();
            let scope = format!("repository:{}:{actions}", repository.path());
            let url = format!("http://{host}/token?service={host}&scope={scope}");
            let basic = format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, login));
            let answer = client.get(url).header(AUTHORIZATION, basic).send().await.unwrap();
            let answer: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            Some(format!("Bearer {}", answer["token"].as_str().expect("a token")))
        }
    };
    let mut get = client.get(format!("{manifests}/{tag}")).header(ACCEPT, MANIFEST_TYPES.join(", "));
    if let Some(token) = token("pull").await {
        get = get.header(AUTHORIZATION, token);
    }
    let found = get.send().await.unwrap();
    assert_eq!(found.status(), StatusCode::OK);
    let media_type = found.headers()[CONTENT_TYPE].clone();
    let bytes = found.bytes().await.unwrap();
    let mut put = client.put(format!("{manifests}/{to}")).header(CONTENT_TYPE, media_type).body(bytes);
    if let Some(token) = token("pull,push").await {
        put = put.header(AUTHORIZATION, token);
    }
    assert_eq!(put.send().await.unwrap().status(), StatusCode::CREATED);
}

/// An audit of channels in sync against a HEAD of each, as many at once, over a kept client on both sides.
fn audit(runtime: &Runtime, dir: &Path) {
    let server = runtime.block_on(RegistryServer::start()).unwrap();
    let promoter = promoter(dir, server.host(), false);
    let channels: Vec<Channel> = (0..CHANNELS)
        .map(|n| {
            let repository = server.repository(&format!("acme/shop{n}"));
            let prod: Tag = "prod".parse().unwrap();
            server.memory().push_image(&repository, &prod, n as u64);
            repository.tag(prod).to_string().parse().unwrap()
        })
        .collect();
    runtime.block_on(async {
        for channel in &channels {
            promoter.bootstrap(channel).options(terms()).await.unwrap();
        }
    });
    let audit = |promoter: &Promoter| {
        server.clear_requests();
        let start = Instant::now();
        let report = runtime.block_on(promoter.audit(&channels)).unwrap();
        let took = start.elapsed();
        assert!(report.channels().iter().all(|audited| matches!(audited.drift, Drift::InSync { .. })));
        took
    };
    let client = new_client();
    let heads = |client: &Client| {
        server.clear_requests();
        let start = Instant::now();
        runtime.block_on(async {
            let head = |channel: &Channel| {
                let (repository, tag) = (channel.repository(), channel.tag());
                let url = format!("http://{}/v2/{}/manifests/{tag}", repository.registry(), repository.path());
                client.head(url).header(ACCEPT, MANIFEST_TYPES.join(", ")).send()
            };
            let answers: Vec<_> = stream::iter(&channels).map(head).buffer_unordered(AT_ONCE).collect().await;
            assert!(answers.iter().all(|answer| answer.as_ref().unwrap().status() == StatusCode::OK));
        });
        start.elapsed()
    };
    let name = "1,000 HEADs, 16 at once";
    paired(("audit of 1,000 channels, again", 1.2, 20), || audit(&promoter), name, || heads(&client));
    let anew = || crate::promoter(dir, server.host(), false);
    paired(("audit of 1,000 channels, all opened anew", 1.2, 20), || audit(&anew()), name, || heads(&new_client()));
    server.latency(Duration::from_millis(5));
    let name = "1,000 HEADs, 16 at once, + 5 ms";
    paired(("audit of 1,000 channels, anew, + 5 ms", 1.2, 5), || audit(&anew()), name, || heads(&new_client()));
}

/// Current, history and a move of a channel on a long log against a short one; the ledger is opened anew each time. The
/// registry is in memory, so that only the ledger's part is measured.
fn logs(runtime: &Runtime, dir: &Path, long: u64) {
    let registry = MemoryRegistry::new();
    drop(FileLedger::open(dir).unwrap());
    for size in [SHORT, long] {
        let channel = channel(size);
        let image = registry.push_image(channel.repository(), channel.tag(), size);
        let start = Instant::now();
        write_log(dir, &channel, size, image.digest());
        let wrote = start.elapsed();
        let before = peak_bytes();
        let start = Instant::now();
        let promoter = Promoter::new(Arc::new(registry.clone()), Arc::new(FileLedger::open(dir).unwrap()));
        let state = runtime.block_on(promoter.state(&channel)).unwrap();
        assert_eq!((state.size, state.live), (size, Some(image.digest())));
        let took = start.elapsed();
        let more = peak_bytes().zip(before).map(|(after, before)| (after.saturating_sub(before)) >> 20);
        let more = more.map_or("not measured here".to_owned(), |mib| format!("{mib} MiB"));
        println!("{size} entries: written in {wrote:.1?}; first read and indexed in {took:.1?}, peak memory + {more}");
        for n in 0..2 {
            runtime.block_on(promote(&promoter, &registry, size, n));
        }
    }
    let opened = || Promoter::new(Arc::new(registry.clone()), Arc::new(FileLedger::open(dir).unwrap()));
    let current = |size: u64| {
        let start = Instant::now();
        let promoter = opened();
        let current = runtime.block_on(promoter.current(&channel(size))).unwrap();
        let took = start.elapsed();
        assert!(current.live.is_some() && current.previous.is_some() && current.event.is_some());
        took
    };
    let page = |size: u64| {
        let start = Instant::now();
        let page = runtime.block_on(opened().history_page(&channel(size), None, 50)).unwrap();
        let took = start.elapsed();
        assert_eq!(page.events.len(), 50);
        took
    };
    let mut nth = 10;
    let mut keyed = |size: u64| {
        nth += 1;
        let promoter = opened();
        let start = Instant::now();
        runtime.block_on(promote(&promoter, &registry, size, nth));
        start.elapsed()
    };
    paired(("current and previous, long log", 2.0, 200), || current(long), "100 entries", || current(SHORT));
    paired(("history page of 50, long log", 2.0, 200), || page(long), "100 entries", || page(SHORT));
    let keyed = std::cell::RefCell::new(&mut keyed);
    let keyed = |size| (keyed.borrow_mut())(size);
    paired(("promotion with a key, long log", 2.0, 200), || keyed(long), "100 entries", || keyed(SHORT));
}

async fn promote(promoter: &Promoter, registry: &MemoryRegistry, size: u64, nth: u64) {
    let channel = channel(size);
    let tag: Tag = format!("n{nth}").parse().unwrap();
    registry.push_image(channel.repository(), &tag, size.wrapping_mul(31).wrapping_add(1_000_000 + nth));
    let from = Source::Reference(channel.repository().tag(tag));
    let key: IdempotencyKey = format!("again-{nth}").parse().unwrap();
    promoter.promote(&channel, from).options(MoveOptions { idempotency_key: Some(key), ..terms() }).await.unwrap();
}

/// Writes the file of a log of `size` entries, whose last move is to `live`.
fn write_log(dir: &Path, channel: &Channel, size: u64, live: Digest) {
    let name = channel.to_string().replace('/', "%2f").replace(':', "%3a");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(dir.join(format!("{name}.jsonl"))).unwrap());
    for entry in entries(channel, size, live) {
        file.write_all(&entry).unwrap();
        file.write_all(b"\n").unwrap();
    }
    file.flush().unwrap();
}

fn channel(size: u64) -> Channel {
    format!("registry.example.com/acme/shop{size}:prod").parse().unwrap()
}

fn terms() -> MoveOptions {
    MoveOptions::new(Provenance::new("manual", "bench", "bench").unwrap())
}

/// The most memory that this process has had; none where there is no `/proc`.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()? * 1024)
}
