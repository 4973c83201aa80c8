//! The effect of a worker's next step on the world, and the ways in which the step can go.

use std::ops::ControlFlow::{self, Break, Continue};

use super::checks::Saw;
use super::world::Machine;
use super::*;
use crate::error::Retry;
use crate::log::proptests::{intent_of, policy_of, takeover};
use crate::log::{HoldScope, Observation, ObservationCause};
use crate::value::Channel;

pub(super) fn policy() -> Digest {
    digest("policy")
}

pub(super) enum Ended {
    Move(End),
    Recovery(End),
    /// The value that was found instead of the live digest; the outer `None` if the audit could not tell.
    Audit(Option<Option<Option<Digest>>>),
}

/// The result of a step: an effect is done completely, or half.
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once")]
enum Did {
    Whole(Input),
    /// More must be done before the machine gets an input.
    Half(Todo),
}

fn then(next: Next, ended: impl FnOnce(End) -> Ended) -> ControlFlow<Ended, Effect> {
    match next {
        Next::Do(effect) => Continue(effect),
        Next::End(end) => Break(ended(end)),
    }
}

impl Machine {
    fn next(&mut self, input: Input, now: Ms, left_out: Option<Rule>) -> ControlFlow<Ended, Effect> {
        let seen = match self {
            Machine::Move(moving) => return then(moving.next(input, now), Ended::Move),
            Machine::Recovery(clearing) => return then(clearing.next(input, now), Ended::Recovery),
            Machine::Audit(seen) => seen,
        };
        match (input, seen.take()) {
            (Input::Looked(log, read), _) if log.differs(&read).is_none() => Break(Ended::Audit(Some(None))),
            (Input::Looked(log, read), _) if log.is_unsettled(&read) => {
                Continue(Effect::Sleep { ms: 1, until: log.settled_at(&read, now), waiting: WaitReason::Settle })
            }
            (Input::Looked(_, read), _) if left_out == Some(Rule::HeadReadAgain) => {
                Break(Ended::Audit(Some(Some(read.value))))
            }
            (Input::Looked(log, read), _) => {
                *seen = Some((log, read));
                Continue(Effect::ReadLog)
            }
            (Input::Log(again), Some((log, read))) if again.state.size == log.state.size => {
                Break(Ended::Audit(Some(Some(read.value))))
            }
            (Input::Log(_) | Input::Woke, _) => Continue(Effect::Look),
            _ => Break(Ended::Audit(None)),
        }
    }
}

