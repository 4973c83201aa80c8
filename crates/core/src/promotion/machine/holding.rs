//! `Holding`: a move that this worker holds, because it began the move or took it over; from the guard to the outcome.

mod concluding;

use super::ask::{Ms, Worker};
use super::effect::{AppendEnd, Closing, Effect, Input, Next, Pins, PutEnd, Waiting, back_off};
use super::end::Why;
#[cfg(test)]
use super::rules::Rule;
use super::situation::Change;
use super::windows::{LogRead, TagRead};
use crate::error::Retry;
use crate::log::{Op, OpenMove, PutStatus, Status};
use crate::value::Digest;

/// A move that this worker holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Holding {
    open: OpenMove,
    part: Part,
    /// The log as it was last read.
    log: LogRead,
    step: Step,
    /// The time to live counts from here.
    start: Ms,
    put_ms: Ms,
    fresh_ms: Ms,
    pins: Pins,
    /// False if the move puts nothing.
    puts: bool,
    /// The time at which the last read of the tag was sent.
    looked: Ms,
    /// True if the tag was read after the intent, or need not be. A bootstrap must read it: it puts only if the tag is
    /// absent.
    seen: bool,
    sent: Sent,
    /// The reason why no further put is sent, if there is one.
    stop: Option<Why>,
    /// The number of reads of the tag in a row that decided nothing.
    reads: u32,
    #[cfg(test)]
    left_out: Option<Rule>,
}

/// The part of this worker in the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// It began the move.
    Begun,
    /// It has the same request with the same key: it completes the move.
    SameKey,
    /// It was asked to complete the open move, of any request. Under a hold the move stays open.
    Forward,
    /// It closes the move without a put; a rollback does not wait for reads to settle.
    Abandon {
        /// True for a rollback.
        at_once: bool,
    },
}

/// The puts of this worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Sent {
    all: u64,
    refused: u64,
    /// The time at which the last put ended that the registry accepted.
    accepted: Option<Ms>,
    /// The time at which the last put ended that may have been carried out, by this worker or by the one before it.
    last: Option<Ms>,
    /// *quiet-before-outcome*: the time until which a put whose answer was lost may still land.
    quiet: Ms,
    /// True if a put of this worker was not answered.
    unknown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Guarding,
    Putting,
    /// Waits until no earlier put can land any more.
    Quiet,
    Reading,
    /// A foreign value was seen: the log is read once more.
    Foreign(Option<Digest>, Why),
    /// The observation of a foreign value is being appended.
    Observing(Option<Digest>, Why),
    Closing(Verdict),
}

/// The outcome that is to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Verdict {
    status: Status,
    observed: Option<Digest>,
    why: Option<Why>,
}

/// The end of a held move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Held {
    /// The outcome is in the log.
    Closed { status: Status, why: Option<Why> },
    /// The move is still open, or another worker has taken it over.
    InDoubt(Why),
    /// The input did not answer the last effect.
    Broken,
}

impl Holding {
    /// A move that this worker began: its intent is in the log. `looked` is the time of the read of the tag that was
    /// judged.
    pub(super) fn begun(
        open: OpenMove,
        log: LogRead,
        change: Change,
        pins: Pins,
        (start, looked): (Ms, Ms),
        worker: &Worker,
        now: Ms,
    ) -> (Holding, Effect) {
        let seen = open.op != Op::Bootstrap;
        let sent = Sent { quiet: now, ..Sent::default() };
        let mut holding = Holding::new(Part::Begun, open, log, pins, start, worker);
        (holding.puts, holding.looked, holding.seen, holding.sent) = (change.puts, looked, seen, sent);
        let effect = holding.guard(now);
        (holding, effect)
    }

    /// A move that this worker took over. The worker before it may have sent a put until `now`.
    pub(super) fn taken_over(
        part: Part,
        open: OpenMove,
        log: LogRead,
        pins: Pins,
        start: Ms,
        worker: &Worker,
        now: Ms,
    ) -> (Holding, Effect) {
        let quiet = now.saturating_add(open.quiet_ms);
        let mut holding = Holding::new(part, open, log, pins, start, worker);
        holding.sent = Sent { quiet, last: Some(now), ..Sent::default() };
        let effect = holding.read_back(now);
        (holding, effect)
    }

