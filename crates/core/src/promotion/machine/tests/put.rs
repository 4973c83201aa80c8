//! Puts of a move that this worker began, and what proves them.

use super::*;

#[test]
fn no_put_is_sent_that_could_end_after_the_ttl() {
    let (mut log, mut run) = (Log::at_a(), Run::of(promote("b")));
    run.now = 5;
    assert_eq!(run.begun(&mut log, "a"), Effect::ReadLog);
    let Effect::Put { timeout_ms, not_after, .. } = run.guarded(&mut log) else { panic!("it does not put") };
    assert_eq!((timeout_ms, not_after), (PUT_MS, 5 + TIMES.ttl_ms - PUT_MS), "from before the intent was appended");
}

#[test]
fn guard_after_the_last_moment_aborts_without_a_put() {
    let (mut log, mut run) = (Log::at_a(), Run::of(promote("b")));
    assert_eq!(run.begun(&mut log, "a"), Effect::ReadLog);
    run.now = TIMES.ttl_ms - PUT_MS + 1;
    let Effect::Close { outcome, why, .. } = run.guarded(&mut log) else { panic!("it is not closed") };
    assert_eq!((outcome.status, outcome.put, why), (Status::Aborted, PutStatus::None, Some(Why::Late)));
}

#[test]
fn refusal_after_an_unknown_put_settles_only_itself() {
    let (mut log, mut run) = (Log::at_a(), Run::of(promote("b")));
    run.begun(&mut log, "a");
    for end in [PutEnd::Unknown, PutEnd::Refused] {
        assert!(matches!(run.guarded(&mut log), Effect::Put { .. }));
        let Effect::Sleep { ms, waiting: WaitReason::QuietTime, .. } = run.effect(Input::Put(end)) else {
            panic!("{end:?}")
        };
        assert_eq!(ms, TIMES.quiet_ms);
        run.now += ms;
        assert_eq!(run.effect(Input::Woke), Effect::Resolve);
        assert_eq!(run.effect(Input::Tag(tag("a", run.now))), Effect::ReadLog);
    }
    assert!(matches!(run.guarded(&mut log), Effect::Put { .. }), "it is put again, and nothing is closed");
}

/// The move whose put was not answered, after a read of its target.
fn after_a_read_of_the_target(mut run: Run<Moving>, log: &mut Log, found: &str, target: &str) -> Effect {
    run.begun(log, found);
    assert!(matches!(run.guarded(log), Effect::Put { .. }));
    let Effect::Sleep { ms, .. } = run.effect(Input::Put(PutEnd::Unknown)) else { panic!("it does not wait") };
    run.now += ms;
    assert_eq!(run.effect(Input::Woke), Effect::Resolve);
    match run.effect(Input::Tag(tag(target, run.now))) {
        // The guard of another put.
        Effect::ReadLog => run.guarded(log),
        effect => effect,
    }
}

#[test]
fn read_of_a_new_target_proves_the_move() {
    let effect = after_a_read_of_the_target(Run::of(promote("b")), &mut Log::at_a(), "a", "b");
    let Effect::Close { outcome, .. } = effect else { panic!("{effect:?}") };
    assert_eq!(outcome.status, Status::Committed);
}

#[test]
fn read_of_a_past_target_proves_nothing_without_an_accepted_put() {
    let mut log = Log::at_a();
    log.moved("other", "b", Status::Committed, PutStatus::Accepted);
    let effect = after_a_read_of_the_target(Run::of(promote("a")), &mut log, "b", "a");
    assert!(matches!(effect, Effect::Put { .. }), "{effect:?}");
}

#[test]
fn read_of_a_may_be_target_proves_nothing_without_an_accepted_put() {
    let mut log = Log::at_a();
    log.moved("other", "b", Status::Aborted, PutStatus::Unknown);
    log.read(0);
    let run = Run { now: TIMES.settle_ms, ..Run::of(promote("b")) };
    let effect = after_a_read_of_the_target(run, &mut log, "a", "b");
    assert!(matches!(effect, Effect::Put { .. }), "{effect:?}");
}

#[test]
fn read_of_the_live_digest_proves_no_repair_without_an_accepted_put() {
    let mut log = Log::at_a();
    log.moved("other", "b", Status::Committed, PutStatus::Accepted);
    // The window is open: the repair goes on by the log.
    let effect = after_a_read_of_the_target(Run::of(ask(Op::Repair, Want::Live)), &mut log, "f", "b");
    assert!(matches!(effect, Effect::Put { .. }), "{effect:?}");
}
