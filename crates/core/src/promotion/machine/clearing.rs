//! `Clearing`: waits for a move that another worker left open, takes it over and closes it.
//!
//! A recovery is a `Clearing` alone. A move that finds another one open runs a `Clearing` first.

use super::ask::{Ms, Worker};
use super::claim::{Claim, TRIES};
use super::effect::{AppendEnd, Effect, Input, Next, Pins, Waiting, back_off};
use super::end::Why;
use super::holding::{Held, Holding, Part};
#[cfg(test)]
use super::rules::Rule;
use super::windows::LogRead;
use crate::error::Retry;
use crate::log::{Deadlines, OpenMove, Status};
use crate::value::Line;

/// The shortest and the longest sleep of a waiting worker before it reads the log again, in milliseconds.
const NAP_MS: (Ms, Ms) = (10, 500);

/// The state machine that closes one move that another worker left open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Clearing {
    worker: Worker,
    part: Part,
    /// The time at which it gives up waiting.
    give_up: Ms,
    /// The move that it saw first: it closes no other.
    met: Option<Met>,
    claim: Claim,
    phase: Phase,
}

/// The open move. Its times count from when this worker first saw that owner, on its own clock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Met {
    move_id: Line,
    seq: u64,
    epoch: u64,
    since: Ms,
    /// The time from which it may be taken over.
    ripe: Ms,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Waits for the other worker, or for an answer.
    Waiting,
    Taking,
    /// The append of a takeover was not answered: the log is read, to see if the takeover is there.
    Doubting {
        tries: u8,
    },
    Holding(Box<Holding>),
}

/// The end of a `Clearing`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cleared {
    /// No move was open.
    Nothing,
    /// Another worker closed the move at this position.
    Gone(u64),
    /// This worker closed the move.
    Closed {
        /// The position of the intent.
        seq: u64,
        /// Committed, failed or aborted.
        status: Status,
        /// The reason, unless it is committed.
        why: Option<Why>,
    },
    /// The move is still open, and this worker wrote nothing.
    Refused(Why),
    /// The move may still be open, and this worker's takeover may be in the log.
    InDoubt(Option<u64>, Why),
    /// A read or an append failed; the driver knows the error.
    Broken,
}

impl Clearing {
    /// Starts a recovery at `now`. Its first effect reads the log.
    pub(crate) fn start(part: Part, worker: Worker, now: Ms) -> (Clearing, Effect) {
        let give_up = now.saturating_add(worker.timeout_ms);
        (Clearing::new(part, worker, give_up), Effect::ReadLog)
    }

    pub(super) fn new(part: Part, worker: Worker, give_up: Ms) -> Clearing {
        Clearing { worker, part, give_up, met: None, claim: Claim::default(), phase: Phase::Waiting }
    }

    /// Takes the result of the last effect, at `now`. Returns the next effect or the end. An input that does not answer
    /// the last effect ends the machine.
    pub(crate) fn next(&mut self, input: Input, now: Ms) -> Next<Cleared> {
        match (std::mem::replace(&mut self.phase, Phase::Waiting), input) {
            (Phase::Waiting, Input::Log(log)) => self.meet(&log, now),
            (Phase::Waiting, input) => self.waited(input, now),
            (Phase::Taking, Input::Appended(AppendEnd::Stored(log) | AppendEnd::Lost(log))) => {
                self.claim.answered();
                self.meet(&log, now)
            }
            (Phase::Taking, Input::Appended(AppendEnd::Unknown)) => self.doubt(),
            // The takeover could not be appended: try again until the timeout.
            (Phase::Taking, input) => self.waited(input, now),
            (Phase::Doubting { .. }, Input::Log(log)) => self.meet(&log, now),
            (Phase::Doubting { .. }, Input::Broken(Retry::Never))
            | (Phase::Doubting { tries: 0 }, Input::Broken(_)) => self.in_doubt(),
            (Phase::Doubting { tries }, Input::Broken(_)) => {
                self.phase = Phase::Doubting { tries: tries - 1 };
                self.sleep(back_off(0))
            }
            (Phase::Doubting { tries }, Input::Woke) => {
                self.phase = Phase::Doubting { tries };
                Next::Do(Effect::ReadLog)
            }
            (Phase::Doubting { .. }, _) => Next::End(Cleared::Broken),
            (Phase::Holding(mut holding), input) => match holding.next(input, now) {
                Next::Do(effect) => {
                    self.phase = Phase::Holding(holding);
                    Next::Do(effect)
                }
                Next::End(held) => Next::End(self.held(held)),
            },
        }
    }

    fn held(&self, held: Held) -> Cleared {
        let seq = self.met.as_ref().map(|met| met.seq);
        match (held, seq) {
            (Held::Closed { status, why }, Some(seq)) => Cleared::Closed { seq, status, why },
            (Held::InDoubt(why), seq) => Cleared::InDoubt(seq, why),
            (Held::Closed { .. } | Held::Broken, _) => Cleared::Broken,
        }
    }

