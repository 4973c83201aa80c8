//! `Holding`: a move that this worker holds, because it began the move or took it over; from the guard to the outcome.

mod concluding;

#[cfg(test)]
use super::rules::Rule;
use super::{AppendEnd, Effect, End, Input, LogRead, Ms, Next, PutEnd, TagRead, WaitReason, Why, Worker};
use crate::error::Retry;
use crate::log::{Op, OpenMove, Outcome, PutStatus, Status};
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
    worker: Worker,
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
    /// True if the registry accepted a put. No other put follows.
    accepted: bool,
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
    /// Waits until no earlier put can land any more, then reads the tag.
    Reading,
    /// A foreign value was seen: the log is read once more.
    Foreign(Verdict),
    /// The observation of a foreign value is being appended.
    Observing(Verdict),
    Closing(Verdict),
}

/// The outcome that is to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Verdict {
    observed: Option<Digest>,
    /// The reason; none if the move is committed.
    why: Option<Why>,
}

impl Holding {
    pub(super) fn new(part: Part, open: OpenMove, log: LogRead, start: Ms, worker: &Worker) -> Holding {
        Holding {
            stop: matches!(part, Part::Abandon { .. }).then_some(Why::Abandoned),
            part,
            log,
            step: Step::Guarding,
            start,
            worker: worker.clone(),
            puts: !open.as_it_is,
            looked: start,
            seen: open.op != Op::Bootstrap,
            sent: Sent::default(),
            reads: 0,
            open,
        }
    }

    /// Goes on with a move that this worker began: its intent is in the log. `looked` is the time of the read of the
    /// tag that was judged, and `failed` the reason why the move is closed at once.
    pub(super) fn begun(&mut self, puts: bool, looked: Ms, failed: Option<Why>, now: Ms) -> Next {
        (self.puts, self.looked) = (puts, looked);
        match failed {
            None => self.guard(now),
            why => self.outcome(None, why),
        }
    }

    /// Goes on with a move that this worker took over. The worker before it may have sent a put until `now`. It is not
    /// known which digests that worker pinned: the driver pins the missing ones before each put.
    pub(super) fn taken_over(&mut self, now: Ms) -> Next {
        (self.sent.quiet, self.sent.last) = (now.saturating_add(self.open.quiet_ms), Some(now));
        self.read_back(now)
    }

    /// Takes the result of the last effect, at `now`. Returns the next effect or the end.
    pub(super) fn next(&mut self, input: Input, now: Ms) -> Next {
        match (self.step, input) {
            (Step::Guarding, Input::Log(log)) => self.guarded(log, None, now),
            (Step::Guarding, Input::Looked(log, read)) => self.guarded(log, Some(read), now),
            (Step::Guarding, Input::Woke) => self.guard(now),
            (Step::Putting, Input::Put(end)) => self.put_ended(end, now),
            (Step::Reading, Input::Woke) => self.read_back(now),
            (Step::Reading, Input::Tag(read)) => self.conclude(read, now),
            (Step::Foreign(verdict), Input::Log(log))
            | (Step::Observing(verdict), Input::Appended(AppendEnd::Lost(log))) => self.observe(verdict, log),
            (Step::Observing(verdict), Input::Appended(AppendEnd::Stored(log)) | Input::Log(log))
            | (Step::Closing(verdict), Input::Appended(AppendEnd::Lost(log)) | Input::Log(log)) => {
                self.close(verdict, log)
            }
            (Step::Closing(verdict), Input::Appended(AppendEnd::Stored(_))) => self.closed(verdict.why),
            (_, Input::Woke) => Next::Do(Effect::ReadLog),
            (_, Input::Broken(retry)) => self.not_answered(retry, now),
            (_, Input::Appended(AppendEnd::Unknown)) => self.not_answered(Retry::Later, now),
            _ => Next::End(End::Broken),
        }
    }

    /// The registry or the ledger did not answer. Within the time to live it is asked again.
    fn not_answered(&self, retry: Retry, now: Ms) -> Next {
        match retry == Retry::Never || now >= self.until() {
            true => self.in_doubt(Why::Unknown),
            false => Next::Do(Effect::ask_again(self.until())),
        }
    }

    /// The end of a move that is still open, or that another worker has taken over.
    pub(super) fn in_doubt(&self, why: Why) -> Next {
        Next::End(End::Indeterminate { seq: Some(self.open.seq), why })
    }

    /// *no-late-put*: the end of the time to live. No put is sent after it.
    fn until(&self) -> Ms {
        self.start.saturating_add(self.open.deadlines.ttl_ms)
    }

