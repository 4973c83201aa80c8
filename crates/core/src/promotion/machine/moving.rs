//! `Moving`: the state machine of one request, from its first look to its end.
//!
//! This file has the steps up to the intent. [`Clearing`] handles a move that another worker left open; `Holding`
//! handles the move that this worker began.

use super::claim::Claim;
use super::holding::Holding;
#[cfg(test)]
use super::rules::Rule;
use super::situation::{Situation, behind_open, situation};
use super::{
    AppendEnd, Ask, Change, Clearing, Effect, End, Input, LogRead, Ms, Next, OnConflict, Part, TagRead, Want, Why,
    Worker,
};
use crate::log::{ChannelState, MayBeCause, Op, OpenMove};
use crate::value::Digest;

/// The state machine of one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Moving {
    ask: Ask,
    worker: Worker,
    /// The time at which it gives up waiting.
    give_up: Ms,
    /// The basis of the plan: the state of the channel at the first look.
    basis: Option<Basis>,
    /// The digest that an unnamed rollback leaves; none before the first look.
    leaves: Option<Option<Digest>>,
    claim: Claim,
    /// The plan of the intent that was sent. If its append was not answered, it may land later.
    sent: Option<Box<Planned>>,
    /// True until the hold of a rollback is appended that appends one first.
    hold_due: bool,
    /// The number of looks in a row that found that reads may lag.
    lags: u32,
    phase: Phase,
}

/// The facts of a plan: if any of them changes, the plan is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Basis {
    live: Option<Digest>,
    previous: Option<Digest>,
    last_intent: Option<u64>,
}

impl Basis {
    fn of(state: &ChannelState) -> Basis {
        Basis { live: state.live, previous: state.previous, last_intent: state.last_intent }
    }
}

/// True if a plan that was made by one of these states is not stale by the other.
pub(crate) fn same_basis(one: &ChannelState, other: &ChannelState) -> bool {
    Basis::of(one) == Basis::of(other)
}

/// A look, with the change that is judged by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Planned {
    log: LogRead,
    change: Change,
    read: TagRead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Looks, or sleeps before it looks again.
    Looking,
    /// Drift was seen: the log is read again, to see if its head has moved from this size.
    Confirming(u64, TagRead),
    /// Drift is sure: the observation is being appended.
    Observing(Option<Digest>),
    Judging(Box<Planned>),
    /// The rollback was approved: its hold is being appended.
    StoppingPromotions,
    /// The policy that judged is being appended.
    RecordingPolicy(Box<Planned>),
    /// The intent is being appended.
    Beginning,
    /// The append of an intent was not answered: the log is read, to see if the intent is there.
    Doubting,
    /// Another worker's move is open.
    Clearing(Box<Clearing>),
    Holding(Box<Holding>),
    Ended,
}

impl Moving {
    /// Starts the machine of a request at `now`. Returns it with its first effect.
    pub(crate) fn start(ask: Ask, worker: Worker, now: Ms) -> (Moving, Effect) {
        let give_up = now.saturating_add(worker.timeout_ms);
        let (basis, leaves, sent, claim) = (None, None, None, Claim::default());
        let (hold_due, phase) = (ask.holds_first, Phase::Looking);
        #[cfg(test)]
        let hold_due = hold_due && worker.left_out != Some(Rule::HoldFirst);
        (Moving { ask, worker, give_up, basis, leaves, claim, sent, hold_due, lags: 0, phase }, Effect::Look)
    }

