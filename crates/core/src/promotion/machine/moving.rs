//! `Moving`: the state machine of one request, from its first look to its end.
//!
//! This file has the steps up to the intent. [`Clearing`] handles a move that another worker left open; `Holding`
//! handles the move that this worker began.

use super::ask::{Ask, Ms, OnConflict, Want, Worker};
use super::claim::{Claim, TRIES, is_of};
use super::clearing::{Cleared, Clearing};
use super::effect::{AppendEnd, Effect, Input, Next, Pins, Waiting, back_off};
use super::end::{End, Why};
use super::holding::{Held, Holding, Part};
#[cfg(test)]
use super::rules::Rule;
use super::situation::{Change, Situation, leaves, situation};
use super::windows::{LogRead, TagRead};
use crate::error::Retry;
use crate::log::{ChannelState, MayBeCause, Op, OpenMove, Status};
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
    /// The intent whose append was not answered. It may land later.
    unanswered: Option<(Box<Planned>, Pins)>,
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
    /// Drift was seen: the log is read again, to see if its head has moved.
    Confirming(Box<(LogRead, TagRead)>),
    /// Drift is sure: the observation is being appended.
    Observing(Option<Digest>),
    Judging(Box<Planned>),
    /// The policy that judged is being appended.
    RecordingPolicy(Box<Planned>),
    Beginning(Box<Planned>),
    /// The append of an intent was not answered: the log is read, to see if the intent is there.
    Doubting {
        tries: u8,
        planned: Box<Planned>,
        pins: Pins,
    },
    /// Another worker's move is open.
    Clearing(Box<(Clearing, OpenMove)>),
    Holding(Box<Holding>, u64),
    Ended,
}

impl Moving {
    /// Starts the machine of a request at `now`. Returns it with its first effect.
    pub(crate) fn start(ask: Ask, worker: Worker, now: Ms) -> (Moving, Effect) {
        let give_up = now.saturating_add(worker.timeout_ms);
        let (basis, leaves, claim) = (None, None, Claim::default());
        let moving =
            Moving { ask, worker, give_up, basis, leaves, claim, unanswered: None, lags: 0, phase: Phase::Looking };
        (moving, Effect::Look)
    }

