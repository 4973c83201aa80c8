//! Seeds on a registry whose reads lag: each read of a tag returns a random value of the last five seconds.
//!
//! Workers promote, roll back and repair about once a second. Some puts are lost, late or refused, and an auditor reads
//! in between. No result may be wrong: no drift without a write around the ledger, no commit without a put, no
//! `unchanged` while the tag is at another digest. `TAGWARDEN_SEEDS` sets the number of seeds; each quiet time gets a
//! third of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tagwarden::drift::Drift;
use tagwarden::ledger::{Ledger, MemoryLedger};
use tagwarden::log::{Body, Entry, MoveRecord, MoveStatus, OutcomeRecord, PutStatus, Source, events};
use tagwarden::promotion::{OnConflict, RecoveryMode};
use tagwarden::{Channel, Digest, MoveOptions, Operation, Promoter, Provenance, Receipt, Result, Times};
use tagwarden_testing::PausedClock;
use tagwarden_testing::{Change, ChangeOrigin, ErrorAnswer, InjectedFault, MemoryRegistry, RandomFaults};
use tagwarden_tests::number_of;
use tagwarden_tests::random::Random;

use crate::seeds::{Outcome, Seen, run};
use crate::world::{key, tag, text};

const SETTLE: Duration = Duration::from_secs(5);

/// The quiet times. Settle is equal to the first, four times the second, and twenty times the third.
const QUIET: [Duration; 3] = [SETTLE, Duration::from_millis(1250), Duration::from_millis(250)];

/// The default number of seeds.
const SEEDS: u64 = 1_000;

/// The state that all tasks of one seed share.
struct Seed {
    registry: MemoryRegistry,
    ledger: Arc<MemoryLedger>,
    prod: Channel,
    digests: Vec<Digest>,
    times: Times,
    clock: PausedClock,
    began: tokio::time::Instant,
    seen: Mutex<Seen>,
    broken: Mutex<Vec<String>>,
    /// The time of the write around the ledger.
    foreign: Mutex<Option<Duration>>,
}

fn simulate(seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(live(seed))
}

async fn live(number: u64) -> Outcome {
    let mut random = Random::new(number);
    let quiet = QUIET[usize::try_from(number % 3).unwrap()];
    let put = quiet.min(Duration::from_millis(500));
    let times = Times::new(Duration::from_secs(20), Duration::from_secs(2), quiet, put).unwrap();
    let prod: Channel = "reg.io/shop:prod".parse().unwrap();
    let (clock, began) = (PausedClock::new(), tokio::time::Instant::now());
    let registry = MemoryRegistry::new();
    let push = |(name, n): (&str, u64)| registry.push_image(prod.repository(), &tag(name), n).digest();
    let digests = ["1.0", "1.1", "1.2", "1.3"].into_iter().zip(0..).map(push).collect();
    let (ledger, seen, broken, foreign) = Default::default();
    let times = times.with_settle(SETTLE).unwrap();
    let seed = Arc::new(Seed { registry, ledger, prod, digests, times, clock, began, seen, broken, foreign });
    let first = Source::Reference(seed.prod.repository().digest(seed.digests[0]));
    seed.promoter().bootstrap(&seed.prod).source(first).options(terms("founder")).await.unwrap();
    // The releases were pushed some time ago, and now reads begin to lag.
    tokio::time::sleep(SETTLE).await;
    seed.registry.lag(SETTLE);
    let mut chaos = RandomFaults::new(random.any(), [0, 10, 30][usize::try_from(random.below(3)).unwrap()]);
    let late = quiet.min(Duration::from_secs(1)) / 2;
    chaos.puts = vec![
        InjectedFault::Before,
        InjectedFault::After,
        InjectedFault::Late(late),
        InjectedFault::Refused(ErrorAnswer::new(418, "NO", "no")),
    ];
    (chaos.pins, chaos.reads, chaos.latency) = (vec![], vec![], Duration::from_millis(20));
    seed.registry.chaos(chaos);
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..1 + random.below(3) {
        tasks.spawn(Arc::clone(&seed).work(worker, Random::new(random.any())));
    }
    tasks.spawn(Arc::clone(&seed).audit(Random::new(random.any())));
    // In one seed of four a foreign write happens while workers move the channel, in one of four it happens afterwards.
    let foreign = random.below(4);
    if foreign == 0 {
        let (seed, pause) = (Arc::clone(&seed), random.ms(15_000));
        tasks.spawn(async move {
            tokio::time::sleep(pause).await;
            seed.write_around();
        });
    }
    while let Some(end) = tasks.join_next().await {
        end.expect("no worker panics");
    }
    seed.rest().await;
    if foreign == 1 {
        tokio::time::sleep(random.ms(10_000)).await;
        seed.write_around();
    }
    seed.last_audit().await;
    seed.judge()
}

