//! The machine, step by step: what it wants done after each input.

mod put;
mod stale;
mod takeover;

use std::sync::Arc;

use super::*;
use crate::log::proptests::{intent_of, outcome_of, policy_of, takeover};
use crate::log::{Body, ChannelState, Deadlines, Op, OpenMove, PutStatus, Status, TakeoverOp};
use crate::value::{Digest, Line, Timestamp};

const TIMES: Deadlines = Deadlines { ttl_ms: 300_000, grace_ms: 30_000, quiet_ms: 30_000, settle_ms: 120_000 };
const PUT_MS: Ms = 15_000;

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn text(text: &str) -> Line {
    text.parse().unwrap()
}

fn worker() -> Worker {
    Worker {
        owner: text("me"),
        move_id: text("mine"),
        deadlines: TIMES,
        put_ms: PUT_MS,
        fresh_ms: 1_000_000,
        timeout_ms: 10_000_000,
        left_out: None,
    }
}

fn ask(op: Op, want: Want) -> Ask {
    let (key_from, on_conflict) = (Key::Random, OnConflict::Wait);
    Ask { op, want, key: "mine".parse().unwrap(), key_from, request: digest("mine"), on_conflict, holds_first: false }
}

fn promote(to: &str) -> Ask {
    ask(Op::Promote, Want::Digest(digest(to)))
}

/// A log, and when this process first read its entries.
struct Log {
    state: ChannelState,
    first_read: FirstRead,
}

impl Log {
    /// `a` is live, and the channel is settled.
    fn at_a() -> Log {
        let state = ChannelState::empty("reg.io/app:prod".parse().unwrap());
        let mut log = Log { state, first_read: FirstRead::default() };
        log.add(policy_of(digest("policy")));
        log.begin("first", Op::Bootstrap, "a");
        log.end(Status::Committed, PutStatus::None);
        log
    }

    fn add(&mut self, body: Body) {
        let hash = digest(&self.state.size.to_string());
        self.state.fold(hash, Timestamp::from_unix_ms(0), &body).unwrap();
    }

    /// Another worker's intent, with `TIMES`.
    fn begin(&mut self, name: &str, op: Op, target: &str) {
        self.begin_with(name, op, target, TIMES);
    }

    fn begin_with(&mut self, name: &str, op: Op, target: &str, deadlines: Deadlines) {
        let (previous, puts) = (self.state.live, op != Op::Bootstrap);
        let change = Change { op, previous, target: digest(target), replaced: None, puts };
        self.intent(name, name, change, deadlines);
    }

    /// The intent of `owner`, whose key and request are called like its move.
    fn intent(&mut self, owner: &str, name: &str, change: Change, deadlines: Deadlines) {
        let Change { op, previous, target, replaced, puts } = change;
        let open = OpenMove {
            seq: 0,
            op,
            move_id: text(name),
            key: name.parse().unwrap(),
            request: digest(name),
            previous,
            target,
            replaced,
            as_it_is: !puts,
            owner: text(owner),
            epoch: 0,
            deadlines,
            quiet_ms: deadlines.quiet_ms,
            settle_ms: deadlines.settle_ms,
            given_up: None,
            set: None,
        };
        self.add(intent_of(open, &self.state.channel, digest("policy")));
    }

    fn take_over(&mut self, owner: &str, deadlines: Deadlines) {
        let open = self.state.open.clone().unwrap();
        self.add(takeover(&open, TakeoverOp::Recover, text(owner), deadlines));
    }

    fn end(&mut self, status: Status, put: PutStatus) {
        let open = self.state.open.clone().unwrap();
        self.add(outcome_of(&open, status, put, Some(open.target)));
    }

    /// Another worker's move, from its intent to its outcome.
    fn moved(&mut self, name: &str, target: &str, status: Status, put: PutStatus) {
        self.begin(name, Op::Promote, target);
        self.end(status, put);
    }

