//! Seeds: workers with random moves, keys and deaths, over a registry and a ledger with random faults, in paused time.
//!
//! `TAGWARDEN_SEEDS=2000000 cargo test --release -p tagwarden-tests --test protocol seeds -- --nocapture` runs more;
//! `TAGWARDEN_SEED=n` runs one, and prints its history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tagwarden::ledger::{Append, Journal, Ledger, MemoryLedger};
use tagwarden::promoter::How;
use tagwarden::protocol::Meet;
use tagwarden::record::{
    Adoption, Body, Entry, EventStatus, Observation, ObservationCause, PromotionEvent, Source, Verifier, events,
};
use tagwarden::registry::{Chaos, Fault, MemoryRegistry, ReadFault, Untagged, Writer, pin_tag};
use tagwarden::testing::PausedClock;
use tagwarden::{
    Channel, Clock, Digest, Error, ErrorKind, Moved, Operation, Promoter, Provenance, Result, Terms, Times, Timestamp,
};

use super::gate::{Gate, What};
use super::world::{key, tag, text};

/// splitmix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn ms(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.below(most + 1))
    }
}

/// A ledger that loses answers, gives none, and is slow. What it stores, it stores for ever.
#[derive(Debug)]
struct Flaky {
    inner: Arc<MemoryLedger>,
    random: Mutex<Random>,
    /// How many of a hundred calls meet a fault.
    percent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    Unavailable,
    /// Appends: nothing was stored, and nobody knows.
    LostBefore,
    /// Appends: it was stored, and nobody knows.
    LostAfter,
    /// Appends: nobody knows, and it is stored after this time if the position is still free.
    Late(Duration),
}

impl Flaky {
    /// The way there, what happens, and the way back.
    fn draw(&self) -> (Duration, Trouble, Duration) {
        let mut random = self.random.lock().unwrap();
        let trouble = match random.below(100) < self.percent {
            false => Trouble::None,
            true => match random.below(5) {
                0 => Trouble::Unavailable,
                1 => Trouble::LostBefore,
                2 | 3 => Trouble::LostAfter,
                _ => Trouble::Late(random.ms(20_000)),
            },
        };
        let most = if random.one_in(50) { 5_000 } else { 20 };
        (random.ms(most), trouble, random.ms(most))
    }

    async fn read_through<T>(&self, read: impl Future<Output = Result<T>>) -> Result<T> {
        let (there, trouble, back) = self.draw();
        tokio::time::sleep(there).await;
        let answer = read.await;
        tokio::time::sleep(back).await;
        match trouble {
            Trouble::Unavailable => Err(Error::new(ErrorKind::LedgerUnavailable, "the ledger gave no answer")),
            _ => answer,
        }
    }
}

#[async_trait]
impl Ledger for Flaky {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        self.inner.size(channel).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        self.read_through(self.inner.read(channel, from, limit)).await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Append> {
        let (there, trouble, back) = self.draw();
        let lost = || Err(Error::new(ErrorKind::LedgerAmbiguous, "the answer to the append was lost"));
        tokio::time::sleep(there).await;
        match trouble {
            Trouble::None => {
                let answer = self.inner.append(channel, seq, bytes).await;
                tokio::time::sleep(back).await;
                answer
            }
            Trouble::Unavailable => Err(Error::new(ErrorKind::LedgerUnavailable, "the ledger gave no answer")),
            Trouble::LostBefore => lost(),
            Trouble::LostAfter => {
                self.inner.append(channel, seq, bytes).await?;
                tokio::time::sleep(back).await;
                lost()
            }
            Trouble::Late(later) => {
                let (inner, channel) = (Arc::clone(&self.inner), channel.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(later).await;
                    drop(inner.append(&channel, seq, bytes).await);
                });
                tokio::time::sleep(back).await;
                lost()
            }
        }
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        self.inner.channels().await
    }
}

/// What a seed may do.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// Somebody moves tags around tagwarden.
    foreign: bool,
    /// A put that was answered is repeated later by something in between; a tag is deleted by a failed put; a put is
    /// answered and ignored while reads lag behind. No client can defend against these: they are found, not prevented.
    beyond: bool,
    /// Puts are answered and ignored: also those of pins, whose answers are believed.
    ignores: bool,
}

