//! The exhaustive check of the protocol: every interleaving of a few workers, with crashes anywhere, puts that are
//! delayed, dropped and repeated, lost answers, foreign writers, auditors, holds and read-behind registries.
//!
//! The movers are the ones that run. One unit of time is one of their milliseconds.

use std::sync::Arc;

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::*;
use crate::record::{ChannelState, Closed, OpenMove, Standing, Step};
use crate::value::Channel;

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
    committed: Vec<(Key, Replay)>,
    tag: Option<Digest>,
    /// What the tag was before the last write, and when that was.
    before: (Option<Digest>, Ms),
    flying: Vec<Flying>,
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
    Note,
    Hold,
    Release,
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
    /// An append that does not stand, and is not answered.
    Gone,
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
    Deadlines { ttl_ms, grace_ms: 1, quiet_ms: 1 }
}

fn promote(to: &str, key: &str, meet: Meet) -> Goal {
    moving(Op::Promote, Want::Digest(digest(to)), key, meet)
}

fn moving(op: Op, want: Want, key: &str, meet: Meet) -> Goal {
    let request = digest(&format!("{op:?}{want:?}"));
    Goal::Move(Ask { op, want, key: key.parse().unwrap(), request, meet })
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
    fn read(&self, key: Option<&Key>) -> LogRead {
        let replay = self.committed.iter().find(|(known, _)| Some(known) == key).map(|(_, replay)| replay.clone());
        LogRead { state: Arc::clone(&self.log), replay, held: self.log.hold.is_some() }
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
            world.append(Step::Intent(Box::new(first)));
            world.append(outcome(world.log.open.as_ref().unwrap(), Status::Committed, Some(digest("a"))));
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
        if world.left.holds > 0 && world.log.hold.is_none() {
            events.push(Event::Hold);
        }
        if world.log.hold.is_some() {
            events.push(Event::Release);
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
            Event::Note => {
                world.left.notes -= 1;
                world.append(Step::Other);
            }
            Event::Hold => {
                world.left.holds -= 1;
                let seq = world.log.size;
                world.append(Step::Hold(Standing { seq, reason: text("r"), by: text("b"), until: None }));
            }
            Event::Release => world.append(Step::Release),
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
                setup.rest == Rest::Unchecked || !world.flying.is_empty() || setup.comes_to_rest(world)
            }),
            Property::sometimes("a move is committed", |setup: &Setup, world: &World| {
                world.committed.len() > usize::from(setup.start == Start::AtA)
            }),
        ]
    }
}

fn outcome(open: &OpenMove, status: Status, observed: Option<Digest>) -> Step {
    Step::Outcome {
        intent_seq: open.seq,
        move_id: open.move_id.clone(),
        owner: open.owner.clone(),
        epoch: open.epoch,
        status,
        observed,
    }
}

impl Setup {
    #[allow(clippy::too_many_arguments)]
    fn worker_move(
        &self,
        from: Option<Digest>,
        to: Digest,
        op: Op,
        move_id: &str,
        owner: &str,
        key: &str,
        deadlines: Deadlines,
    ) -> OpenMove {
        OpenMove {
            seq: 0,
            op,
            move_id: text(move_id),
            key: key.parse().unwrap(),
            request: digest(key),
            from,
            to,
            replaced: None,
            as_it_is: false,
            owner: text(owner),
            epoch: 0,
            deadlines,
            quiet_ms: deadlines.quiet_ms,
        }
    }

    /// I5: should every worker die here, one more brings log and tag to rest, with a put and without one.
    fn comes_to_rest(&self, world: &World) -> bool {
        let Some(open) = &world.log.open else { return true };
        [Goal::Forward, Goal::Abandon].into_iter().all(|goal| {
            if goal == Goal::Forward && world.log.hold.is_some() {
                return true;
            }
            let mut world = World { workers: vec![], ..world.clone() };
            let alone = Setup { goals: vec![(goal.clone(), open.deadlines)], ..self.clone() };
            let worker = Worker { owner: text("another"), move_id: text("another"), ..alone.worker(0) };
            let (mover, action) = Mover::start(goal, worker, world.now);
            world.workers.push(Slot::Running { mover: Box::new(mover), todo: Todo::Act(action) });
            for _ in 0..40 {
                match &world.workers[0] {
                    Slot::Running { todo: Todo::Asleep(until, _), .. } => world.now = world.now.max(*until),
                    Slot::Running { .. } => {}
                    _ => break,
                }
                alone.work(&mut world, 0, Choice::Fine);
            }
            let ended = matches!(&world.workers[0], Slot::Ended(End::Committed { .. } | End::Closed { .. }));
            let landed = world.went_around || world.tag == world.log.live;
            ended && world.log.open.is_none() && world.broken.is_none() && landed
        })
    }

