//! The worlds of two workers, and those with the open move of a dead worker.

use super::checks::Ending;
use super::*;
use crate::log::HoldScope;

/// The ends that workers must reach in each of these worlds. Each kind of end is in one of them at least.
const ENDS: [(&str, &[Ending]); 18] = [
    ("a promotion and one back, while reads lag", &[Ending::Committed, Ending::Unchanged]),
    ("a promotion that crashes and an abort, while reads lag", &[Ending::Nothing]),
    ("a promotion, a foreign write and a repair, while reads lag", &[Ending::Drifted]),
    ("a promotion, a foreign write and an audit, while reads lag", &[Ending::FoundDrift]),
    ("a promotion back that does not wait for reads to settle", &[Ending::Unsettled]),
    ("a dead move and its retry, while reads lag", &[Ending::Recovered]),
    ("a dead move, an abort and an audit, while reads lag", &[Ending::Cleared, Ending::InSync]),
    ("a dead move, another promotion and the retry", &[Ending::Superseded]),
    ("a dead move and a recovery under a hold", &[Ending::LeftOpen]),
    ("two workers with one key, recoverable everywhere", &[Ending::Replayed]),
    ("two workers, a flaw and a refusal", &[Ending::Failed, Ending::Indeterminate, Ending::Broken]),
    ("two workers under two holds", &[Ending::Refused, Ending::Aborted]),
    ("two workers whose puts take their time", &[Ending::Stale]),
    ("a promotion and a rollback, with blocks of both digests", &[Ending::Refused, Ending::Aborted]),
    ("a dead move and a recovery, with a block", &[Ending::LeftOpen, Ending::Cleared, Ending::Indeterminate]),
    ("a rollback, and the promotion that it left again", &[Ending::Committed, Ending::Refused]),
    ("a dead move, a rollback and a retry", &[Ending::Committed, Ending::Refused, Ending::Recovered]),
    ("a dead move, a rollback with a hold and a promotion", &[Ending::Committed, Ending::Refused]),
];

/// Asserts that no rule is broken in the world, searched to its end, and that its workers reach the ends in `ENDS`.
fn holds(name: &str, setup: Setup) {
    let endings = super::holds(name, setup);
    let expected = ENDS.iter().find(|(world, _)| *world == name).map_or(&[][..], |(_, ends)| ends);
    let missing: Vec<_> = expected.iter().filter(|ending| !endings.contains(ending)).collect();
    assert!(missing.is_empty(), "{name}: no worker ended {missing:?}, of {endings:?}");
}