    fn new(part: Part, open: OpenMove, log: LogRead, pins: Pins, start: Ms, worker: &Worker) -> Holding {
        Holding {
            part,
            log,
            step: Step::Guarding,
            start,
            put_ms: worker.put_ms,
            fresh_ms: worker.fresh_ms,
            pins,
            puts: !open.as_it_is,
            looked: start,
            seen: open.op != Op::Bootstrap,
            sent: Sent::default(),
            stop: None,
            reads: 0,
            #[cfg(test)]
            left_out: worker.left_out,
            open,
        }
    }

    /// Takes the result of the last effect, at `now`. Returns the next effect or the end.
    pub(super) fn next(&mut self, input: Input, now: Ms) -> Next<Held> {
        match (self.step, input) {
            (Step::Guarding, Input::Log(log)) => self.guarded(log, None, now),
            (Step::Guarding, Input::Looked(log, read)) => self.guarded(log, Some(read), now),
            (Step::Putting, Input::Put(end)) => self.put_ended(end, now),
            (Step::Quiet, Input::Woke) => Next::Do(self.read_back(now)),
            (Step::Reading, Input::Woke) => Next::Do(self.read()),
            (Step::Reading, Input::Tag(read)) => self.conclude(read, now),
            (Step::Foreign(seen, why), Input::Log(log)) => self.observe(seen, why, log),
            (Step::Observing(seen, why), Input::Appended(AppendEnd::Lost(log))) => self.observe(seen, why, log),
            (Step::Observing(seen, why), Input::Appended(AppendEnd::Stored(log)) | Input::Log(log)) => {
                self.close(Verdict { status: Status::Aborted, observed: seen, why: Some(why) }, log)
            }
            (Step::Closing(Verdict { status, why, .. }), Input::Appended(AppendEnd::Stored(_))) => {
                Next::End(Held::Closed { status, why })
            }
            (Step::Closing(verdict), Input::Appended(AppendEnd::Lost(log)) | Input::Log(log)) => {
                self.close(verdict, log)
            }
            (Step::Guarding, Input::Woke) => Next::Do(self.guard(now)),
            (_, Input::Woke) => Next::Do(Effect::ReadLog),
            (_, Input::Broken(retry)) => self.not_answered(retry, now),
            (_, Input::Appended(AppendEnd::Unknown)) => self.not_answered(Retry::Later, now),
            _ => Next::End(Held::Broken),
        }
    }

    /// The registry or the ledger did not answer. Within the time to live it is asked again.
    fn not_answered(&self, retry: Retry, now: Ms) -> Next<Held> {
        match retry {
            Retry::Never => Next::End(Held::InDoubt(Why::Unknown)),
            _ if now >= self.until() => Next::End(Held::InDoubt(Why::Unknown)),
            _ => Next::Do(Effect::Sleep(back_off(0), Waiting::Answer { until: self.until() })),
        }
    }

    /// *no-late-put*: the end of the time to live. No put is sent after it.
    fn until(&self) -> Ms {
        self.start.saturating_add(self.open.deadlines.ttl_ms)
    }

    /// The last time at which a put may be sent, so that it ends within the time to live.
    fn not_after(&self) -> Ms {
        let not_after = self.until().saturating_sub(self.put_ms);
        #[cfg(test)]
        let not_after = if self.left_out == Some(Rule::NoLatePut) { Ms::MAX } else { not_after };
        not_after
    }

    /// *confirm-within*: the time at which the worker stops reading and leaves the move open.
    fn deadline(&self) -> Ms {
        self.until().saturating_add(self.open.deadlines.grace_ms)
    }

    fn settle_ms(&self) -> Ms {
        self.open.settle_ms.max(self.log.settle_ms)
    }