    /// The ways in which what a worker is about to do can go.
    fn choices(&self, world: &World, todo: &Todo) -> Vec<Choice> {
        let flaw = world.left.flaws > 0;
        let refuse = world.left.refusals > 0;
        let stale =
            self.behind.is_some_and(|behind| world.now < world.before.1 + behind && world.before.0 != world.tag);
        let mut choices = vec![Choice::Fine];
        let mut also = |choice, may: bool| choices.extend(may.then_some(choice));
        match todo {
            Todo::Asleep(until, size) if world.now < *until && world.log.size <= *size => return vec![],
            Todo::Asleep(..) | Todo::Act(Action::Sleep(_) | Action::Done(_) | Action::Judge { .. }) => {}
            Todo::Act(Action::Look) => also(Choice::Other, self.looks == Looks::InTwoSteps),
            Todo::ReadAfter(_) | Todo::Act(Action::ReadLog) => also(Choice::Flaw, flaw),
            Todo::ResolveAfter(_) | Todo::Act(Action::Resolve) => {
                also(Choice::Flaw, flaw);
                also(Choice::Stale, stale);
            }
            Todo::Act(Action::Begin { .. }) => {
                also(Choice::Flaw, flaw);
                also(Choice::Gone, flaw);
                also(Choice::Refuse, refuse);
            }
            Todo::Act(Action::Takeover { .. } | Action::Observe { .. } | Action::Close { .. }) => {
                also(Choice::Flaw, flaw);
                also(Choice::Gone, flaw);
            }
            Todo::Act(Action::Put { .. }) => {
                also(Choice::Lost, true);
                also(Choice::Refuse, refuse);
            }
        }
        choices
    }

    fn work(&self, world: &mut World, at: usize, choice: Choice) {
        let Slot::Running { mut mover, todo } = world.workers[at].clone() else { return };
        let goal = self.goals[at].0.clone();
        let key = match &goal {
            Goal::Move(ask) => Some(ask.key.clone()),
            _ => None,
        };
        let key = key.as_ref();
        match choice {
            Choice::Flaw | Choice::Gone => world.left.flaws -= 1,
            Choice::Refuse => world.left.refusals -= 1,
            _ => {}
        }
        let seen = if choice == Choice::Stale { world.before.0 } else { world.tag };
        let heard = match todo {
            Todo::Asleep(..) => Heard::Woke,
            Todo::Act(Action::Sleep(_) | Action::Done(_) | Action::Judge { .. }) => return,
            Todo::Act(Action::Look) if self.looks == Looks::AtOnce => Heard::Looked(world.read(key), seen),
            Todo::Act(Action::Look) => {
                let todo = match choice {
                    Choice::Fine => Todo::ReadAfter(seen),
                    _ => Todo::ResolveAfter(world.read(key)),
                };
                world.workers[at] = Slot::Running { mover, todo };
                return;
            }
            Todo::ReadAfter(_) | Todo::ResolveAfter(_) if choice == Choice::Flaw => Heard::Broken,
            Todo::ReadAfter(observed) => Heard::Looked(world.read(key), observed),
            Todo::ResolveAfter(log) => Heard::Looked(log, seen),
            Todo::Act(Action::ReadLog | Action::Resolve) if choice == Choice::Flaw => Heard::Broken,
            Todo::Act(Action::ReadLog) => Heard::Log(world.read(key)),
            Todo::Act(Action::Resolve) => Heard::Tag(seen),
            Todo::Act(Action::Begin { seq, change }) => {
                let Goal::Move(ask) = &goal else { return };
                let step = Step::Intent(Box::new(OpenMove {
                    request: ask.request,
                    replaced: change.replaced,
                    as_it_is: change.as_it_is,
                    ..self.worker_move(
                        change.from,
                        change.to,
                        ask.op,
                        &format!("m{at}"),
                        &format!("w{at}"),
                        ask.key.as_str(),
                        self.goals[at].1,
                    )
                }));
                Heard::Begun(put_in(world, seq, step, choice, key), choice != Choice::Refuse)
            }
            Todo::Act(Action::Takeover { seq, open, deadlines }) => {
                let step = Step::Takeover {
                    intent_seq: open.seq,
                    move_id: open.move_id.clone(),
                    owner: mover.owner(),
                    epoch: open.epoch + 1,
                    previous_owner: open.owner.clone(),
                    deadlines,
                };
                Heard::Appended(put_in(world, seq, step, choice, key))
            }
            Todo::Act(Action::Observe { seq, .. }) => Heard::Appended(put_in(world, seq, Step::Other, choice, key)),
            Todo::Act(Action::Close { seq, open, status, observed, .. }) => {
                Heard::Appended(put_in(world, seq, outcome(&open, status, observed), choice, key))
            }
            Todo::Act(Action::Put { not_after, .. }) if world.now > not_after => Heard::Put(PutEnd::NotSent),
            Todo::Act(Action::Put { to, .. }) => match choice {
                Choice::Refuse => Heard::Put(PutEnd::Refused),
                Choice::Lost => {
                    world.flying.push(Flying { move_id: mover.move_id(), to, sent: world.now });
                    Heard::Put(PutEnd::Unknown)
                }
                _ => {
                    world.land(&mover.move_id(), to);
                    Heard::Put(PutEnd::Applied)
                }
            },
        };
        let mut action = mover.hear(heard, world.now);
        // What touches nothing but the worker itself happens at once: no other step can tell when.
        let todo = loop {
            let heard = match &action {
                Action::Judge { state, .. } if state.hold.is_some() => Heard::Refused,
                Action::Judge { .. } => Heard::Approved,
                Action::Sleep(ms) => break Todo::Asleep(world.now + ms.min(&50), world.log.size),
                Action::Done(end) => {
                    world.workers[at] = Slot::Ended(end.clone());
                    return;
                }
                _ => break Todo::Act(action),
            };
            action = mover.hear(heard, world.now);
        };
        world.workers[at] = Slot::Running { mover, todo };
    }
}

