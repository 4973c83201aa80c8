//! `Moving`: one worker's way from a request to its end.
//!
//! This file looks, judges and begins. A move that another worker left open is a [`Clearing`]; the move that this worker
//! began is a `Holding`.

use super::ask::{Ask, Ms, OnConflict, Want, Worker};
use super::claim::{Claim, TRIES, is_of};
use super::clearing::{Cleared, Clearing};
use super::effect::{Appended, Effect, Input, Next, Pins, Waiting, back_off};
use super::end::{End, Why};
use super::holding::{Held, Holding, Part};
#[cfg(test)]
use super::rules::Rule;
use super::situation::{Change, Situation, leaves, situation};
use super::windows::{LogRead, TagRead};
use crate::error::Retry;
use crate::record::{MayBeCause, Op, OpenMove, Status};
use crate::value::Digest;

/// One worker's way from a request to its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Moving {
    ask: Ask,
    worker: Worker,
    /// When it gives up waiting.
    give_up: Ms,
    /// The plan's basis: the channel as it was at the first look.
    basis: Option<Basis>,
    /// The value that an unnamed rollback leaves.
    leaves: Option<Option<Digest>>,
    claim: Claim,
    /// The intent that was not answered, and may land later.
    unanswered: Option<(Box<Planned>, Pins)>,
    /// How often it looked in a row because reads may lag.
    lags: u32,
    phase: Phase,
}

/// If any of these changed, the plan is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Basis {
    live: Option<Digest>,
    previous: Option<Digest>,
    last_intent: Option<u64>,
}

/// A look that was judged, or is to be.
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
    /// Drift was seen: is the log's head still where it was?
    Confirming(Box<(LogRead, TagRead)>),
    /// Drift is sure: it is being recorded.
    Observing(Option<Digest>),
    Judging(Box<Planned>),
    /// The policy that judged is being recorded.
    RecordingPolicy(Box<Planned>),
    Beginning(Box<Planned>),
    /// An intent was not answered: does it stand?
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
    /// A worker with a request, at `now`, and the first thing to do.
    pub(crate) fn start(ask: Ask, worker: Worker, now: Ms) -> (Moving, Effect) {
        let give_up = now.saturating_add(worker.timeout_ms);
        let (basis, leaves, claim) = (None, None, Claim::default());
        let moving =
            Moving { ask, worker, give_up, basis, leaves, claim, unanswered: None, lags: 0, phase: Phase::Looking };
        (moving, Effect::Look)
    }

    /// Is told what happened, at `now`; says what to do next. A wrong answer to the last effect ends it.
    pub(crate) fn next(&mut self, input: Input, now: Ms) -> Next<End> {
        match (std::mem::replace(&mut self.phase, Phase::Ended), input) {
            (Phase::Looking, Input::Looked(log, read)) => self.looked(log, read, now),
            (Phase::Looking, Input::Woke) => self.look(),
            (Phase::Confirming(seen), Input::Log(again)) => self.confirmed(&seen.0, seen.1, again),
            (Phase::Observing(_), Input::Appended(Appended::Lost(_))) => self.look(),
            // Drift is drift, recorded or not.
            (Phase::Observing(observed), Input::Appended(_) | Input::Broken(_)) => {
                self.end(End::Refused(Why::Drifted(observed)))
            }
            (Phase::Judging(planned), Input::Approved(policy)) => match planned.log.state.policies.contains(&policy) {
                true => self.begin(planned, now),
                false => self.record_policy(planned),
            },
            (Phase::Judging(_), Input::Refused) => self.end(End::Refused(Why::Judged)),
            (Phase::RecordingPolicy(planned), Input::Appended(Appended::Stored(log))) => {
                self.begin(Box::new(Planned { log, ..*planned }), now)
            }
            // Another entry came first, or it is not known: the log says whether the policy is there.
            (Phase::RecordingPolicy(_), Input::Appended(Appended::Lost(_)) | Input::Woke) => self.look(),
            (Phase::RecordingPolicy(planned), Input::Appended(Appended::Unknown)) => match self.claim.unanswered() {
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

    /// The end. While a claim may still land, nothing is said to be unwritten.
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
        let now_is = Basis { live: state.live, previous: state.previous, last_intent: state.last_intent };
        let stale = *self.basis.get_or_insert(now_is) != now_is;
        #[cfg(test)]
        let stale = stale && self.worker.left_out != Some(Rule::StaleNeverWins);
        // What an unnamed rollback leaves has become live: that is what it waited for.
        let expected = self.ask.want == Want::Previous && state.live == leaves;
        let situation = situation(&self.ask, &log, &read, leaves);
        match situation {
            Situation::Replayed(replay) => self.end(End::Replayed(replay)),
            Situation::No(why) => self.end(End::Refused(why)),
            Situation::Busy(open) => self.clear(&log, *open, now),
            Situation::Lag => self.look_again(&log, &read, now),
            Situation::Unchanged(live) => self.end(End::Unchanged(live)),
            // A run whose facts have changed never wins, unless it asked to queue.
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

    /// *lag-is-not-drift*: look again, until the live digest shows or the channel is settled.
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

    /// Drift is sure if the log's head did not move: what was asked for by name goes on; the rest is refused, and observed.
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

    /// Before the first intent that a policy judged: the policy.
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

    fn begun(&mut self, planned: Box<Planned>, appended: Appended, pins: Pins, now: Ms) -> Next<End> {
        match appended {
            Appended::Stored(log) => {
                self.claim.answered();
                self.stands(planned, pins, log, now)
            }
            Appended::Lost(log) if is_of(&log.state, &self.worker.owner) => self.stands(planned, pins, log, now),
            Appended::Lost(log) => self.overtaken(planned, log, now),
            Appended::Unknown => {
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
            // An observation or a deployment: the same at the new head. A hold, block or policy is judged.
            return match state.judges_like(then) {
                true => self.begin(Box::new(Planned { log, ..*planned }), now),
                false => self.look(),
            };
        }
        let open = state.open.as_ref();
        // A retry of the same request is waited for, and answers for both (*retry-waits*).
        let retry = open.is_some_and(|open| open.key == self.ask.key) || log.replay.is_some();
        match retry || self.ask.on_conflict == OnConflict::Requeue {
            true => self.look(),
            // Lost to another move: the plan is stale.
            false => self.end(End::Refused(Why::ChannelChanged)),
        }
    }

    /// The log after an intent was sent: does it stand?
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
            // A retry of the same request is not another move that came first, nor is the move that this run is to close,
            // if it is the next one after the basis.
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
            // A move that this run closed on its way is not another move that came first: the basis is what it left.
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
