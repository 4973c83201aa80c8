//! The random decisions of one seed, and its run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tagwarden::ledger::{ChannelLog, Ledger, MemoryLedger};
use tagwarden::log::{Body, Deployment, Hold, HoldScope, Observation, ObservationCause, Source, Unhold};
use tagwarden::promotion::RecoveryMode;
use tagwarden::{Channel, Clock, Digest, MoveOptions, Promoter, Provenance, Times};
use tagwarden_testing::{
    FaultyLedger, InjectedFault, MemoryRegistry, PausedClock, RandomFaults, ReadFault, UntaggedPolicy,
};
use tagwarden_tests::random::Random;

use super::flaky::flaky;
use super::worker::Worker;
use super::{Outcome, Seen};
use crate::gate::{Gate, What};
use crate::world::{tag, text, who};

/// The conditions of a seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// Foreign writes move tags around the ledger.
    pub(super) foreign: bool,
    /// The registry breaks a requirement: a put that was answered is repeated later by a proxy, a failed put deletes a tag, a
    /// put is acknowledged and ignored while reads lag, or a put of a pin is. No client can prevent all of these; they
    /// are found later.
    pub(super) beyond: Option<Beyond>,
}

/// The way in which the registry breaks the requirement for pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// A pin may be acknowledged and not stored.
    IgnoresPins,
    /// A pin may also be deleted.
    LosesPins,
}

impl Weather {
    /// True if the targets of moves, and the digests before them, are always pinned.
    pub(super) fn keeps_pins(self) -> (bool, bool) {
        match self.beyond {
            None => (true, true),
            // A foreign write replaces a digest without checking its pin.
            Some(Beyond::IgnoresPins) => (false, !self.foreign),
            Some(Beyond::LosesPins) => (false, false),
        }
    }

    pub(super) fn is_strict(self) -> bool {
        !self.foreign && self.beyond.is_none()
    }
}

