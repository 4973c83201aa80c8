//! The large worlds: three workers, or two workers over takeovers. Most are searched to a depth only.

use super::*;
use crate::log::HoldScope;

/// The number of steps that are searched in a world that is too large to be searched to its end: up to half a minute
/// and 5 GB.
const MOST: usize = 6_000_000;

/// Three workers, two of them with the same key.
fn three() -> Setup {
    Setup { end: 5, ..Setup::of(vec![promote("b", "k"), promote("b", "k"), promote("c", "l")]) }
}

#[test]
fn three_workers_two_of_them_with_one_key() {
    holds_within("three workers, two of them with one key", three(), MOST);
}

#[test]
fn stale_runs_never_win() {
    let goals = vec![promote("b", "k"), promote("b", "k"), promote("c", "l")];
    let goals = goals.into_iter().map(Goal::or_give_up).collect();
    holds_within("three workers that do not requeue", Setup { end: 4, ..Setup::of(goals) }, MOST);
}

#[test]
fn there_and_back_within_the_window() {
    let setup = Setup::lagging(vec![promote("b", "k"), rollback(), promote("b", "again")]);
    let setup = Setup { returns: true, ..setup };
    holds_within("a promotion, a rollback and the promotion again, while reads lag", setup, MOST);
}

#[test]
fn a_dead_move_a_rollback_and_a_promotion_back() {
    let goals = vec![rollback(), promote("a", "random-a")];
    let setup = Setup { start: Start::DeadMove, end: 7, ..Setup::lagging(goals) };
    holds("a dead move, a rollback and a promotion of what was live, while reads lag", setup);
}

#[test]
fn lost_answers_refusals_and_a_recovery() {
    let setup = Setup::of(vec![promote("b", "k"), promote("c", "l"), recover()]);
    let setup = Setup { end: 3, flaws: 1, refusals: 1, ..setup };
    holds_within("two workers and a recovery, with a flaw and a refusal", setup, MOST);
}

#[test]
fn two_takeovers_after_a_lost_answer() {
    let setup = Setup {
        start: Start::DeadMove,
        end: 9,
        flaws: 2,
        crashes: 1,
        rest: true,
        ..Setup::of(vec![recover(), promote("b", "k")])
    };
    holds_within("a dead move, a recovery that crashes and a retry, with two flaws", setup, MOST);
}

#[test]
fn crashes_and_an_aborted_move() {
    let setup = Setup::of(vec![promote("b", "k"), promote("c", "l"), Goal::abort()]);
    holds("two workers and one that aborts, with two crashes", Setup { end: 4, crashes: 2, ..setup });
}

#[test]
fn a_foreign_writer_repair_and_adopt() {
    let setup = Setup::of(vec![promote("c", "l"), repair(), adopt()]);
    let setup = Setup { end: 3, crashes: 1, foreign: vec![Some(digest("f")), None], ..setup };
    holds_within("a promotion, a repair and an adoption, with two foreign writes and a crash", setup, MOST);
}

#[test]
fn an_auditor_and_holds() {
    let in_turn = vec![(HoldScope::All, Some(2)), (HoldScope::Promotions, None)];
    let setup = Setup { end: 3, notes: 1, holds: in_turn, ..three() };
    holds_within("three workers, with an auditor's note and two holds", setup, MOST / 3);
}

#[test]
fn holds_a_recovery_and_lost_answers() {
    let in_turn = vec![(HoldScope::All, Some(5)), (HoldScope::Promotions, None)];
    let setup =
        Setup { start: Start::DeadMove, end: 8, holds: in_turn, flaws: 1, ..Setup::of(vec![recover(), rollback()]) };
    holds_within("a dead move, a recovery and a rollback, with two holds and a flaw", setup, MOST / 3);
}

#[test]
fn mixed_times() {
    let mut setup = Setup { end: 5, lag: 1, ..three() };
    setup.goals[1].1 = Deadlines { ttl_ms: 2, grace_ms: 1, quiet_ms: 2, settle_ms: 2 };
    holds_within("three workers with different times, while reads lag", setup, MOST);
}

#[test]
fn three_that_look_in_two_steps() {
    let setup = Setup { end: 3, two_reads: true, ..three() };
    holds_within("three workers that read log and tag one after the other", setup, MOST);
}

#[test]
fn bootstraps_and_a_promotion_on_an_empty_log() {
    let goals = vec![bootstrap(Some("b")), bootstrap(None), promote("c", "l")];
    let setup = Setup { end: 4, start: Start::Empty, foreign: vec![Some(digest("f"))], ..Setup::of(goals) };
    holds_within("two bootstraps and a promotion on an empty log, with a foreign write", setup, MOST);
}

#[test]
fn two_takeovers_with_one_key() {
    let setup = Setup { end: 10, rest: true, losses: 2, ..Setup::of(vec![promote("b", "k"), promote("b", "k")]) };
    holds_within("two workers with one key, over two takeovers, recoverable everywhere", setup, MOST);
}

#[test]
fn puts_that_take_their_time_over_a_takeover() {
    let setup =
        Setup { end: 9, put_ms: 1, flight: 1, lag: 2, rest: true, ..Setup::of(vec![promote("b", "k"), rollback()]) };
    let times = Deadlines { ttl_ms: 2, grace_ms: 2, quiet_ms: 2, settle_ms: 2 };
    holds_within("two workers whose puts take their time, while reads lag", setup.with_times(|own| *own = times), MOST);
}

#[test]
fn a_move_to_where_the_channel_is_a_promotion_and_a_rollback() {
    let setup = Setup { end: 4, ..Setup::of(vec![promote("a", "n"), promote("b", "k"), rollback()]) };
    holds("a no-op, a promotion and a rollback", setup);
}

#[test]
fn no_return_of_a_release_that_a_rollback_left() {
    let setup = Setup::of(vec![promote("b", "k"), rollback(), promote("b", "again")]);
    holds_within("a promotion, a rollback and the promotion again, refused", Setup { end: 4, ..setup }, MOST);
}

#[test]
fn a_dead_move_a_rollback_with_a_hold_and_two_promotions() {
    let goals = vec![rollback().holding(), promote("b", "k"), promote("c", "l")];
    let setup = Setup { start: Start::DeadMove, end: 6, ..Setup::of(goals) };
    holds_within("a dead move, a rollback with a hold and two promotions", setup, MOST);
}
