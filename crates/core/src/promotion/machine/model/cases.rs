//! The worlds of two workers, the small ones of three, and the sabotage that must be noticed.

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

#[test]
fn two_movers_with_one_key_over_two_takeovers() {
    let mut setup = Setup { end: 10, rest: Rest::Checked, ..three() };
    setup.goals.truncate(2);
    holds("two movers with one key, over two takeovers, recoverable everywhere", setup);
}

#[test]
fn an_auditor_and_a_hold() {
    let goals = vec![promote("b", "k", OnConflict::Requeue), promote("c", "l", OnConflict::Requeue)];
    let setup = Setup { end: 3, notes: 1, holds: 1, rest: Rest::Checked, ..Setup::of(goals) };
    holds("two movers, with an auditor's note and a hold", setup);
}

#[test]
fn a_registry_that_reads_behind_its_writes() {
    let mut setup = Setup { end: 7, behind: Some(1), ..three() };
    setup.goals.truncate(2);
    setup.goals.push((Goal::Forward, times(1)));
    setup.end = 4;
    holds("two movers and a recovery, on a registry that reads behind", setup);
}

#[test]
fn puts_that_land_a_unit_later() {
    let mut setup = Setup { end: 9, flight: 1, rest: Rest::Checked, ..three() };
    setup.goals = vec![setup.goals[0].clone(), setup.goals[2].clone()];
    for (_, deadlines) in &mut setup.goals {
        *deadlines = Deadlines { ttl_ms: 1, grace_ms: 2, quiet_ms: 2, settle_ms: 2 };
    }
    holds("two movers whose puts land later", setup);
}

#[test]
fn a_move_to_where_the_channel_is_and_a_rollback() {
    let goals = vec![
        promote("a", "n", OnConflict::Requeue),
        promote("b", "k", OnConflict::Requeue),
        moving(Op::Rollback, Want::Previous, "r", OnConflict::Requeue),
    ];
    holds("a no-op, a mover and a rollback", Setup { end: 4, ..Setup::of(goals) });
}

#[test]
fn sabotage_is_caught() {
    for rule in [
        Sabotage::LatePut,
        Sabotage::EarlyTakeover,
        Sabotage::NoQuiet,
        Sabotage::JoinLive,
        Sabotage::NoTakeoverRecord,
        Sabotage::UnfencedOutcome,
    ] {
        match explore(Setup { sabotage: Some(rule), ..three() }) {
            Ok(states) => panic!("{rule:?}: left out, and nothing was noticed in {states} states"),
            Err(violation) => println!("{rule:?} left out: {violation}"),
        }
    }
}