    /// Takes the result of the last effect, at `now`. Returns the next effect or the end. An input that does not answer
    /// the last effect ends the machine.
    pub(crate) fn next(&mut self, input: Input, now: Ms) -> Next<End> {
        match (std::mem::replace(&mut self.phase, Phase::Ended), input) {
            (Phase::Looking, Input::Looked(log, read)) => self.looked(log, read, now),
            (Phase::Looking, Input::Woke) => self.look(),
            (Phase::Confirming(seen), Input::Log(again)) => self.confirmed(&seen.0, seen.1, again),
            (Phase::Observing(_), Input::Appended(AppendEnd::Lost(_))) => self.look(),
            // The drift is refused even if its observation was not appended.
            (Phase::Observing(observed), Input::Appended(_) | Input::Broken(_)) => {
                self.end(End::Refused(Why::Drifted(observed)))
            }
            (Phase::Judging(planned), Input::Approved(policy)) => match planned.log.state.policies.contains(&policy) {
                true => self.begin(planned, now),
                false => self.record_policy(planned),
            },
            (Phase::Judging(_), Input::Refused) => self.end(End::Refused(Why::Judged)),
            (Phase::RecordingPolicy(planned), Input::Appended(AppendEnd::Stored(log))) => {
                self.begin(Box::new(Planned { log, ..*planned }), now)
            }
            // Another entry came first, or the append was not answered: read the log to see if the policy is there.
            (Phase::RecordingPolicy(_), Input::Appended(AppendEnd::Lost(_)) | Input::Woke) => self.look(),
            (Phase::RecordingPolicy(planned), Input::Appended(AppendEnd::Unknown)) => match self.claim.unanswered() {
                1 => self.look(),
                2..=TRIES => {
                    self.phase = Phase::RecordingPolicy(planned);
                    self.sleep(back_off(0))
                }
                _ => self.end(End::Broken),
            },
            (Phase::Beginning(planned), Input::Begun(appended, pins)) => self.begun(planned, appended, pins, now),
            (Phase::Doubting { planned, pins, .. }, Input::Log(log)) => self.stands(planned, pins, log, now),
            (Phase::Doubting { .. }, Input::Broken(Retry::Never)) => self.in_doubt(),
            (Phase::Doubting { tries: 0, .. }, Input::Broken(_)) => self.in_doubt(),
            (Phase::Doubting { tries, planned, pins }, Input::Broken(_)) => {
                self.phase = Phase::Doubting { tries: tries - 1, planned, pins };
                self.sleep(back_off(0))
            }
            (Phase::Doubting { tries, planned, pins }, Input::Woke) => {
                self.phase = Phase::Doubting { tries, planned, pins };
                Next::Do(Effect::ReadLog)
            }
            (Phase::Clearing(mut clearing), input) => match clearing.0.next(input, now) {
                Next::Do(effect) => {
                    self.phase = Phase::Clearing(clearing);
                    Next::Do(effect)
                }
                Next::End(cleared) => self.cleared(cleared, &clearing.1),
            },
            (Phase::Holding(mut holding, seq), input) => match holding.next(input, now) {
                Next::Do(effect) => {
                    self.phase = Phase::Holding(holding, seq);
                    Next::Do(effect)
                }
                Next::End(Held::Closed { status: Status::Committed, .. }) => {
                    self.end(End::Committed { seq, recovered: false })
                }
                Next::End(Held::Closed { status, why }) => {
                    self.end(End::Closed { seq, status, why: why.unwrap_or(Why::Unknown) })
                }
                Next::End(Held::InDoubt(why)) => self.end(End::Indeterminate { seq: Some(seq), why }),
                Next::End(Held::Broken) => self.end(End::Indeterminate { seq: Some(seq), why: Why::Unknown }),
            },
            (_, _) => self.end(End::Broken),
        }
    }

    /// True if both are about to be judged, on the same basis.
    pub(crate) fn is_based_like(&self, other: &Moving) -> bool {
        match (&self.phase, &other.phase) {
            (Phase::Judging(one), Phase::Judging(other)) => Basis::of(&one.log.state) == Basis::of(&other.log.state),
            _ => false,
        }
    }

    /// Ends the machine. While a claim may still land, the end is indeterminate, never *nothing written*.
    fn end(&mut self, end: End) -> Next<End> {
        self.phase = Phase::Ended;
        Next::End(match end {
            End::Refused(_) | End::Unchanged(_) | End::Broken if self.claim.may_land() => {
                End::Indeterminate { seq: None, why: Why::Unknown }
            }
            end => end,
        })
    }

    fn in_doubt(&mut self) -> Next<End> {
        self.end(End::Indeterminate { seq: None, why: Why::Unknown })
    }

    fn sleep(&self, ms: Ms) -> Next<End> {
        Next::Do(Effect::Sleep(ms, Waiting::Answer { until: self.give_up }))
    }

    /// Step *look*.
    fn look(&mut self) -> Next<End> {
        self.phase = Phase::Looking;
        Next::Do(Effect::Look)
    }

