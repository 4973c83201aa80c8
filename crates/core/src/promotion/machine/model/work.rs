//! What a worker's next step does to the world, and the ways in which it can go.

use super::world::Machine;
use super::*;
use crate::error::Retry;
use crate::record::PolicyInForce;
use crate::value::Timestamp;

pub(super) fn outcome(open: &OpenMove, status: Status, put: PutStatus, observed: Option<Digest>) -> Step {
    Step::Outcome {
        intent_seq: open.seq,
        move_id: open.move_id.clone(),
        owner: open.owner.clone(),
        epoch: open.epoch,
        status,
        put,
        observed,
        at: Timestamp::from_unix_ms(0),
    }
}

pub(super) fn policy() -> Digest {
    digest("policy")
}

pub(super) fn policy_step() -> Step {
    Step::Policy(PolicyInForce { seq: 0, digest: policy(), binding: false })
}

impl Machine {
    fn next(&mut self, input: Input, now: Ms) -> Next<Ended> {
        match self {
            Machine::Move(moving) => match moving.next(input, now) {
                Next::Do(effect) => Next::Do(effect),
                Next::End(end) => Next::End(Ended::Move(end)),
            },
            Machine::Recovery(clearing) => match clearing.next(input, now) {
                Next::Do(effect) => Next::Do(effect),
                Next::End(cleared) => Next::End(Ended::Recovery(cleared)),
            },
        }
    }
}

