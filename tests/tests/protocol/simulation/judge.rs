//! Checks the invariants at the end of a seed, and prints its history.

use std::collections::BTreeSet;
use std::time::Duration;

use tagwarden::ledger::Ledger;
use tagwarden::log::{Body, Entry, MoveRecord, MoveStatus, PutStatus, Verifier, events};
use tagwarden::registry::pin_tag;
use tagwarden::{Channel, Timestamp};
use tagwarden_testing::ChangeOrigin;

use super::Outcome;
use super::world::World;

impl World {
    /// Checks the invariants from the log and from the changes that the registry saw.
    pub(super) async fn judge(self) -> Outcome {
        let mut history = String::new();
        for channel in &self.channels {
            let bytes = self.memory.read(channel, 0, 100_000).await.unwrap();
            let mut verifier = Verifier::new(Some(channel.clone()));
            verifier.feed(&bytes);
            // no-interleaving, key-once, tamper-evident: intents and outcomes alternate, no key commits twice, the chain is
            // valid.
            if let Some(defect) = verifier.finish().defect {
                self.broken(format!("no-interleaving, key-once, tamper-evident: {channel}: {defect}"));
            }
            let entries: Vec<Entry> = bytes.iter().map(|bytes| Entry::open(bytes).unwrap()).collect();
            let moves = events(&entries);
            self.judge_channel(channel, &moves);
            history += &tell(channel, &entries);
        }
        for change in self.registry.changes() {
            history += &format!(
                "{:>9} {} {:?} {:?} -> {:?}\n",
                change.at.as_millis(),
                change.tag,
                change.by,
                change.previous,
                change.digest
            );
        }
        for why in self.seen.lock().unwrap().words.keys().filter(|word| word.contains("INTERNAL")) {
            self.broken(why.clone());
        }
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let broken = std::mem::take(&mut *self.broken.lock().unwrap());
        Outcome { history, seen, broken }
    }

    fn judge_channel(&self, channel: &Channel, moves: &[MoveRecord]) {
        let mut keys = BTreeSet::new();
        for event in moves {
            let mut seen = self.seen.lock().unwrap();
            seen.count(format!("{} {}", event.intent.op.as_str(), event.status().as_str()));
            let Some(closing) = &event.outcome else {
                drop(seen);
                self.broken(format!("recoverable: the move at {} is open", event.seq));
                continue;
            };
            for (word, is) in [
                ("taken over", !event.takeovers.is_empty()),
                ("put unknown", closing.outcome.put == PutStatus::Unknown),
            ] {
                if is {
                    seen.count(word);
                }
            }
            drop(seen);
            if event.status() == MoveStatus::Committed {
                // committed-was-put.
                if closing.outcome.observed != Some(event.intent.target.digest) {
                    self.broken(format!("committed-was-put: the move at {} was not observed", event.seq));
                }
                if !keys.insert(event.intent.key.clone()) {
                    self.broken(format!("key-once: the key of the move at {} committed twice", event.seq));
                }
                // pinned-first at the end: every digest that was live is still pinned, so it was not deleted.
                let (target, left) = self.weather.keeps_pins();
                let digests =
                    [Some(event.intent.target.digest).filter(|_| target), event.intent.previous.filter(|_| left)];
                for digest in digests.into_iter().flatten() {
                    if self.registry.peek(channel.repository(), &pin_tag(&digest)) != Some(digest) {
                        self.broken(format!("pinned-first: {digest} of the move at {} has no pin", event.seq));
                    }
                }
            }
        }
        let millis = |at: Timestamp| Duration::from_millis(u64::try_from(at.unix_ms() - START_MS).unwrap());
        let changes = self.registry.changes();
        let puts = changes.iter().filter(|c| c.tag == *channel.tag() && c.by == ChangeOrigin::Put);
        for put in puts.filter(|_| self.weather.beyond.is_none()) {
            // intent-before-put, no-interleaving, closed-is-closed: a put lands only while a move with that target is open.
            let fits = |event: &&MoveRecord| {
                Some(event.intent.target.digest) == put.digest
                    && millis(event.at) <= put.at
                    && event.outcome.as_ref().is_none_or(|closing| put.at <= millis(closing.at))
            };
            if moves.iter().find(fits).is_none() {
                self.broken(format!(
                    "intent-before-put, no-interleaving, closed-is-closed: {:?} landed at {} ms outside its move",
                    put.digest,
                    put.at.as_millis()
                ));
            }
        }
        // The tag agrees with the log.
        let live = moves.iter().rev().find(|e| e.status() == MoveStatus::Committed).map(|e| e.intent.target.digest);
        let observed = self.registry.peek(channel.repository(), channel.tag());
        // A move that was closed without a result may have left its target on the tag. The next audit finds that.
        let open_ended = moves.iter().rev().take_while(|event| event.status() != MoveStatus::Committed);
        let may_be = open_ended.filter(|event| event.status() == MoveStatus::Aborted).any(|event| {
            let put = event.outcome.as_ref().map(|closing| closing.outcome.put);
            put != Some(PutStatus::None) && Some(event.intent.target.digest) == observed
        });
        if self.weather.is_strict() && live.is_some() && observed != live && !may_be {
            self.broken(format!("the tag of {channel} is at {observed:?}, and {live:?} is live"));
        }
    }
}

/// 2026-01-01T00:00:00Z, the start of [`PausedClock`].
const START_MS: i64 = 1_767_225_600_000;

/// The log as text, without its random parts.
fn tell(channel: &Channel, entries: &[Entry]) -> String {
    let mut told = String::new();
    for entry in entries {
        let what = match &entry.body {
            Body::Intent(i) => {
                format!("{} {:?} -> {} key {}", i.op.as_str(), i.previous, i.target.digest, shown(i.key.as_str()))
            }
            Body::Takeover(t) => format!("epoch {} of {}", t.epoch, t.intent_seq),
            Body::Outcome(o) => format!(
                "{:?} of {} observed {:?} attempts {} put {} recovered {} {:?}",
                o.status,
                o.intent_seq,
                o.observed,
                o.attempts,
                o.put.as_str(),
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

/// A key that the caller did not give is random.
fn shown(key: &str) -> &str {
    if key.starts_with("auto-") { "auto" } else { key }
}
