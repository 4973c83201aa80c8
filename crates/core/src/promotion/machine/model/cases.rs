//! The worlds of two workers, and the rules that are missed when they are left out.

use super::*;

/// Explores everything; the number of states, or the property that does not hold with the way there.
fn explore(setup: Setup) -> Result<usize, String> {
    let checker = setup.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    let states = checker.unique_state_count();
    match checker.discoveries().into_iter().find(|(name, _)| *name != "a move is committed") {
        Some((name, path)) => {
            let broken = path.last_state().broken.unwrap_or(name);
            Err(format!("{broken} after {:?}", path.into_actions()))
        }
        None => {
            assert!(checker.is_done(), "not everything was explored");
            checker.assert_properties();
            Ok(states)
        }
    }
}

pub(super) fn holds(name: &str, setup: Setup) {
    let states = explore(setup).unwrap_or_else(|violation| panic!("{name}: {violation}"));
    println!("{name}: {states} states");
}

/// Two workers that share a key, and a third.
pub(super) fn three() -> Setup {
    Setup {
        end: 5,
        ..Setup::of(vec![
            promote("b", "k", OnConflict::Requeue),
            promote("b", "k", OnConflict::Requeue),
            promote("c", "l", OnConflict::Requeue),
        ])
    }
}

/// Reads lag for as long as the workers expect, twice the quiet time.
fn lagging(goals: Vec<Goal>) -> Setup {
    let mut setup = Setup { lag: 2, end: 5, losses: 1, ..Setup::of(goals) };
    for (_, deadlines) in &mut setup.goals {
        *deadlines = Deadlines { ttl_ms: 1, grace_ms: 1, quiet_ms: 1, settle_ms: 2 };
    }
    setup
}

#[test]
fn a_rollback_after_a_promotion_while_reads_lag() {
    let goals = vec![
        promote("b", "k", OnConflict::Requeue),
        moving(Op::Rollback, Want::Previous, "random-r", OnConflict::Requeue),
    ];
    holds("a promotion and a rollback, while reads lag", lagging(goals));
}

#[test]
fn a_promotion_back_within_the_window() {
    let goals = vec![promote("b", "k", OnConflict::Requeue), promote("a", "random-a", OnConflict::Requeue)];
    holds("a promotion and one back, while reads lag", lagging(goals));
}

#[test]
fn a_no_op_and_its_retry_while_reads_lag() {
    let goals = vec![promote("b", "k", OnConflict::Requeue), promote("a", "n", OnConflict::Requeue)];
    holds("a promotion and a keyed no-op, while reads lag", lagging(goals));
}

#[test]
fn a_recovery_while_reads_lag() {
    let goals = vec![promote("b", "k", OnConflict::Requeue), Goal::Recover(Part::Abandon { at_once: false })];
    holds("a promotion that crashes and an abort, while reads lag", Setup { crashes: 1, ..lagging(goals) });
}

#[test]
fn a_repair_after_a_foreign_write_while_reads_lag() {
    let goals =
        vec![promote("b", "k", OnConflict::Requeue), moving(Op::Repair, Want::Live, "random-r", OnConflict::Requeue)];
    let foreign = vec![Some(digest("f"))];
    holds("a promotion, a foreign write and a repair, while reads lag", Setup { foreign, end: 4, ..lagging(goals) });
}

/// The world in which a rule is missed first, or at all.
fn where_missed(rule: Rule) -> Setup {
    let promote_b = || promote("b", "k", OnConflict::Requeue);
    match rule {
        Rule::LagIsNotDrift => lagging(vec![promote_b(), promote("a", "random-a", OnConflict::Requeue)]),
        Rule::TargetProvesOnce => lagging(vec![promote_b(), promote("a", "random-a", OnConflict::Requeue)]),
        _ => three(),
    }
}

pub(super) fn is_missed(rule: Rule) {
    match explore(Setup { left_out: Some(rule), ..where_missed(rule) }) {
        Ok(states) => panic!("{rule:?}: left out, and nothing was noticed in {states} states"),
        Err(violation) => println!("{rule:?} left out: {violation}"),
    }
}

#[test]
fn lag_is_not_drift_left_out_is_missed() {
    is_missed(Rule::LagIsNotDrift);
}

#[test]
fn target_proves_once_left_out_is_missed() {
    is_missed(Rule::TargetProvesOnce);
}

#[test]
fn no_late_put_left_out_is_missed() {
    is_missed(Rule::NoLatePut);
}

#[test]
fn takeover_after_grace_left_out_is_missed() {
    is_missed(Rule::TakeoverAfterGrace);
}

#[test]
fn retry_waits_left_out_is_missed() {
    is_missed(Rule::RetryWaits);
}

#[test]
fn outcome_by_owner_left_out_is_missed() {
    is_missed(Rule::OutcomeByOwner);
}
