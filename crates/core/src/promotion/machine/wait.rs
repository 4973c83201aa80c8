//! Meeting another's move: waiting for it, and taking it over (step 2 of the protocol).

use super::action::{Action, Appended, Heard, LogRead, Pins};
use super::mover::{Answer, Claim, Mover, Phase};
use super::own::Own;
use super::{End, Goal, Ms, OnConflict, Sabotage, Why};
use crate::record::{Deadlines, OpenMove};
use crate::value::Text;

/// Another's move that was seen open. Its times count from when this worker first saw it, on its own clock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    pub(super) move_id: Text,
    epoch: u64,
    since: Ms,
    /// When it may be taken over.
    pub(super) ripe: Ms,
}

/// The shortest and the longest that a waiting worker sleeps before it looks again.
const NAP_MS: (Ms, Ms) = (10, 500);

impl Mover {
    /// A move is open in `log`: ours after all, to be waited for, or to be taken over.
    pub(super) fn meet(&mut self, log: &LogRead, now: Ms) -> Action {
        self.forget_lost_claim(&log.state);
        let Some(open) = &log.state.open else { return self.look() };
        if self.claim.is_some() && open.owner == self.worker.owner {
            return self.settled(log.clone(), now);
        }
        if let Goal::Move(ask) = &self.goal {
            if self.without(Sabotage::JoinLive) && ask.key == open.key {
                let claim = Claim { start: now, seq: open.seq, pins: Pins::Confirmed, answer: Answer::Expected };
                return self.own(Own::of(open.clone(), claim, &self.goal, &self.worker, now).joined(), now);
            }
            if ask.on_conflict == OnConflict::Fail {
                return self.done(End::Refused(Why::Busy));
            }
        }
        let (since, ripe) = match &self.seen {
            Some(seen) if seen.move_id == open.move_id && seen.epoch == open.epoch => (seen.since, seen.ripe),
            _ => {
                let ripe = now.saturating_add(open.deadlines.ttl_ms).saturating_add(open.deadlines.grace_ms);
                let (move_id, epoch) = (open.move_id.clone(), open.epoch);
                self.seen = Some(Seen { move_id, epoch, since: now, ripe });
                (now, ripe)
            }
        };
        if now >= ripe && self.goal == Goal::Forward && log.held {
            return self.done(End::Refused(Why::Held));
        }
        if now >= ripe || self.without(Sabotage::EarlyTakeover) {
            return self.take(open.clone(), log.state.size, now);
        }
        if now >= self.patience_until {
            return self.done(End::Refused(Why::Busy));
        }
        self.phase = Phase::Waiting;
        let nap = (now.saturating_sub(since) / 4).clamp(NAP_MS.0, NAP_MS.1);
        Action::Sleep(nap.min(ripe - now).min(self.patience_until - now))
    }

    pub(super) fn waited(&mut self, heard: Heard, now: Ms) -> Action {
        self.phase = Phase::Waiting;
        match heard {
            Heard::Woke => Action::ReadLog,
            Heard::Log(log) if log.state.open.is_some() => self.meet(&log, now),
            // It is closed: look at log and tag anew.
            Heard::Log(_) => self.look(),
            Heard::Broken if now < self.patience_until => Action::Sleep(NAP_MS.1),
            _ => self.done(End::Broken),
        }
    }

    /// Its time and grace have passed: the takeover is recorded first. The new worker's time to live has room for the
    /// quiet time that it must wait.
    fn take(&mut self, open: OpenMove, seq: u64, now: Ms) -> Action {
        let Deadlines { ttl_ms, grace_ms, quiet_ms, settle_ms } = self.worker.deadlines;
        let wait_ms = open.quiet_ms.max(quiet_ms);
        let ttl_ms = ttl_ms.saturating_add(wait_ms).min(Deadlines::MAX_MS);
        // What was pinned before the intent's put is not known to this worker: the driver pins before every put.
        let claim = self.claim(seq, Pins::Confirmed, now);
        if self.without(Sabotage::NoTakeoverRecord) {
            return self.own(Own::of(open, claim, &self.goal, &self.worker, now), now);
        }
        self.phase = Phase::Taking;
        let deadlines = Deadlines { ttl_ms, grace_ms, quiet_ms, settle_ms };
        Action::Takeover { seq, open: Box::new(open), deadlines }
    }

    pub(super) fn took(&mut self, heard: Heard, now: Ms) -> Action {
        match heard {
            Heard::Appended(Appended::Stored(log) | Appended::Lost(log)) => {
                self.unanswered = 0;
                self.settled(log, now)
            }
            Heard::Appended(Appended::Unknown) => self.doubt(),
            // It could not be written: as long as there is patience, it is tried again.
            heard => self.waited(heard, now),
        }
    }
}
