//! `Mover`: one worker's way from a question to an outcome.
//!
//! Read it in three parts: this file looks, judges and begins (steps 0 to 6); `wait.rs` meets another's move (step 2 and
//! takeover); `own.rs` runs a move that is ours, from the guard to the outcome (steps 7 to 10).

use std::sync::Arc;

use super::action::{Action, Appended, Heard, LogRead, Pins, Waiting};
use super::own::Own;
use super::situation::{Change, Situation, situation};
use super::wait::Seen;
use super::{End, Goal, Ms, OnConflict, Sabotage, Why, Worker};
use crate::record::ChannelState;
use crate::value::Digest;

/// One worker's way from a question to an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mover {
    pub(super) goal: Goal,
    pub(super) worker: Worker,
    /// When it gives up waiting for others.
    pub(super) patience_until: Ms,
    /// The live digest at the first look: what the caller had in mind.
    pub(super) basis: Option<Option<Digest>>,
    /// The other's move that was seen open, and since when.
    pub(super) seen: Option<Seen>,
    /// An append that claims a move and was not answered: it may be found in the log later.
    pub(super) claim: Option<Claim>,
    /// How many appends in a row were not answered.
    pub(super) unanswered: u8,
    pub(super) phase: Phase,
    #[cfg(test)]
    pub(super) sabotage: Option<Sabotage>,
}

/// A claim to a move: an intent or a takeover that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    /// Just before it was first sent: the time to live counts from here.
    pub(super) start: Ms,
    /// The position it was sent for. Once something else stands there, it cannot land any more.
    pub(super) seq: u64,
    /// Whether target and live digest are pinned.
    pub(super) pins: Pins,
    pub(super) answer: Answer,
}

/// Whether it is known what became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// It was answered, or will be.
    Expected,
    /// The answer was lost: it may stand, or land later.
    Lost,
}

/// Where a mover is: what it waits to hear.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Looking,
    /// Drift was seen: the tag is resolved again, after the log was read.
    Rechecking {
        log: LogRead,
    },
    /// Drift was seen again: is the log still where it was?
    Confirming {
        log: LogRead,
        observed: Option<Digest>,
    },
    /// Drift is sure: it is being recorded.
    Noting {
        observed: Option<Digest>,
    },
    Judging {
        log: LogRead,
        change: Change,
        observed: Option<Digest>,
    },
    /// The policy that judged is being recorded.
    RecordingPolicy {
        change: Change,
        observed: Option<Digest>,
    },
    Beginning {
        log: LogRead,
        change: Change,
        observed: Option<Digest>,
    },
    /// A claim was not answered: does it stand?
    Doubting {
        tries: u8,
    },
    /// Another's move is open.
    Waiting,
    /// It is being taken over.
    Taking,
    /// Our move.
    Owning(Box<Own>),
    Ended,
}

/// How often what was not answered is looked at again, or sent again, before it is left in doubt.
const TRIES: u8 = 5;

/// How long to wait before a registry or a ledger is asked again.
pub(super) const AGAIN_MS: Ms = 100;

impl Mover {
    /// A worker with a goal, at `now`, and the first thing to do.
    pub(crate) fn start(goal: Goal, worker: Worker, now: Ms) -> (Mover, Action) {
        let mut mover = Mover {
            goal,
            patience_until: now.saturating_add(worker.patience_ms),
            worker,
            basis: None,
            seen: None,
            claim: None,
            unanswered: 0,
            phase: Phase::Looking,
            #[cfg(test)]
            sabotage: None,
        };
        let action = mover.look();
        (mover, action)
    }