fn put_in(world: &mut World, seq: u64, step: Step, choice: Choice, key: Option<&Key>) -> Appended {
    if world.log.size != seq {
        return Appended::Lost(world.read(key));
    }
    match choice {
        Choice::Gone => Appended::Unknown,
        Choice::Flaw => {
            world.append(step);
            Appended::Unknown
        }
        _ => {
            world.append(step);
            Appended::Stored(world.read(key))
        }
    }
}

/// Explores everything; the number of states, or the property that does not hold with the way there.
fn explore(setup: Setup) -> Result<usize, String> {
    let checker = setup.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    let states = checker.unique_state_count();
    match checker.discoveries().into_iter().find(|(name, _)| *name != "a move is committed") {
        Some((name, path)) => {
            let broken = path.last_state().broken.unwrap_or(name);
            Err(format!("{broken} after {:?}", path.into_actions()))
        }
        None => {
            assert!(checker.is_done(), "not everything was explored");
            checker.assert_properties();
            Ok(states)
        }
    }
}

fn holds(name: &str, setup: Setup) {
    let states = explore(setup).unwrap_or_else(|violation| panic!("{name}: {violation}"));
    println!("{name}: {states} states");
}

/// Two workers that share a key, and a third.
fn three() -> Setup {
    Setup {
        end: 5,
        ..Setup::of(vec![
            promote("b", "k", Meet::Queue),
            promote("b", "k", Meet::Queue),
            promote("c", "l", Meet::Queue),
        ])
    }
}

#[test]
fn three_movers_two_of_them_with_one_key() {
    holds("three movers, two of them with one key", three());
}

#[test]
fn two_movers_with_one_key_over_two_takeovers() {
    let mut setup = Setup { end: 10, rest: Rest::Checked, ..three() };
    setup.goals.truncate(2);
    holds("two movers with one key, over two takeovers, recoverable everywhere", setup);
}

#[test]
fn stale_runs_never_win() {
    let goals = vec![promote("b", "k", Meet::Wait), promote("b", "k", Meet::Wait), promote("c", "l", Meet::Wait)];
    holds("three movers that do not queue", Setup { end: 4, ..Setup::of(goals) });
}