    fn is_open_in(&self, log: &LogRead) -> bool {
        #[cfg(test)]
        if self.left_out == Some(Rule::TakeoverRecorded) {
            return log.state.open.as_ref().is_some_and(|open| open.move_id == self.open.move_id);
        }
        log.state.open.as_ref().is_some_and(|open| {
            open.move_id == self.open.move_id && open.owner == self.open.owner && open.epoch == self.open.epoch
        })
    }

    /// Begins step *guard*: reads the log, and also the tag if its last read is too old.
    fn guard(&mut self, now: Ms) -> Effect {
        self.step = Step::Guarding;
        let stale = now.saturating_sub(self.looked) > self.fresh_ms;
        match self.part == Part::Begun && self.sent.all == 0 && self.puts && stale {
            true => Effect::Look,
            false => Effect::ReadLog,
        }
    }

    /// Steps *guard* and *put*. The driver checks the clock once more when it sends the put.
    fn guarded(&mut self, log: LogRead, read: Option<TagRead>, now: Ms) -> Next<Held> {
        if !self.is_open_in(&log) {
            return Next::End(Held::InDoubt(Why::TakenOver));
        }
        let held = log.held;
        #[cfg(test)]
        let held = held && self.left_out != Some(Rule::HoldAtGuard);
        self.log = log;
        let untouched = self.sent.all == 0 && self.open.epoch == 0;
        if self.pins == Pins::Unconfirmed {
            return self.end(Status::Failed, None, Why::NotPinned);
        }
        match (held, self.part) {
            (false, _) => {}
            (true, Part::Forward) if self.sent.all == 0 => return Next::End(Held::InDoubt(Why::Held)),
            (true, _) if untouched => return self.end(Status::Aborted, None, Why::Held),
            (true, _) => {
                self.stop = Some(Why::Held);
                return Next::Do(self.read_back(now));
            }
        }
        if let Some(read) = read {
            self.looked = read.sent;
            if self.is_foreign(&read) && !self.log.is_unsettled(&read) {
                self.step = Step::Foreign(read.value, Why::Drifted(read.value));
                return Next::Do(Effect::ReadLog);
            }
        }
        if !self.puts || !self.seen {
            return Next::Do(self.read_back(now));
        }
        let not_after = self.not_after();
        if now > not_after {
            return match untouched {
                true => self.end(Status::Aborted, None, Why::Late),
                false => Next::Do(self.read_back(now)),
            };
        }
        self.step = Step::Putting;
        Next::Do(Effect::Put { open: Box::new(self.open.clone()), timeout_ms: self.put_ms, not_after })
    }

    fn put_ended(&mut self, end: PutEnd, now: Ms) -> Next<Held> {
        match end {
            // Back to the guard, which aborts a move without a put.
            PutEnd::NotSent if self.sent.all == 0 && self.open.epoch == 0 => return Next::Do(self.guard(now)),
            PutEnd::NotSent => return Next::Do(self.read_back(now)),
            PutEnd::NotReady(Retry::Never) if self.sent.all == 0 && self.open.epoch == 0 => {
                return self.end(Status::Failed, None, Why::NotPinned);
            }
            PutEnd::NotReady(Retry::Never) => return Next::End(Held::InDoubt(Why::NotPinned)),
            PutEnd::NotReady(_) => {
                self.step = Step::Guarding;
                return Next::Do(Effect::Sleep(back_off(0), Waiting::Answer { until: self.until() }));
            }
            PutEnd::Refused => {
                self.sent.refused += 1;
                // A refusal answers only its own put. If another put is still unknown, the quiet time begins again.
                if self.sent.unknown || self.open.epoch > 0 {
                    self.sent.quiet = self.sent.quiet.max(now.saturating_add(self.open.quiet_ms));
                }
            }
            PutEnd::Applied => {
                self.sent.accepted = Some(now);
                self.sent.last = Some(now);
            }
            PutEnd::Unknown => {
                self.sent.last = Some(now);
                self.sent.unknown = true;
                self.sent.quiet = self.sent.quiet.max(now.saturating_add(self.open.quiet_ms));
            }
        }
        self.sent.all += 1;
        self.reads = 0;
        Next::Do(self.read_back(now))
    }