    /// Hears what happened, at `now`, and says what to do next. What does not answer the last action ends the mover.
    pub(crate) fn hear(&mut self, heard: Heard, now: Ms) -> Action {
        match (std::mem::replace(&mut self.phase, Phase::Ended), heard) {
            (Phase::Looking, Heard::Looked(log, observed)) => self.looked(log, observed, now),
            (Phase::Looking, Heard::Log(log)) => self.found(log, now),
            (Phase::Rechecking { log }, Heard::Tag(observed)) => self.rechecked(log, observed, now),
            (Phase::Confirming { log, observed }, Heard::Log(again)) => {
                match again.state.last_intent == log.state.last_intent && again.state.closed == log.state.closed {
                    true => self.drifted(again, observed),
                    false => self.look(),
                }
            }
            (Phase::Noting { .. }, Heard::Appended(Appended::Lost(_))) => self.look(),
            // Drift is drift, whether it could be recorded or not.
            (Phase::Noting { observed }, Heard::Appended(_) | Heard::Broken) => {
                self.done(End::Refused(Why::Drifted(observed)))
            }
            (Phase::Judging { log, change, observed }, Heard::Approved(policy)) => {
                match log.state.policies.contains(&policy) {
                    true => self.begin(log, change, observed, now),
                    false => self.record_policy(log.state.size, change, observed),
                }
            }
            (Phase::RecordingPolicy { change, observed }, Heard::Appended(Appended::Stored(log))) => {
                self.begin(log, change, observed, now)
            }
            // Another entry came first, or it is not known: the log says whether the policy is there.
            (Phase::RecordingPolicy { change, observed }, Heard::Appended(Appended::Unknown)) => {
                self.unanswered += 1;
                self.phase = Phase::RecordingPolicy { change, observed };
                match self.unanswered {
                    1 => self.look(),
                    2..=TRIES => Action::Sleep(AGAIN_MS),
                    _ => self.done(End::Broken),
                }
            }
            (Phase::RecordingPolicy { .. }, Heard::Appended(Appended::Lost(_)) | Heard::Woke) => self.look(),
            (Phase::Judging { .. }, Heard::Refused) => self.done(End::Refused(Why::Judged)),
            (Phase::Beginning { log, change, observed }, Heard::Begun(appended, pins)) => {
                self.begun(log, change, observed, appended, pins, now)
            }
            (Phase::Doubting { .. }, Heard::Log(log)) => self.settled(log, now),
            (Phase::Doubting { tries: 0 }, Heard::Broken) => {
                self.done(End::Indeterminate { seq: None, why: Why::Unknown })
            }
            (Phase::Doubting { tries }, Heard::Broken) => {
                self.phase = Phase::Doubting { tries: tries - 1 };
                Action::Sleep(AGAIN_MS)
            }
            (Phase::Doubting { tries }, Heard::Woke) => {
                self.phase = Phase::Doubting { tries };
                Action::ReadLog
            }
            (Phase::Waiting, heard) => self.waited(heard, now),
            (Phase::Taking, heard) => self.took(heard, now),
            (Phase::Owning(own), heard) => self.run(*own, heard, now),
            (_, _) => self.done(End::Broken),
        }
    }

    /// Whoever has sent a claim that may still land cannot say that nothing was written.
    pub(super) fn done(&mut self, end: End) -> Action {
        self.phase = Phase::Ended;
        let doubtful = self.claim.is_some_and(|claim| claim.answer == Answer::Lost);
        Action::Done(match end {
            End::Refused(_) | End::Unchanged(_) | End::Broken | End::Nothing if doubtful => {
                End::Indeterminate { seq: None, why: Why::Unknown }
            }
            end => end,
        })
    }

    /// Step 0. Whoever has no move of its own needs the log alone.
    pub(super) fn look(&mut self) -> Action {
        self.phase = Phase::Looking;
        match self.goal {
            Goal::Move(_) => Action::Look,
            Goal::Forward | Goal::Abandon => Action::ReadLog,
        }
    }

    /// A look for a goal without a move of its own.
    fn found(&mut self, log: LogRead, now: Ms) -> Action {
        match log.state.open {
            Some(_) => self.meet(&log, now),
            None => self.done(End::Nothing),
        }
    }

