//! Plans whose channel has changed: a run whose facts have changed never wins.

use super::*;
use crate::log::Block;
use crate::log::proptests::nothing;
use crate::value::Provenance;

/// A run that met another worker's move at its first look, and saw how that ended.
fn after_waiting(log: &mut Log, end: impl FnOnce(&mut Log)) -> Run<Moving> {
    let mut run = Run::of(promote("c"));
    log.begin("other", Op::Promote, "b");
    let open = run.looked(log, "a");
    let Effect::Sleep { waiting: WaitReason::OtherMove { .. }, .. } = run.effect(open) else {
        panic!("it does not wait")
    };
    assert_eq!(run.effect(Input::Woke), Effect::ReadLog);
    end(log);
    let gone = log.read(run.now);
    assert_eq!(run.effect(Input::Log(gone)), Effect::Look);
    run
}

#[test]
fn run_is_stale_after_another_workers_committed_move() {
    let mut log = Log::at_a();
    let mut run = after_waiting(&mut log, |log| log.end(Status::Committed, PutStatus::Accepted));
    let looked = run.looked(&mut log, "b");
    assert_eq!(run.end(looked), End::Refused(Why::ChannelChanged));
}

#[test]
fn run_is_not_stale_after_another_workers_aborted_move() {
    let mut log = Log::at_a();
    let mut run = after_waiting(&mut log, |log| log.end(Status::Aborted, PutStatus::None));
    let looked = run.looked(&mut log, "a");
    assert!(matches!(run.effect(looked), Effect::Judge { .. }));
}

#[test]
fn run_is_stale_after_a_move_that_it_did_not_wait_for() {
    let mut log = Log::at_a();
    let mut run = after_waiting(&mut log, |log| {
        log.end(Status::Aborted, PutStatus::None);
        log.moved("second", "b", Status::Aborted, PutStatus::None);
        log.begin("third", Op::Promote, "b");
    });
    let open = run.looked(&mut log, "a");
    let Effect::Sleep { waiting: WaitReason::OtherMove { .. }, .. } = run.effect(open) else {
        panic!("it does not wait")
    };
    log.end(Status::Aborted, PutStatus::None);
    let gone = log.read(run.now);
    assert_eq!(run.effect(Input::Log(gone)), Effect::Look);
    let looked = run.looked(&mut log, "a");
    assert_eq!(run.end(looked), End::Refused(Why::ChannelChanged));
}

/// The move that it meets follows the basis: it is waited for.
#[test]
fn run_is_not_stale_after_a_move_that_it_met_later_and_that_was_aborted() {
    let (mut log, mut run) = (Log::at_a(), Run::of(promote("c")));
    let free = run.looked(&mut log, "a");
    assert!(matches!(run.effect(free), Effect::Judge { .. }));
    assert!(matches!(run.effect(Input::Approved(digest("policy"))), Effect::Begin { .. }));
    let (reason, provenance) = (text("r"), Provenance::new("manual", "1", "ada").unwrap());
    log.add(Body::Block(Block { digest: digest("x"), reason, provenance, url: None }));
    let lost = AppendEnd::Lost(log.read(run.now));
    assert_eq!(run.effect(Input::Appended(lost)), Effect::Look, "what judges has changed");
    log.begin("other", Op::Promote, "b");
    let open = run.looked(&mut log, "a");
    assert!(matches!(run.effect(open), Effect::Sleep { waiting: WaitReason::OtherMove { .. }, .. }));
    log.end(Status::Aborted, PutStatus::None);
    assert_eq!(run.effect(Input::Woke), Effect::ReadLog);
    assert_eq!(run.guarded(&mut log), Effect::Look);
    let looked = run.looked(&mut log, "a");
    assert!(matches!(run.effect(looked), Effect::Judge { .. }));
}

/// A run that closed a dead move to `b`, which had landed.
fn after_closing(log: &mut Log) -> Run<Moving> {
    let mut run = Run::of(promote("c"));
    log.begin("dead", Op::Promote, "b");
    let open = run.looked(log, "b");
    let Effect::Sleep { until, waiting: WaitReason::OtherMove { .. }, .. } = run.effect(open) else {
        panic!("it does not wait")
    };
    run.now = until;
    let Effect::Takeover { deadlines, .. } = run.guarded(log) else { panic!("it does not take over") };
    log.take_over("me", deadlines);
    let stored = AppendEnd::Stored(log.read(run.now));
    let Effect::Sleep { ms: quiet_ms, waiting: WaitReason::QuietTime, .. } = run.effect(Input::Appended(stored)) else {
        panic!("it does not wait for the quiet time")
    };
    run.now += quiet_ms;
    assert_eq!(run.effect(Input::Woke), Effect::Resolve);
    let Effect::Close { outcome, .. } = run.effect(Input::Tag(tag("b", run.now))) else { panic!("it is not closed") };
    assert_eq!(outcome.status, Status::Committed);
    log.end(outcome.status, outcome.put);
    let stored = AppendEnd::Stored(log.read(run.now));
    assert_eq!(run.effect(Input::Appended(stored)), Effect::Look);
    run
}

#[test]
fn run_is_not_stale_after_a_dead_move_that_it_closed() {
    let mut log = Log::at_a();
    let mut run = after_closing(&mut log);
    let looked = run.looked(&mut log, "b");
    let Effect::Judge { change, .. } = run.effect(looked) else { panic!("it is not judged") };
    assert_eq!((change.previous, change.target), (Some(digest("b")), digest("c")));
}

#[test]
fn run_is_stale_after_a_move_that_followed_the_dead_one_that_it_closed() {
    for (to, status) in [("d", Status::Committed), ("d", Status::Aborted)] {
        let mut log = Log::at_a();
        let mut run = after_closing(&mut log);
        log.moved("next", to, status, PutStatus::None);
        let looked = run.looked(&mut log, if status == Status::Committed { to } else { "b" });
        assert_eq!(run.end(looked), End::Refused(Why::ChannelChanged), "{status:?}");
    }
}

/// *foreign*
#[test]
fn drift_is_looked_at_again_when_the_head_moved() {
    let moves: [fn(&mut Log); 2] = [|log| log.begin("other", Op::Promote, "b"), |log| log.add(nothing())];
    for moves in moves {
        let (mut log, mut run) = (Log::at_a(), Run::of(promote("c")));
        let drifted = run.looked(&mut log, "b");
        assert_eq!(run.effect(drifted), Effect::ReadLog, "the head, once more after the tag");
        moves(&mut log);
        assert_eq!(run.guarded(&mut log), Effect::Look);
    }
}