impl Weather {
    /// Nobody deletes or moves pins, or lies about them.
    fn keeps_pins(self) -> bool {
        !self.foreign && !self.ignores
    }

    fn is_strict(self) -> bool {
        !self.foreign && !self.beyond
    }
}

#[derive(Debug, Default)]
struct Seen {
    words: BTreeMap<String, u64>,
}

impl Seen {
    fn count(&mut self, word: impl Into<String>) {
        *self.words.entry(word.into()).or_default() += 1;
    }
}

struct Outcome {
    history: String,
    seen: Seen,
    broken: Vec<String>,
}

/// Everything of one seed.
fn simulate(seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { World::new(seed).live().await })
}

struct World {
    chaos: Option<Chaos>,
    random: Random,
    weather: Weather,
    registry: MemoryRegistry,
    memory: Arc<MemoryLedger>,
    ledger: Arc<Flaky>,
    clock: PausedClock,
    channels: Vec<Channel>,
    digests: Vec<Digest>,
    seen: Arc<Mutex<Seen>>,
    broken: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random(seed);
        // Two in three seeds are strict: what is promised without a condition is checked there.
        let (foreign, beyond) = (random.one_in(6), random.one_in(6));
        let lags = random.one_in(2);
        let weather = Weather { foreign, beyond, ignores: beyond || (!lags && random.one_in(2)) };
        let registry =
            MemoryRegistry::new().untagged(if random.one_in(3) { Untagged::Dropped } else { Untagged::Kept });
        let clock = PausedClock::new();
        let names = if random.one_in(3) { vec!["prod", "dev"] } else { vec!["prod"] };
        let channels: Vec<Channel> = names.iter().map(|tag| format!("reg.io/shop:{tag}").parse().unwrap()).collect();
        let repository = channels[0].repository();
        let releases = ["1.0", "1.1", "1.2", "1.3"].iter().zip(0..);
        let digests = releases.map(|(name, n)| registry.push_image(repository, &tag(name), n).digest()).collect();
        let stranger = registry.push_image(repository, &tag("stranger"), 666);
        let memory = Arc::new(MemoryLedger::new());
        let percent = [0, 3, 10, 25][usize::try_from(random.below(4)).unwrap()];
        let ledger = Arc::new(Flaky { inner: Arc::clone(&memory), random: Mutex::new(Random(random.next())), percent });
        let mut chaos = Chaos::new(random.next(), [0, 5, 15, 35][usize::try_from(random.below(4)).unwrap()]);
        chaos.puts.retain(|fault| match fault {
            Fault::Twice(_) | Fault::Gone => weather.beyond,
            Fault::Ignored => weather.ignores,
            Fault::Stale(_) => lags,
            _ => true,
        });
        chaos.reads.retain(|fault| lags || *fault != ReadFault::Stale);
        if weather.foreign {
            chaos.puts.extend([Fault::ForeignBefore(stranger.clone()), Fault::ForeignAfter(stranger.clone())]);
            chaos.reads.push(ReadFault::ForeignAfter(stranger));
        }
        let (seen, broken) = Default::default();
        World { chaos: Some(chaos), random, weather, registry, memory, ledger, clock, channels, digests, seen, broken }
    }

    async fn live(mut self) -> Outcome {
        // In most seeds the channels are governed already when the weather turns.
        let promoter = self.calm_promoter();
        for channel in self.channels.clone() {
            if !self.random.one_in(4) {
                let first = Source::Reference(channel.repository().tag(tag("1.0")));
                let terms = Terms::of(Provenance::new("manual", "run", "founder").unwrap());
                promoter.bootstrap(&channel, Some(first), terms).await.unwrap();
            }
        }
        if let Some(chaos) = self.chaos.take() {
            self.registry.chaos(chaos);
        }
        let mut workers = Vec::new();
        for number in 0..3 + self.random.below(2) {
            workers.push(tokio::spawn(self.worker(number).work()));
        }
        if self.random.one_in(2) {
            let auditor = self.auditor();
            workers.push(tokio::spawn(auditor));
        }
        let all = futures_util::future::join_all(workers);
        // Ten hours: longer than any worker can live.
        match tokio::time::timeout(Duration::from_secs(36_000), all).await {
            Ok(ended) => {
                ended.into_iter().for_each(|end| end.expect("no worker panics"));
            }
            Err(_) => self.broken("a worker never ends"),
        }
        self.rest().await;
        self.judge().await
    }

    fn worker(&mut self, number: u64) -> Worker {
        let mut random = Random(self.random.next());
        // One in three dies somewhere.
        let mut happens = Vec::new();
        if random.one_in(3) {
            let what = if random.one_in(2) { What::CrashBefore } else { What::CrashAfter };
            happens.push((1 + usize::try_from(random.below(90)).unwrap(), what));
        }
        let gate = Gate::new(
            Arc::new(self.registry.clone()),
            Arc::clone(&self.ledger) as Arc<dyn Ledger>,
            Some((self.registry.clone(), Arc::clone(&self.memory) as Arc<dyn Ledger>)),
            &happens,
        );
        let seconds = |most, random: &mut Random| Duration::from_secs(15 + random.below(most));
        let times = match random.one_in(3) {
            true => Times::new(
                seconds(60, &mut random) + Duration::from_secs(1),
                seconds(30, &mut random),
                seconds(30, &mut random),
                Duration::from_secs(11 + random.below(5)),
            )
            .unwrap(),
            false => Times::default(),
        };
        let promoter = Promoter::new(gate.registry(), gate.ledger()).with_clock(Arc::new(self.clock)).with_times(times);
        Worker {
            number,
            random,
            gate,
            promoter,
            channels: self.channels.clone(),
            digests: self.digests.clone(),
            weather: self.weather,
            seen: Arc::clone(&self.seen),
            broken: Arc::clone(&self.broken),
        }
    }

    /// Appends observations, adoptions and holds.
    fn auditor(&mut self) -> impl Future<Output = ()> + use<> {
        let mut random = Random(self.random.next());
        let ledger = Arc::clone(&self.ledger) as Arc<dyn Ledger>;
        let (channels, digests, clock) = (self.channels.clone(), self.digests.clone(), self.clock);
        let seen = Arc::clone(&self.seen);
        async move {
            for number in 0..random.below(8) {
                tokio::time::sleep(random.ms(30_000)).await;
                let channel = channels[usize::try_from(random.below(channels.len() as u64)).unwrap()].clone();
                let mut journal = Journal::new(Arc::clone(&ledger), channel);
                let now = clock.now();
                let (word, body) = match random.below(4) {
                    0 => {
                        let until = Some(now.plus(random.ms(90_000) + Duration::from_secs(1)));
                        (
                            "hold",
                            Body::Hold(tagwarden::record::Hold { reason: text("incident"), by: text("eve"), until }),
                        )
                    }
                    1 => {
                        ("release", Body::Release(tagwarden::record::Release { reason: text("over"), by: text("eve") }))
                    }
                    2 => (
                        "adoption",
                        Body::Adoption(Adoption {
                            cluster: text("blue"),
                            revision: text(&format!("prod@{}", digests[0])),
                            ready: true,
                            at: now,
                        }),
                    ),
                    _ => (
                        "observation",
                        Body::Observation(Observation {
                            expected: None,
                            observed: Some(digests[usize::try_from(number % 4).unwrap()]),
                            cause: ObservationCause::Verify,
                            attributed: None,
                        }),
                    ),
                };
                let noted = journal.note(body, now).await.is_ok();
                seen.lock().unwrap().count(format!("{word} {}", if noted { "noted" } else { "failed" }));
            }
        }
    }

    fn broken(&self, why: impl Into<String>) {
        self.broken.lock().unwrap().push(why.into());
    }

    /// A worker that no fault meets but those of the registry.
    fn calm_promoter(&self) -> Promoter {
        let ledger = Arc::clone(&self.memory) as Arc<dyn Ledger>;
        Promoter::new(Arc::new(self.registry.clone()), ledger).with_clock(Arc::new(self.clock))
    }

    /// The weather clears; another machine brings every channel to rest (I5).
    async fn rest(&self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
        self.registry.calm();
        let promoter = self.calm_promoter();
        for (number, channel) in self.channels.iter().enumerate() {
            let how = if number == 0 { How::Forward } else { How::Abandon };
            // A hold of the auditor's ends by itself, within 91 s.
            tokio::time::sleep(Duration::from_secs(100)).await;
            let was_open = promoter.state(channel).await.unwrap().open.is_some();
            match promoter.recover(channel, how, Duration::from_secs(3_600)).await {
                Ok(_) => self.seen.lock().unwrap().count(if was_open { "recovered at the end" } else { "at rest" }),
                Err(error) => self.broken(format!("I5: {channel} is not brought to rest: {error}")),
            }
        }
    }

    /// The invariants, from the log and from what the registry saw land.
    async fn judge(self) -> Outcome {
        let mut history = String::new();
        for channel in &self.channels {
            let bytes = self.memory.read(channel, 0, 100_000).await.unwrap();
            let mut verifier = Verifier::new(Some(channel.clone()));
            verifier.feed(&bytes);
            // I2, I4, I8: moves alternate, no key twice, the chain holds.
            if let Some(defect) = verifier.finish().defect {
                self.broken(format!("I2, I4, I8: {channel}: {defect}"));
            }
            let entries: Vec<Entry> = bytes.iter().map(|bytes| Entry::open(bytes).unwrap()).collect();
            let moves = events(&entries).events;
            self.judge_channel(channel, &moves);
            history += &tell(channel, &entries);
        }
        for change in self.registry.changes() {
            history += &format!(
                "{:>9} {} {:?} {:?} -> {:?}\n",
                change.at.as_millis(),
                change.tag,
                change.by,
                change.from,
                change.to
            );
        }
        for why in self.seen.lock().unwrap().words.keys().filter(|word| word.contains("INTERNAL")) {
            self.broken(why.clone());
        }
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let broken = std::mem::take(&mut *self.broken.lock().unwrap());
        Outcome { history, seen, broken }
    }

    fn judge_channel(&self, channel: &Channel, moves: &[PromotionEvent]) {
        let mut keys = BTreeSet::new();
        for event in moves {
            let mut seen = self.seen.lock().unwrap();
            seen.count(format!("{} {}", event.intent.op.as_str(), event.status().as_str()));
            let Some(closing) = &event.outcome else {
                drop(seen);
                self.broken(format!("I5: the move at {} is open", event.seq));
                continue;
            };
            for (word, is) in [("taken over", !event.takeovers.is_empty()), ("ambiguous", closing.outcome.ambiguous)] {
                if is {
                    seen.count(word);
                }
            }
            drop(seen);
            if event.status() == EventStatus::Committed {
                // I3.
                if closing.outcome.observed != Some(event.intent.to.digest) {
                    self.broken(format!("I3: the move at {} was not observed", event.seq));
                }
                if !keys.insert(event.intent.key.clone()) {
                    self.broken(format!("I4: the key of the move at {} committed twice", event.seq));
                }
                // I7 in the end: what was ever live still has its pin, so that it is there.
                let digests = [Some(event.intent.to.digest), event.intent.from];
                for digest in digests.into_iter().flatten().filter(|_| self.weather.keeps_pins()) {
                    if self.registry.peek(channel.repository(), &pin_tag(&digest)) != Some(digest) {
                        self.broken(format!("I7: {digest} of the move at {} has no pin", event.seq));
                    }
                }
            }
        }
        let millis = |at: Timestamp| Duration::from_millis(u64::try_from(at.unix_ms() - START_MS).unwrap());
        let changes = self.registry.changes();
        let puts = changes.iter().filter(|c| c.tag == *channel.tag() && c.by == Writer::Put);
        for put in puts.filter(|_| !self.weather.beyond) {
            // I1, I2, I6: whatever lands, lands while a move is open that goes there.
            let fits = |event: &&PromotionEvent| {
                Some(event.intent.to.digest) == put.to
                    && millis(event.at) <= put.at
                    && event.outcome.as_ref().is_none_or(|closing| put.at <= millis(closing.at))
            };
            if moves.iter().find(fits).is_none() {
                self.broken(format!("I1, I2, I6: {:?} landed at {} ms outside its move", put.to, put.at.as_millis()));
            }
        }
        // Tag and log agree.
        let live = moves.iter().rev().find(|e| e.status() == EventStatus::Committed).map(|e| e.intent.to.digest);
        let observed = self.registry.peek(channel.repository(), channel.tag());
        if self.weather.is_strict() && live.is_some() && observed != live {
            self.broken(format!("the tag of {channel} is at {observed:?}, and {live:?} is live"));
        }
    }
}

