//! The world of a check: the log, the tag and the values that it had, the puts on their way, and the workers.

use super::checks::{Ending, Saw};
use super::*;
use crate::log::proptests::{block, intent_of, outcome_of, policy_of, unblock};
use crate::log::{ActiveHold, ChannelState, ClosedMove, Hold, HoldScope, RolledBackCause};
use crate::value::{Channel, Provenance, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) now: Ms,
    pub(super) log: Arc<ChannelState>,
    pub(super) committed: Vec<Commit>,
    pub(super) tag: Option<Digest>,
    /// The values that the tag has no more but a read may still answer, each with the time of its end.
    pub(super) window: Vec<(Option<Digest>, Ms)>,
    pub(super) flying: Vec<Flying>,
    /// Appends whose answer was lost and that may still land.
    pub(super) late: Vec<(u64, Body)>,
    pub(super) workers: Vec<Arc<Slot>>,
    pub(super) left: Left,
    pub(super) went_around: bool,
    /// True if a put of the open move landed.
    pub(super) landed: bool,
    /// True if a rollback or an abort took the open move over.
    pub(super) given_up: bool,
    /// Targets of promotions that were aborted after that, and were not live since.
    pub(super) aborted: Vec<Digest>,
    /// The blocked digests, each with the position of its block.
    pub(super) blocked: Vec<(Digest, u64)>,
    /// True if a rollback appended its hold.
    pub(super) stopped: bool,
    pub(super) broken: Option<&'static str>,
}

/// A move that was committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Commit {
    pub(super) key: IdempotencyKey,
    pub(super) op: Op,
    pub(super) replay: Replay,
    /// The owner of the move when it was closed.
    pub(super) by: Line,
}

/// The faults and foreign events that may still happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) crashes: u8,
    pub(super) notes: u8,
    pub(super) holds: usize,
    pub(super) blocks: usize,
    pub(super) foreign: usize,
    pub(super) flaws: u8,
    pub(super) refusals: u8,
    pub(super) losses: u8,
}

/// A put whose answer was lost, on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flying {
    pub(super) move_id: Line,
    pub(super) to: Digest,
    pub(super) sent: Ms,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "most slots run")]
pub(super) enum Slot {
    Running(Running),
    Ended(Ending),
    Crashed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Running {
    pub(super) machine: Machine,
    pub(super) todo: Todo,
    pub(super) first_read: FirstRead,
    pub(super) saw: Saw,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "most machines move")]