impl Setup {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn worker_move(
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
            previous: from,
            target: to,
            replaced: None,
            as_it_is: false,
            owner: text(owner),
            epoch: 0,
            deadlines,
            quiet_ms: deadlines.quiet_ms,
            settle_ms: deadlines.settle_ms,
            given_up: None,
            set: None,
        }
    }

    /// The worker at `at`, started at `now`.
    pub(super) fn begun(&self, at: usize, now: Ms) -> Slot {
        let worker = self.worker(at);
        let (machine, effect) = match self.goals[at].0.clone() {
            Goal::Move(ask) => {
                let (moving, effect) = Moving::start(ask, worker, now);
                (Machine::Move(moving), effect)
            }
            Goal::Recover(part) => {
                let (clearing, effect) = Clearing::start(part, worker, now);
                (Machine::Recovery(clearing), effect)
            }
            Goal::Audit => (Machine::Audit(None), Effect::Look),
        };
        let (todo, first_read, saw) = (Todo::Do(effect), FirstRead::default(), Saw::default());
        Slot::Running(Running { machine, todo, first_read, saw })
    }

    /// *recoverable*: if every worker dies here, one more worker brings log and tag to rest, with a put and without
    /// one.
    pub(super) fn comes_to_rest(&self, world: &World) -> bool {
        let Some(open) = &world.log.open else { return true };
        [Part::Forward, Part::Abandon { at_once: false }].into_iter().all(|part| {
            if part == Part::Forward && world.held(open.op).is_some() {
                return true;
            }
            let mut world = World { workers: vec![], ..world.clone() };
            // The new worker is the tenth, so that no other worker has its name.
            let goals = vec![(Goal::Recover(part), open.deadlines); 10];
            let alone = Setup { goals, endings: Arc::default(), ..self.clone() };
            let crashed = Arc::new(Slot::Crashed);
            world.workers = vec![crashed; 9];
            world.workers.push(Arc::new(alone.begun(9, world.now)));
            for _ in 0..80 {
                match &*world.workers[9] {
                    Slot::Running(Running { todo: Todo::Asleep(until, _), .. }) => world.now = world.now.max(*until),
                    Slot::Running(_) => {}
                    _ => break,
                }
                alone.work(&mut world, 9, Choice::Fine);
            }
            let ended = matches!(*world.workers[9], Slot::Ended(_));
            ended && world.log.open.is_none() && world.broken.is_none()
        })
    }

    /// True if an event must happen before more time passes: a put must land or be dropped, or a put must end.
    pub(super) fn is_due(&self, world: &World) -> bool {
        world.flying.iter().any(|put| put.sent + self.flight <= world.now)
            || world.workers.iter().any(|slot| match &**slot {
                Slot::Running(Running { todo: Todo::Putting(_, sent), .. }) => sent + self.put_ms <= world.now,
                _ => false,
            })
    }

    /// The ways in which a worker's next step can go.
    pub(super) fn choices(&self, world: &World, running: &Running) -> Vec<Choice> {
        let flaw = world.left.flaws > 0;
        let refuse = world.left.refusals > 0;
        let old = (0..world.window.len()).filter(|at| world.window[*at].0 != world.tag).map(Choice::Old);
        let mut choices = vec![Choice::Fine];
        let mut also = |choice, may: bool| choices.extend(may.then_some(choice));
        match &running.todo {
            Todo::Asleep(until, size) if world.now < *until && world.log.size <= *size => return vec![],
            Todo::Asleep(..) | Todo::Do(Effect::Sleep { .. } | Effect::Judge { .. }) => {}
            // The driver notes it at the head, and reads the log again where the append is not answered.
            Todo::Do(Effect::Hold) => also(Choice::Fail, flaw),
            Todo::Do(Effect::Look) if self.two_reads => also(Choice::Other, true),
            Todo::Do(Effect::Look) => choices.extend(old),
            Todo::ReadAfter(_) | Todo::Do(Effect::ReadLog) => also(Choice::Fail, flaw),
            Todo::ResolveAfter(_) | Todo::Do(Effect::Resolve) => {
                also(Choice::Fail, flaw);
                choices.extend(old);
            }
            Todo::Do(Effect::Begin { .. }) => {
                also(Choice::Fail, flaw);
                also(Choice::Flaw, flaw);
                also(Choice::Late, flaw);
                also(Choice::Refuse, refuse);
            }
            Todo::Do(
                Effect::Policy { .. } | Effect::Takeover { .. } | Effect::Observe { .. } | Effect::Close { .. },
            ) => {
                also(Choice::Fail, flaw);
                also(Choice::Flaw, flaw);
                also(Choice::Late, flaw);
            }
            Todo::Do(Effect::Put { .. }) if self.put_ms > 0 => {}
            Todo::Do(Effect::Put { .. }) | Todo::Putting(..) => {
                also(Choice::Lost, world.left.losses > 0);
                also(Choice::Refuse, refuse);
            }
        }
        choices
    }

    pub(super) fn work(&self, world: &mut World, at: usize, choice: Choice) {
        let Slot::Running(Running { mut machine, todo, saw, .. }) = Slot::clone(&world.workers[at]) else { return };
        match choice {
            Choice::Fail | Choice::Flaw | Choice::Late => world.left.flaws -= 1,
            Choice::Refuse => world.left.refusals -= 1,
            Choice::Lost => world.left.losses -= 1,
            _ => {}
        }
        let goal = &self.goals[at].0;
        let input = match self.perform(world, at, todo, &saw, choice) {
            Did::Whole(input) => input,
            Did::Half(todo) => return world.set(at, |running| running.todo = todo),
        };
        let mut next = machine.next(input, world.now, self.left_out);
        // Effects that touch only the worker itself happen at once: no other step can see a difference.
        let todo = loop {
            let input = match next {
                Continue(Effect::Judge { change, .. }) if world.refuses(self, goal, &change) => Input::Refused,
                Continue(Effect::Judge { .. }) => Input::Approved(policy()),
                Continue(Effect::Sleep { ms, waiting, .. }) => {
                    // A read that may lag is repeated each unit of time; other waits have their own time.
                    let ms = if waiting == WaitReason::Settle { 1 } else { ms.min(50) };
                    break Todo::Asleep(world.now + ms, world.log.size);
                }
                Continue(effect) => break Todo::Do(effect),
                Break(ended) => {
                    let ending = self.check_end(world, &ended);
                    world.workers[at] = Arc::new(Slot::Ended(ending));
                    return;
                }
            };
            next = machine.next(input, world.now, self.left_out);
        };
        world.set(at, |running| (running.machine, running.todo) = (machine, todo));
    }

    /// Performs a step. Returns the machine's input, or the rest of the step.
    fn perform(&self, world: &mut World, at: usize, todo: Todo, saw: &Saw, choice: Choice) -> Did {
        let goal = &self.goals[at].0;
        let value = match choice {
            Choice::Old(at) => world.window[at].0,
            _ => world.tag,
        };
        let read = TagRead { value, sent: world.now, date: None, hidden: false };
        Did::Whole(match todo {
            Todo::Asleep(..) => Input::Woke,
            _ if choice == Choice::Fail => Input::Broken(Retry::Later),
            Todo::Do(Effect::Look) if !self.two_reads => Input::Looked(world.read(self, at), read),
            Todo::Do(Effect::Look) => {
                return Did::Half(match choice {
                    Choice::Other => Todo::ResolveAfter(world.read(self, at)),
                    _ => Todo::ReadAfter(read),
                });
            }
            Todo::ReadAfter(read) => Input::Looked(world.read(self, at), read),
            Todo::ResolveAfter(log) => Input::Looked(log, read),
            Todo::Do(Effect::ReadLog) => Input::Log(world.read(self, at)),
            Todo::Do(Effect::Resolve) => Input::Tag(read),
            Todo::Do(Effect::Begin { seq, change }) => {
                let Goal::Move(ask) = goal else { return Did::Whole(Input::Broken(Retry::Never)) };
                if world.log.size == seq {
                    world.check_intent(at, ask, saw);
                    world.check_blocked(&change);
                    if !self.returns {
                        world.check_return(&change);
                    }
                }
                let body = self.intent(&world.log.channel, at, ask, change);
                match self.put_in(world, at, seq, body, choice) {
                    AppendEnd::Stored(log) if choice == Choice::Refuse => Input::Unpinned(log),
                    appended => Input::Appended(appended),
                }
            }
            Todo::Do(Effect::Hold) => {
                world.stopped = true;
                world.stop(HoldScope::Promotions, None);
                Input::Appended(AppendEnd::Stored(world.read(self, at)))
            }
            Todo::Do(Effect::Takeover { seq, open, deadlines }) => {
                world.check_takeover(goal, saw);
                let body = takeover(&open, goal.takeover(), text(format!("w{at}")), deadlines);
                Input::Appended(self.put_in(world, at, seq, body, choice))
            }
            Todo::Do(Effect::Policy { seq }) => {
                Input::Appended(self.put_in(world, at, seq, policy_of(policy()), choice))
            }
            Todo::Do(Effect::Observe { seq, observed, .. }) => {
                let (expected, cause) = (world.log.live, ObservationCause::Drift);
                let body = Body::Observation(Observation { expected, observed, cause });
                Input::Appended(self.put_in(world, at, seq, body, choice))
            }
            Todo::Do(Effect::Close { seq, outcome, .. }) => {
                if world.log.size == seq {
                    self.check_close(world, goal, &outcome);
                }
                Input::Appended(self.put_in(world, at, seq, Body::Outcome(*outcome), choice))
            }
            Todo::Do(Effect::Put { not_after, .. }) if world.now > not_after => Input::Put(PutEnd::NotSent),
            Todo::Do(Effect::Put { open, .. }) if self.put_ms > 0 => {
                world.check_put(goal, &open, saw);
                return Did::Half(Todo::Putting(open, world.now));
            }
            Todo::Do(Effect::Put { open, .. }) => {
                world.check_put(goal, &open, saw);
                self.put(world, *open, choice)
            }
            Todo::Putting(open, _) => self.put(world, *open, choice),
            Todo::Do(Effect::Sleep { .. } | Effect::Judge { .. }) => Input::Broken(Retry::Never),
        })
    }

    fn put(&self, world: &mut World, open: OpenMove, choice: Choice) -> Input {
        Input::Put(match choice {
            Choice::Refuse => PutEnd::Refused,
            Choice::Lost => {
                world.flying.push(Flying { move_id: open.move_id, to: open.target, sent: world.now });
                PutEnd::Unknown
            }
            _ => {
                world.land(&open.move_id, open.target, self.lag);
                PutEnd::Applied
            }
        })
    }

    fn intent(&self, channel: &Channel, at: usize, ask: &Ask, change: Change) -> Body {
        let Change { op, previous, target, replaced, .. } = change;
        let (move_id, owner) = (format!("m{at}"), format!("w{at}"));
        let open = OpenMove {
            request: ask.request,
            replaced,
            as_it_is: op == Op::Adopt || (op == Op::Bootstrap && ask.want == Want::Observed),
            ..self.worker_move(previous, target, op, &move_id, &owner, ask.key.as_str(), self.goals[at].1)
        };
        intent_of(open, channel, policy())
    }

    fn put_in(&self, world: &mut World, at: usize, seq: u64, body: Body, choice: Choice) -> AppendEnd {
        if world.log.size != seq {
            return AppendEnd::Lost(world.read(self, at));
        }
        match choice {
            Choice::Late => {
                world.late.push((seq, body));
                AppendEnd::Unknown
            }
            Choice::Flaw => {
                world.append(body);
                AppendEnd::Unknown
            }
            _ => {
                world.append(body);
                AppendEnd::Stored(world.read(self, at))
            }
        }
    }
}

impl World {
    fn set(&mut self, at: usize, change: impl FnOnce(&mut Running)) {
        if let Slot::Running(running) = Arc::make_mut(&mut self.workers[at]) {
            change(running);
        }
    }
}