/// 2026-01-01T00:00:00Z, where [`PausedClock`] begins.
const START_MS: i64 = 1_767_225_600_000;

/// A log without what is random in it.
fn tell(channel: &Channel, entries: &[Entry]) -> String {
    let mut told = String::new();
    for entry in entries {
        let what = match &entry.body {
            Body::Intent(i) => {
                format!("{} {:?} -> {} key {}", i.op.as_str(), i.from, i.to.digest, shown(i.key.as_str()))
            }
            Body::Takeover(t) => format!("epoch {} of {}", t.epoch, t.intent_seq),
            Body::Outcome(o) => format!(
                "{:?} of {} observed {:?} attempts {} ambiguous {} recovered {} {:?}",
                o.status,
                o.intent_seq,
                o.observed,
                o.attempts,
                o.ambiguous,
                o.recovered,
                o.error.as_ref().map(|e| &e.code)
            ),
            Body::Observation(o) => format!("expected {:?} observed {:?}", o.expected, o.observed),
            other => format!("{other:?}"),
        };
        told += &format!(
            "{:>9} {} {} {:?} {what}\n",
            entry.at.unix_ms() - START_MS,
            channel.tag(),
            entry.seq,
            entry.body.kind()
        );
    }
    told
}

/// A key that nobody gave is random.
fn shown(key: &str) -> &str {
    if key.starts_with("auto-") { "auto" } else { key }
}