    /// Steps 1 to 3.
    fn looked(&mut self, log: LogRead, observed: Option<Digest>, now: Ms) -> Action {
        self.forget_lost_claim(&log.state);
        let Goal::Move(ask) = &self.goal else { return self.found(log, now) };
        let situation = situation(ask, &log.state, log.replay.as_ref(), observed);
        let basis = *self.basis.get_or_insert(log.state.live);
        let stale = ask.on_conflict != OnConflict::Requeue && basis != log.state.live;
        match situation {
            Situation::Replayed(replay) => self.done(End::Replayed(replay)),
            Situation::No(why) => self.done(End::Refused(why)),
            Situation::Busy(_) => self.meet(&log, now),
            Situation::Unchanged(live) => self.done(End::Unchanged(live)),
            // A run whose facts have changed never wins, unless it asked to queue.
            _ if stale => self.done(End::Refused(Why::ChannelChanged)),
            Situation::Drift { .. } => {
                self.phase = Phase::Rechecking { log };
                Action::Resolve
            }
            Situation::Ready(change) => self.judge(log, change, observed),
        }
    }

    /// Step 3: the tag was resolved again, after the log was read.
    fn rechecked(&mut self, log: LogRead, observed: Option<Digest>, now: Ms) -> Action {
        if observed == log.state.live {
            return self.looked(log, observed, now);
        }
        self.phase = Phase::Confirming { log, observed };
        Action::ReadLog
    }

    /// Step 3: drift is sure. What was asked for by name goes on; the rest is refused, and recorded.
    fn drifted(&mut self, log: LogRead, observed: Option<Digest>) -> Action {
        let Goal::Move(ask) = &self.goal else { return self.done(End::Broken) };
        match situation(ask, &log.state, log.replay.as_ref(), observed) {
            Situation::Drift { fix: Some(change) } => self.judge(log, change, observed),
            Situation::Drift { fix: None } => {
                self.phase = Phase::Noting { observed };
                Action::Observe { seq: log.state.size, expected: log.state.live, observed }
            }
            Situation::No(why) => self.done(End::Refused(why)),
            _ => self.look(),
        }
    }

    /// Step 4.
    fn judge(&mut self, log: LogRead, change: Change, observed: Option<Digest>) -> Action {
        let state = Arc::clone(&log.state);
        self.phase = Phase::Judging { log, change, observed };
        Action::Judge { state, observed, change }
    }

    /// Before the first intent that a policy judged: the policy.
    fn record_policy(&mut self, seq: u64, change: Change, observed: Option<Digest>) -> Action {
        self.phase = Phase::RecordingPolicy { change, observed };
        Action::Policy { seq }
    }

    /// Steps 5 and 6. The time to live counts from here, before the append.
    fn begin(&mut self, log: LogRead, change: Change, observed: Option<Digest>, now: Ms) -> Action {
        let seq = log.state.size;
        self.phase = Phase::Beginning { log, change, observed };
        self.claim(seq, Pins::Unconfirmed, now);
        Action::Begin { seq, change }
    }

    /// Claims the position `seq`. What was sent for it before and not answered may land yet, and others count from then.
    pub(super) fn claim(&mut self, seq: u64, pins: Pins, now: Ms) -> Claim {
        let earlier = self.claim.filter(|claim| claim.seq == seq);
        let (start, answer) = earlier.map_or((now, Answer::Expected), |claim| (claim.start, claim.answer));
        *self.claim.insert(Claim { start, seq, pins, answer })
    }

    fn begun(
        &mut self,
        then: LogRead,
        change: Change,
        observed: Option<Digest>,
        appended: Appended,
        pins: Pins,
        now: Ms,
    ) -> Action {
        if let (Some(claim), Pins::Confirmed) = (&mut self.claim, pins) {
            claim.pins = pins;
        }
        match appended {
            Appended::Stored(log) => self.settled(log, now),
            Appended::Unknown => self.doubt(),
            Appended::Lost(log) if is_of(&log.state, &self.worker) => self.settled(log, now),
            Appended::Lost(log) => self.overtaken(&then, log, change, observed, now),
        }
    }