fn terms(actor: &str) -> MoveOptions {
    MoveOptions {
        on_conflict: OnConflict::Requeue,
        ..MoveOptions::new(Provenance::new("manual", "run", actor).unwrap())
    }
}

impl Seed {
    fn promoter(&self) -> Promoter {
        let ledger = Arc::clone(&self.ledger) as Arc<dyn Ledger>;
        let promoter = Promoter::new(Arc::new(self.registry.clone()), ledger);
        promoter.to_builder().clock(Arc::new(self.clock)).times(self.times.clone()).build().unwrap()
    }

    fn breaks(&self, why: impl Into<String>) {
        self.broken.lock().unwrap().push(why.into());
    }

    fn count(&self, word: impl Into<String>) {
        self.seen.lock().unwrap().count(word);
    }

    fn is_foreign(&self) -> bool {
        self.foreign.lock().unwrap().is_some()
    }

    /// A worker on its own machine. It moves the channel eight times.
    async fn work(self: Arc<Self>, number: u64, mut random: Random) {
        let promoter = self.promoter();
        for run in 0..8 {
            // About once a second. Sometimes the pause is so long that reads have settled.
            let pause = if random.one_in(6) { SETTLE } else { Duration::ZERO };
            tokio::time::sleep(pause + random.ms(2_000)).await;
            let release = self.digests[usize::try_from(random.below(4)).unwrap()];
            let operation = match random.below(6) {
                0 | 1 => Operation::Rollback(None),
                2 => Operation::Repair,
                _ => Operation::Promote(self.prod.repository().digest(release).into()),
            };
            let name = operation.op().as_str();
            let mut terms = terms(&format!("worker-{number}"));
            terms.reason = Some(text("a simulation"));
            if random.one_in(3) {
                terms = MoveOptions { idempotency_key: Some(key(&format!("key-{number}-{run}"))), ..terms };
            }
            let before = self.began.elapsed();
            let answer = promoter.run(&self.prod, operation, terms).await;
            self.check_answer(name, before, answer);
        }
    }

    /// Checks the answer of a call that began at `before`.
    fn check_answer(&self, name: &str, before: Duration, answer: Result<Receipt>) {
        match answer {
            Ok(receipt) => {
                let result = format!("{:?}", receipt.result).to_lowercase();
                self.count(format!("{name} {result}"));
                // A read may still return the digest from before a foreign write.
                let foreign = self.foreign.lock().unwrap().is_some_and(|at| before < at + SETTLE);
                if result != "committed" && !self.had(receipt.digest, before) && !foreign {
                    let (digest, at) = (receipt.digest, self.began.elapsed());
                    self.breaks(format!("{result} at {digest}, where the tag was not from {before:?} to {at:?}"));
                }
            }
            Err(error) => {
                let code = error.code();
                self.count(format!("{name} {code}"));
                let drift = ["CHANNEL_DRIFTED", "CHANNEL_OVERWRITTEN"].contains(&code);
                if drift && !self.is_foreign() && !self.left_open() {
                    self.breaks(format!("{code} without a foreign write at {:?}: {error}", self.began.elapsed()));
                }
            }
        }
    }

    fn changes(&self) -> Vec<Change> {
        let changes = self.registry.changes().into_iter();
        changes
            .filter(|change| change.tag == *self.prod.tag() && change.repository == *self.prod.repository())
            .collect()
    }

    /// True if the tag was at `digest` at the time `before` or later.
    fn had(&self, digest: Digest, before: Duration) -> bool {
        let changes = self.changes();
        let since = changes.iter().rposition(|change| change.at <= before).unwrap_or(0);
        changes[since..].iter().any(|change| change.digest == Some(digest))
    }

    /// True if the tag is at the target of a move that was closed without a result. That is real drift, caused by a
    /// worker and not by a foreign write.
    fn left_open(&self) -> bool {
        let entries = self.entries();
        let moves = events(&entries);
        let last = moves.iter().rev().take_while(|event| event.status() != MoveStatus::Committed);
        let tag = self.registry.peek(self.prod.repository(), self.prod.tag());
        last.filter(|event| put_of(event) != Some(PutStatus::None)).any(|event| Some(event.intent.target.digest) == tag)
    }

    fn entries(&self) -> Vec<Entry> {
        let bytes = futures_util::FutureExt::now_or_never(self.ledger.read(&self.prod, 0, 100_000));
        bytes.expect("it is in memory").unwrap().iter().map(|bytes| Entry::open(bytes).unwrap()).collect()
    }

    async fn audit(self: Arc<Self>, mut random: Random) {
        let promoter = self.promoter();
        for _ in 0..8 {
            tokio::time::sleep(random.ms(4_000)).await;
            let report = promoter.audit(std::slice::from_ref(&self.prod)).await.unwrap();
            let drift = &report.channels()[0].drift;
            self.count(format!("audit {}", word(drift)));
            if is_drift(drift) && !self.is_foreign() && !self.left_open() {
                self.breaks(format!("an audit says {drift:?} without a foreign write, at {:?}", self.began.elapsed()));
            }
        }
    }