pub(super) enum Machine {
    Move(Moving),
    Recovery(Clearing),
    /// An audit, with the difference that it is about to report.
    Audit(Option<(LogRead, TagRead)>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Todo {
    Do(Effect),
    /// Half of a look: the tag was read, and the log must still be read. `ResolveAfter` is the other order.
    ReadAfter(TagRead),
    ResolveAfter(LogRead),
    /// A put that was sent at this time.
    Putting(Box<OpenMove>, Ms),
    /// Asleep until this time, or until the log is longer than this size.
    Asleep(Ms, u64),
}

impl World {
    pub(super) fn new(channel: Channel, left: Left) -> World {
        World {
            now: 0,
            log: Arc::new(ChannelState::empty(channel)),
            committed: vec![],
            tag: None,
            window: vec![],
            flying: vec![],
            late: vec![],
            workers: vec![],
            left,
            went_around: false,
            landed: false,
            given_up: false,
            aborted: vec![],
            blocked: vec![],
            stopped: false,
            broken: None,
        }
    }

    pub(super) fn breaks(&mut self, rule: &'static str) {
        self.broken.get_or_insert(rule);
    }

    /// Bootstraps the channel at the tag's own digest, the target of `first`, so that every window begins in the check
    /// itself.
    pub(super) fn bootstrap(&mut self, first: OpenMove) {
        let tag = Some(first.target);
        self.append(policy_of(super::work::policy()));
        self.begin(first);
        let open = self.log.open.clone().unwrap();
        self.append(outcome_of(&open, Status::Committed, PutStatus::None, tag));
        self.tag = tag;
    }

    pub(super) fn begin(&mut self, open: OpenMove) {
        self.append(intent_of(open, &self.log.channel, super::work::policy()));
    }

    pub(super) fn tick(&mut self, lag: Ms, longest: Ms) {
        self.now += 1;
        let now = self.now;
        self.window.retain(|(_, ended)| now < ended + lag);
        for slot in &mut self.workers {
            if let Slot::Running(running) = Arc::make_mut(slot) {
                running.first_read.note(0, now, longest);
            }
        }
    }

    /// Appends an entry with this body, and checks it against the world.
    pub(super) fn append(&mut self, body: Body) {
        let mut log = ChannelState::clone(&self.log);
        let (size, open) = (log.size, log.open.clone());
        self.check_entry(&body, open.as_ref());
        if matches!(body, Body::Intent(_)) {
            (self.landed, self.given_up) = (false, false);
        }
        if log.fold(digest(&format!("{size}")), Timestamp::from_unix_ms(0), &body).is_err() {
            self.breaks("no-interleaving");
        }
        if let (Some(open), Some(ClosedMove { status: Status::Committed, .. }), None) = (open, &log.closed, &log.open) {
            if self.committed.iter().any(|commit| commit.key == open.key) {
                self.breaks("key-once");
            }
            let replay = Replay { seq: open.seq, request: open.request, target: open.target };
            self.aborted.retain(|aborted| *aborted != open.target);
            self.committed.push(Commit { key: open.key, op: open.op, replay, by: open.owner });
        }
        self.log = Arc::new(log);
    }

    pub(super) fn write(&mut self, to: Option<Digest>, lag: Ms) {
        let (before, now) = (self.tag, self.now);
        if before != to && lag > 0 {
            self.window.retain(|(value, _)| *value != before);
            self.window.push((before, now));
            self.window.sort_unstable();
        }
        self.tag = to;
    }

    pub(super) fn land(&mut self, move_id: &Line, to: Digest, lag: Ms) {
        match self.log.open.as_ref().is_some_and(|open| open.move_id == *move_id) {
            true => self.landed = true,
            false => self.breaks("intent-before-put: a put landed outside of its move"),
        }
        self.write(Some(to), lag);
    }

    /// Appends a hold.
    pub(super) fn stop(&mut self, scope: HoldScope, until: Option<Ms>) {
        let until = until.map(|until| Timestamp::from_unix_ms(i64::try_from(until).unwrap()));
        let provenance = Provenance::new("manual", "1", "b").unwrap();
        self.append(Body::Hold(Hold { scope, reason: text("r"), provenance, until }));
    }

    fn holds(&self) -> impl Iterator<Item = &ActiveHold> {
        let now = Timestamp::from_unix_ms(i64::try_from(self.now).unwrap());
        self.log.holds.iter().filter(move |hold| hold.until.is_none_or(|until| now < until))
    }

    /// The position of the hold that stops `op` now, by the words of the protocol.
    pub(super) fn held(&self, op: Op) -> Option<u64> {
        let covers = |scope| scope == HoldScope::All || matches!(op, Op::Promote | Op::Bootstrap);
        self.holds().find(|hold| covers(hold.scope)).map(|hold| hold.seq)
    }

    /// True if a worker with this goal is told that a hold stops it now.
    fn stops(&self, setup: &Setup, goal: &Goal) -> bool {
        let Some(op) = self.op_of(goal) else { return false };
        let all_counts = setup.left_out != Some(Rule::AllStopsEvery);
        self.holds().any(|hold| (all_counts || hold.scope != HoldScope::All) && hold.scope.covers(op))
    }

    /// Appends a block.
    pub(super) fn block(&mut self, digest: Digest) {
        self.blocked.push((digest, self.log.size));
        self.append(block(digest));
    }

    /// Ends the oldest block.
    pub(super) fn unblock(&mut self) {
        let (digest, _) = self.blocked.remove(0);
        self.append(unblock(digest));
    }

    /// The position of a digest's block.
    pub(super) fn block_of(&self, digest: Digest) -> Option<u64> {
        self.blocked.iter().find(|(blocked, _)| *blocked == digest).map(|(_, seq)| *seq)
    }

    /// True if the policy refuses this change of a worker with this goal.
    pub(super) fn refuses(&self, setup: &Setup, goal: &Goal, change: &Change) -> bool {
        let (target, left_out) = (&change.target, setup.left_out);
        let promotes = matches!(change.op, Op::Promote | Op::Bootstrap);
        let rule = |cause| match cause {
            RolledBackCause::Rollback => Rule::NoReturn,
            RolledBackCause::Aborted => Rule::NoReturnOfAborted,
        };
        let left = self.log.rolled_back(target).filter(|left| left_out != Some(rule(left.cause)));
        let records = change.op == Op::Adopt || (change.op == Op::Bootstrap && !change.puts);
        let block = self.log.block_of(target).filter(|_| left_out != Some(Rule::NotBlocked));
        let returns = promotes && !setup.returns && left.is_some();
        self.stops(setup, goal) || returns || (!records && block.is_some())
    }

    /// The log as the worker at `at` reads it now.
    pub(super) fn read(&mut self, setup: &Setup, at: usize) -> LogRead {
        let (goal, deadlines) = &setup.goals[at];
        let key = match goal {
            Goal::Move(ask) => Some(&ask.key),
            Goal::Recover(_) | Goal::Audit => None,
        };
        let replay = self.committed.iter().find(|commit| Some(&commit.key) == key).map(|commit| commit.replay);
        let held = self.stops(setup, goal);
        let (size, now, commits) = (self.log.size, self.now, self.committed.len());
        let first_read = match Arc::make_mut(&mut self.workers[at]) {
            Slot::Running(running) => {
                running.saw.log(size, commits);
                running.first_read.note(size, now, setup.longest());
                running.first_read.clone()
            }
            _ => FirstRead::default(),
        };
        LogRead { state: Arc::clone(&self.log), replay, held, first_read, settle_ms: deadlines.settle_ms }
    }

    /// The operation that a hold may stop.
    pub(super) fn op_of(&self, goal: &Goal) -> Option<Op> {
        match goal {
            Goal::Move(ask) => Some(ask.op),
            Goal::Recover(_) => self.log.open.as_ref().map(|open| open.op),
            Goal::Audit => None,
        }
    }
}
