//! `Clearing`: waits for a move that another worker left open, takes it over and closes it.
//!
//! A recovery is a `Clearing` alone. A move that finds another one open runs a `Clearing` first.

use super::claim::Claim;
use super::holding::Holding;
#[cfg(test)]
use super::rules::Rule;
use super::{AppendEnd, Effect, End, Input, LogRead, Ms, Next, Part, WaitReason, Why, Worker};
use crate::error::Retry;
use crate::log::{Deadlines, OpenMove};

/// The shortest and the longest sleep of a waiting worker before it reads the log again, in milliseconds.
const NAP_MS: (Ms, Ms) = (10, 500);

/// The state machine that closes one move that another worker left open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Clearing {
    worker: Worker,
    pub(super) part: Part,
    /// The time at which it gives up waiting.
    give_up: Ms,
    /// The move that it saw first: it closes no other.
    pub(super) met: Option<Met>,
    claim: Claim,
    /// True for a move of its own: under a hold that stops it, it gives up, and takes no other move over.
    heeds_holds: bool,
    phase: Phase,
}

/// The open move. Its times count from when this worker first saw that owner, on its own clock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Met {
    pub(super) open: OpenMove,
    since: Ms,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Waits for the other worker, or for an answer.
    Waiting,
    Taking,
    /// The append of a takeover was not answered: the log is read, to see if the takeover is there.
    Doubting,
    Holding(Box<Holding>),
}

impl Clearing {
    /// Starts a recovery at `now`. Its first effect reads the log.
    pub(crate) fn start(part: Part, worker: Worker, now: Ms) -> (Clearing, Effect) {
        let give_up = now.saturating_add(worker.timeout_ms);
        (Clearing::new(part, worker, give_up, false), Effect::ReadLog)
    }

    pub(super) fn new(part: Part, worker: Worker, give_up: Ms, heeds_holds: bool) -> Clearing {
        #[cfg(test)]
        let heeds_holds = heeds_holds && worker.left_out != Some(Rule::HeldGivesUp);
        Clearing { worker, part, give_up, met: None, claim: Claim::default(), heeds_holds, phase: Phase::Waiting }
    }

    /// Takes the result of the last effect, at `now`. Returns the next effect or the end. An input that does not answer
    /// the last effect ends the machine.
    pub(crate) fn next(&mut self, input: Input, now: Ms) -> Next {
        match (&mut self.phase, input) {
            (Phase::Holding(holding), input) => holding.next(input, now),
            (Phase::Waiting | Phase::Doubting, Input::Log(log)) => self.meet(&log, now),
            (Phase::Taking, Input::Appended(AppendEnd::Stored(log) | AppendEnd::Lost(log))) => {
                self.claim.answered();
                self.meet(&log, now)
            }
            (Phase::Taking, Input::Appended(AppendEnd::Unknown)) => {
                self.phase = Phase::Doubting;
                self.claim.doubt(self.give_up, self.seq())
            }
            (Phase::Doubting, Input::Broken(retry)) => self.claim.unread(retry, self.give_up, self.seq()),
            (_, Input::Woke) => Next::Do(Effect::ReadLog),
            // The log could not be read, or the takeover could not be appended: try again until the timeout.
            (_, Input::Broken(retry)) if retry != Retry::Never && now < self.give_up => {
                self.phase = Phase::Waiting;
                Next::Do(Effect::Sleep { ms: NAP_MS.1, until: self.give_up, waiting: WaitReason::unanswered() })
            }
            _ => self.end(End::Broken),
        }
    }

    /// The log was read: goes on with the move if it is this worker's now, else waits for it, takes it over, or ends
    /// because it is closed.
    pub(super) fn meet(&mut self, log: &LogRead, now: Ms) -> Next {
        self.phase = Phase::Waiting;
        let won = self.claim.won(&log.state, &self.worker.owner);
        let is_met = |open: &&OpenMove| self.met.as_ref().is_none_or(|met| met.open.move_id == open.move_id);
        let Some(open) = log.state.open.as_ref().filter(is_met) else {
            return Next::End(self.met.as_ref().map_or(End::Nothing, |met| End::Gone(met.open.seq)));
        };
        if let Some(start) = won {
            return self.hold(open.clone(), log, start, now);
        }
        let since = self.met.as_ref().filter(|met| met.open.epoch == open.epoch).map_or(now, |met| met.since);
        self.met = Some(Met { open: open.clone(), since });
        // The time from which the move may be taken over.
        let ripe = since.saturating_add(open.deadlines.ttl_ms).saturating_add(open.deadlines.grace_ms);
        let completes = now >= ripe && matches!(self.part, Part::Forward | Part::SameKey);
        match log.stops(open) {
            Some(why) if completes => return self.end(End::Refused(why)),
            Some(Why::Held) if self.heeds_holds => return self.end(End::Refused(Why::Held)),
            _ => {}
        }
        #[cfg(test)]
        let ripe = if self.worker.left_out == Some(Rule::TakeoverAfterGrace) { now } else { ripe };
        if now >= ripe {
            return self.take(open.clone(), log, now);
        }
        if now >= self.give_up {
            return self.end(End::Refused(Why::Busy));
        }
        let nap = (now.saturating_sub(since) / 4).clamp(NAP_MS.0, NAP_MS.1);
        let nap = nap.min(ripe - now).min(self.give_up - now);
        Next::Do(Effect::Sleep {
            ms: nap,
            until: ripe,
            waiting: WaitReason::OtherMove { move_id: open.move_id.to_string() },
        })
    }

    /// The position of the move's intent.
    fn seq(&self) -> Option<u64> {
        self.met.as_ref().map(|met| met.open.seq)
    }

    fn end(&self, end: End) -> Next {
        Next::End(self.claim.end(end, self.seq()))
    }

    /// Takes the move over: its ttl and grace have passed. The takeover is appended before anything else. The
    /// takeover's ttl is longer by the quiet time that the new worker must wait.
    fn take(&mut self, open: OpenMove, log: &LogRead, now: Ms) -> Next {
        let wait_ms = open.quiet_ms.max(self.worker.deadlines.quiet_ms);
        let ttl_ms = self.worker.deadlines.ttl_ms.saturating_add(wait_ms).min(Deadlines::MAX_MS);
        self.claim.send(log.state.size, now);
        #[cfg(test)]
        if self.worker.left_out == Some(Rule::TakeoverRecorded) {
            let deadlines = Deadlines { ttl_ms, ..open.deadlines };
            return self.hold(OpenMove { epoch: open.epoch + 1, deadlines, ..open }, log, now, now);
        }
        self.phase = Phase::Taking;
        let deadlines = Deadlines { ttl_ms, ..self.worker.deadlines };
        Next::Do(Effect::Takeover { seq: log.state.size, open: Box::new(open), deadlines })
    }

    fn hold(&mut self, open: OpenMove, log: &LogRead, start: Ms, now: Ms) -> Next {
        let mut holding = Box::new(Holding::new(self.part, open, log.clone(), start, &self.worker));
        let next = holding.taken_over(now);
        self.phase = Phase::Holding(holding);
        next
    }
}