    /// Takes the result of the last effect, at `now`. Returns the next effect or the end. An input that does not answer
    /// the last effect ends the machine.
    pub(crate) fn next(&mut self, input: Input, now: Ms) -> Next {
        match (&mut self.phase, input) {
            (Phase::Looking, Input::Looked(log, read)) => self.looked(log, read, now),
            (Phase::Looking, Input::Woke) => self.look(),
            (&mut Phase::Confirming(size, read), Input::Log(again)) => self.confirmed(size, read, again),
            (Phase::Observing(_), Input::Appended(AppendEnd::Lost(_))) => self.look(),
            // The drift is refused even if its observation was not appended.
            (&mut Phase::Observing(observed), Input::Appended(_) | Input::Broken(_)) => {
                self.end(End::Refused(Why::Drifted(observed)))
            }
            (Phase::Judging(_), Input::Approved(_)) if self.hold_due => {
                self.phase = Phase::StoppingPromotions;
                Next::Do(Effect::Hold)
            }
            // Judge again: the log has changed, and another move may have to be waited for.
            (Phase::StoppingPromotions, Input::Appended(AppendEnd::Stored(_))) => {
                self.hold_due = false;
                self.look()
            }
            (Phase::Judging(planned), Input::Approved(policy)) => {
                let (planned, seq) = (planned.clone(), planned.log.state.size);
                if planned.log.state.policies.contains(&policy) {
                    return self.begin(planned, now);
                }
                // The policy is appended before the first intent that it judged.
                self.phase = Phase::RecordingPolicy(planned);
                Next::Do(Effect::Policy { seq })
            }
            (Phase::Judging(_), Input::Refused) => self.end(End::Refused(Why::Judged)),
            (Phase::RecordingPolicy(planned), Input::Appended(AppendEnd::Stored(log))) => {
                let planned = Planned { log, ..**planned };
                self.begin(Box::new(planned), now)
            }
            // Another entry came first, or the append was not answered: read the log to see if the policy is there.
            (Phase::RecordingPolicy(_), Input::Appended(AppendEnd::Lost(_)) | Input::Woke) => self.look(),
            (Phase::RecordingPolicy(_), Input::Appended(AppendEnd::Unknown)) => {
                match self.claim.doubt(self.give_up, None) {
                    Next::Do(Effect::ReadLog) => self.look(),
                    Next::End(_) => self.end(End::Broken),
                    sleep => sleep,
                }
            }
            (Phase::Beginning, Input::Appended(appended)) => self.begun(appended, now),
            (Phase::Beginning, Input::Unpinned(log)) => self.stands(log, Some(Why::NotPinned), now),
            (Phase::Doubting, Input::Log(log)) => self.stands(log, None, now),
            (Phase::Doubting, Input::Woke) => Next::Do(Effect::ReadLog),
            (Phase::Doubting, Input::Broken(retry)) => self.claim.unread(retry, self.give_up, None),
            (Phase::Clearing(clearing), input) => {
                let next = clearing.next(input, now);
                self.cleared(next)
            }
            (Phase::Holding(holding), input) => match holding.next(input, now) {
                Next::End(End::Broken) => holding.in_doubt(Why::Unknown),
                next => next,
            },
            (_, _) => self.end(End::Broken),
        }
    }

    fn end(&mut self, end: End) -> Next {
        self.phase = Phase::Ended;
        Next::End(self.claim.end(end, None))
    }

    /// Step *look*.
    fn look(&mut self) -> Next {
        self.phase = Phase::Looking;
        Next::Do(Effect::Look)
    }

    /// Steps *replay*, *wait* and *drift*.
    fn looked(&mut self, log: LogRead, read: TagRead, now: Ms) -> Next {
        #[cfg(test)]
        let log = Rule::blind(self.worker.left_out, log);
        if self.claim.won(&log.state, &self.worker.owner).is_some() && self.sent.is_some() {
            return self.stands(log, None, now);
        }
        let state = &log.state;
        // An unnamed rollback leaves the target of the move that is open at its first look, else the live digest.
        let left = || state.open.as_ref().map(|open| open.target).or(state.live);
        let leaves = *self.leaves.get_or_insert_with(left);
        let now_is = Basis::of(state);
        let stale = *self.basis.get_or_insert(now_is) != now_is;
        #[cfg(test)]
        let stale = stale && self.worker.left_out != Some(Rule::StaleNeverWins);
        // The digest that an unnamed rollback leaves has become live: the rollback waited for that.
        let expected = self.ask.want == Want::Previous && state.live == leaves;
        match situation(&self.ask, &log, &read, leaves) {
            Err(why) => self.end(End::Refused(why)),
            Ok(Situation::Replayed(replay)) => self.end(End::Replayed(replay)),
            Ok(Situation::Busy) => match self.judged_first(&log, leaves) {
                Some(change) => self.judge(log, change, read),
                None => self.clear(&log, now),
            },
            Ok(Situation::Lag) => self.look_again(&log, &read, now),
            Ok(Situation::Unchanged(live)) => self.end(End::Unchanged(live)),
            // A run whose facts have changed is refused, unless it asked to requeue.
            Ok(_) if stale && !expected && self.ask.on_conflict != OnConflict::Requeue => {
                self.end(End::Refused(Why::ChannelChanged))
            }
            #[cfg(test)]
            Ok(Situation::Drift { .. }) if self.worker.left_out == Some(Rule::HeadReadAgain) => {
                self.confirmed(log.state.size, read, log)
            }
            Ok(Situation::Drift { .. }) => {
                self.phase = Phase::Confirming(log.state.size, read);
                Next::Do(Effect::ReadLog)
            }
            Ok(Situation::Ready(change)) => self.judge(log, change, read),
        }
    }

