//! The large worlds: those of three workers, and of two over a takeover with others around them. Each takes from ten
//! seconds to minutes.

use super::cases::{holds, is_missed, three};
use super::*;

#[test]
fn three_workers_two_of_them_with_one_key() {
    holds("three workers, two of them with one key", three());
}

#[test]
fn stale_runs_never_win() {
    let goals = vec![
        promote("b", "k", OnConflict::Wait),
        promote("b", "k", OnConflict::Wait),
        promote("c", "l", OnConflict::Wait),
    ];
    holds("three workers that do not requeue", Setup { end: 4, ..Setup::of(goals) });
}

#[test]
fn lost_answers_refusals_and_a_recovery() {
    let goals = vec![
        promote("b", "k", OnConflict::Requeue),
        promote("c", "l", OnConflict::Requeue),
        Goal::Recover(Part::Forward),
    ];
    let setup = Setup { end: 3, flaws: 1, refusals: 1, ..Setup::of(goals) };
    holds("two workers and a recovery, with a lost answer of the ledger and a refusal", setup);
}

#[test]
fn crashes_and_an_aborted_move() {
    let goals = vec![
        promote("b", "k", OnConflict::Requeue),
        promote("c", "l", OnConflict::Requeue),
        Goal::Recover(Part::Abandon { at_once: false }),
    ];
    holds("two workers and one that aborts, with two crashes", Setup { end: 4, crashes: 2, ..Setup::of(goals) });
}

#[test]
fn a_foreign_writer_repair_and_adopt() {
    let goals = vec![
        promote("c", "l", OnConflict::Requeue),
        moving(Op::Repair, Want::Live, "r", OnConflict::Requeue),
        moving(Op::Adopt, Want::Observed, "o", OnConflict::Requeue),
    ];
    let foreign = vec![Some(digest("f")), None];
    holds(
        "a promotion, a repair and an adoption, with two foreign writes",
        Setup { end: 3, foreign, ..Setup::of(goals) },
    );
}

#[test]
fn an_auditor_and_a_hold() {
    let goals = vec![
        promote("b", "k", OnConflict::Requeue),
        promote("b", "k", OnConflict::Requeue),
        promote("c", "l", OnConflict::Requeue),
    ];
    let setup = Setup { end: 2, notes: 1, holds: 1, ..Setup::of(goals) };
    holds("three workers, with an auditor's note and a hold", setup);
}

#[test]
fn mixed_times() {
    let mut setup = Setup { end: 5, ..three() };
    setup.goals[1].1 = Deadlines { ttl_ms: 2, grace_ms: 1, quiet_ms: 2, settle_ms: 0 };
    setup.goals.truncate(3);
    holds("three workers with different times", setup);
}

#[test]
fn looks_in_two_steps() {
    holds(
        "three workers that read log and tag one after the other",
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
    holds("two bootstraps and a promotion on an empty log, with a foreign write", setup);
}

#[test]
fn an_auditor_and_a_hold_over_a_takeover() {
    let goals = vec![promote("b", "k", OnConflict::Requeue), promote("c", "l", OnConflict::Requeue)];
    let setup = Setup { end: 5, notes: 1, holds: 1, rest: Rest::Checked, ..Setup::of(goals) };
    holds("two workers over a takeover, with an auditor's note and a hold", setup);
}

#[test]
fn two_workers_with_one_key_over_two_takeovers() {
    let mut setup = Setup { end: 10, rest: Rest::Checked, ..three() };
    setup.goals.truncate(2);
    holds("two workers with one key, over two takeovers, recoverable everywhere", setup);
}

#[test]
fn an_auditor_and_a_hold_of_two() {
    let goals = vec![promote("b", "k", OnConflict::Requeue), promote("c", "l", OnConflict::Requeue)];
    let setup = Setup { end: 3, notes: 1, holds: 1, rest: Rest::Checked, ..Setup::of(goals) };
    holds("two workers, with an auditor's note and a hold", setup);
}

#[test]
fn a_registry_that_reads_behind_its_writes() {
    let mut setup = Setup { lag: 1, end: 4, losses: 1, ..three() };
    setup.goals.truncate(2);
    setup.goals.push((Goal::Recover(Part::Forward), times(1)));
    for (_, deadlines) in &mut setup.goals {
        deadlines.settle_ms = 1;
    }
    holds("two workers and a recovery, with reads that lag", setup);
}

#[test]
fn puts_that_land_a_unit_later() {
    let mut setup = Setup { end: 9, flight: 1, rest: Rest::Checked, ..three() };
    setup.goals = vec![setup.goals[0].clone(), setup.goals[2].clone()];
    for (_, deadlines) in &mut setup.goals {
        *deadlines = Deadlines { ttl_ms: 1, grace_ms: 2, quiet_ms: 2, settle_ms: 0 };
    }
    holds("two workers whose puts land later", setup);
}

#[test]
fn a_move_to_where_the_channel_is_and_a_rollback() {
    let goals = vec![
        promote("a", "n", OnConflict::Requeue),
        promote("b", "k", OnConflict::Requeue),
        moving(Op::Rollback, Want::Previous, "r", OnConflict::Requeue),
    ];
    holds("a no-op, a promotion and a rollback", Setup { end: 4, ..Setup::of(goals) });
}

#[test]
fn takeover_record_left_out_is_missed() {
    is_missed(Rule::TakeoverRecorded);
}