#[test]
fn lost_answers_refusals_and_a_recovery() {
    let goals = vec![promote("b", "k", Meet::Queue), promote("c", "l", Meet::Queue), Goal::Forward];
    let setup = Setup { end: 3, flaws: 1, refusals: 1, ..Setup::of(goals) };
    holds("two movers and a recovery, with a lost answer of the ledger and a refusal", setup);
}

#[test]
fn crashes_and_an_abandoned_move() {
    let goals = vec![promote("b", "k", Meet::Queue), promote("c", "l", Meet::Queue), Goal::Abandon];
    holds("two movers and one that abandons, with two crashes", Setup { end: 4, crashes: 2, ..Setup::of(goals) });
}

#[test]
fn a_foreign_writer_repair_and_adopt() {
    let goals = vec![
        promote("c", "l", Meet::Queue),
        moving(Op::Repair, Want::Live, "r", Meet::Queue),
        moving(Op::Adopt, Want::Observed, "o", Meet::Queue),
    ];
    let foreign = vec![Some(digest("f")), None];
    holds("a mover, a repair and an adoption, with two foreign writes", Setup { end: 3, foreign, ..Setup::of(goals) });
}

#[test]
fn an_auditor_and_a_hold() {
    let goals = vec![promote("b", "k", Meet::Queue), promote("b", "k", Meet::Queue), promote("c", "l", Meet::Queue)];
    let mut setup = Setup { end: 2, notes: 1, holds: 1, ..Setup::of(goals) };
    holds("three movers, with an auditor's note and a hold", setup.clone());
    setup.goals.remove(0);
    holds(
        "two movers over a takeover, with an auditor's note and a hold",
        Setup { end: 5, rest: Rest::Checked, ..setup },
    );
}

#[test]
fn mixed_times() {
    let mut setup = Setup { end: 5, ..three() };
    setup.goals[1].1 = Deadlines { ttl_ms: 2, grace_ms: 1, quiet_ms: 2 };
    setup.goals.truncate(3);
    holds("three movers with different times", setup);
}

#[test]
fn a_registry_that_reads_behind_its_writes() {
    let mut setup = Setup { end: 7, behind: Some(1), ..three() };
    setup.goals.truncate(2);
    setup.goals.push((Goal::Forward, times(1)));
    setup.end = 4;
    holds("two movers and a recovery, on a registry that reads behind", setup);
}

#[test]
fn looks_in_two_steps() {
    holds(
        "three movers that read log and tag one after the other",
        Setup { end: 3, looks: Looks::InTwoSteps, ..three() },
    );
}

#[test]
fn puts_that_land_a_unit_later() {
    let mut setup = Setup { end: 9, flight: 1, rest: Rest::Checked, ..three() };
    setup.goals = vec![setup.goals[0].clone(), setup.goals[2].clone()];
    for (_, deadlines) in &mut setup.goals {
        *deadlines = Deadlines { ttl_ms: 1, grace_ms: 2, quiet_ms: 2 };
    }
    holds("two movers whose puts land later", setup);
}

#[test]
fn bootstraps_of_an_empty_log() {
    let goals = vec![
        moving(Op::Bootstrap, Want::Digest(digest("b")), "k", Meet::Queue),
        moving(Op::Bootstrap, Want::Observed, "o", Meet::Queue),
        promote("c", "l", Meet::Queue),
    ];
    let setup = Setup { end: 4, start: Start::Empty, foreign: vec![Some(digest("f"))], ..Setup::of(goals) };
    holds("two bootstraps and a mover on an empty log, with a foreign write", setup);
}

#[test]
fn a_move_to_where_the_channel_is_and_a_rollback() {
    let goals = vec![
        promote("a", "n", Meet::Queue),
        promote("b", "k", Meet::Queue),
        moving(Op::Rollback, Want::Previous, "r", Meet::Queue),
    ];
    holds("a no-op, a mover and a rollback", Setup { end: 4, ..Setup::of(goals) });
}

#[test]
fn sabotage_is_caught() {
    for rule in [
        Sabotage::LatePut,
        Sabotage::EarlyTakeover,
        Sabotage::NoQuiet,
        Sabotage::JoinLive,
        Sabotage::NoTakeoverRecord,
        Sabotage::UnfencedOutcome,
    ] {
        match explore(Setup { sabotage: Some(rule), ..three() }) {
            Ok(states) => panic!("{rule:?}: left out, and nothing was noticed in {states} states"),
            Err(violation) => println!("{rule:?} left out: {violation}"),
        }
    }
}