enum Ended {
    Move(End),
    Recovery(Cleared),
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
        }
    }

    /// The worker at `at`, as it begins at `now`.
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
        };
        Slot::Running { machine: Box::new(machine), todo: Todo::Do(effect), first_read: FirstRead::default() }
    }

    /// *recoverable*: should every worker die here, one more brings log and tag to rest, with a put and without one.
    pub(super) fn comes_to_rest(&self, world: &World) -> bool {
        let Some(open) = &world.log.open else { return true };
        [Part::Forward, Part::Abandon { at_once: false }].into_iter().all(|part| {
            if part == Part::Forward && !world.log.holds.is_empty() {
                return true;
            }
            let mut world = World { workers: vec![], ..world.clone() };
            // It is the last of them, so that its name is its own.
            let mut alone = self.clone();
            alone.goals = vec![(Goal::Recover(part), open.deadlines); 10];
            world.workers = vec![Slot::Crashed; 9];
            world.workers.push(alone.begun(9, world.now));
            for _ in 0..80 {
                match &world.workers[9] {
                    Slot::Running { todo: Todo::Asleep(until, _), .. } => world.now = world.now.max(*until),
                    Slot::Running { .. } => {}
                    _ => break,
                }
                alone.work(&mut world, 9, Choice::Fine);
            }
            let ended = matches!(&world.workers[9], Slot::Ended);
            ended && world.log.open.is_none() && world.broken.is_none()
        })
    }

    /// The ways in which what a worker is about to do can go.
    pub(super) fn choices(&self, world: &World, todo: &Todo) -> Vec<Choice> {
        let flaw = world.left.flaws > 0;
        let refuse = world.left.refusals > 0;
        let old = (0..world.window.len()).filter(|at| world.window[*at].0 != world.tag).map(Choice::Old);
        let mut choices = vec![Choice::Fine];
        let mut also = |choice, may: bool| choices.extend(may.then_some(choice));
        match todo {
            Todo::Asleep(until, size) if world.now < *until && world.log.size <= *size => return vec![],
            Todo::Asleep(..) | Todo::Do(Effect::Sleep(..) | Effect::Judge { .. }) => {}
            Todo::Do(Effect::Look) if self.looks == Looks::InTwoSteps => also(Choice::Other, true),
            Todo::Do(Effect::Look) => choices.extend(old),
            Todo::ReadAfter(_) | Todo::Do(Effect::ReadLog) => also(Choice::Flaw, flaw),
            Todo::ResolveAfter(_) | Todo::Do(Effect::Resolve) => {
                also(Choice::Flaw, flaw);
                choices.extend(old);
            }
            Todo::Do(Effect::Begin { .. }) => {
                also(Choice::Flaw, flaw);
                also(Choice::Late, flaw);
                also(Choice::Refuse, refuse);
            }
            Todo::Do(Effect::Policy { .. } | Effect::Takeover { .. } | Effect::Observe { .. } | Effect::Close(_)) => {
                also(Choice::Flaw, flaw);
                also(Choice::Late, flaw);
            }
            Todo::Do(Effect::Put { .. }) => {
                also(Choice::Lost, world.left.losses > 0);
                also(Choice::Refuse, refuse);
            }
        }
        choices
    }

    pub(super) fn work(&self, world: &mut World, at: usize, choice: Choice) {
        let Slot::Running { mut machine, todo, .. } = world.workers[at].clone() else { return };
        match choice {
            Choice::Flaw | Choice::Late => world.left.flaws -= 1,
            Choice::Refuse => world.left.refusals -= 1,
            Choice::Lost => world.left.losses = world.left.losses.saturating_sub(u8::from(self.losses < u8::MAX)),
            _ => {}
        }
        let value = match choice {
            Choice::Old(at) => world.window[at].0,
            _ => world.tag,
        };
        let read = TagRead { value, sent: world.now, date: None, hidden: false };
        let input = match todo {
            Todo::Asleep(..) => Input::Woke,
            Todo::Do(Effect::Sleep(..) | Effect::Judge { .. }) => return,
            Todo::Do(Effect::Look) if self.looks == Looks::AtOnce => Input::Looked(world.read(self, at), read),
            Todo::Do(Effect::Look) => {
                let half = match choice {
                    Choice::Other => Todo::ResolveAfter(world.read(self, at)),
                    _ => Todo::ReadAfter(read),
                };
                if let Slot::Running { todo, .. } = &mut world.workers[at] {
                    *todo = half;
                }
                return;
            }
            Todo::ReadAfter(_) | Todo::ResolveAfter(_) if choice == Choice::Flaw => Input::Broken(Retry::Later),
            Todo::ReadAfter(read) => Input::Looked(world.read(self, at), read),
            Todo::ResolveAfter(log) => Input::Looked(log, read),
            Todo::Do(Effect::ReadLog | Effect::Resolve) if choice == Choice::Flaw => Input::Broken(Retry::Later),
            Todo::Do(Effect::ReadLog) => Input::Log(world.read(self, at)),
            Todo::Do(Effect::Resolve) => Input::Tag(read),
            Todo::Do(Effect::Begin { seq, change }) => {
                let pins = if choice == Choice::Refuse { Pins::Unconfirmed } else { Pins::Confirmed };
                Input::Begun(self.put_in(world, at, seq, self.intent(at, change), choice), pins)
            }
            Todo::Do(Effect::Takeover { seq, open, deadlines }) => {
                let step = Step::Takeover {
                    intent_seq: open.seq,
                    move_id: open.move_id.clone(),
                    owner: text(format!("w{at}")),
                    epoch: open.epoch + 1,
                    previous_owner: open.owner.clone(),
                    deadlines,
                };
                Input::Appended(self.put_in(world, at, seq, step, choice))
            }
            Todo::Do(Effect::Policy { seq }) => Input::Appended(self.put_in(world, at, seq, policy_step(), choice)),
            Todo::Do(Effect::Observe { seq, observed, .. }) => {
                Input::Appended(self.put_in(world, at, seq, Step::Observation { observed }, choice))
            }
            Todo::Do(Effect::Close(closing)) => {
                let Closing { seq, open, status, put, observed, .. } = *closing;
                Input::Appended(self.put_in(world, at, seq, outcome(&open, status, put, observed), choice))
            }
            Todo::Do(Effect::Put { not_after, .. }) if world.now > not_after => Input::Put(PutEnd::NotSent),
            Todo::Do(Effect::Put { open, .. }) => match choice {
                Choice::Refuse => Input::Put(PutEnd::Refused),
                Choice::Lost => {
                    world.flying.push(Flying { move_id: open.move_id, to: open.target, sent: world.now });
                    Input::Put(PutEnd::Unknown)
                }
                _ => {
                    world.land(&open.move_id, open.target, self.lag);
                    Input::Put(PutEnd::Applied)
                }
            },
        };
        let mut next = machine.next(input, world.now);
        // What touches nothing but the worker itself happens at once: no other step can tell when.
        let (todo, first_read) = loop {
            let input = match next {
                Next::Do(Effect::Judge { .. }) if !world.log.holds.is_empty() => Input::Refused,
                Next::Do(Effect::Judge { .. }) => Input::Approved(policy()),
                Next::Do(Effect::Sleep(ms, waiting)) => {
                    // A read that may lag is repeated each unit; what is waited for otherwise has its own time.
                    let ms = if matches!(waiting, Waiting::Settle { .. }) { 1 } else { ms.min(50) };
                    break (Todo::Asleep(world.now + ms, world.log.size), world.workers[at].first_read());
                }
                Next::Do(effect) => break (Todo::Do(effect), world.workers[at].first_read()),
                Next::End(ended) => {
                    self.check_end(world, &ended);
                    world.workers[at] = Slot::Ended;
                    return;
                }
            };
            next = machine.next(input, world.now);
        };
        world.workers[at] = Slot::Running { machine, todo, first_read };
    }

    /// A worker's last word against the world.
    fn check_end(&self, world: &mut World, ended: &Ended) {
        let (tag, live, open) = (world.tag, world.log.live, world.log.open.is_some());
        // Others may have moved the tag since the read: only a channel at rest contradicts.
        if world.went_around || open || !world.flying.is_empty() {
            return;
        }
        match ended {
            Ended::Move(End::Unchanged(digest)) if live == Some(*digest) && tag != live => {
                world.breaks("unchanged-is-true");
            }
            Ended::Move(End::Replayed(replay)) if live == Some(replay.target) && tag != live => {
                world.breaks("unchanged-is-true: replayed");
            }
            Ended::Move(End::Refused(Why::Drifted(value))) if tag == live && *value != live => {
                world.breaks("no-false-word: drift");
            }
            Ended::Recovery(Cleared::Broken) => world.breaks("a recovery was told something that answers nothing"),
            _ => {}
        }
    }

    fn intent(&self, at: usize, change: Change) -> Step {
        let (goal, deadlines) = &self.goals[at];
        let Goal::Move(ask) = goal else { return Step::Other };
        let Change { op, previous, target, replaced, .. } = change;
        let (move_id, owner) = (format!("m{at}"), format!("w{at}"));
        let open = OpenMove {
            request: ask.request,
            replaced,
            as_it_is: op == Op::Adopt || (op == Op::Bootstrap && ask.want == Want::Observed),
            ..self.worker_move(previous, target, op, &move_id, &owner, ask.key.as_str(), *deadlines)
        };
        Step::Intent { open: Box::new(open), policy: policy() }
    }

    fn put_in(&self, world: &mut World, at: usize, seq: u64, step: Step, choice: Choice) -> Appended {
        if world.log.size != seq {
            return Appended::Lost(world.read(self, at));
        }
        match choice {
            Choice::Late => {
                world.late.push((seq, step));
                Appended::Unknown
            }
            Choice::Flaw => {
                world.append(step);
                Appended::Unknown
            }
            _ => {
                world.append(step);
                Appended::Stored(world.read(self, at))
            }
        }
    }
}

impl Slot {
    fn first_read(&self) -> FirstRead {
        match self {
            Slot::Running { first_read, .. } => first_read.clone(),
            _ => FirstRead::default(),
        }
    }
}
