//! Moves that another worker left open: when they are taken over, and how they are closed.

use super::*;

#[test]
fn new_owner_of_a_move_has_its_whole_ttl_and_grace() {
    let mut log = Log::at_a();
    log.begin("dead", Op::Promote, "b");
    let (machine, _) = Clearing::start(Part::Forward, worker(), 0);
    let mut run = Run { machine, now: 0 };
    let Effect::Sleep { until, waiting: WaitReason::OtherMove { .. }, .. } = run.effect_of_log(&mut log) else {
        panic!()
    };
    run.now = until - 1;
    log.take_over("another", TIMES);
    for now in [until - 1, until, until - 1 + TIMES.ttl_ms + TIMES.grace_ms - 1] {
        run.now = now;
        let Effect::Sleep { until: next, waiting: WaitReason::OtherMove { .. }, .. } = run.effect_of_log(&mut log)
        else {
            panic!("{now}: it takes over")
        };
        assert_eq!(next, until - 1 + TIMES.ttl_ms + TIMES.grace_ms);
        assert_eq!(run.effect(Input::Woke), Effect::ReadLog);
    }
}

#[test]
fn takeover_waits_for_the_times_in_the_log() {
    let own = Deadlines { ttl_ms: 1_000, grace_ms: 1_000, ..TIMES };
    for (theirs, own) in [(TIMES, own), (own, TIMES)] {
        let mut log = Log::at_a();
        log.begin_with("dead", Op::Promote, "b", theirs);
        let (run, _) = Run::taking_over(Part::Forward, Worker { deadlines: own, ..worker() }, &mut log);
        assert_eq!(run.now, theirs.ttl_ms + theirs.grace_ms);
    }
}

#[test]
fn takeover_has_room_for_the_longest_quiet_time_and_waits_for_it() {
    let long = Deadlines { quiet_ms: 60_000, ..TIMES };
    for (theirs, own) in [(long, TIMES), (TIMES, long)] {
        let mut log = Log::at_a();
        log.begin_with("dead", Op::Promote, "b", theirs);
        let worker = Worker { deadlines: own, ..worker() };
        let (mut run, deadlines) = Run::taking_over(Part::Forward, worker, &mut log);
        assert_eq!((deadlines.ttl_ms, deadlines.quiet_ms), (own.ttl_ms + 60_000, own.quiet_ms));
        let start = run.now;
        run.reads_after_quiet(&mut log, 60_000);
        assert_eq!(run.effect(Input::Tag(tag("a", run.now))), Effect::ReadLog);
        let Effect::Put { not_after, .. } = run.effect_of_log(&mut log) else { panic!("it does not put") };
        assert_eq!(not_after, start + own.ttl_ms + 60_000 - PUT_MS);
    }
}

#[test]
fn closing_reads_until_old_values_prove_something() {
    let long = Deadlines { settle_ms: 200_000, ..TIMES };
    for (theirs, own, settle_ms) in [(TIMES, TIMES, 120_000), (long, TIMES, 200_000), (TIMES, long, 200_000)] {
        let mut log = Log::at_a();
        log.begin_with("dead", Op::Promote, "b", theirs);
        let worker = Worker { deadlines: own, ..worker() };
        let (mut run, _) = Run::taking_over(Part::Abandon { at_once: false }, worker, &mut log);
        let until = run.now + TIMES.quiet_ms + settle_ms;
        run.reads_after_quiet(&mut log, TIMES.quiet_ms);
        for now in [run.now, until - 1] {
            run.now = now;
            let Effect::Sleep { .. } = run.effect(Input::Tag(tag("a", now))) else { panic!("{now}: it is closed") };
            assert_eq!(run.effect(Input::Woke), Effect::Resolve);
        }
        run.now = until;
        let Effect::Close { outcome, .. } = run.effect(Input::Tag(tag("a", until))) else { panic!("it is not closed") };
        assert_eq!((outcome.status, outcome.put), (Status::Aborted, PutStatus::Unknown));
    }
}

#[test]
fn rollback_closes_after_the_quiet_time() {
    let mut log = Log::at_a();
    log.begin("dead", Op::Promote, "b");
    let (mut run, _) = Run::taking_over(Part::Abandon { at_once: true }, worker(), &mut log);
    run.reads_after_quiet(&mut log, TIMES.quiet_ms);
    assert!(matches!(run.effect(Input::Tag(tag("a", run.now))), Effect::Close { .. }));
}

#[test]
fn recovery_leaves_a_move_open_that_is_held_after_the_takeover() {
    let mut log = Log::at_a();
    log.begin("dead", Op::Promote, "b");
    let (mut run, _) = Run::taking_over(Part::Forward, worker(), &mut log);
    run.reads_after_quiet(&mut log, TIMES.quiet_ms);
    assert_eq!(run.effect(Input::Tag(tag("a", run.now))), Effect::ReadLog);
    let held = LogRead { held: true, ..log.read(run.now) };
    assert_eq!(run.next(Input::Log(held)), Next::End(End::Indeterminate { seq: Some(3), why: Why::Held }));
}