    /// The change that is judged before this move waits for the open one: that of a rollback whose hold is due. A retry
    /// of the open move appended the hold before.
    fn judged_first(&self, log: &LogRead, leaves: Option<Digest>) -> Option<Change> {
        let open = log.state.open.as_ref()?;
        let waits = self.hold_due && self.ask.on_conflict != OnConflict::Fail && !self.is_retry_of(open);
        waits.then(|| behind_open(&self.ask, log, leaves)).flatten()
    }

    fn is_retry_of(&self, open: &OpenMove) -> bool {
        open.key == self.ask.key && open.request == self.ask.request
    }

    /// *lag-is-not-drift*: looks again until a read answers the live digest or the channel is settled.
    fn look_again(&mut self, log: &LogRead, read: &TagRead, now: Ms) -> Next {
        if now >= self.give_up {
            return self.end(End::Refused(Why::Unsettled(read.value)));
        }
        self.phase = Phase::Looking;
        let effect = Effect::read_again(self.lags, log.settled_at(read, now), self.give_up, now);
        self.lags += 1;
        Next::Do(effect)
    }

    /// Drift is sure if the log's head did not move. A repair and an adoption go on; other moves are refused, and the
    /// drift is observed.
    fn confirmed(&mut self, size: u64, read: TagRead, again: LogRead) -> Next {
        if again.state.size != size {
            return self.look();
        }
        match situation(&self.ask, &again, &read, self.leaves.flatten()) {
            Err(why) => self.end(End::Refused(why)),
            Ok(Situation::Drift { fix: Some(change) }) => self.judge(again, change, read),
            Ok(Situation::Drift { fix: None }) => {
                let newest = again.state.trail.may_be.iter().rev().find(|seen| seen.cause == MayBeCause::Observation);
                if newest.is_some_and(|seen| seen.value == read.value) {
                    return self.end(End::Refused(Why::Drifted(read.value)));
                }
                self.phase = Phase::Observing(read.value);
                let (seq, expected) = (again.state.size, again.state.live);
                Next::Do(Effect::Observe { seq, expected, observed: read.value })
            }
            Ok(_) => self.look(),
        }
    }

    /// Step *judge*.
    fn judge(&mut self, log: LogRead, change: Change, read: TagRead) -> Next {
        self.lags = 0;
        let lagging = read.value != log.state.live && log.is_unsettled(&read);
        self.phase = Phase::Judging(Box::new(Planned { log, change, read }));
        Next::Do(Effect::Judge { read, lagging, change })
    }

    /// Steps *intent* and *pin*. The time to live counts from here, before the append.
    fn begin(&mut self, planned: Box<Planned>, now: Ms) -> Next {
        let (seq, change) = (planned.log.state.size, planned.change);
        self.claim.send(seq, now);
        (self.sent, self.phase) = (Some(planned), Phase::Beginning);
        Next::Do(Effect::Begin { seq, change })
    }

    fn begun(&mut self, appended: AppendEnd, now: Ms) -> Next {
        let (AppendEnd::Stored(log) | AppendEnd::Lost(log)) = appended else {
            self.phase = Phase::Doubting;
            return self.claim.doubt(self.give_up, None);
        };
        self.claim.answered();
        match self.claim.won(&log.state, &self.worker.owner) {
            Some(_) => self.stands(log, None, now),
            None => self.overtaken(log, now),
        }
    }

