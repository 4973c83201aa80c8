//! The worlds of two workers, and of what a dead worker left.

use super::checks::Ending;
use super::*;
use crate::record::HoldScope;

fn ends(endings: &[Ending], expected: &[Ending]) {
    let missing: Vec<_> = expected.iter().filter(|ending| !endings.contains(ending)).collect();
    assert!(missing.is_empty(), "no worker ended {missing:?}, of {endings:?}");
}

#[test]
fn a_rollback_after_a_promotion_while_reads_lag() {
    let goals = vec![promote("b", "k"), rollback()];
    holds("a promotion and a rollback, while reads lag", Setup::lagging(goals));
}

#[test]
fn a_promotion_back_within_the_window() {
    let goals = vec![promote("b", "k"), promote("a", "random-a")];
    let endings = holds("a promotion and one back, while reads lag", Setup::lagging(goals));
    ends(&endings, &[Ending::Committed, Ending::Unchanged]);
}

#[test]
fn a_no_op_and_its_retry_while_reads_lag() {
    let goals = vec![promote("b", "k"), promote("a", "n")];
    holds("a promotion and a keyed no-op, while reads lag", Setup::lagging(goals));
}

#[test]
fn a_recovery_while_reads_lag() {
    let setup = Setup { crashes: 1, ..Setup::lagging(vec![promote("b", "k"), Goal::abort()]) };
    let endings = holds("a promotion that crashes and an abort, while reads lag", setup);
    ends(&endings, &[Ending::Nothing]);
}

#[test]
fn a_repair_after_a_foreign_write_while_reads_lag() {
    let setup = Setup::lagging(vec![promote("b", "k"), repair()]);
    let setup = Setup { foreign: vec![Some(digest("f"))], end: 4, ..setup };
    let endings = holds("a promotion, a foreign write and a repair, while reads lag", setup);
    ends(&endings, &[Ending::Drifted, Ending::Committed]);
}

#[test]
fn a_dead_move_and_a_retry_while_reads_lag() {
    let setup = Setup { start: Start::DeadMove, end: 8, ttl_cuts: false, ..Setup::lagging(vec![promote("b", "k")]) };
    let endings = holds("a dead move and its retry, while reads lag", setup.with_times(|times| times.ttl_ms = 3));
    ends(&endings, &[Ending::Recovered]);
}

#[test]
fn a_dead_move_and_an_abort_while_reads_lag() {
    let setup =
        Setup { start: Start::DeadMove, end: 9, ttl_cuts: false, ..Setup::lagging(vec![Goal::abort(), audit()]) };
    let endings = holds("a dead move, an abort and an audit", setup.with_times(|times| times.ttl_ms = 5));
    ends(&endings, &[Ending::Cleared, Ending::InSync]);
}

#[test]
fn a_dead_move_and_a_rollback_while_reads_lag() {
    let setup = Setup { start: Start::DeadMove, end: 8, ..Setup::lagging(vec![rollback()]) };
    let endings = holds("a dead move and a rollback, while reads lag", setup);
    ends(&endings, &[Ending::Committed]);
}

#[test]
fn two_workers_with_one_key_over_a_takeover() {
    let setup = Setup { end: 5, rest: true, ..Setup::of(vec![promote("b", "k"), promote("b", "k")]) };
    let endings = holds("two workers with one key, recoverable everywhere", setup);
    ends(&endings, &[Ending::Committed, Ending::Recovered, Ending::Replayed]);
}

#[test]
fn holds_of_both_scopes() {
    let in_turn = vec![(HoldScope::Promotions, Some(2)), (HoldScope::All, None)];
    let setup = Setup::of(vec![promote("b", "k"), rollback()]);
    let endings = holds("two workers under two holds", Setup { end: 2, holds: in_turn, ..setup });
    ends(&endings, &[Ending::Refused, Ending::Aborted]);
}

#[test]
fn looks_in_two_steps() {
    let setup = Setup { end: 3, two_reads: true, ..Setup::of(vec![promote("b", "k"), audit()]) };
    holds("a promotion and an audit that read log and tag one after the other", setup);
}

#[test]
fn lost_answers_and_refusals() {
    let setup = Setup { end: 3, flaws: 1, refusals: 1, ..Setup::of(vec![promote("b", "k"), promote("c", "l")]) };
    let endings = holds("two workers, a flaw and a refusal", setup);
    ends(&endings, &[Ending::Failed, Ending::Indeterminate, Ending::Broken]);
}

#[test]
fn puts_that_take_their_time() {
    let setup =
        Setup { end: 6, put_ms: 1, flight: 1, ..Setup::of(vec![promote("b", "k"), promote("c", "l").or_give_up()]) };
    let times = Deadlines { ttl_ms: 2, grace_ms: 2, quiet_ms: 2, settle_ms: 2 };
    let endings = holds("two workers whose puts take their time", setup.with_times(|own| *own = times));
    ends(&endings, &[Ending::Stale]);
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