    /// Begins step *read back*, after the quiet time of every put that is not resolved.
    fn read_back(&mut self, now: Ms) -> Effect {
        let wait = self.sent.quiet.saturating_sub(now);
        #[cfg(test)]
        let wait = if self.left_out == Some(Rule::QuietBeforeOutcome) && self.part == Part::Begun { 0 } else { wait };
        if wait > 0 {
            self.step = Step::Quiet;
            return Effect::Sleep(wait, Waiting::Quiet { until: self.sent.quiet });
        }
        self.read()
    }

    fn read(&mut self) -> Effect {
        self.step = Step::Reading;
        Effect::Resolve
    }

    /// Reads the tag again, after a pause that ends at `until` at the latest.
    fn read_again(&mut self, until: Ms, now: Ms) -> Next<Held> {
        self.step = Step::Reading;
        let pause = back_off(self.reads);
        self.reads += 1;
        let pause = [until, self.deadline()].into_iter().filter(|at| *at > now).fold(pause, |ms, at| ms.min(at - now));
        Next::Do(Effect::Sleep(pause, Waiting::Settle { until }))
    }

    fn observe(&mut self, observed: Option<Digest>, why: Why, log: LogRead) -> Next<Held> {
        if !self.is_open_in(&log) {
            return Next::End(Held::InDoubt(Why::TakenOver));
        }
        self.step = Step::Observing(observed, why);
        let expected = match why {
            Why::Drifted(_) => self.open.previous,
            _ => Some(self.open.target),
        };
        Next::Do(Effect::Observe { seq: log.state.size, expected, observed })
    }

    fn end(&mut self, status: Status, observed: Option<Digest>, why: Why) -> Next<Held> {
        self.verdict(Verdict { status, observed, why: Some(why) })
    }

    fn verdict(&mut self, verdict: Verdict) -> Next<Held> {
        self.step = Step::Closing(verdict);
        Next::Do(Effect::ReadLog)
    }

    /// The result of the move's puts, as far as this worker knows.
    fn put_status(&self) -> PutStatus {
        match self.sent {
            _ if self.open.as_it_is => PutStatus::None,
            Sent { accepted: Some(_), .. } => PutStatus::Accepted,
            // The worker before this one may have sent a put.
            _ if self.sent.unknown || self.open.epoch > 0 => PutStatus::Unknown,
            Sent { refused: 1.., .. } => PutStatus::Refused,
            _ => PutStatus::None,
        }
    }

    /// Step *outcome*: appends at the head of `log`. A worker that lost the move to a takeover stops: the other worker
    /// closes the move.
    fn close(&mut self, mut verdict: Verdict, log: LogRead) -> Next<Held> {
        #[cfg(test)]
        if matches!(self.left_out, Some(Rule::OutcomeByOwner | Rule::TakeoverRecorded))
            && let Some(open) = log.state.open.as_ref().filter(|open| open.move_id == self.open.move_id)
        {
            self.open = open.clone();
        }
        if !self.is_open_in(&log) {
            let closed = log.state.closed.as_ref().filter(|closed| closed.move_id == self.open.move_id);
            return match closed {
                // This worker's own append, whose answer was lost.
                Some(closed) if closed.owner == self.open.owner && closed.status == verdict.status => {
                    Next::End(Held::Closed { status: verdict.status, why: verdict.why })
                }
                _ => Next::End(Held::InDoubt(Why::TakenOver)),
            };
        }
        let put = self.put_status();
        let may_have_landed = !matches!(put, PutStatus::None | PutStatus::Refused);
        #[cfg(test)]
        let may_have_landed = may_have_landed && self.left_out != Some(Rule::FailedAlone);
        if verdict.status == Status::Failed && may_have_landed {
            verdict.status = Status::Aborted;
        }
        self.step = Step::Closing(verdict);
        let Verdict { status, observed, why } = verdict;
        let (seq, open, attempts) = (log.state.size, self.open.clone(), self.sent.all);
        Next::Do(Effect::Close(Box::new(Closing { seq, open, status, observed, attempts, put, why })))
    }
}