#[test]
fn every_way_to_end_is_reached_somewhere() {
    let reached: Vec<_> = ENDS.iter().flat_map(|(_, ends)| *ends).collect();
    let missing: Vec<_> = Ending::ALL.into_iter().filter(|ending| !reached.contains(&ending)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_rollback_after_a_promotion_while_reads_lag() {
    let goals = vec![promote("b", "k"), rollback()];
    holds("a promotion and a rollback, while reads lag", Setup::lagging(goals));
}

#[test]
fn a_promotion_back_within_the_window() {
    let goals = vec![promote("b", "k"), promote("a", "random-a")];
    holds("a promotion and one back, while reads lag", Setup::lagging(goals));
}

#[test]
fn a_no_op_and_its_retry_while_reads_lag() {
    let goals = vec![promote("b", "k"), promote("a", "n")];
    holds("a promotion and a keyed no-op, while reads lag", Setup::lagging(goals));
}

#[test]
fn a_recovery_while_reads_lag() {
    let setup = Setup { crashes: 1, ..Setup::lagging(vec![promote("b", "k"), Goal::abort()]) };
    holds("a promotion that crashes and an abort, while reads lag", setup);
}

#[test]
fn a_repair_after_a_foreign_write_while_reads_lag() {
    let setup = Setup::lagging(vec![promote("b", "k"), repair()]);
    let setup = Setup { foreign: vec![Some(digest("f"))], end: 4, ..setup };
    holds("a promotion, a foreign write and a repair, while reads lag", setup);
}

#[test]
fn a_dead_move_and_a_retry_while_reads_lag() {
    let setup = Setup { start: Start::DeadMove, end: 8, ttl_cuts: false, ..Setup::lagging(vec![promote("b", "k")]) };
    holds("a dead move and its retry, while reads lag", setup.with_times(|times| times.ttl_ms = 3));
}

#[test]
fn a_dead_move_and_an_abort_while_reads_lag() {
    let setup =
        Setup { start: Start::DeadMove, end: 9, ttl_cuts: false, ..Setup::lagging(vec![Goal::abort(), audit()]) };
    holds("a dead move, an abort and an audit, while reads lag", setup.with_times(|times| times.ttl_ms = 5));
}

#[test]
fn a_dead_move_and_a_rollback_while_reads_lag() {
    let setup = Setup { start: Start::DeadMove, end: 8, ..Setup::lagging(vec![rollback()]) };
    holds("a dead move and a rollback, while reads lag", setup);
}

#[test]
fn two_workers_with_one_key_over_a_takeover() {
    let setup = Setup { end: 5, rest: true, ..Setup::of(vec![promote("b", "k"), promote("b", "k")]) };
    holds("two workers with one key, recoverable everywhere", setup);
}

#[test]
fn holds_of_both_scopes() {
    let in_turn = vec![(HoldScope::Promotions, Some(2)), (HoldScope::All, None)];
    let setup = Setup::of(vec![promote("b", "k"), rollback()]);
    holds("two workers under two holds", Setup { end: 2, holds: in_turn, ..setup });
}

#[test]
fn looks_in_two_steps() {
    let setup = Setup { end: 3, two_reads: true, ..Setup::of(vec![promote("b", "k"), audit()]) };
    holds("a promotion and an audit that read log and tag one after the other", setup);
}

#[test]
fn lost_answers_and_refusals() {
    let setup = Setup { end: 3, flaws: 1, refusals: 1, ..Setup::of(vec![promote("b", "k"), promote("c", "l")]) };
    holds("two workers, a flaw and a refusal", setup);
}

#[test]
fn puts_that_take_their_time() {
    let setup =
        Setup { end: 6, put_ms: 1, flight: 1, ..Setup::of(vec![promote("b", "k"), promote("c", "l").or_give_up()]) };
    let times = Deadlines { ttl_ms: 2, grace_ms: 2, quiet_ms: 2, settle_ms: 2 };
    holds("two workers whose puts take their time", setup.with_times(|own| *own = times));
}

#[test]
fn a_move_to_where_the_channel_is_and_a_rollback() {
    let setup = Setup { end: 4, ..Setup::of(vec![promote("a", "n"), rollback()]) };
    holds("a no-op and a rollback", setup);
}

#[test]
fn bootstraps_of_an_empty_log() {
    let goals = vec![bootstrap(Some("b")), bootstrap(None)];
    let setup = Setup { end: 4, start: Start::Empty, foreign: vec![Some(digest("f"))], ..Setup::of(goals) };
    holds("two bootstraps of an empty log, with a foreign write", setup);
}

#[test]
fn an_adoption() {
    let setup = Setup { end: 4, foreign: vec![Some(digest("f")), None], ..Setup::of(vec![promote("c", "l"), adopt()]) };
    holds("a promotion and an adoption, with two foreign writes", setup);
}

#[test]
fn a_foreign_write_and_an_audit_while_reads_lag() {
    let setup = Setup::lagging(vec![promote("b", "k"), audit()]);
    let setup = Setup { foreign: vec![Some(digest("f"))], ..setup };
    holds("a promotion, a foreign write and an audit, while reads lag", setup);
}

#[test]
fn a_promotion_that_does_not_wait_while_reads_lag() {
    let setup = Setup::lagging(vec![promote("b", "k"), promote("a", "random-a")]);
    holds("a promotion back that does not wait for reads to settle", Setup { end: 4, timeout_ms: 1, ..setup });
}

#[test]
fn an_old_job_that_is_run_again() {
    let setup = Setup { start: Start::DeadMove, ..Setup::of(vec![promote("c", "l"), promote("b", "k")]) };
    holds("a dead move, another promotion and the retry", setup);
}

#[test]
fn a_recovery_under_a_hold() {
    let setup = Setup { start: Start::DeadMove, holds: vec![(HoldScope::All, None)], ..Setup::of(vec![recover()]) };
    holds("a dead move and a recovery under a hold", setup);
}

#[test]
fn no_return_of_a_release_that_a_rollback_left() {
    let setup = Setup { start: Start::Promoted, end: 4, ..Setup::of(vec![rollback(), promote("b", "again")]) };
    holds("a rollback, and the promotion that it left again", setup);
}

#[test]
fn no_return_of_a_promotion_that_a_rollback_aborted() {
    let setup = Setup { start: Start::DeadMove, end: 7, ..Setup::of(vec![rollback(), promote("b", "k")]) };
    holds("a dead move, a rollback and a retry", setup);
}

#[test]
fn a_rollback_that_stops_promotions_first() {
    let goals = vec![rollback().holding(), promote("c", "l")];
    let setup = Setup { start: Start::DeadMove, end: 4, losses: 0, ..Setup::of(goals) };
    holds("a dead move, a rollback with a hold and a promotion", setup);
}

#[test]
fn blocks_of_the_target_and_of_the_rollback_target() {
    let setup = Setup::of(vec![promote("b", "k"), rollback()]);
    let setup = Setup { end: 2, losses: 0, blocks: vec![digest("a"), digest("b")], ..setup };
    holds("a promotion and a rollback, with blocks of both digests", setup);
}

#[test]
fn a_block_of_a_dead_move() {
    let setup = Setup { start: Start::DeadMove, end: 6, blocks: vec![digest("b")], ..Setup::of(vec![recover()]) };
    holds("a dead move and a recovery, with a block", setup);
}

#[test]
fn drift_to_a_blocked_digest() {
    let setup = Setup::of(vec![repair(), adopt()]);
    let setup = Setup { end: 2, losses: 0, blocks: vec![digest("a")], foreign: vec![Some(digest("f"))], ..setup };
    holds("a repair and an adoption, with a foreign write and a block of the live digest", setup);
}
