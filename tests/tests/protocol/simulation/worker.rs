//! A worker with random moves, keys and timeouts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tagwarden::log::MoveStatus;
use tagwarden::policy::Refusal;
use tagwarden::promotion::OnConflict;
use tagwarden::promotion::RecoveryMode;
use tagwarden::{Channel, Digest, Error, MoveOptions, MoveResult, Operation, Promoter, Provenance};
use tagwarden_tests::random::Random;

use super::Seen;
use super::world::Weather;
use crate::gate::Gate;
use crate::world::{key, tag, text, who};

pub(super) struct Worker {
    pub(super) number: u64,
    pub(super) random: Random,
    pub(super) gate: Arc<Gate>,
    pub(super) promoter: Promoter,
    pub(super) channels: Vec<Channel>,
    pub(super) digests: Vec<Digest>,
    pub(super) weather: Weather,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) broken: Arc<Mutex<Vec<String>>>,
}

impl Worker {
    pub(super) async fn work(mut self) {
        let gate = Arc::clone(&self.gate);
        let died = gate.unless_dead(self.jobs()).await.is_none();
        if died {
            self.seen.lock().unwrap().count("worker died");
        }
        let (target, left) = self.weather.keeps_pins();
        let violations = gate.violations().into_iter().filter(|why| match () {
            () if why.contains("pinned-first: the target's") => target,
            () if why.contains("pinned-first: the left") => left,
            () => true,
        });
        self.broken.lock().unwrap().extend(violations);
    }

    async fn jobs(&mut self) {
        for _ in 0..1 + self.random.below(4) {
            tokio::time::sleep(self.random.ms(5_000)).await;
            let channel = self.channel();
            if self.random.one_in(10) {
                let how = if self.random.one_in(2) { RecoveryMode::RollForward } else { RecoveryMode::Abort };
                let done = self.promoter.recover(&channel, how, who(), Duration::from_secs(400)).await;
                self.count("recover", done.err());
                continue;
            }
            let operation = self.operation(&channel);
            let mut terms = MoveOptions {
                reason: Some(text("a simulation")),
                on_conflict: [OnConflict::Wait, OnConflict::Requeue, OnConflict::Fail][self.index(3)],
                timeout: self.random.ms(400_000),
                ..MoveOptions::new(Provenance::new("manual", "run", &format!("worker-{}", self.number)).unwrap())
            };
            if self.random.one_in(2) {
                // Use few keys, so that workers share them.
                terms = MoveOptions { idempotency_key: Some(key(&format!("key-{}", self.random.below(4)))), ..terms };
            }
            let name = operation.op().as_str();
            let timeout = if self.random.one_in(8) { self.random.ms(20_000) } else { Duration::from_secs(30_000) };
            match tokio::time::timeout(timeout, self.promoter.run(&channel, operation, terms)).await {
                Err(_) => self.count("caller went away", None),
                Ok(Ok(receipt)) => {
                    let word = match receipt.result {
                        MoveResult::Committed => "ok",
                        MoveResult::Unchanged => "unchanged",
                        MoveResult::Replayed => "replayed",
                    };
                    self.count(&format!("{name} {word}"), None);
                    if receipt.r#move.as_ref().is_some_and(|event| event.status() != MoveStatus::Committed) {
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
        let source = channel.repository().tag(release).into();
        // No adopt in strict seeds: it takes the digest that a read returns, even a stale one.
        let most = if self.weather.is_strict() { 13 } else { 16 };
        match self.random.below(most) {
            0 => Operation::Rollback(None),
            1 => {
                let at = self.index(4);
                Operation::Rollback(Some(self.digests[at].into()))
            }
            2 => Operation::Repair,
            3 => Operation::Promote(self.channel().into()),
            4 => Operation::Bootstrap(tagwarden::promotion::BootstrapOptions {
                source: Some(source),
                ..Default::default()
            }),
            13.. => Operation::Adopt,
            _ => Operation::Promote(source),
        }
    }

    fn count(&self, what: &str, error: Option<Error>) {
        let mut seen = self.seen.lock().unwrap();
        match error {
            None => seen.count(format!("call {what}")),
            Some(error) => {
                let findings = error.source_as::<Refusal>().map_or(&[][..], Refusal::findings);
                for code in
                    findings.iter().filter(|finding| finding.refuses()).filter_map(|finding| finding.code.as_ref())
                {
                    seen.count(format!("call refused {code}"));
                }
                seen.count(format!("call refused {}", error.code()));
            }
        }
    }
}
