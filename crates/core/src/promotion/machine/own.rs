//! A move that is ours, from the guard to the outcome (steps 7 to 10 of the protocol), begun or taken over.

use super::action::{Action, Appended, Heard, LogRead, Pins, PutEnd, Waiting};
use super::mover::{AGAIN_MS, Claim, Mover, Phase};
use super::{End, Goal, Ms, Sabotage, Why, Worker};
use crate::record::{ChannelState, Op, OpenMove, PutStatus, Status};
use crate::value::Digest;

/// A move that this worker holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Own {
    open: OpenMove,
    step: Step,
    /// R1: after this no put is sent.
    until: Ms,
    pins: Pins,
    /// Whose move it is, and what may be done with it.
    cause: Cause,
    /// A bootstrap puts only if the tag is absent: it was looked at after the intent.
    looked: bool,
    attempts: u64,
    last_put: Option<PutEnd>,
    /// A put was answered as applied.
    applied: bool,
    ambiguous: bool,
    /// R2: until then a put may still land whose answer was lost (or, after a takeover, one of another worker).
    quiet_until: Ms,
}

/// Whose move it is, and what may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cause {
    /// This worker began it.
    Begun,
    /// Another began it; it has the key of what this worker was asked for, so it is brought about.
    SameKey,
    /// Another began it; it is to be brought about.
    Forward,
    /// Another began it; if it has not landed it is given up.
    Abandon,
}

/// What it waits to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Guarding,
    Putting,
    /// Until no earlier put can land any more.
    Quiet,
    Confirming,
    /// A third digest was seen.
    Overwritten(Option<Digest>),
    /// It is being recorded.
    Noting(Option<Digest>),
    Closing(Verdict),
}

/// How the move is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Verdict {
    status: Status,
    observed: Option<Digest>,
    why: Option<Why>,
}

impl Own {
    /// The open move that `claim` made this worker's.
    pub(super) fn of(open: OpenMove, claim: Claim, goal: &Goal, worker: &Worker, now: Ms) -> Own {
        let cause = match goal {
            _ if open.move_id == worker.move_id => Cause::Begun,
            Goal::Forward => Cause::Forward,
            Goal::Move(ask) if ask.key == open.key && ask.request == open.request => Cause::SameKey,
            Goal::Abandon | Goal::Move(_) => Cause::Abandon,
        };
        let (step, quiet_until) = match cause {
            Cause::Begun => (Step::Guarding, now),
            _ => (Step::Quiet, now.saturating_add(open.quiet_ms)),
        };
        let until = claim.start.saturating_add(open.deadlines.ttl_ms);
        let pins = claim.pins;
        let looked = open.op != Op::Bootstrap;
        let (last_put, applied, ambiguous) = (None, false, false);
        Own { open, step, until, pins, cause, looked, attempts: 0, last_put, applied, ambiguous, quiet_until }
    }

    /// Sabotage: goes on with the live move of another as if it were this worker's own.
    pub(super) fn joined(mut self) -> Own {
        self.cause = Cause::Begun;
        self.step = Step::Guarding;
        self.quiet_until = 0;
        self
    }

    pub(super) fn waits_for(&self) -> Waiting {
        match self.step {
            Step::Quiet => Waiting::Quiet { until: self.quiet_until },
            _ => Waiting::Answer,
        }
    }

    #[cfg(test)]
    pub(super) fn move_id(&self) -> crate::value::Text {
        self.open.move_id.clone()
    }

    /// What became of the puts of the move, as far as this worker knows.
    fn put_status(&self) -> PutStatus {
        let others = self.open.epoch > 0;
        match self.last_put {
            _ if self.open.as_it_is => PutStatus::None,
            _ if self.applied => PutStatus::Accepted,
            // Another worker may have sent one.
            _ if self.ambiguous || others => PutStatus::Unknown,
            Some(PutEnd::Refused) => PutStatus::Refused,
            _ => PutStatus::None,
        }
    }

    fn is_open_in(&self, state: &ChannelState) -> bool {
        state.open.as_ref().is_some_and(|open| {
            open.move_id == self.open.move_id && open.owner == self.open.owner && open.epoch == self.open.epoch
        })
    }
}

impl Mover {
    /// Begins with the guard, or after a takeover with the quiet time.
    pub(super) fn own(&mut self, own: Own, now: Ms) -> Action {
        self.claim = None;
        match own.step {
            Step::Quiet => self.confirm(own, now),
            _ => self.guard(own),
        }
    }

    fn holding(&mut self, mut own: Own, step: Step, action: Action) -> Action {
        own.step = step;
        self.phase = Phase::Owning(Box::new(own));
        action
    }