    /// Step 6, lost.
    fn overtaken(&mut self, then: &LogRead, log: LogRead, change: Change, observed: Option<Digest>, now: Ms) -> Action {
        self.forget_lost_claim(&log.state);
        self.unanswered = 0;
        match &self.goal {
            // To another kind of entry: the same at the new head, unless it is one that is judged.
            _ if log.state.last_intent == then.state.last_intent && log.state.migrated.is_none() => {
                match log.state.judges_like(&then.state) {
                    true => self.begin(log, change, observed, now),
                    false => self.look(),
                }
            }
            // To a retry of the same request: it is waited for, and answers for both (R3).
            Goal::Move(ask) if log.state.open.as_ref().is_some_and(|open| open.key == ask.key) => self.look(),
            // To a move: what was planned is no longer what would happen.
            Goal::Move(ask) if ask.on_conflict != OnConflict::Requeue && log.replay.is_none() => {
                self.done(End::Refused(Why::ChannelChanged))
            }
            _ => self.look(),
        }
    }

    /// A position takes one entry: what was sent for it and is not there will never be.
    pub(super) fn forget_lost_claim(&mut self, state: &ChannelState) {
        if !is_of(state, &self.worker) && self.claim.is_some_and(|claim| state.size > claim.seq) {
            self.claim = None;
        }
    }

    /// A claim was not answered: the log says whether it stands.
    pub(super) fn doubt(&mut self) -> Action {
        if let Some(claim) = &mut self.claim {
            claim.answer = Answer::Lost;
        }
        self.unanswered += 1;
        self.phase = Phase::Doubting { tries: TRIES };
        match self.unanswered {
            1 => Action::ReadLog,
            2..=TRIES => Action::Sleep(AGAIN_MS),
            _ => self.done(End::Indeterminate { seq: None, why: Why::Unknown }),
        }
    }

    /// The log after a claim: is the open move ours?
    pub(super) fn settled(&mut self, log: LogRead, now: Ms) -> Action {
        self.forget_lost_claim(&log.state);
        match (&log.state.open, self.claim) {
            (Some(open), Some(claim)) if open.owner == self.worker.owner => {
                let own = Own::of(open.clone(), claim, &self.goal, &self.worker, now);
                self.own(own, now)
            }
            (Some(_), _) => self.meet(&log, now),
            (None, _) => self.look(),
        }
    }

    /// What it sleeps for.
    pub(crate) fn waits_for(&self) -> Waiting {
        match (&self.phase, &self.seen) {
            (Phase::Waiting, Some(seen)) => Waiting::Other { move_id: seen.move_id.clone(), until: seen.ripe },
            (Phase::Owning(own), _) => own.waits_for(),
            _ => Waiting::Answer,
        }
    }

    pub(super) fn without(&self, rule: Sabotage) -> bool {
        #[cfg(test)]
        return self.sabotage == Some(rule);
        #[cfg(not(test))]
        return {
            let _ = rule;
            false
        };
    }

    /// The move that this mover puts for.
    #[cfg(test)]
    pub(super) fn move_id(&self) -> crate::value::Text {
        match &self.phase {
            Phase::Owning(own) => own.move_id(),
            _ => self.worker.move_id.clone(),
        }
    }

    #[cfg(test)]
    pub(super) fn owner(&self) -> crate::value::Text {
        self.worker.owner.clone()
    }

    #[cfg(test)]
    pub(super) fn sabotaged(mut self, rule: Option<Sabotage>) -> Mover {
        self.sabotage = rule;
        self
    }
}

/// True if the open move is `worker`'s.
fn is_of(state: &ChannelState, worker: &Worker) -> bool {
    state.open.as_ref().is_some_and(|open| open.owner == worker.owner)
}