pub(super) struct World {
    chaos: Option<RandomFaults>,
    random: Random,
    pub(super) weather: Weather,
    pub(super) registry: MemoryRegistry,
    pub(super) memory: Arc<MemoryLedger>,
    ledger: Arc<FaultyLedger>,
    clock: PausedClock,
    pub(super) channels: Vec<Channel>,
    digests: Vec<Digest>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) broken: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub(super) fn new(seed: u64, lawful: bool) -> World {
        let mut random = Random::new(seed);
        // Five in six seeds have no foreign writes. In these, the unconditional guarantees are checked.
        let (foreign, lags, loses) = (random.one_in(6), random.one_in(2), random.one_in(2));
        let beyond = if loses { Beyond::LosesPins } else { Beyond::IgnoresPins };
        let weather = Weather { foreign, beyond: (!lawful).then_some(beyond) };
        let ignores = !lawful || !lags;
        let registry = MemoryRegistry::new().untagged(if random.one_in(3) {
            UntaggedPolicy::Dropped
        } else {
            UntaggedPolicy::Kept
        });
        let clock = PausedClock::new();
        let names = if random.one_in(3) { vec!["prod", "dev"] } else { vec!["prod"] };
        let channels: Vec<Channel> = names.iter().map(|tag| format!("reg.io/shop:{tag}").parse().unwrap()).collect();
        let repository = channels[0].repository();
        let releases = ["1.0", "1.1", "1.2", "1.3"].iter().zip(0..);
        let digests = releases.map(|(name, n)| registry.push_image(repository, &tag(name), n).digest()).collect();
        let stranger = registry.push_image(repository, &tag("stranger"), 666);
        let memory = Arc::new(MemoryLedger::new());
        let percent = [0, 3, 10, 25][usize::try_from(random.below(4)).unwrap()];
        let ledger = flaky(&memory, Random::new(random.any()), percent);
        let mut chaos = RandomFaults::new(random.any(), [0, 5, 15, 35][usize::try_from(random.below(4)).unwrap()]);
        chaos.puts.retain(|fault| match fault {
            InjectedFault::Twice(_) | InjectedFault::Gone => !lawful,
            InjectedFault::Ignored => ignores,
            InjectedFault::Stale(_) => lags,
            _ => true,
        });
        chaos.pins.retain(|fault| match fault {
            InjectedFault::Gone => weather.beyond == Some(Beyond::LosesPins),
            InjectedFault::Ignored => !lawful,
            InjectedFault::Stale(_) => lags,
            _ => true,
        });
        chaos.reads.retain(|fault| lags || *fault != ReadFault::Stale);
        if weather.foreign {
            chaos.puts.extend([
                InjectedFault::ForeignBefore(stranger.clone()),
                InjectedFault::ForeignAfter(stranger.clone()),
            ]);
            chaos.reads.push(ReadFault::ForeignAfter(stranger));
        }
        let (seen, broken) = Default::default();
        World { chaos: Some(chaos), random, weather, registry, memory, ledger, clock, channels, digests, seen, broken }
    }

    pub(super) async fn live(mut self) -> Outcome {
        // In most seeds the channels are bootstrapped before the faults begin.
        let promoter = self.calm_promoter();
        for channel in self.channels.clone() {
            if !self.random.one_in(4) {
                let first = Source::Reference(channel.repository().tag(tag("1.0")));
                let terms = MoveOptions::new(Provenance::new("manual", "run", "founder").unwrap());
                promoter.bootstrap(&channel).source(first).options(terms).await.unwrap();
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
        // Ten hours: longer than any worker can run.
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
        let mut random = Random::new(self.random.any());
        // One worker in three dies at some call.
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
        let promoter = Promoter::builder()
            .registry(gate.registry())
            .ledger(gate.ledger())
            .clock(Arc::new(self.clock))
            .times(times)
            .build()
            .unwrap();
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

    /// Appends observations, deployments and holds, and ends holds.
    fn auditor(&mut self) -> impl Future<Output = ()> + use<> {
        let mut random = Random::new(self.random.any());
        let ledger = Arc::clone(&self.ledger) as Arc<dyn Ledger>;
        let (channels, digests, clock) = (self.channels.clone(), self.digests.clone(), self.clock);
        let (seen, eve) = (Arc::clone(&self.seen), Provenance::new("manual", "run", "eve").unwrap());
        async move {
            for number in 0..random.below(8) {
                tokio::time::sleep(random.ms(30_000)).await;
                let channel = channels[usize::try_from(random.below(channels.len() as u64)).unwrap()].clone();
                let mut journal = ChannelLog::new(Arc::clone(&ledger), channel);
                let now = clock.now();
                let (word, body) = match random.below(4) {
                    0 => {
                        let until = Some(now.plus(random.ms(90_000) + Duration::from_secs(1)));
                        let scope = if random.one_in(2) { HoldScope::All } else { HoldScope::Promotions };
                        let (reason, provenance) = (text("incident"), eve.clone());
                        ("hold", Body::Hold(Hold { scope, reason, provenance, until }))
                    }
                    1 => {
                        // Only the auditor makes holds here.
                        let Some(hold) = journal.refresh().await.ok().and_then(|state| Some(state.holds.first()?.seq))
                        else {
                            continue;
                        };
                        ("unhold", Body::Unhold(Unhold { hold, reason: text("over"), provenance: eve.clone() }))
                    }
                    2 => (
                        "deployment",
                        Body::Deployment(Deployment {
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
                            cause: ObservationCause::Drift,
                        }),
                    ),
                };
                let noted = journal.note(body, now).await.is_ok();
                seen.lock().unwrap().count(format!("{word} {}", if noted { "noted" } else { "failed" }));
            }
        }
    }

    pub(super) fn broken(&self, why: impl Into<String>) {
        self.broken.lock().unwrap().push(why.into());
    }

    /// A promoter whose only faults are those of the registry.
    fn calm_promoter(&self) -> Promoter {
        let ledger = Arc::clone(&self.memory) as Arc<dyn Ledger>;
        Promoter::builder()
            .registry(Arc::new(self.registry.clone()))
            .ledger(ledger)
            .clock(Arc::new(self.clock))
            .build()
            .unwrap()
    }

    /// The faults end. Another machine closes every open move (recoverable).
    async fn rest(&self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
        self.registry.calm();
        let promoter = self.calm_promoter();
        for (number, channel) in self.channels.iter().enumerate() {
            let how = if number == 0 { RecoveryMode::RollForward } else { RecoveryMode::Abort };
            // A hold of the auditor ends by itself within 91 s, and is in force for another 5 min.
            tokio::time::sleep(Duration::from_secs(400)).await;
            let was_open = promoter.state(channel).await.unwrap().open.is_some();
            match promoter.recover(channel, how, who(), Duration::from_secs(3_600)).await {
                Ok(_) => self.seen.lock().unwrap().count(if was_open { "recovered at the end" } else { "at rest" }),
                Err(error) => self.broken(format!("recoverable: {channel} is not brought to rest: {error}")),
            }
        }
    }
}