    /// Hears what happened to our move.
    pub(super) fn run(&mut self, mut own: Own, heard: Heard, now: Ms) -> Action {
        match (own.step, heard) {
            (Step::Guarding, Heard::Log(log)) => self.guarded(own, &log, now),
            (Step::Putting, Heard::Put(PutEnd::NotSent)) => self.too_late(own),
            (Step::Putting, Heard::Put(PutEnd::NotReady)) => self.holding(own, Step::Guarding, Action::Sleep(AGAIN_MS)),
            (Step::Putting, Heard::Put(end)) => {
                own.attempts += 1;
                own.last_put = Some(end);
                own.applied |= end == PutEnd::Applied;
                if end == PutEnd::Unknown {
                    own.ambiguous = true;
                    own.quiet_until = now.saturating_add(own.open.quiet_ms);
                }
                self.confirm(own, now)
            }
            (Step::Quiet, Heard::Woke) => self.confirm(own, now),
            (Step::Confirming, Heard::Tag(observed)) => self.confirmed(own, observed, now),
            (Step::Confirming, Heard::Woke) => self.confirm(own, now),
            (Step::Overwritten(seen), Heard::Log(log)) => self.note(own, seen, &log.state),
            (Step::Noting(seen), Heard::Appended(Appended::Lost(log))) => self.note(own, seen, &log.state),
            (Step::Noting(seen), Heard::Appended(Appended::Stored(log)) | Heard::Log(log)) => {
                let why = Some(Why::Overwritten(seen));
                self.close(own, Verdict { status: Status::Aborted, observed: seen, why }, &log)
            }
            (Step::Closing(verdict), Heard::Appended(Appended::Stored(_))) => self.closed(&own, verdict),
            (Step::Closing(verdict), Heard::Appended(Appended::Lost(log)) | Heard::Log(log)) => {
                self.close(own, verdict, &log)
            }
            (step, Heard::Woke) => self.holding(own, step, Action::ReadLog),
            // The registry or the ledger did not say. Within the time to live it is asked again.
            (_, Heard::Broken | Heard::Appended(Appended::Unknown)) if now >= own.until => {
                self.in_doubt(&own, Why::Unknown)
            }
            (step, Heard::Broken | Heard::Appended(Appended::Unknown)) => {
                self.holding(own, step, Action::Sleep(AGAIN_MS))
            }
            _ => self.done(End::Broken),
        }
    }

    /// Step 7 begins: nobody has taken the move over, and no hold has come since.
    fn guard(&mut self, own: Own) -> Action {
        self.holding(own, Step::Guarding, Action::ReadLog)
    }

    /// Steps 7 and 8. The last look at the clock is the driver's, when it sends the put.
    fn guarded(&mut self, own: Own, log: &LogRead, now: Ms) -> Action {
        if !own.is_open_in(&log.state) {
            return self.in_doubt(&own, Why::TakenOver);
        }
        let abort = |why| Verdict { status: Status::Aborted, observed: None, why: Some(why) };
        if own.pins == Pins::Unconfirmed {
            let verdict = Verdict { status: Status::Failed, observed: None, why: Some(Why::NotPinned) };
            return self.close(own, verdict, log);
        }
        if log.held {
            return match own.cause {
                Cause::Forward => self.in_doubt(&own, Why::Held),
                _ => self.close(own, abort(Why::Held), log),
            };
        }
        if own.open.as_it_is || !own.looked {
            return self.confirm(own, now);
        }
        let mut not_after = self.not_after(&own);
        if self.without(Sabotage::LatePut) {
            not_after = Ms::MAX;
        }
        if now > not_after {
            return match own.cause {
                Cause::Begun if own.attempts == 0 => self.close(own, abort(Why::Late), log),
                _ => self.too_late(own),
            };
        }
        let put = Action::Put { target: own.open.target, timeout_ms: self.worker.put_ms, not_after };
        self.holding(own, Step::Putting, put)
    }

    /// R1: the last moment to send a put, so that it ends within the time to live.
    fn not_after(&self, own: &Own) -> Ms {
        own.until.saturating_sub(self.worker.put_ms)
    }

    /// The clock says that the put must not be sent any more.
    fn too_late(&mut self, own: Own) -> Action {
        match own.cause {
            // Back to the guard, which closes a move that never put.
            Cause::Begun if own.attempts == 0 => self.guard(own),
            _ => self.in_doubt(&own, Why::Unknown),
        }
    }

    /// Step 9 begins, after the quiet time if there is one.
    fn confirm(&mut self, own: Own, now: Ms) -> Action {
        let wait = own.quiet_until.saturating_sub(now);
        if wait > 0 && !(self.without(Sabotage::NoQuiet) && own.cause == Cause::Begun) {
            return self.holding(own, Step::Quiet, Action::Sleep(wait));
        }
        self.holding(own, Step::Confirming, Action::Resolve)
    }

