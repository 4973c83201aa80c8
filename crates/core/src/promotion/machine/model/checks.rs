//! The properties of the world: they are checked at every append, before every put, and at every worker's end.

use super::work::Ended;
use super::*;
use crate::log::{Outcome, TakeoverOp};

/// The part of the log that a worker has read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Saw {
    /// The number of committed moves when it first read the log.
    commits: Option<usize>,
    /// The number of entries that it has read.
    size: u64,
}

impl Saw {
    pub(super) fn log(&mut self, size: u64, commits: usize) {
        self.size = size;
        self.commits.get_or_insert(commits);
    }
}

/// The end of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ending {
    Committed,
    /// Another worker began the move.
    Recovered,
    Unchanged,
    Replayed,
    Superseded,
    Failed,
    Aborted,
    Drifted,
    /// Reads did not settle in time.
    Unsettled,
    /// A hold or the state of the channel refused the move.
    Refused,
    /// Another move came first.
    Stale,
    Indeterminate,
    Broken,
    /// A recovery committed the move, or closed it.
    Cleared,
    /// A recovery found nothing to do.
    Nothing,
    /// A recovery left the move open, because of a hold.
    LeftOpen,
    /// An audit found no drift.
    InSync,
    FoundDrift,
}

impl Ending {
    pub(super) const ALL: [Ending; 18] = [
        Ending::Committed,
        Ending::Recovered,
        Ending::Unchanged,
        Ending::Replayed,
        Ending::Superseded,
        Ending::Failed,
        Ending::Aborted,
        Ending::Drifted,
        Ending::Unsettled,
        Ending::Refused,
        Ending::Stale,
        Ending::Indeterminate,
        Ending::Broken,
        Ending::Cleared,
        Ending::Nothing,
        Ending::LeftOpen,
        Ending::InSync,
        Ending::FoundDrift,
    ];

    pub(super) fn bit(self) -> u32 {
        1 << (self as u32)
    }

    fn of(ended: &Ended) -> Ending {
        match ended {
            Ended::Move(End::Committed { recovered: false, .. }) => Ending::Committed,
            Ended::Move(End::Committed { recovered: true, .. }) => Ending::Recovered,
            Ended::Move(End::Unchanged(_)) => Ending::Unchanged,
            Ended::Move(End::Replayed(_)) => Ending::Replayed,
            Ended::Move(End::Closed { status: Status::Failed, .. }) => Ending::Failed,
            Ended::Move(End::Closed { .. }) => Ending::Aborted,
            Ended::Move(End::Refused(Why::Superseded(_))) => Ending::Superseded,
            Ended::Move(End::Refused(Why::Drifted(_))) => Ending::Drifted,
            Ended::Move(End::Refused(Why::Unsettled(_))) => Ending::Unsettled,
            Ended::Move(End::Refused(Why::ChannelChanged)) => Ending::Stale,
            Ended::Move(End::Refused(_)) => Ending::Refused,
            Ended::Move(End::Indeterminate { .. }) | Ended::Recovery(End::Indeterminate { .. }) => {
                Ending::Indeterminate
            }
            Ended::Move(End::Broken) | Ended::Recovery(End::Broken) | Ended::Audit(None) => Ending::Broken,
            Ended::Recovery(End::Committed { .. } | End::Closed { .. }) => Ending::Cleared,
            Ended::Recovery(End::Nothing | End::Gone(_)) => Ending::Nothing,
            Ended::Recovery(End::Refused(_)) => Ending::LeftOpen,
            Ended::Move(End::Nothing | End::Gone(_)) => unreachable!("only a recovery ends so"),
            Ended::Recovery(End::Unchanged(_) | End::Replayed(_)) => unreachable!("only a move ends so"),
            Ended::Audit(Some(None)) => Ending::InSync,
            Ended::Audit(Some(Some(_))) => Ending::FoundDrift,
        }
    }
}

impl World {
    /// Checks an entry that is about to be appended; `open` is the open move.
    pub(super) fn check_entry(&mut self, body: &Body, open: Option<&OpenMove>) {
        match (body, open) {
            (Body::Outcome(Outcome { status, put, .. }), Some(open)) => {
                let committed = *status == Status::Committed;
                if committed && *put != PutStatus::None && !self.landed && !self.went_around {
                    self.breaks("committed-was-put");
                }
                let closed = *status == Status::Failed || (*status == Status::Aborted && *put == PutStatus::None);
                if closed && self.landed {
                    self.breaks("closed-is-closed");
                }
                if self.flying.iter().any(|put| put.move_id == open.move_id) {
                    self.breaks("quiet-before-outcome");
                }
                let promotes = matches!(open.op, Op::Promote | Op::Bootstrap) && self.log.live != Some(open.target);
                if *status == Status::Aborted && self.given_up && promotes {
                    self.aborted.push(open.target);
                }
            }
            (Body::Takeover(next), Some(_)) => {
                self.given_up |= matches!(next.op, TakeoverOp::Rollback | TakeoverOp::Abort);
            }
            (Body::Observation(_), None) if !self.went_around && self.tag == self.log.live => {
                self.breaks("no-false-word: observed");
            }
            _ => {}
        }
    }