    /// The last time at which a put may be sent, so that it ends within the time to live.
    fn not_after(&self) -> Ms {
        let not_after = self.until().saturating_sub(self.worker.put_ms);
        #[cfg(test)]
        let not_after = if self.worker.left_out == Some(Rule::NoLatePut) { Ms::MAX } else { not_after };
        not_after
    }

    /// *confirm-within*: the time at which the worker stops reading and leaves the move open.
    fn deadline(&self) -> Ms {
        self.until().saturating_add(self.open.deadlines.grace_ms)
    }

    /// True if no worker has sent a put of the move.
    fn is_untouched(&self) -> bool {
        self.sent.all == 0 && self.open.epoch == 0
    }

    fn is_open_in(&self, log: &LogRead) -> bool {
        #[cfg(test)]
        if self.worker.left_out == Some(Rule::TakeoverRecorded) {
            return log.state.open.as_ref().is_some_and(|open| open.move_id == self.open.move_id);
        }
        log.state.open.as_ref().is_some_and(|open| {
            open.move_id == self.open.move_id && open.owner == self.open.owner && open.epoch == self.open.epoch
        })
    }

    /// Begins step *guard*: reads the log, and also the tag if its last read is too old.
    fn guard(&mut self, now: Ms) -> Next {
        self.step = Step::Guarding;
        let stale = now.saturating_sub(self.looked) > self.worker.fresh_ms;
        let looks = self.part == Part::Begun && self.sent.all == 0 && self.puts && stale;
        Next::Do(if looks { Effect::Look } else { Effect::ReadLog })
    }

    /// Steps *guard* and *put*. The driver checks the clock once more when it sends the put.
    fn guarded(&mut self, log: LogRead, read: Option<TagRead>, now: Ms) -> Next {
        if !self.is_open_in(&log) {
            return self.in_doubt(Why::TakenOver);
        }
        let stops = log.stops(&self.open);
        #[cfg(test)]
        let stops = stops.filter(|why| match why {
            Why::Held => self.worker.left_out != Some(Rule::HoldAtGuard),
            _ => self.worker.left_out != Some(Rule::BlockAtGuard),
        });
        self.log = log;
        match (stops, self.part) {
            (None, _) => {}
            (Some(why), Part::Forward) if self.sent.all == 0 => return self.in_doubt(why),
            (Some(why), _) if self.is_untouched() => return self.outcome(None, Some(why)),
            (Some(why), _) => {
                self.stop = Some(why);
                return self.read_back(now);
            }
        }
        if let Some(read) = read {
            self.looked = read.sent;
            if self.is_foreign(&read) && !self.log.is_unsettled(&read) {
                return self.foreign(read.value, Why::Drifted(read.value));
            }
        }
        let not_after = self.not_after();
        match now <= not_after {
            _ if !self.puts || !self.seen => self.read_back(now),
            false if self.is_untouched() => self.outcome(None, Some(Why::Late)),
            false => self.read_back(now),
            true => {
                self.step = Step::Putting;
                Next::Do(Effect::Put { open: Box::new(self.open.clone()), timeout_ms: self.worker.put_ms, not_after })
            }
        }
    }

    fn put_ended(&mut self, end: PutEnd, now: Ms) -> Next {
        match end {
            // Back to the guard, which aborts a move without a put.
            PutEnd::NotSent if self.is_untouched() => return self.guard(now),
            PutEnd::NotSent => return self.read_back(now),
            PutEnd::NotReady(Retry::Never) if self.is_untouched() => {
                return self.outcome(None, Some(Why::NotPinned));
            }
            PutEnd::NotReady(Retry::Never) => return self.in_doubt(Why::NotPinned),
            PutEnd::NotReady(_) => {
                self.step = Step::Guarding;
                return Next::Do(Effect::ask_again(self.until()));
            }
            PutEnd::Refused => self.sent.refused += 1,
            PutEnd::Applied => (self.sent.accepted, self.sent.last) = (true, Some(now)),
            PutEnd::Unknown => (self.sent.unknown, self.sent.last) = (true, Some(now)),
        }
        // A refusal answers only its own put. If another put is still unknown, the quiet time begins again.
        if end != PutEnd::Applied && (self.sent.unknown || self.open.epoch > 0) {
            self.sent.quiet = now.saturating_add(self.open.quiet_ms);
        }
        self.sent.all += 1;
        self.reads = 0;
        self.read_back(now)
    }