    /// Another entry has the position of the intent.
    fn overtaken(&mut self, log: LogRead, now: Ms) -> Next {
        let Some(planned) = self.sent.take() else { return self.look() };
        let (state, then) = (&log.state, &planned.log.state);
        if state.last_intent == then.last_intent && state.migrated.is_none() {
            // After an observation or a deployment: begin again at the new head. After a hold, a block or a policy:
            // judge again.
            return match state.judges_like(then) {
                true => self.begin(Box::new(Planned { log, ..*planned }), now),
                false => self.look(),
            };
        }
        let open = state.open.as_ref();
        // The other move is a retry of the same request: wait for it, and use its result (*retry-waits*).
        let retry = open.is_some_and(|open| open.key == self.ask.key) || log.replay.is_some();
        match retry || self.ask.on_conflict == OnConflict::Requeue {
            true => self.look(),
            // Lost to another move: the plan is stale.
            false => self.end(End::Refused(Why::ChannelChanged)),
        }
    }

    /// The log was read after an intent was sent: goes on if the intent is there, and looks again if not. `failed` is the
    /// reason why the move is closed at once, if there is one.
    fn stands(&mut self, log: LogRead, failed: Option<Why>, now: Ms) -> Next {
        let Some(start) = self.claim.won(&log.state, &self.worker.owner) else { return self.look() };
        let (Some(open), Some(planned)) = (log.state.open.clone(), self.sent.take()) else { return self.look() };
        let mut holding = Box::new(Holding::new(Part::Begun, open, log, start, &self.worker));
        let next = holding.begun(planned.change.puts, planned.read.sent, failed, now);
        self.phase = Phase::Holding(holding);
        next
    }

    /// Steps *wait* and *takeover*: another worker's move is open.
    fn clear(&mut self, log: &LogRead, now: Ms) -> Next {
        let Some(open) = &log.state.open else { return self.look() };
        let same_key = self.is_retry_of(open);
        if let Some(basis) = &mut self.basis {
            // The plan does not become stale by a retry of the same request, nor by the open move that this run is to
            // close, if that is the next move after the basis.
            let next = basis.last_intent == log.state.closed.as_ref().map(|closed| closed.seq);
            if same_key || next {
                basis.last_intent = Some(open.seq);
            }
        }
        if self.ask.on_conflict == OnConflict::Fail {
            return self.end(End::Refused(Why::Busy));
        }
        #[cfg(test)]
        if self.worker.left_out == Some(Rule::RetryWaits) && same_key {
            let puts = !open.as_it_is;
            let mut holding = Box::new(Holding::new(Part::Begun, open.clone(), log.clone(), now, &self.worker));
            let next = holding.begun(puts, now, None, now);
            self.phase = Phase::Holding(holding);
            return next;
        }
        let part = match same_key {
            true => Part::SameKey,
            false => Part::Abandon { at_once: self.ask.op == Op::Rollback },
        };
        let mut clearing = Box::new(Clearing::new(part, self.worker.clone(), self.give_up, part != Part::SameKey));
        let next = clearing.meet(log, now);
        self.phase = Phase::Clearing(clearing);
        self.cleared(next)
    }

    /// Goes on with the next effect of the clearing, or, if the other worker's move is closed, with this move.
    fn cleared(&mut self, next: Next) -> Next {
        match (next, &self.phase) {
            (Next::End(End::Committed { .. }), Phase::Clearing(clearing)) if clearing.part != Part::SameKey => {
                // The plan does not become stale by a move that this run closed itself: the basis takes that move's
                // result.
                if let (Some(basis), Some(met)) = (&mut self.basis, &clearing.met)
                    && basis.last_intent == Some(met.open.seq)
                {
                    let (target, previous) = (met.open.target, met.open.previous);
                    basis.live = Some(target);
                    basis.previous = previous.filter(|previous| *previous != target).or(basis.previous);
                }
                self.look()
            }
            (Next::End(End::Closed { .. } | End::Nothing | End::Gone(_)), _) => self.look(),
            (Next::End(end), _) => self.end(end),
            (next, _) => next,
        }
    }
}