    /// Steps *replay*, *wait* and *drift*.
    fn looked(&mut self, log: LogRead, read: TagRead, now: Ms) -> Next<End> {
        #[cfg(test)]
        let log = Rule::blind(self.worker.left_out, log);
        self.claim.forget_lost(&log.state, &self.worker.owner);
        if self.claim.won(&log.state, &self.worker.owner).is_some()
            && let Some((planned, pins)) = self.unanswered.take()
        {
            return self.stands(planned, pins, log, now);
        }
        let leaves = *self.leaves.get_or_insert_with(|| leaves(&log));
        let state = &log.state;
        let now_is = Basis::of(state);
        let stale = *self.basis.get_or_insert(now_is) != now_is;
        #[cfg(test)]
        let stale = stale && self.worker.left_out != Some(Rule::StaleNeverWins);
        // The digest that an unnamed rollback leaves has become live: the rollback waited for that.
        let expected = self.ask.want == Want::Previous && state.live == leaves;
        let situation = situation(&self.ask, &log, &read, leaves);
        match situation {
            Situation::Replayed(replay) => self.end(End::Replayed(replay)),
            Situation::No(why) => self.end(End::Refused(why)),
            Situation::Busy(open) => self.clear(&log, *open, now),
            Situation::Lag => self.look_again(&log, &read, now),
            Situation::Unchanged(live) => self.end(End::Unchanged(live)),
            // A run whose facts have changed is refused, unless it asked to requeue.
            _ if stale && !expected && self.ask.on_conflict != OnConflict::Requeue => {
                self.end(End::Refused(Why::ChannelChanged))
            }
            #[cfg(test)]
            Situation::Drift { .. } if self.worker.left_out == Some(Rule::HeadReadAgain) => {
                self.confirmed(&log.clone(), read, log)
            }
            Situation::Drift { .. } => {
                self.phase = Phase::Confirming(Box::new((log, read)));
                Next::Do(Effect::ReadLog)
            }
            Situation::Ready(change) => self.judge(log, change, read),
        }
    }

    /// *lag-is-not-drift*: looks again until a read answers the live digest or the channel is settled.
    fn look_again(&mut self, log: &LogRead, read: &TagRead, now: Ms) -> Next<End> {
        if now >= self.give_up {
            return self.end(End::Refused(Why::Unsettled(read.value)));
        }
        let until = log.settled_at(read, now);
        let pause = [until, self.give_up]
            .into_iter()
            .filter(|at| *at > now)
            .fold(back_off(self.lags), |ms, at| ms.min(at - now));
        self.lags += 1;
        self.phase = Phase::Looking;
        Next::Do(Effect::Sleep(pause, Waiting::Settle { until }))
    }

    /// Drift is sure if the log's head did not move. A repair and an adoption go on; other moves are refused, and the
    /// drift is observed.
    fn confirmed(&mut self, log: &LogRead, read: TagRead, again: LogRead) -> Next<End> {
        if again.state.size != log.state.size {
            return self.look();
        }
        match situation(&self.ask, &again, &read, self.leaves.flatten()) {
            Situation::Drift { fix: Some(change) } => self.judge(again, change, read),
            Situation::Drift { fix: None } => {
                let newest = again.state.trail.may_be.iter().rev().find(|seen| seen.cause == MayBeCause::Observation);
                match newest.is_some_and(|seen| seen.value == read.value) {
                    true => self.end(End::Refused(Why::Drifted(read.value))),
                    false => {
                        self.phase = Phase::Observing(read.value);
                        let (seq, expected) = (again.state.size, again.state.live);
                        Next::Do(Effect::Observe { seq, expected, observed: read.value })
                    }
                }
            }
            Situation::No(why) => self.end(End::Refused(why)),
            _ => self.look(),
        }
    }

    /// Step *judge*.
    fn judge(&mut self, log: LogRead, change: Change, read: TagRead) -> Next<End> {
        self.lags = 0;
        let lagging = read.value != log.state.live && log.is_unsettled(&read);
        self.phase = Phase::Judging(Box::new(Planned { log, change, read }));
        Next::Do(Effect::Judge { read, lagging, change })
    }

    /// Appends the policy, before the first intent that it judged.
    fn record_policy(&mut self, planned: Box<Planned>) -> Next<End> {
        let seq = planned.log.state.size;
        self.phase = Phase::RecordingPolicy(planned);
        Next::Do(Effect::Policy { seq })
    }

    /// Steps *intent* and *pin*. The time to live counts from here, before the append.
    fn begin(&mut self, planned: Box<Planned>, now: Ms) -> Next<End> {
        let (seq, change) = (planned.log.state.size, planned.change);
        self.claim.send(seq, now);
        self.phase = Phase::Beginning(planned);
        Next::Do(Effect::Begin { seq, change })
    }

