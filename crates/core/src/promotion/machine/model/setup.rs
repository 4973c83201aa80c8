//! `Setup`: one check. Who works, for how long, and what may happen to them.

use std::sync::atomic::AtomicU32;

use super::*;
use crate::record::HoldScope;

/// What a worker is there for.
#[derive(Clone, Debug)]
pub(super) enum Goal {
    Move(Ask),
    Recover(Part),
    /// It looks until it can say whether the tag was moved around the log.
    Audit,
}

/// One check.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) goals: Vec<(Goal, Deadlines)>,
    /// The time after which nothing new is looked at.
    pub(super) end: Ms,
    pub(super) crashes: u8,
    /// Observations that an auditor appends.
    pub(super) notes: u8,
    /// Holds that an operator appends, each with the time of its end.
    pub(super) holds: Vec<(HoldScope, Option<Ms>)>,
    /// Values that a foreign writer gives the tag.
    pub(super) foreign: Vec<Option<Digest>>,
    /// Reads and appends that fail, and appends whose answer is lost.
    pub(super) flaws: u8,
    /// Puts that the registry refuses, and pins that cannot be confirmed.
    pub(super) refusals: u8,
    /// Puts whose answer is lost.
    pub(super) losses: u8,
    /// How long after a write a read may still answer a value that the tag had before.
    pub(super) lag: Ms,
    /// The tag and the log at the start.
    pub(super) start: Start,
    /// True if log and tag are read one after the other, in either order, with anything in between.
    pub(super) two_reads: bool,
    /// The whole units of time within which a put lands whose answer was lost: less than grace and quiet time.
    pub(super) flight: Ms,
    /// How long one put may take.
    pub(super) put_ms: Ms,
    /// How long a worker waits for others, and for reads to settle.
    pub(super) timeout_ms: Ms,
    /// True if the one who closes a move may run out of its own time to live before old values prove something.
    pub(super) ttl_cuts: bool,
    /// Checked in every state: should all workers die there, another machine can close what is open.
    pub(super) rest: bool,
    pub(super) left_out: Option<Rule>,
    /// How the workers ended that were seen, a bit for each `Ending`.
    pub(super) endings: Arc<AtomicU32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Start {
    /// Bootstrapped at `a`.
    AtA,
    Empty,
    /// At `a`, with an open move to `b` whose worker is gone: its put was never sent, is on its way, or has landed.
    DeadMove,
}

fn moving(op: Op, want: Want, key: &str) -> Goal {
    let request = digest(&format!("{op:?}{want:?}"));
    let key_from = if key.starts_with("random") { Key::Random } else { Key::Given };
    Goal::Move(Ask { op, want, key: key.parse().unwrap(), key_from, request, on_conflict: OnConflict::Requeue })
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

/// With a source, or of the tag as it is.
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
            rest: false,
            left_out: None,
            endings: Arc::default(),
        }
    }

    /// Reads lag for as long as the workers expect, twice the quiet time.
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
        let (holds, foreign) = (self.holds.len(), self.foreign.len());
        Left { crashes, notes, holds, foreign, flaws, refusals, losses }
    }
}
