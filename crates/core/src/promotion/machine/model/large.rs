//! The large worlds: those of three workers, and of two over a takeover with others around them. Each takes from ten
//! seconds to minutes.

use super::cases::{holds, three};
use super::*;

#[test]
fn three_movers_two_of_them_with_one_key() {
    holds("three movers, two of them with one key", three());
}

#[test]
fn stale_runs_never_win() {
    let goals = vec![
        promote("b", "k", OnConflict::Wait),
        promote("b", "k", OnConflict::Wait),
        promote("c", "l", OnConflict::Wait),
    ];
    holds("three movers that do not requeue", Setup { end: 4, ..Setup::of(goals) });
}

#[test]
fn lost_answers_refusals_and_a_recovery() {
    let goals = vec![promote("b", "k", OnConflict::Requeue), promote("c", "l", OnConflict::Requeue), Goal::Forward];
    let setup = Setup { end: 3, flaws: 1, refusals: 1, ..Setup::of(goals) };
    holds("two movers and a recovery, with a lost answer of the ledger and a refusal", setup);
}

#[test]
fn crashes_and_an_aborted_move() {
    let goals = vec![promote("b", "k", OnConflict::Requeue), promote("c", "l", OnConflict::Requeue), Goal::Abandon];
    holds("two movers and one that aborts, with two crashes", Setup { end: 4, crashes: 2, ..Setup::of(goals) });
}

#[test]
fn a_foreign_writer_repair_and_adopt() {
    let goals = vec![
        promote("c", "l", OnConflict::Requeue),
        moving(Op::Repair, Want::Live, "r", OnConflict::Requeue),
        moving(Op::Adopt, Want::Observed, "o", OnConflict::Requeue),
    ];
    let foreign = vec![Some(digest("f")), None];
    holds("a mover, a repair and an adoption, with two foreign writes", Setup { end: 3, foreign, ..Setup::of(goals) });
}

#[test]
fn an_auditor_and_a_hold() {
    let goals = vec![
        promote("b", "k", OnConflict::Requeue),
        promote("b", "k", OnConflict::Requeue),
        promote("c", "l", OnConflict::Requeue),
    ];
    let setup = Setup { end: 2, notes: 1, holds: 1, ..Setup::of(goals) };
    holds("three movers, with an auditor's note and a hold", setup);
}

#[test]
fn mixed_times() {
    let mut setup = Setup { end: 5, ..three() };
    setup.goals[1].1 = Deadlines { ttl_ms: 2, grace_ms: 1, quiet_ms: 2, settle_ms: 2 };
    setup.goals.truncate(3);
    holds("three movers with different times", setup);
}

#[test]
fn looks_in_two_steps() {
    holds(
        "three movers that read log and tag one after the other",
        Setup { end: 3, looks: Looks::InTwoSteps, ..three() },
    );
}

#[test]
fn bootstraps_of_an_empty_log() {
    let goals = vec![
        moving(Op::Bootstrap, Want::Digest(digest("b")), "k", OnConflict::Requeue),
        moving(Op::Bootstrap, Want::Observed, "o", OnConflict::Requeue),
        promote("c", "l", OnConflict::Requeue),
    ];
    let setup = Setup { end: 4, start: Start::Empty, foreign: vec![Some(digest("f"))], ..Setup::of(goals) };
    holds("two bootstraps and a mover on an empty log, with a foreign write", setup);
}

#[test]
fn an_auditor_and_a_hold_over_a_takeover() {
    let goals = vec![promote("b", "k", OnConflict::Requeue), promote("c", "l", OnConflict::Requeue)];
    let setup = Setup { end: 5, notes: 1, holds: 1, rest: Rest::Checked, ..Setup::of(goals) };
    holds("two movers over a takeover, with an auditor's note and a hold", setup);
}
