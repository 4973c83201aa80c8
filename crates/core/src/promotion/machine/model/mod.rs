//! The exhaustive check of the protocol: every interleaving of a few workers, with crashes anywhere, puts that are
//! delayed, dropped and repeated, lost answers, foreign writers, auditors, holds and read-behind registries.
//!
//! The movers are the ones that run. One unit of time is one of their milliseconds.

mod cases;
mod large;
mod work;

use std::sync::Arc;

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::*;
use crate::record::{ActiveHold, ChannelState, Closed, HoldScope, OpenMove, PolicyInForce, PutStatus, Step};
use crate::value::{Channel, Provenance};
use work::{outcome, policy, policy_step};

/// What one check explores.
#[derive(Clone, Debug)]
struct Setup {
    goals: Vec<(Goal, Deadlines)>,
    /// The time after which nothing new is looked at.
    end: Ms,
    crashes: u8,
    /// Entries of other kinds that an auditor appends.
    notes: u8,
    /// Holds that an operator appends, each with its release.
    holds: u8,
    /// Digests that a foreign writer puts.
    foreign: Vec<Option<Digest>>,
    /// Reads that fail, and appends whose answer is lost.
    flaws: u8,
    /// Puts that the registry refuses, and pins that cannot be confirmed.
    refusals: u8,
    /// How long after a write a read may still answer what was before.
    behind: Option<Ms>,
    /// What the tag and the log begin with: bootstrapped at `a`, or with nothing.
    start: Start,
    looks: Looks,
    /// The whole units of time within which a put lands whose answer was lost: less than grace and quiet time.
    flight: Ms,
    rest: Rest,
    sabotage: Option<Sabotage>,
}

/// Whether it is checked in every state that, should all workers die there, another machine can close what is open.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rest {
    Checked,
    Unchecked,
}

/// How log and tag are read when a worker looks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Looks {
    AtOnce,
    /// One after the other, in either order, with anything in between.
    InTwoSteps,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    AtA,
    Empty,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    now: Ms,
    log: Arc<ChannelState>,
    committed: Vec<(IdempotencyKey, Replay)>,
    tag: Option<Digest>,
    /// What the tag was before the last write, and when that was.
    before: (Option<Digest>, Ms),
    flying: Vec<Flying>,
    /// Appends whose answer was lost, and that may still land.
    late: Vec<(u64, Step)>,
    workers: Vec<Slot>,
    left: Left,
    went_around: bool,
    broken: Option<&'static str>,
}

/// What may still happen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Left {
    crashes: u8,
    notes: u8,
    holds: u8,
    foreign: usize,
    flaws: u8,
    refusals: u8,
}

