//! For each rule: without it, the model check finds a violation.

use super::*;
use crate::log::HoldScope;

fn two() -> Setup {
    Setup::of(vec![promote("b", "k"), promote("c", "l")])
}

fn one_key() -> Setup {
    Setup::of(vec![promote("b", "k"), promote("b", "k")])
}

/// A world in which reads lag for four times the quiet time, and the worker that closes the move has time to wait for
/// that.
fn after_a_dead_move(goals: Vec<Goal>) -> Setup {
    let setup = Setup { start: Start::DeadMove, end: 9, lag: 4, ttl_cuts: false, ..Setup::of(goals) };
    setup.with_times(|times| (times.ttl_ms, times.settle_ms) = (6, 4))
}

#[test]
fn lag_is_not_drift_left_out_is_missed() {
    is_missed(Rule::LagIsNotDrift, Setup::lagging(vec![promote("b", "k"), promote("a", "random-a")]));
}

#[test]
fn target_proves_once_left_out_is_missed() {
    is_missed(Rule::TargetProvesOnce, Setup::lagging(vec![promote("b", "k"), promote("a", "random-a")]));
}

#[test]
fn unchanged_is_proved_left_out_is_missed() {
    let goals = vec![Goal::Recover(Part::Abandon { at_once: true }), promote("a", "random-a")];
    is_missed(Rule::UnchangedIsProved, after_a_dead_move(goals));
}

#[test]
fn old_proves_nothing_left_out_is_missed() {
    is_missed(Rule::OldProvesNothing, Setup { end: 12, ..after_a_dead_move(vec![recover()]) });
}

#[test]
fn closing_left_out_is_missed() {
    is_missed(Rule::ClosingWaits, after_a_dead_move(vec![Goal::abort()]));
}

#[test]
fn failed_alone_left_out_is_missed() {
    is_missed(Rule::FailedAlone, Setup { refusals: 1, ..after_a_dead_move(vec![recover()]) });
}

#[test]
fn head_read_again_left_out_is_missed() {
    is_missed(Rule::HeadReadAgain, Setup { two_reads: true, ..Setup::of(vec![promote("b", "k"), audit()]) });
}

#[test]
fn hold_at_guard_left_out_is_missed() {
    for scope in [HoldScope::All, HoldScope::Promotions] {
        is_missed(Rule::HoldAtGuard, Setup { holds: vec![(scope, None)], ..Setup::of(vec![promote("b", "k")]) });
    }
}

#[test]
fn hold_of_every_move_left_out_is_missed() {
    let setup = Setup { start: Start::Promoted, holds: vec![(HoldScope::All, None)], ..Setup::of(vec![rollback()]) };
    is_missed(Rule::AllStopsEvery, setup);
}

#[test]
fn stale_never_wins_left_out_is_missed() {
    is_missed(Rule::StaleNeverWins, Setup::of(vec![promote("b", "k"), promote("c", "l").or_give_up()]));
}

#[test]
fn quiet_before_outcome_left_out_is_missed() {
    is_missed(Rule::QuietBeforeOutcome, two());
}

#[test]
fn takeover_recorded_left_out_is_missed() {
    is_missed(Rule::TakeoverRecorded, one_key());
}

#[test]
fn no_late_put_left_out_is_missed() {
    is_missed(Rule::NoLatePut, two());
}

#[test]
fn takeover_after_grace_left_out_is_missed() {
    is_missed(Rule::TakeoverAfterGrace, two());
}

#[test]
fn retry_waits_left_out_is_missed() {
    is_missed(Rule::RetryWaits, one_key());
}

#[test]
fn outcome_by_owner_left_out_is_missed() {
    is_missed(Rule::OutcomeByOwner, one_key());
}

#[test]
fn hold_first_left_out_is_missed() {
    is_missed(Rule::HoldFirst, Setup::of(vec![promote("b", "k"), rollback().holding()]));
}

#[test]
fn held_gives_up_left_out_is_missed() {
    let goals = vec![rollback().holding(), promote("c", "l")];
    is_missed(Rule::HeldGivesUp, Setup { start: Start::DeadMove, end: 7, ..Setup::of(goals) });
}

#[test]
fn no_return_left_out_is_missed() {
    let setup = Setup::of(vec![rollback(), promote("b", "again")]);
    is_missed(Rule::NoReturn, Setup { start: Start::Promoted, ..setup });
}

#[test]
fn no_return_of_an_aborted_promotion_left_out_is_missed() {
    let setup = Setup::of(vec![rollback(), promote("b", "k")]);
    is_missed(Rule::NoReturnOfAborted, Setup { start: Start::DeadMove, end: 7, ..setup });
}

#[test]
fn not_blocked_left_out_is_missed() {
    is_missed(Rule::NotBlocked, Setup { blocks: vec![digest("b")], ..Setup::of(vec![promote("b", "k")]) });
}

#[test]
fn block_at_guard_left_out_is_missed() {
    is_missed(Rule::BlockAtGuard, Setup { blocks: vec![digest("b")], ..Setup::of(vec![promote("b", "k")]) });
}
