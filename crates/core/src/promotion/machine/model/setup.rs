//! `Setup`: the settings of one check: its workers, its length, and the faults that may happen.

use std::sync::atomic::AtomicU32;

use super::*;
use crate::log::{HoldScope, TakeoverOp};

/// The task of a worker.
#[derive(Clone, Debug)]
pub(super) enum Goal {
    Move(Ask),
    Recover(Part),
    /// The worker looks until it knows if the tag was moved without the log.
    Audit,
}

/// The settings of one check.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) goals: Vec<(Goal, Deadlines)>,
    /// The time at which the clock stops.
    pub(super) end: Ms,
    pub(super) crashes: u8,
    /// The number of observations that an auditor appends.
    pub(super) notes: u8,
    /// Holds that an operator appends, each with the time of its end.
    pub(super) holds: Vec<(HoldScope, Option<Ms>)>,
    /// Digests that an operator blocks.
    pub(super) blocks: Vec<Digest>,
    /// The values that a foreign writer gives the tag.
    pub(super) foreign: Vec<Option<Digest>>,
    /// The number of reads and appends that fail, or appends whose answer is lost.
    pub(super) flaws: u8,
    /// The number of puts that the registry refuses, or pins that cannot be confirmed.
    pub(super) refusals: u8,
    /// The number of puts whose answer is lost.
    pub(super) losses: u8,
    /// The time after a write in which a read may still answer a value that the tag had before.
    pub(super) lag: Ms,
    /// The tag and the log at the start.
    pub(super) start: Start,
    /// True if log and tag are read one after the other, in either order, with any events in between.
    pub(super) two_reads: bool,
    /// The time within which a put whose answer was lost lands, in whole units: less than grace and quiet time.
    pub(super) flight: Ms,
    /// The timeout of one put.
    pub(super) put_ms: Ms,
    /// The longest wait of a worker for others, and for reads to settle.
    pub(super) timeout_ms: Ms,
    /// True if the ttl of a worker that closes a move may end before *old-proves-nothing* is over.
    pub(super) ttl_cuts: bool,
    /// True if a release that was rolled back may be promoted again: each promotion overrides that guardrail.
    pub(super) returns: bool,
    /// True to check in every state that, if all workers die there, another machine can close the open move.
    pub(super) rest: bool,
    pub(super) left_out: Option<Rule>,
    /// True for random walks. The checker cannot name the path of a walk in which it chose an event that changes nothing.
    pub(super) walks: bool,
    /// The ends that workers have reached, a bit for each `Ending`.
    pub(super) endings: Arc<AtomicU32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Start {
    /// The channel is bootstrapped at `a`.
    AtA,
    Empty,
    /// The channel is at `b`, and was at `a` before.
    Promoted,
    /// The channel is at `a`, with an open move to `b` whose worker is dead: its put was never sent, is on its way, or
    /// has landed.
    DeadMove,
}

fn moving(op: Op, want: Want, key: &str) -> Goal {
    let request = digest(&format!("{op:?}{want:?}"));
    let key_from = if key.starts_with("random") { Key::Random } else { Key::Given };
    let (key, on_conflict) = (key.parse().unwrap(), OnConflict::Requeue);
    Goal::Move(Ask { op, want, key, key_from, request, on_conflict, holds_first: false })
}

pub(super) fn promote(to: &str, key: &str) -> Goal {
    moving(Op::Promote, Want::Digest(digest(to)), key)
}

pub(super) fn rollback() -> Goal {
    moving(Op::Rollback, Want::Previous, "random-rollback")
}

pub(super) fn repair() -> Goal {
    moving(Op::Repair, Want::Live, "random-repair")
}

pub(super) fn adopt() -> Goal {
    moving(Op::Adopt, Want::Observed, "random-adopt")
}

/// A bootstrap from a source; with `None`, of the tag as it is.
pub(super) fn bootstrap(to: Option<&str>) -> Goal {
    match to {
        Some(to) => moving(Op::Bootstrap, Want::Digest(digest(to)), "k"),
        None => moving(Op::Bootstrap, Want::Observed, "o"),
    }
}

pub(super) fn recover() -> Goal {
    Goal::Recover(Part::Forward)
}

pub(super) fn audit() -> Goal {
    Goal::Audit
}

impl Goal {
    pub(super) fn abort() -> Goal {
        Goal::Recover(Part::Abandon { at_once: false })
    }

    /// Appends a hold of promotions once it is approved.
    pub(super) fn holding(self) -> Goal {
        match self {
            Goal::Move(ask) => Goal::Move(Ask { holds_first: true, ..ask }),
            goal => goal,
        }
    }

    /// The operation that its takeover names.
    pub(super) fn takeover(&self) -> TakeoverOp {
        match self {
            Goal::Move(ask) => ask.op.into(),
            Goal::Recover(Part::Abandon { .. }) => TakeoverOp::Abort,
            Goal::Recover(_) | Goal::Audit => TakeoverOp::Recover,
        }
    }

    /// Gives up when another move comes first, as a run without `requeue` does.
    pub(super) fn or_give_up(self) -> Goal {
        match self {
            Goal::Move(ask) => Goal::Move(Ask { on_conflict: OnConflict::Wait, ..ask }),
            goal => goal,
        }
    }
}

impl Setup {
    /// One unit for each time, and reads that do not lag.
    pub(super) const TIMES: Deadlines = Deadlines { ttl_ms: 1, grace_ms: 1, quiet_ms: 1, settle_ms: 1 };

    pub(super) fn of(goals: Vec<Goal>) -> Setup {
        Setup {
            goals: goals.into_iter().map(|goal| (goal, Setup::TIMES)).collect(),
            end: 6,
            crashes: 0,
            notes: 0,
            holds: vec![],
            blocks: vec![],
            foreign: vec![],
            flaws: 0,
            refusals: 0,
            losses: 1,
            lag: 0,
            start: Start::AtA,
            two_reads: false,
            flight: 0,
            put_ms: 0,
            timeout_ms: 1000,
            ttl_cuts: true,
            returns: false,
            rest: false,
            left_out: None,
            walks: false,
            endings: Arc::default(),
        }
    }

    /// A setup in which reads lag for twice the quiet time, as the workers expect.
    pub(super) fn lagging(goals: Vec<Goal>) -> Setup {
        let setup = Setup { lag: 2, end: 5, ..Setup::of(goals) };
        setup.with_times(|times| times.settle_ms = 2)
    }

    pub(super) fn with_times(mut self, change: impl Fn(&mut Deadlines)) -> Setup {
        self.goals.iter_mut().for_each(|(_, times)| change(times));
        self
    }

    pub(super) fn worker(&self, at: usize) -> Worker {
        Worker {
            owner: text(format!("w{at}")),
            move_id: text(format!("m{at}")),
            deadlines: self.goals[at].1,
            put_ms: self.put_ms,
            fresh_ms: 1000,
            timeout_ms: self.timeout_ms,
            left_out: self.left_out,
        }
    }

    /// The longest settle time of any worker.
    pub(super) fn longest(&self) -> Ms {
        self.goals.iter().map(|(_, deadlines)| deadlines.settle_ms).max().unwrap_or_default()
    }

    pub(super) fn left(&self) -> Left {
        let &Setup { crashes, notes, flaws, refusals, losses, .. } = self;
        let (holds, blocks, foreign) = (self.holds.len(), self.blocks.len(), self.foreign.len());
        Left { crashes, notes, holds, blocks, foreign, flaws, refusals, losses }
    }
}