struct Worker {
    number: u64,
    random: Random,
    gate: Arc<Gate>,
    promoter: Promoter,
    channels: Vec<Channel>,
    digests: Vec<Digest>,
    weather: Weather,
    seen: Arc<Mutex<Seen>>,
    broken: Arc<Mutex<Vec<String>>>,
}

impl Worker {
    async fn work(mut self) {
        let gate = Arc::clone(&self.gate);
        let died = gate.unless_dead(self.jobs()).await.is_none();
        if died {
            self.seen.lock().unwrap().count("worker died");
        }
        // With a registry that deletes tags, or that lies about pins, one that was confirmed may be gone.
        let violations = gate.violations().into_iter().filter(|why| self.weather.keeps_pins() || !why.contains("I7"));
        self.broken.lock().unwrap().extend(violations);
    }

    async fn jobs(&mut self) {
        for _ in 0..1 + self.random.below(4) {
            tokio::time::sleep(self.random.ms(5_000)).await;
            let channel = self.channel();
            if self.random.one_in(10) {
                let how = if self.random.one_in(2) { How::Forward } else { How::Abandon };
                let done = self.promoter.recover(&channel, how, Duration::from_secs(400)).await;
                self.count("recover", done.err());
                continue;
            }
            let operation = self.operation(&channel);
            let mut terms = Terms::of(Provenance::new("manual", "run", &format!("worker-{}", self.number)).unwrap())
                .reason(text("a simulation"))
                .meet([Meet::Wait, Meet::Queue, Meet::Leave][self.index(3)])
                .patience(self.random.ms(400_000));
            if self.random.one_in(2) {
                // Few keys, so that workers share them.
                terms = terms.key(key(&format!("key-{}", self.random.below(4))));
            }
            let name = operation.op().as_str();
            let patience = if self.random.one_in(8) { self.random.ms(20_000) } else { Duration::from_secs(30_000) };
            match tokio::time::timeout(patience, self.promoter.run(&channel, operation, terms)).await {
                Err(_) => self.count("caller went away", None),
                Ok(Ok(receipt)) => {
                    let word = match receipt.result {
                        Moved::Committed => "ok",
                        Moved::Unchanged => "unchanged",
                        Moved::Replayed => "replayed",
                    };
                    self.count(&format!("{name} {word}"), None);
                    if receipt.event.as_ref().is_some_and(|event| event.status() != EventStatus::Committed) {
                        self.broken
                            .lock()
                            .unwrap()
                            .push(format!("a receipt of a move that is not committed: {receipt:?}"));
                    }
                }
                Ok(Err(error)) => self.count(name, Some(error)),
            }
        }
    }