/// A put whose answer was lost, on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Flying {
    move_id: Text,
    to: Digest,
    sent: Ms,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Slot {
    Running { mover: Box<Mover>, todo: Todo },
    Ended(End),
    Crashed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Todo {
    Act(Action),
    /// Half of a look: the tag was resolved, the log is still to be read; or the other way round.
    ReadAfter(Option<Digest>),
    ResolveAfter(LogRead),
    /// Asleep until then, or until the log has grown past this size.
    Asleep(Ms, u64),
}

#[derive(Clone, Debug, PartialEq)]
enum Event {
    Tick,
    Work(usize, Choice),
    Crash(usize),
    Land(usize, Keep),
    Drop(usize),
    Arrive(usize),
    Note,
    Hold,
    Unhold,
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Keep {
    /// It lands, and may land again.
    Repeat,
    Last,
}

/// How a step of a worker goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Choice {
    Fine,
    /// Tag first, or log first.
    Other,
    /// A read that fails; an append that stands, but is not answered.
    Flaw,
    /// An append that is not answered, and does not stand yet: it may later, or never.
    Late,
    /// A put that is refused; a pin that is not confirmed.
    Refuse,
    /// A put whose answer is lost.
    Lost,
    /// A read that answers what was before the last write.
    Stale,
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn text(text: impl AsRef<str>) -> Text {
    text.as_ref().parse().unwrap()
}

fn times(ttl_ms: u64) -> Deadlines {
    Deadlines { ttl_ms, grace_ms: 1, quiet_ms: 1, settle_ms: 1 }
}

fn promote(to: &str, key: &str, on_conflict: OnConflict) -> Goal {
    moving(Op::Promote, Want::Digest(digest(to)), key, on_conflict)
}

fn moving(op: Op, want: Want, key: &str, on_conflict: OnConflict) -> Goal {
    let request = digest(&format!("{op:?}{want:?}"));
    Goal::Move(Ask { op, want, key: key.parse().unwrap(), request, on_conflict })
}

impl Setup {
    fn of(goals: Vec<Goal>) -> Setup {
        Setup {
            goals: goals.into_iter().map(|goal| (goal, times(1))).collect(),
            end: 6,
            crashes: 0,
            notes: 0,
            holds: 0,
            foreign: vec![],
            flaws: 0,
            refusals: 0,
            behind: None,
            start: Start::AtA,
            looks: Looks::AtOnce,
            flight: 0,
            rest: Rest::Unchecked,
            sabotage: None,
        }
    }

    fn worker(&self, at: usize) -> Worker {
        Worker {
            owner: text(format!("w{at}")),
            move_id: text(format!("m{at}")),
            deadlines: self.goals[at].1,
            put_ms: 0,
            patience_ms: 1000,
        }
    }
}

impl World {
    fn read(&self, key: Option<&IdempotencyKey>) -> LogRead {
        let replay = self.committed.iter().find(|(known, _)| Some(known) == key).map(|(_, replay)| replay.clone());
        LogRead { state: Arc::clone(&self.log), replay, held: !self.log.holds.is_empty() }
    }

    fn append(&mut self, step: Step) {
        let mut log = ChannelState::clone(&self.log);
        let (size, open) = (log.size, log.open.clone());
        if log.fold(digest(&format!("{size}")), step).is_err() {
            self.broken.get_or_insert("I2: the log has a defect");
        }
        if let (Some(open), Some(Closed { status: Status::Committed, .. }), None) = (open, &log.closed, &log.open) {
            if self.committed.iter().any(|(key, _)| *key == open.key) {
                self.broken.get_or_insert("I4: a key committed twice");
            }
            self.committed.push((open.key, Replay { seq: open.seq, request: open.request }));
        }
        self.log = Arc::new(log);
    }

    fn write(&mut self, to: Option<Digest>) {
        self.before = (self.tag, self.now);
        self.tag = to;
    }

    fn land(&mut self, move_id: &Text, to: Digest) {
        if self.log.open.as_ref().is_none_or(|open| open.move_id != *move_id) {
            self.broken.get_or_insert("I1, I6: a put landed outside of its move");
        }
        self.write(Some(to));
    }
}

impl Model for Setup {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let channel: Channel = "reg.io/app:prod".parse().unwrap();
        let mut world = World {
            now: 0,
            log: Arc::new(ChannelState::empty(channel)),
            committed: vec![],
            tag: None,
            before: (None, 0),
            flying: vec![],
            late: vec![],
            workers: vec![],
            left: Left {
                crashes: self.crashes,
                notes: self.notes,
                holds: self.holds,
                foreign: self.foreign.len(),
                flaws: self.flaws,
                refusals: self.refusals,
            },
            went_around: false,
            broken: None,
        };
        if self.start == Start::AtA {
            let first = self.worker_move(None, digest("a"), Op::Bootstrap, "m", "w", "first", times(1));
            world.append(policy_step());
            world.append(Step::Intent { open: Box::new(first), policy: policy() });
            let open = world.log.open.clone().unwrap();
            world.append(outcome(&open, Status::Committed, PutStatus::Accepted, Some(digest("a"))));
            world.tag = Some(digest("a"));
            world.before = (world.tag, 0);
        }
        for (at, (goal, _)) in self.goals.iter().enumerate() {
            let (mover, action) = Mover::start(goal.clone(), self.worker(at), 0);
            let mover = Box::new(mover.sabotaged(self.sabotage));
            world.workers.push(Slot::Running { mover, todo: Todo::Act(action) });
        }
        vec![world]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        if world.broken.is_some() {
            return;
        }
        let idle = world.workers.iter().all(|slot| !matches!(slot, Slot::Running { .. }));
        let due = world.flying.iter().any(|put| put.sent + self.flight <= world.now);
        if world.now < self.end && !due && !(idle && world.flying.is_empty()) {
            events.push(Event::Tick);
        }
        for at in 0..world.flying.len() {
            events.extend([Event::Land(at, Keep::Last), Event::Land(at, Keep::Repeat), Event::Drop(at)]);
        }
        if idle {
            return;
        }
        events.extend((0..world.late.len()).map(Event::Arrive));
        for (at, slot) in world.workers.iter().enumerate() {
            let Slot::Running { todo, .. } = slot else { continue };
            if world.left.crashes > 0 {
                events.push(Event::Crash(at));
            }
            for choice in self.choices(world, todo) {
                events.push(Event::Work(at, choice));
            }
        }
        if world.left.notes > 0 {
            events.push(Event::Note);
        }
        if world.left.holds > 0 && world.log.holds.is_empty() {
            events.push(Event::Hold);
        }
        if !world.log.holds.is_empty() {
            events.push(Event::Unhold);
        }
        if world.left.foreign > 0 {
            events.push(Event::Foreign);
        }
    }

    fn next_state(&self, last: &World, event: Event) -> Option<World> {
        let mut world = last.clone();
        match event {
            Event::Tick => world.now += 1,
            Event::Crash(at) => {
                world.left.crashes -= 1;
                world.workers[at] = Slot::Crashed;
            }
            Event::Land(at, keep) => {
                let put = world.flying[at].clone();
                if keep == Keep::Last {
                    world.flying.remove(at);
                }
                world.land(&put.move_id, put.to);
            }
            Event::Drop(at) => drop(world.flying.remove(at)),
            Event::Arrive(at) => {
                let (seq, step) = world.late.remove(at);
                if seq == world.log.size {
                    world.append(step);
                }
            }
            Event::Note => {
                world.left.notes -= 1;
                world.append(Step::Other);
            }
            Event::Hold => {
                world.left.holds -= 1;
                let seq = world.log.size;
                let provenance = Provenance::new("manual", "1", "b").unwrap();
                let (scope, reason) = (HoldScope::All, text("r"));
                let hold = ActiveHold { seq, scope, reason, provenance, until: None };
                world.append(Step::Hold(Box::new(hold)));
            }
            Event::Unhold => {
                let hold = world.log.holds[0].seq;
                world.append(Step::Unhold(hold));
            }
            Event::Foreign => {
                let to = self.foreign[self.foreign.len() - world.left.foreign];
                world.left.foreign -= 1;
                world.went_around = true;
                world.write(to);
            }
            Event::Work(at, choice) => self.work(&mut world, at, choice),
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no rule is broken", |_, world: &World| world.broken.is_none()),
            Property::always("at rest the tag is live", |_, world: &World| {
                world.went_around || world.log.open.is_some() || world.tag == world.log.live
            }),
            Property::always("any machine can bring it to rest", |setup: &Setup, world: &World| {
                setup.rest == Rest::Unchecked
                    || !world.flying.is_empty()
                    || !world.late.is_empty()
                    || setup.comes_to_rest(world)
            }),
            Property::sometimes("a move is committed", |setup: &Setup, world: &World| {
                world.committed.len() > usize::from(setup.start == Start::AtA)
            }),
        ]
    }
}