    fn begun(&mut self, planned: Box<Planned>, appended: AppendEnd, pins: Pins, now: Ms) -> Next<End> {
        match appended {
            AppendEnd::Stored(log) => {
                self.claim.answered();
                self.stands(planned, pins, log, now)
            }
            AppendEnd::Lost(log) if is_of(&log.state, &self.worker.owner) => self.stands(planned, pins, log, now),
            AppendEnd::Lost(log) => self.overtaken(planned, log, now),
            AppendEnd::Unknown => {
                let unanswered = self.claim.unanswered();
                self.phase = Phase::Doubting { tries: TRIES, planned, pins };
                match unanswered {
                    1 => Next::Do(Effect::ReadLog),
                    2..=TRIES => self.sleep(back_off(0)),
                    _ => self.in_doubt(),
                }
            }
        }
    }

    /// Another entry has the position of the intent.
    fn overtaken(&mut self, planned: Box<Planned>, log: LogRead, now: Ms) -> Next<End> {
        self.claim.forget_lost(&log.state, &self.worker.owner);
        self.claim.answered();
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

    /// The log was read after an intent was sent: goes on if the intent is there, and looks again if not.
    fn stands(&mut self, planned: Box<Planned>, pins: Pins, log: LogRead, now: Ms) -> Next<End> {
        self.claim.forget_lost(&log.state, &self.worker.owner);
        let (Some(open), Some(start)) = (&log.state.open, self.claim.won(&log.state, &self.worker.owner)) else {
            self.unanswered = Some((planned, pins));
            return self.look();
        };
        let (seq, times) = (open.seq, (start, planned.read.sent));
        let (holding, effect) = Holding::begun(open.clone(), log, planned.change, pins, times, &self.worker, now);
        self.phase = Phase::Holding(Box::new(holding), seq);
        Next::Do(effect)
    }

    /// Steps *wait* and *takeover*: another worker's move is open.
    fn clear(&mut self, log: &LogRead, open: OpenMove, now: Ms) -> Next<End> {
        let same_key = open.key == self.ask.key && open.request == self.ask.request;
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
            let change = Change {
                op: open.op,
                previous: open.previous,
                target: open.target,
                replaced: open.replaced,
                puts: !open.as_it_is,
            };
            let seq = open.seq;
            let (holding, effect) =
                Holding::begun(open, log.clone(), change, Pins::Confirmed, (now, now), &self.worker, now);
            self.phase = Phase::Holding(Box::new(holding), seq);
            return Next::Do(effect);
        }
        let part = match same_key {
            true => Part::SameKey,
            false => Part::Abandon { at_once: self.ask.op == Op::Rollback },
        };
        let mut clearing = Clearing::new(part, self.worker.clone(), self.give_up);
        match clearing.meet(log, now) {
            Next::Do(effect) => {
                self.phase = Phase::Clearing(Box::new((clearing, open)));
                Next::Do(effect)
            }
            Next::End(cleared) => self.cleared(cleared, &open),
        }
    }

    fn cleared(&mut self, cleared: Cleared, open: &OpenMove) -> Next<End> {
        let same_key = open.key == self.ask.key && open.request == self.ask.request;
        match cleared {
            Cleared::Closed { seq, status: Status::Committed, .. } if same_key => {
                self.end(End::Committed { seq, recovered: true })
            }
            // The plan does not become stale by a move that this run closed itself: the basis takes that move's result.
            Cleared::Closed { status, .. } => {
                if let Some(basis) = &mut self.basis
                    && status == Status::Committed
                    && basis.last_intent == Some(open.seq)
                {
                    basis.live = Some(open.target);
                    basis.previous = open.previous.filter(|previous| *previous != open.target).or(basis.previous);
                }
                self.look()
            }
            Cleared::Nothing | Cleared::Gone(_) => self.look(),
            Cleared::Refused(why) => self.end(End::Refused(why)),
            Cleared::InDoubt(seq, why) => self.end(End::Indeterminate { seq, why }),
            Cleared::Broken => self.end(End::Broken),
        }
    }
}