    fn read(&mut self, now: Ms) -> LogRead {
        self.first_read.note(self.state.size, now, Deadlines::MAX_MS);
        let (state, first_read) = (Arc::new(self.state.clone()), self.first_read.clone());
        LogRead { state, replay: None, held: false, first_read, settle_ms: TIMES.settle_ms }
    }
}

fn tag(value: &str, sent: Ms) -> TagRead {
    TagRead { value: Some(digest(value)), sent, date: None, hidden: false }
}

/// A machine under test, and the time.
struct Run<M> {
    machine: M,
    now: Ms,
}

impl Run<Moving> {
    fn of(ask: Ask) -> Run<Moving> {
        let (machine, effect) = Moving::start(ask, worker(), 0);
        assert_eq!(effect, Effect::Look);
        Run { machine, now: 0 }
    }

    fn next(&mut self, input: Input) -> Next {
        self.machine.next(input, self.now)
    }

    fn effect(&mut self, input: Input) -> Effect {
        match self.next(input) {
            Next::Do(effect) => effect,
            Next::End(end) => panic!("{end:?}"),
        }
    }

    fn end(&mut self, input: Input) -> End {
        match self.next(input) {
            Next::End(end) => end,
            Next::Do(effect) => panic!("{effect:?}"),
        }
    }

    fn looked(&mut self, log: &mut Log, value: &str) -> Input {
        Input::Looked(log.read(self.now), tag(value, self.now))
    }

    /// Looks, is judged and begins; the first effect of the move that it holds.
    fn begun(&mut self, log: &mut Log, value: &str) -> Effect {
        let looked = self.looked(log, value);
        let Effect::Judge { .. } = self.effect(looked) else { panic!("it is not judged") };
        let Effect::Begin { change, .. } = self.effect(Input::Approved(digest("policy"))) else {
            panic!("it does not begin")
        };
        log.intent("me", "mine", change, TIMES);
        let stored = AppendEnd::Stored(log.read(self.now));
        self.effect(Input::Appended(stored))
    }

    /// Passes the guard; the put.
    fn guarded(&mut self, log: &mut Log) -> Effect {
        let log = log.read(self.now);
        self.effect(Input::Log(log))
    }
}

impl Run<Clearing> {
    /// A worker that meets the open move of `log`, and takes it over once it may; the takeover's times.
    fn taking_over(part: Part, worker: Worker, log: &mut Log) -> (Run<Clearing>, Deadlines) {
        let (machine, _) = Clearing::start(part, worker, 0);
        let mut run = Run { machine, now: 0 };
        let Effect::Sleep { until, waiting: WaitReason::OtherMove { .. }, .. } = run.effect_of_log(log) else {
            panic!("it does not wait")
        };
        run.now = until;
        let Effect::Takeover { deadlines, .. } = run.effect_of_log(log) else { panic!("it does not take over") };
        log.take_over("me", deadlines);
        (run, deadlines)
    }

    fn next(&mut self, input: Input) -> Next {
        self.machine.next(input, self.now)
    }

    fn effect(&mut self, input: Input) -> Effect {
        match self.next(input) {
            Next::Do(effect) => effect,
            Next::End(end) => panic!("{end:?}"),
        }
    }

    fn effect_of_log(&mut self, log: &mut Log) -> Effect {
        let log = log.read(self.now);
        self.effect(Input::Log(log))
    }

    /// Waits for the quiet time, which is `quiet_ms`, and reads the tag.
    fn reads_after_quiet(&mut self, log: &mut Log, quiet_ms: Ms) {
        let stored = AppendEnd::Stored(log.read(self.now));
        let until = self.now + quiet_ms;
        let quiet = Effect::Sleep { ms: quiet_ms, until, waiting: WaitReason::QuietTime };
        assert_eq!(self.effect(Input::Appended(stored)), quiet);
        self.now = until;
        assert_eq!(self.effect(Input::Woke), Effect::Resolve);
    }
}