    /// Begins step *read back*, after the quiet time of every put that is not resolved.
    fn read_back(&mut self, now: Ms) -> Next {
        let wait = self.sent.quiet.saturating_sub(now);
        #[cfg(test)]
        let wait =
            if self.worker.left_out == Some(Rule::QuietBeforeOutcome) && self.part == Part::Begun { 0 } else { wait };
        self.step = Step::Reading;
        Next::Do(match wait {
            0 => Effect::Resolve,
            ms => Effect::Sleep { ms, until: self.sent.quiet, waiting: WaitReason::QuietTime },
        })
    }

    /// Reads the tag again, after a pause that ends at `until` at the latest.
    fn read_again(&mut self, until: Ms, now: Ms) -> Next {
        self.step = Step::Reading;
        let effect = Effect::read_again(self.reads, until, self.deadline(), now);
        self.reads += 1;
        Next::Do(effect)
    }

    /// A foreign value was read: it is observed, and the move is aborted.
    fn foreign(&mut self, observed: Option<Digest>, why: Why) -> Next {
        self.step = Step::Foreign(Verdict { observed, why: Some(why) });
        Next::Do(Effect::ReadLog)
    }

    fn observe(&mut self, verdict: Verdict, log: LogRead) -> Next {
        if !self.is_open_in(&log) {
            return self.in_doubt(Why::TakenOver);
        }
        self.step = Step::Observing(verdict);
        let expected = match verdict.why {
            Some(Why::Drifted(_)) => self.open.previous,
            _ => Some(self.open.target),
        };
        Next::Do(Effect::Observe { seq: log.state.size, expected, observed: verdict.observed })
    }

    /// Begins step *outcome*, after the last entry that was read. Without a reason the move is committed.
    fn outcome(&mut self, observed: Option<Digest>, why: Option<Why>) -> Next {
        self.close(Verdict { observed, why }, self.log.clone())
    }

    /// The result of the move's puts, as far as this worker knows.
    fn put_status(&self) -> PutStatus {
        match self.sent {
            _ if self.open.as_it_is => PutStatus::None,
            Sent { accepted: true, .. } => PutStatus::Accepted,
            // The worker before this one may have sent a put.
            _ if self.sent.unknown || self.open.epoch > 0 => PutStatus::Unknown,
            Sent { refused: 1.., .. } => PutStatus::Refused,
            _ => PutStatus::None,
        }
    }

    /// The result of the move, which ended for this reason. It is `failed` only if no put can have landed.
    fn status(&self, why: Option<Why>) -> Status {
        let may_have_landed = !matches!(self.put_status(), PutStatus::None | PutStatus::Refused);
        #[cfg(test)]
        let may_have_landed = may_have_landed && self.worker.left_out != Some(Rule::FailedAlone);
        match why {
            None => Status::Committed,
            Some(Why::NotPinned | Why::PutRefused) if !may_have_landed => Status::Failed,
            Some(_) => Status::Aborted,
        }
    }

    /// Step *outcome*: appends at the head of `log`. A worker that lost the move to a takeover stops: the other worker
    /// closes the move.
    fn close(&mut self, verdict: Verdict, log: LogRead) -> Next {
        #[cfg(test)]
        if matches!(self.worker.left_out, Some(Rule::OutcomeByOwner | Rule::TakeoverRecorded))
            && let Some(open) = log.state.open.as_ref().filter(|open| open.move_id == self.open.move_id)
        {
            self.open = open.clone();
        }
        let (open, status) = (&self.open, self.status(verdict.why));
        if !self.is_open_in(&log) {
            // If the outcome is this worker's own: its append was stored, and the answer was lost.
            let own = log.state.closed.as_ref().is_some_and(|closed| {
                closed.move_id == open.move_id && closed.owner == open.owner && closed.status == status
            });
            return if own { self.closed(verdict.why) } else { self.in_doubt(Why::TakenOver) };
        }
        let Verdict { observed, why } = verdict;
        let outcome = Outcome {
            move_id: open.move_id.clone(),
            intent_seq: open.seq,
            owner: open.owner.clone(),
            epoch: open.epoch,
            status,
            put: self.put_status(),
            observed,
            attempts: self.sent.all,
            recovered: open.epoch > 0,
            error: None,
        };
        self.step = Step::Closing(verdict);
        Next::Do(Effect::Close { seq: log.state.size, outcome: Box::new(outcome), why })
    }

    /// The outcome is in the log.
    fn closed(&self, why: Option<Why>) -> Next {
        let seq = self.open.seq;
        Next::End(match why {
            None => End::Committed { seq, recovered: self.open.epoch > 0 },
            Some(why) => End::Closed { seq, status: self.status(Some(why)), why },
        })
    }
}
