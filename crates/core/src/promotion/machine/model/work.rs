//! What a worker's next step does to the world, and the ways in which it can go.

use super::*;

pub(super) fn outcome(open: &OpenMove, status: Status, put: PutStatus, observed: Option<Digest>) -> Step {
    Step::Outcome {
        intent_seq: open.seq,
        move_id: open.move_id.clone(),
        owner: open.owner.clone(),
        epoch: open.epoch,
        status,
        put,
        observed,
    }
}

pub(super) fn policy() -> Digest {
    digest("policy")
}

pub(super) fn policy_step() -> Step {
    Step::Policy(PolicyInForce { seq: 0, digest: policy(), binding: false })
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
        }
    }
}

impl Setup {
    /// I5: should every worker die here, one more brings log and tag to rest, with a put and without one.
    pub(super) fn comes_to_rest(&self, world: &World) -> bool {
        let Some(open) = &world.log.open else { return true };
        [Goal::Forward, Goal::Abandon].into_iter().all(|goal| {
            if goal == Goal::Forward && !world.log.holds.is_empty() {
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
    pub(super) fn choices(&self, world: &World, todo: &Todo) -> Vec<Choice> {
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
                also(Choice::Late, flaw);
                also(Choice::Refuse, refuse);
            }
            Todo::Act(
                Action::Policy { .. } | Action::Takeover { .. } | Action::Observe { .. } | Action::Close { .. },
            ) => {
                also(Choice::Flaw, flaw);
                also(Choice::Late, flaw);
            }
            Todo::Act(Action::Put { .. }) => {
                also(Choice::Lost, true);
                also(Choice::Refuse, refuse);
            }
        }
        choices
    }

    pub(super) fn work(&self, world: &mut World, at: usize, choice: Choice) {
        let Slot::Running { mut mover, todo } = world.workers[at].clone() else { return };
        let goal = self.goals[at].0.clone();
        let key = match &goal {
            Goal::Move(ask) => Some(ask.key.clone()),
            _ => None,
        };
        let key = key.as_ref();
        match choice {
            Choice::Flaw | Choice::Late => world.left.flaws -= 1,
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
                let open = OpenMove {
                    request: ask.request,
                    replaced: change.replaced,
                    as_it_is: change.as_it_is,
                    ..self.worker_move(
                        change.previous,
                        change.target,
                        ask.op,
                        &format!("m{at}"),
                        &format!("w{at}"),
                        ask.key.as_str(),
                        self.goals[at].1,
                    )
                };
                let step = Step::Intent { open: Box::new(open), policy: policy() };
                let pins = if choice == Choice::Refuse { Pins::Unconfirmed } else { Pins::Confirmed };
                Heard::Begun(put_in(world, seq, step, choice, key), pins)
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
            Todo::Act(Action::Policy { seq }) => Heard::Appended(put_in(world, seq, policy_step(), choice, key)),
            Todo::Act(Action::Observe { seq, .. }) => Heard::Appended(put_in(world, seq, Step::Other, choice, key)),
            Todo::Act(Action::Close { seq, open, status, put, observed, .. }) => {
                Heard::Appended(put_in(world, seq, outcome(&open, status, put, observed), choice, key))
            }
            Todo::Act(Action::Put { not_after, .. }) if world.now > not_after => Heard::Put(PutEnd::NotSent),
            Todo::Act(Action::Put { target, .. }) => match choice {
                Choice::Refuse => Heard::Put(PutEnd::Refused),
                Choice::Lost => {
                    world.flying.push(Flying { move_id: mover.move_id(), to: target, sent: world.now });
                    Heard::Put(PutEnd::Unknown)
                }
                _ => {
                    world.land(&mover.move_id(), target);
                    Heard::Put(PutEnd::Applied)
                }
            },
        };
        let mut action = mover.hear(heard, world.now);
        // What touches nothing but the worker itself happens at once: no other step can tell when.
        let todo = loop {
            let heard = match &action {
                Action::Judge { state, .. } if !state.holds.is_empty() => Heard::Refused,
                Action::Judge { .. } => Heard::Approved(policy()),
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

pub(super) fn put_in(
    world: &mut World,
    seq: u64,
    step: Step,
    choice: Choice,
    key: Option<&IdempotencyKey>,
) -> Appended {
    if world.log.size != seq {
        return Appended::Lost(world.read(key));
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
            Appended::Stored(world.read(key))
        }
    }
}
