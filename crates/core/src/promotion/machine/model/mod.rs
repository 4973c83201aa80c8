//! The check of the protocol against interleavings: a few workers, with crashes anywhere, puts that are delayed, dropped and
//! repeated, lost answers, foreign writers, auditors, holds, and reads that answer any value of the window.
//!
//! The machines are the ones that run. One unit of time is one of their milliseconds. Each property is about the world (the
//! tag), not about a worker's own word.

mod cases;
mod large;
mod rules;
mod work;
mod world;

use std::sync::Arc;

use stateright::{Checker, HasDiscoveries, Model, Property};

pub(crate) use self::rules::Rule;
use self::work::{outcome, policy, policy_step};
use self::world::{Flying, Left, Slot, Todo, World};
use super::*;
use crate::record::{ChannelState, OpenMove, PutStatus, Step};
use crate::value::Channel;

/// What a worker is there for.
#[derive(Clone, Debug)]
enum Goal {
    Move(Ask),
    Recover(Part),
}

/// One check.
#[derive(Clone, Debug)]
struct Setup {
    goals: Vec<(Goal, Deadlines)>,
    /// The time after which nothing new is looked at.
    end: Ms,
    crashes: u8,
    /// Observations that an auditor appends.
    notes: u8,
    /// Holds that an operator appends, each with its end.
    holds: u8,
    /// Values that a foreign writer gives the tag.
    foreign: Vec<Option<Digest>>,
    /// Reads that fail, and appends whose answer is lost.
    flaws: u8,
    /// Puts that the registry refuses, and pins that cannot be confirmed.
    refusals: u8,
    /// Puts whose answer is lost.
    losses: u8,
    /// How long after a write a read may still answer a value that the tag had before.
    lag: Ms,
    /// The tag and the log at the start: bootstrapped at `a`, or nothing.
    start: Start,
    looks: Looks,
    /// The whole units of time within which a put lands whose answer was lost: less than grace and quiet time.
    flight: Ms,
    rest: Rest,
    left_out: Option<Rule>,
    /// How long one put may take.
    put_ms: u64,
}

/// Checked in every state: should all workers die there, another machine can close what is open.
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
    /// A read that answers the nth value of the window that the tag has no more.
    Old(usize),
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn text(text: impl AsRef<str>) -> Text {
    text.as_ref().parse().unwrap()
}

/// Grace and quiet time of one unit each, where reads do not lag.
fn times(ttl_ms: u64) -> Deadlines {
    Deadlines { ttl_ms, grace_ms: 1, quiet_ms: 1, settle_ms: 0 }
}

fn promote(to: &str, key: &str, on_conflict: OnConflict) -> Goal {
    moving(Op::Promote, Want::Digest(digest(to)), key, on_conflict)
}

fn moving(op: Op, want: Want, key: &str, on_conflict: OnConflict) -> Goal {
    let request = digest(&format!("{op:?}{want:?}"));
    let key_from = if key.starts_with("random") { Key::Random } else { Key::Given };
    Goal::Move(Ask { op, want, key: key.parse().unwrap(), key_from, request, on_conflict })
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
            losses: 1,
            lag: 0,
            start: Start::AtA,
            looks: Looks::AtOnce,
            flight: 0,
            rest: Rest::Unchecked,
            left_out: None,
            put_ms: 0,
        }
    }

    fn worker(&self, at: usize) -> Worker {
        Worker {
            owner: text(format!("w{at}")),
            move_id: text(format!("m{at}")),
            deadlines: self.goals[at].1,
            put_ms: self.put_ms,
            fresh_ms: 1000,
            timeout_ms: 1000,
            left_out: self.left_out,
        }
    }

    /// The longest settle time of any worker.
    fn longest(&self) -> Ms {
        self.goals.iter().map(|(_, deadlines)| deadlines.settle_ms).max().unwrap_or_default()
    }
}

impl Model for Setup {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let channel: Channel = "reg.io/app:prod".parse().unwrap();
        let left = Left {
            crashes: self.crashes,
            notes: self.notes,
            holds: self.holds,
            foreign: self.foreign.len(),
            flaws: self.flaws,
            refusals: self.refusals,
            losses: self.losses,
        };
        let mut world = World::new(channel, left);
        if self.start == Start::AtA {
            let first = self.worker_move(None, digest("a"), Op::Bootstrap, "m", "w", "first", times(1));
            world.append(policy_step());
            world.append(Step::Intent { open: Box::new(first), policy: policy() });
            let open = world.log.open.clone().unwrap();
            // Found, so that every window begins in the check itself.
            world.append(outcome(&open, Status::Committed, PutStatus::None, Some(digest("a"))));
            world.tag = Some(digest("a"));
        }
        for at in 0..self.goals.len() {
            world.workers.push(self.begun(at, 0));
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
            Event::Tick => world.tick(self.lag, self.longest()),
            Event::Crash(at) => {
                world.left.crashes -= 1;
                world.workers[at] = Slot::Crashed;
            }
            Event::Land(at, keep) => {
                let put = world.flying[at].clone();
                if keep == Keep::Last {
                    world.flying.remove(at);
                }
                world.land(&put.move_id, put.to, self.lag);
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
            Event::Hold => world.hold(),
            Event::Unhold => {
                let hold = world.log.holds[0].seq;
                world.append(Step::Unhold(hold));
            }
            Event::Foreign => {
                let to = self.foreign[self.foreign.len() - world.left.foreign];
                world.left.foreign -= 1;
                world.went_around = true;
                world.write(to, self.lag);
            }
            Event::Work(at, choice) => self.work(&mut world, at, choice),
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no rule is broken", |_, world: &World| world.broken.is_none()),
            Property::always("at rest the tag is live, or what a move left without a result", |_, world: &World| {
                world.went_around
                    || world.log.open.is_some()
                    || world.tag == world.log.live
                    || world.log.trail.may_be(world.tag).is_some()
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