    /// Checks the intent that the worker at `at` is about to append.
    pub(super) fn check_intent(&mut self, at: usize, ask: &Ask, saw: &Saw) {
        let owner = text(format!("w{at}"));
        let since = &self.committed[saw.commits.unwrap_or_default()..];
        let other = since.iter().any(|commit| commit.by != owner && commit.key != ask.key);
        if other && ask.on_conflict != OnConflict::Requeue && ask.want != Want::Previous {
            self.breaks("a stale run won");
        }
        if ask.holds_first && !self.stopped {
            self.breaks("a rollback began before its hold");
        }
    }

    /// *no-return*: checks a change whose intent is about to be appended, by the moves that were committed or aborted.
    pub(super) fn check_return(&mut self, change: &Change) {
        let at = self.committed.iter().rposition(|commit| commit.replay.target == change.target);
        let next = at.and_then(|at| self.committed.get(at + 1));
        let left = next.is_some_and(|next| next.op == Op::Rollback) || self.aborted.contains(&change.target);
        if left && matches!(change.op, Op::Promote | Op::Bootstrap) {
            self.breaks("no-return");
        }
    }

    /// *no-return*: checks a change whose intent is about to be appended, by the blocks in the log.
    pub(super) fn check_blocked(&mut self, change: &Change) {
        let records = change.op == Op::Adopt || (change.op == Op::Bootstrap && !change.puts);
        if !records && self.block_of(change.target).is_some() {
            self.breaks("no-return: blocked");
        }
    }

    /// Checks a takeover that a worker with this goal is about to append.
    pub(super) fn check_takeover(&mut self, goal: &Goal, saw: &Saw) {
        let Goal::Move(ask) = goal else { return };
        if self.held(ask.op).is_some_and(|seq| seq < saw.size) {
            self.breaks("a move that a hold stops took another one over");
        }
    }

    /// Checks a put that a worker with this goal is about to send.
    pub(super) fn check_put(&mut self, goal: &Goal, open: &OpenMove, saw: &Saw) {
        if self.block_of(open.target).is_some_and(|seq| seq < saw.size) {
            self.breaks("a put of a blocked target whose block was read");
        }
        let held = self.op_of(goal).and_then(|op| self.held(op));
        if held.is_some_and(|seq| seq < saw.size) {
            self.breaks("a put under a hold that was read");
        }
    }
}

impl Setup {
    /// Checks the outcome that a worker with this goal is about to append.
    pub(super) fn check_close(&self, world: &mut World, goal: &Goal, outcome: &Outcome) {
        let at_once = match goal {
            Goal::Move(ask) => ask.op == Op::Rollback,
            Goal::Recover(part) => *part == Part::Abandon { at_once: true },
            Goal::Audit => false,
        };
        let Some(open) = &world.log.open else { return };
        let landed = world.tag == Some(open.target) && open.previous != world.tag;
        if outcome.status == Status::Aborted && landed && !at_once && !world.went_around && !self.ttl_cuts {
            world.breaks("closed-is-closed: aborted, and it had landed");
        }
    }

    /// Checks a worker's end against the world.
    pub(super) fn check_end(&self, world: &mut World, ended: &Ended) -> Ending {
        let ending = Ending::of(ended);
        self.endings.fetch_or(ending.bit(), std::sync::atomic::Ordering::Relaxed);
        let (tag, live, open) = (world.tag, world.log.live, world.log.open.is_some());
        if let Ended::Recovery(End::Broken) = ended
            && self.flaws == 0
        {
            world.breaks("a recovery was told something that answers nothing");
        }
        // Others may have moved the tag since the read: only a channel at rest can contradict the end.
        if world.went_around || open || !world.flying.is_empty() {
            return ending;
        }
        match ended {
            Ended::Move(End::Unchanged(digest)) if live == Some(*digest) && tag != live => {
                world.breaks("unchanged-is-true");
            }
            Ended::Move(End::Replayed(replay)) if live == Some(replay.target) && tag != live => {
                world.breaks("unchanged-is-true: replayed");
            }
            Ended::Move(End::Refused(Why::Drifted(value)))
                if *value != live && (tag == live || world.log.trail.may_be(*value).is_none()) =>
            {
                world.breaks("no-false-word: drift");
            }
            Ended::Audit(Some(Some(value))) if tag == live || world.log.trail.may_be(*value).is_none() => {
                world.breaks("no-false-word: moved outside");
            }
            _ => {}
        }
        ending
    }
}