    fn channel(&mut self) -> Channel {
        let at = self.index(self.channels.len());
        self.channels[at].clone()
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.random.below(length as u64)).unwrap()
    }

    fn operation(&mut self, channel: &Channel) -> Operation {
        let release = tag(["1.0", "1.1", "1.2", "1.3"][self.index(4)]);
        let source = Source::Reference(channel.repository().tag(release));
        // To adopt means to take what a read says, also one that lags behind.
        let most = if self.weather.is_strict() { 13 } else { 16 };
        match self.random.below(most) {
            0 => Operation::Rollback(None),
            1 => {
                let at = self.index(4);
                Operation::Rollback(Some(self.digests[at]))
            }
            2 => Operation::Repair,
            3 => Operation::Promote(Source::Channel(self.channel())),
            4 => Operation::Bootstrap(tagwarden::promoter::First { from: Some(source), ..Default::default() }),
            13.. => Operation::Adopt,
            _ => Operation::Promote(source),
        }
    }

    fn count(&self, what: &str, error: Option<Error>) {
        let mut seen = self.seen.lock().unwrap();
        match error {
            None => seen.count(format!("call {what}")),
            Some(error) => seen.count(format!("call refused {}", error.code())),
        }
    }
}

fn number_of(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

#[test]
fn seeds_keep_the_invariants() {
    if let Some(seed) = number_of("TAGWARDEN_SEED") {
        let Outcome { history, seen, broken } = simulate(seed);
        println!("{history}{seen:#?}");
        assert_eq!(broken, [""; 0]);
        return;
    }
    let seeds = number_of("TAGWARDEN_SEEDS").unwrap_or(20_000);
    let (next, since) = (AtomicU64::new(0), Instant::now());
    let (words, failures) = (Mutex::new(BTreeMap::<String, u64>::new()), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, |threads| threads.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failures.lock().unwrap().len() < 5 {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    let outcome = simulate(seed);
                    if !outcome.broken.is_empty() {
                        failures.lock().unwrap().push((seed, outcome.broken));
                    }
                    let mut words = words.lock().unwrap();
                    for (word, count) in outcome.seen.words {
                        *words.entry(word).or_default() += count;
                    }
                }
            });
        }
    });
    let words = words.into_inner().unwrap();
    for (word, count) in &words {
        println!("{count:>9} {word}");
    }
    let seconds = since.elapsed().as_secs_f64();
    println!("{seeds} seeds in {seconds:.1} s: {:.0} a second", seeds as f64 / seconds);
    let failures = failures.into_inner().unwrap();
    if let Some((seed, _)) = failures.first() {
        println!("seed {seed}:\n{}", simulate(*seed).history);
    }
    assert!(failures.is_empty(), "TAGWARDEN_SEED=n runs one: {failures:#?}");
    // A simulation in which nothing happens would keep every invariant.
    for word in [
        "promote committed",
        "promote failed",
        "promote aborted",
        "rollback committed",
        "bootstrap committed",
        "repair committed",
        "adopt committed",
        "taken over",
        "ambiguous",
        "worker died",
        "recovered at the end",
        "caller went away",
        "hold noted",
        "adoption noted",
        "promote replayed",
        "promote unchanged",
        "refused CHANNEL_MOVED",
        "refused CHANNEL_BUSY",
        "refused CHANNEL_HELD",
        "refused CHANNEL_DRIFTED",
        "refused IDEMPOTENCY_MISMATCH",
        "refused MOVE_INDETERMINATE",
        "refused MOVE_FAILED",
    ] {
        let count = words.get(word).or_else(|| words.get(&format!("call {word}"))).copied().unwrap_or(0);
        assert!(count > seeds / 5_000, "{word}: {count} times in {seeds} seeds");
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 1_000_000..1_000_060 {
        let (one, two) = (simulate(seed), simulate(seed));
        assert_eq!(one.history, two.history, "seed {seed}");
        assert_eq!(one.seen.words, two.seen.words, "seed {seed}");
    }
}