    fn write_around(&self) {
        *self.foreign.lock().unwrap() = Some(self.began.elapsed());
        let stranger = self.registry.push_image(self.prod.repository(), &tag("stranger"), 666);
        self.registry.overwrite(self.prod.repository(), self.prod.tag(), &stranger);
    }

    /// Another machine closes the open move.
    async fn rest(&self) {
        let by = Provenance::new("manual", "run", "operator").unwrap();
        let recovered = self.promoter().recover(&self.prod, RecoveryMode::Abort, by, Duration::from_secs(600)).await;
        if let Err(error) = recovered {
            self.breaks(format!("it is not brought to rest: {error}"));
        }
    }

    /// A foreign write after the last put is found within settle and one audit, by a machine that did not see the
    /// write.
    async fn last_audit(&self) {
        tokio::time::sleep(SETTLE).await;
        let report = self.promoter().audit(std::slice::from_ref(&self.prod)).await.unwrap();
        let drift = &report.channels()[0].drift;
        let last = self.changes().pop();
        let foreign_is_last = last.as_ref().is_some_and(|change| change.by == ChangeOrigin::Outside);
        self.count(format!("at last {}{}", word(drift), if foreign_is_last { ", and it was foreign" } else { "" }));
        if foreign_is_last != is_drift(drift) && !self.left_open() {
            self.breaks(format!("at last an audit says {drift:?}, after {last:?}"));
        }
    }

    fn judge(&self) -> Outcome {
        let entries = self.entries();
        let (moves, changes) = (events(&entries), self.changes());
        for event in &moves {
            let landed = changes.iter().any(|change| {
                let closed = event.outcome.as_ref().map(|closing| at(closing.at.unix_ms()));
                change.by == ChangeOrigin::Put
                    && change.digest == Some(event.intent.target.digest)
                    && at(event.at.unix_ms()) <= change.at
                    && closed.is_none_or(|closed| change.at <= closed)
            });
            let (status, put) = (event.status(), put_of(event));
            self.count(format!("{} {} put {:?}", event.intent.op.as_str(), status.as_str(), put));
            let none = put == Some(PutStatus::None);
            if status == MoveStatus::Committed && !none && !landed && !self.is_foreign() {
                self.breaks(format!("the move at {} is committed, and was not put", event.seq));
            }
            if (status == MoveStatus::Failed || (status == MoveStatus::Aborted && none)) && landed {
                self.breaks(format!("the move at {} is {status:?} with put {put:?}, and landed", event.seq));
            }
        }
        let observed = entries.iter().filter(|entry| matches!(entry.body, Body::Observation(_))).count();
        if observed > 0 && !self.is_foreign() && !self.count_of_left_open(&moves) {
            self.breaks(format!("{observed} observations without a foreign write"));
        }
        let history =
            entries.iter().map(|entry| format!("{:>7} {:?}\n", at(entry.at.unix_ms()).as_millis(), entry.body));
        let landed =
            changes.iter().map(|change| format!("{:>7} {:?} {:?}\n", change.at.as_millis(), change.by, change.digest));
        Outcome {
            history: history.chain(landed).collect(),
            seen: std::mem::take(&mut *self.seen.lock().unwrap()),
            broken: std::mem::take(&mut *self.broken.lock().unwrap()),
        }
    }

    /// True if a move was closed without a result after a put that may have landed.
    fn count_of_left_open(&self, moves: &[MoveRecord]) -> bool {
        moves.iter().any(|event| event.status() == MoveStatus::Aborted && put_of(event) != Some(PutStatus::None))
    }
}

fn put_of(event: &MoveRecord) -> Option<PutStatus> {
    event.outcome.as_ref().map(|OutcomeRecord { outcome, .. }| outcome.put)
}

fn is_drift(drift: &Drift) -> bool {
    matches!(drift, Drift::MovedOutside { .. } | Drift::MovedBack { .. } | Drift::Missing { .. })
}

fn word(drift: &Drift) -> String {
    let word = format!("{drift:?}");
    word[..word.find([' ', '{']).unwrap_or(word.len())].to_owned()
}

/// The time since 2026-01-01T00:00:00Z, the start of [`PausedClock`].
fn at(unix_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(unix_ms - 1_767_225_600_000).unwrap())
}

#[test]
fn no_report_is_wrong_while_reads_lag() {
    let seeds = number_of("TAGWARDEN_SEEDS").unwrap_or(SEEDS);
    let Some(seen) = run(seeds, simulate) else { return };
    let words = ["promote committed", "rollback committed", "repair committed", "audit InSync", "at last InSync"];
    seen.assert_each(&words, seeds / 2);
    let words = ["at last MovedOutside, and it was foreign", "promote CHANNEL_DRIFTED", "promote unchanged"];
    seen.assert_each(&words, seeds / 100);
}