    /// Step 9: three digests are compared.
    fn confirmed(&mut self, mut own: Own, observed: Option<Digest>, now: Ms) -> Action {
        if observed == Some(own.open.target) {
            // Nothing of ours has landed: a read that lags behind shows what was there before `from`.
            let verdict = match own.last_put == Some(PutEnd::Refused) && !own.applied {
                true => Verdict { status: Status::Failed, observed, why: Some(Why::PutRefused) },
                false => Verdict { status: Status::Committed, observed, why: None },
            };
            return self.holding(own, Step::Closing(verdict), Action::ReadLog);
        }
        own.looked = true;
        let landed_elsewhere = observed != own.open.before() || own.open.as_it_is;
        let vanished = observed.is_none() && matches!(own.last_put, Some(PutEnd::Applied | PutEnd::Unknown));
        if landed_elsewhere && !vanished {
            return self.holding(own, Step::Overwritten(observed), Action::ReadLog);
        }
        let close = |status, why| Step::Closing(Verdict { status, observed, why: Some(why) });
        match (own.cause, own.last_put) {
            (Cause::Abandon, _) => self.holding(own, close(Status::Aborted, Why::Abandoned), Action::ReadLog),
            (_, Some(PutEnd::Refused)) => self.holding(own, close(Status::Failed, Why::PutRefused), Action::ReadLog),
            // Some registries read behind their writes.
            (_, Some(PutEnd::Applied)) if !vanished && now < own.until => {
                self.holding(own, Step::Confirming, Action::Sleep(AGAIN_MS))
            }
            (_, Some(PutEnd::Applied)) if !vanished => self.in_doubt(&own, Why::Unknown),
            // The put was lost, and cannot land any more; for another one it is too late.
            (_, Some(PutEnd::Unknown)) if !vanished && now > self.not_after(&own) => {
                self.holding(own, close(Status::Aborted, Why::Late), Action::ReadLog)
            }
            // Not landed, and it cannot any more: again, within the time to live.
            (_, None) => self.guard(own),
            (_, Some(_)) => self.holding(own, Step::Guarding, Action::Sleep(AGAIN_MS)),
        }
    }

    /// Records a third digest, before the move is closed.
    fn note(&mut self, own: Own, observed: Option<Digest>, state: &ChannelState) -> Action {
        if !own.is_open_in(state) {
            return self.in_doubt(&own, Why::TakenOver);
        }
        let action = Action::Observe { seq: state.size, expected: Some(own.open.target), observed };
        self.holding(own, Step::Noting(observed), action)
    }

    /// Step 10, at the head of `log`. Whoever lost the move to a takeover stops: the other closes it.
    fn close(&mut self, mut own: Own, verdict: Verdict, log: &LogRead) -> Action {
        if self.without(Sabotage::UnfencedOutcome)
            && let Some(open) = log.state.open.as_ref().filter(|open| open.move_id == own.open.move_id)
        {
            own.open = open.clone();
        }
        if !own.is_open_in(&log.state) {
            let closed = log.state.closed.as_ref().filter(|closed| closed.move_id == own.open.move_id);
            return match closed {
                // The append whose answer was lost.
                Some(closed) if closed.owner == own.open.owner && closed.status == verdict.status => {
                    self.closed(&own, verdict)
                }
                _ => self.in_doubt(&own, Why::TakenOver),
            };
        }
        let put = own.put_status();
        let verdict = match verdict.status {
            // A put may have landed all the same.
            Status::Failed if !matches!(put, PutStatus::None | PutStatus::Refused) => {
                Verdict { status: Status::Aborted, ..verdict }
            }
            _ => verdict,
        };
        let Verdict { status, observed, why } = verdict;
        let action = Action::Close {
            seq: log.state.size,
            open: Box::new(own.open.clone()),
            status,
            observed,
            attempts: own.attempts,
            put,
            why,
        };
        self.holding(own, Step::Closing(verdict), action)
    }

    /// The outcome stands.
    fn closed(&mut self, own: &Own, verdict: Verdict) -> Action {
        let asked = matches!(own.cause, Cause::Begun) || !matches!(self.goal, Goal::Move(_));
        let Verdict { status, why, .. } = verdict;
        match (status, why) {
            (Status::Committed, _) if asked || own.cause == Cause::SameKey => {
                self.done(End::Committed { seq: own.open.seq, recovered: own.cause != Cause::Begun })
            }
            (_, Some(why)) if asked => self.done(End::Closed { seq: own.open.seq, status, why }),
            // Another's move is out of the way: on with our own.
            _ => self.look(),
        }
    }

    fn in_doubt(&mut self, own: &Own, why: Why) -> Action {
        self.done(End::Indeterminate { seq: Some(own.open.seq), why })
    }
}
