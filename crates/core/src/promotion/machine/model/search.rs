//! The search: from every start state through every event that may happen.

use std::sync::atomic::Ordering;

use stateright::{Checker, HasDiscoveries, Model, Property, UniformChooser};

use super::checks::Ending;
use super::setup::{Setup, Start};
use super::world::World;
use super::*;
use crate::log::proptests::{nothing, outcome_of, unhold};
use crate::value::Channel;

/// The result of a search that found no violation.
#[derive(Debug)]
pub(super) struct Searched {
    states: usize,
    /// None if every state was searched; else the length up to which every path was searched.
    depth: Option<usize>,
    endings: Vec<Ending>,
}

/// The one property that must hold in some state, not in all.
const COMMITTED: &str = "a move is committed";

/// Searches every state, breadth first, so that the path to a violation is the shortest. If there are more than `most`
/// steps, searches the first `most`, and then as many steps of random walks to the end.
fn search(setup: Setup, most: usize) -> Result<Searched, String> {
    let endings = Arc::clone(&setup.endings);
    let options = |walks| {
        let setup = Setup { walks, ..setup.clone() };
        setup.checker().target_state_count(most).finish_when(HasDiscoveries::AnyFailures)
    };
    let checker = options(false).spawn_bfs().join();
    violation(&checker)?;
    let depth = (checker.state_count() >= most).then(|| checker.max_depth() - 1);
    let mut committed = checker.discovery(COMMITTED).is_some();
    if depth.is_some() {
        let walks = options(true).spawn_simulation(1, UniformChooser).join();
        violation(&walks)?;
        committed |= walks.discovery(COMMITTED).is_some();
    }
    assert!(committed, "no move is committed");
    let endings = endings.load(Ordering::Relaxed);
    let endings = Ending::ALL.into_iter().filter(|ending| endings & ending.bit() != 0).collect();
    Ok(Searched { states: checker.unique_state_count(), depth, endings })
}

/// The property that does not hold, with the path to the violation.
fn violation(checker: &impl Checker<Setup>) -> Result<(), String> {
    match checker.discoveries().into_iter().find(|(name, _)| *name != COMMITTED) {
        Some((name, path)) => {
            let broken = path.last_state().broken.unwrap_or(name);
            Err(format!("{broken} after {:?}", path.into_actions()))
        }
        None => Ok(()),
    }
}

/// Asserts that no property is violated in the world, searched to its end. Returns the ends of its workers.
pub(super) fn holds(name: &str, setup: Setup) -> Vec<Ending> {
    let searched = holds_within(name, setup, usize::MAX);
    assert_eq!(searched.depth, None, "{name}: not everything was searched");
    searched.endings
}

/// Asserts that no property is violated in the first `most` steps of the world.
pub(super) fn holds_within(name: &str, setup: Setup, most: usize) -> Searched {
    let searched = search(setup, most).unwrap_or_else(|violation| panic!("{name}: {violation}"));
    let how_far =
        searched.depth.map_or("to the end".to_owned(), |depth| format!("to depth {depth} and in random walks"));
    println!("{name}: {} states, {how_far}, ends {:?}", searched.states, searched.endings);
    searched
}

/// Asserts that the search of this world without the rule finds a violation.
pub(super) fn is_missed(rule: Rule, setup: Setup) {
    match search(Setup { left_out: Some(rule), ..setup }, 20_000_000) {
        Ok(Searched { states, .. }) => panic!("{rule:?}: left out, and nothing was noticed in {states} states"),
        Err(violation) => println!("{rule:?} left out: {violation}"),
    }
}

impl Model for Setup {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let channel: Channel = "reg.io/app:prod".parse().unwrap();
        let mut world = World::new(channel, self.left());
        if self.start != Start::Empty {
            world.bootstrap(self.worker_move(None, digest("a"), Op::Bootstrap, "m", "w", "first", Setup::TIMES));
        }
        for at in 0..self.goals.len() {
            world.workers.push(Arc::new(self.begun(at, 0)));
        }
        match self.start {
            Start::AtA | Start::Empty => vec![world],
            Start::Promoted => {
                let promotion =
                    self.worker_move(Some(digest("a")), digest("b"), Op::Promote, "m0", "w", "second", Setup::TIMES);
                world.begin(promotion);
                world.land(&text("m0"), digest("b"), 0);
                let open = world.log.open.clone().unwrap();
                world.append(outcome_of(&open, Status::Committed, PutStatus::Accepted, Some(digest("b"))));
                vec![world]
            }
            Start::DeadMove => {
                let (move_id, a, b) = (text("dead"), digest("a"), digest("b"));
                let open = self.worker_move(Some(a), b, Op::Promote, "dead", "gone", "k", Setup::TIMES);
                let request = digest(&format!("{:?}{:?}", Op::Promote, Want::Digest(b)));
                world.begin(OpenMove { request, ..open });
                let mut flying = world.clone();
                flying.flying.push(Flying { move_id: move_id.clone(), to: b, sent: 0 });
                let mut landed = world.clone();
                landed.land(&move_id, b, self.lag);
                vec![world, flying, landed]
            }
        }
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        if world.broken.is_some() {
            return;
        }
        let idle = world.workers.iter().all(|slot| !matches!(**slot, Slot::Running(_)));
        if world.now < self.end && !self.is_due(world) && !(idle && world.flying.is_empty()) {
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
            let Slot::Running(running) = &**slot else { continue };
            if world.left.crashes > 0 {
                events.push(Event::Crash(at));
            }
            events.extend(self.choices(world, running).into_iter().map(|choice| Event::Work(at, choice)));
        }
        let Left { notes, holds, blocks, foreign, .. } = world.left;
        let mut may = |event, may: bool| events.extend(may.then_some(event));
        may(Event::Note, notes > 0);
        may(Event::Hold, holds > 0);
        may(Event::Unhold, !world.log.holds.is_empty());
        may(Event::Block, blocks > 0);
        may(Event::Unblock, !world.blocked.is_empty());
        may(Event::Foreign, foreign > 0);
        if self.walks {
            events.retain(|event| self.next_state(world, event.clone()).is_some());
        }
    }

    fn next_state(&self, last: &World, event: Event) -> Option<World> {
        let mut world = last.clone();
        match event {
            Event::Tick => world.tick(self.lag, self.longest()),
            Event::Crash(at) => {
                world.left.crashes -= 1;
                world.workers[at] = Arc::new(Slot::Crashed);
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
                let (seq, body) = world.late.remove(at);
                if seq == world.log.size {
                    world.append(body);
                }
            }
            Event::Note => {
                world.left.notes -= 1;
                world.append(nothing());
            }
            Event::Hold => {
                let (scope, until) = self.holds[self.holds.len() - world.left.holds];
                world.left.holds -= 1;
                world.stop(scope, until);
            }
            Event::Unhold => {
                let hold = world.log.holds[0].seq;
                world.append(unhold(hold));
            }
            Event::Block => {
                world.left.blocks -= 1;
                world.block(self.blocks[world.left.blocks]);
            }
            Event::Unblock => world.unblock(),
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
                !setup.rest || !world.flying.is_empty() || !world.late.is_empty() || setup.comes_to_rest(world)
            }),
            Property::sometimes(COMMITTED, |setup: &Setup, world: &World| {
                let before = match setup.start {
                    Start::Empty => 0,
                    Start::AtA | Start::DeadMove => 1,
                    Start::Promoted => 2,
                };
                world.committed.len() > before
            }),
        ]
    }
}