    /// The log was read: goes on with the move if it is this worker's now, else waits for it, takes it over, or ends
    /// because it is closed.
    pub(super) fn meet(&mut self, log: &LogRead, now: Ms) -> Next<Cleared> {
        self.phase = Phase::Waiting;
        self.claim.forget_lost(&log.state, &self.worker.owner);
        let open = log.state.open.as_ref();
        let open = match (open, &self.met) {
            (Some(open), Some(met)) if open.move_id != met.move_id => return Next::End(Cleared::Gone(met.seq)),
            (None, Some(met)) => return Next::End(Cleared::Gone(met.seq)),
            (None, None) => return Next::End(Cleared::Nothing),
            (Some(open), _) => open,
        };
        if let Some(start) = self.claim.won(&log.state, &self.worker.owner) {
            return self.hold(open.clone(), log.clone(), start, now);
        }
        let (since, ripe) = match &self.met {
            Some(met) if met.epoch == open.epoch => (met.since, met.ripe),
            _ => {
                let ripe = now.saturating_add(open.deadlines.ttl_ms).saturating_add(open.deadlines.grace_ms);
                let (move_id, seq, epoch) = (open.move_id.clone(), open.seq, open.epoch);
                self.met = Some(Met { move_id, seq, epoch, since: now, ripe });
                (now, ripe)
            }
        };
        if now >= ripe && self.part == Part::Forward && log.held {
            return self.refuse(Why::Held);
        }
        #[cfg(test)]
        let ripe = if self.worker.left_out == Some(Rule::TakeoverAfterGrace) { now } else { ripe };
        if now >= ripe {
            return self.take(open.clone(), log, now);
        }
        if now >= self.give_up {
            return self.refuse(Why::Busy);
        }
        let nap = (now.saturating_sub(since) / 4).clamp(NAP_MS.0, NAP_MS.1);
        let nap = nap.min(ripe - now).min(self.give_up - now);
        Next::Do(Effect::Sleep(nap, Waiting::Other { move_id: open.move_id.clone(), until: ripe }))
    }

    fn waited(&mut self, input: Input, now: Ms) -> Next<Cleared> {
        match input {
            Input::Woke => Next::Do(Effect::ReadLog),
            Input::Broken(Retry::Never) => self.end_broken(),
            Input::Broken(_) if now < self.give_up => self.sleep(NAP_MS.1),
            _ => self.end_broken(),
        }
    }

    fn sleep(&self, ms: Ms) -> Next<Cleared> {
        Next::Do(Effect::Sleep(ms, Waiting::Answer { until: self.give_up }))
    }

    /// Ends without a takeover; in doubt if a takeover of this worker may still land.
    fn refuse(&self, why: Why) -> Next<Cleared> {
        match self.claim.may_land() {
            true => self.in_doubt(),
            false => Next::End(Cleared::Refused(why)),
        }
    }

    fn end_broken(&self) -> Next<Cleared> {
        match self.claim.may_land() {
            true => self.in_doubt(),
            false => Next::End(Cleared::Broken),
        }
    }

    fn in_doubt(&self) -> Next<Cleared> {
        Next::End(Cleared::InDoubt(self.met.as_ref().map(|met| met.seq), Why::Unknown))
    }

    /// Takes the move over: its ttl and grace have passed. The takeover is appended before anything else. The
    /// takeover's ttl is longer by the quiet time that the new worker must wait.
    fn take(&mut self, open: OpenMove, log: &LogRead, now: Ms) -> Next<Cleared> {
        let Deadlines { ttl_ms, grace_ms, quiet_ms, settle_ms } = self.worker.deadlines;
        let wait_ms = open.quiet_ms.max(quiet_ms);
        let ttl_ms = ttl_ms.saturating_add(wait_ms).min(Deadlines::MAX_MS);
        self.claim.send(log.state.size, now);
        #[cfg(test)]
        if self.worker.left_out == Some(Rule::TakeoverRecorded) {
            let deadlines = Deadlines { ttl_ms, ..open.deadlines };
            return self.hold(OpenMove { epoch: open.epoch + 1, deadlines, ..open }, log.clone(), now, now);
        }
        self.phase = Phase::Taking;
        let deadlines = Deadlines { ttl_ms, grace_ms, quiet_ms, settle_ms };
        Next::Do(Effect::Takeover { seq: log.state.size, open: Box::new(open), deadlines })
    }

    fn hold(&mut self, open: OpenMove, log: LogRead, start: Ms, now: Ms) -> Next<Cleared> {
        // This worker does not know which digests the other one pinned: the driver pins the missing ones before each
        // put.
        let (holding, effect) = Holding::taken_over(self.part, open, log, Pins::Confirmed, start, &self.worker, now);
        self.phase = Phase::Holding(Box::new(holding));
        Next::Do(effect)
    }

    /// The append of a takeover was not answered: reads the log to see if it is there.
    fn doubt(&mut self) -> Next<Cleared> {
        let unanswered = self.claim.unanswered();
        self.phase = Phase::Doubting { tries: TRIES };
        match unanswered {
            1 => Next::Do(Effect::ReadLog),
            2..=TRIES => self.sleep(back_off(0)),
            _ => self.in_doubt(),
        }
    }
}
