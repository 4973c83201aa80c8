//! A fault before and after every call of a port: the worker continues, and in the end no move is open.

use std::collections::BTreeMap;
use std::time::Duration;

use tagwarden::promotion::RecoveryMode;
use tagwarden::{ErrorClass, MoveResult};
use tagwarden_tests::verify_ledgers;

use super::backend::{Backend, Place, on, paused};
use super::gate::{Port, What};
use super::world::{JOBS, Job, TIMEOUT, World, calls, points, who};

async fn fail(place: &Place, job: Job, at: &[(usize, What)], port: Port, log: &std::path::Path) -> String {
    let what = format!("{:?} {job:?} {at:?} ({port:?})", place.backend());
    let world = World::new(place);
    world.prepare(job).await;
    let before = world.state().await;
    let (promoter, gate) = world.gated(at);
    let ended = world.run(&promoter, job).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gate.violations(), [""; 0], "{what}");

    let state = world.state().await;
    let word = match &ended {
        Ok(receipt) => {
            // A recovery completed or aborted the move.
            let goal = if job == Job::Recover { state.live } else { Some(world.goal(job)) };
            assert_eq!((state.live, state.open), (goal, None), "{what}");
            assert_eq!(world.observed(), state.live, "{what}");
            if let Some(receipt) = receipt {
                assert_eq!((receipt.result, receipt.digest), (MoveResult::Committed, world.goal(job)), "{what}");
            }
            "done".to_owned()
        }
        Err(error) => {
            let class = error.kind().class();
            // Unless the error is indeterminate, no move is open and nothing was moved.
            if class != ErrorClass::Indeterminate && job != Job::Recover {
                assert_eq!(state.open, None, "{what}: {error}");
                assert_eq!((state.live, state.committed), (before.live, before.committed), "{what}: {error}");
            }
            assert!(!["INTERNAL_FAULT", "LEDGER_CORRUPT"].contains(&error.code()), "{what}: {error}");
            error.code().to_owned()
        }
    };

    let other = world.promoter();
    other
        .recover(&world.prod, RecoveryMode::RollForward, who(), TIMEOUT)
        .await
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let again = if job == Job::Recover { Job::Promote } else { job };
    world.run(&other, again).await.unwrap_or_else(|error| panic!("{what}: again: {error}"));
    assert_eq!(world.state().await.live, Some(world.goal(job)), "{what}");
    world.at_rest(&what).await;
    world.export(log).await;
    word
}

async fn every_call(place: &Place, jobs: &[Job]) {
    let logs = tempfile::tempdir().unwrap();
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults = 0;
    for job in jobs {
        for (port, at) in points(&calls(place, *job).await) {
            let whats: &[What] = match port {
                Port::Look | Port::Read => &[What::LostBefore],
                Port::Pin | Port::Put | Port::Append => &[What::LostBefore, What::LostAfter, What::Refused],
            };
            for what in whats {
                faults += 1;
                let log = logs.path().join(format!("{faults}.jsonl"));
                let word = fail(place, *job, &[(at, *what)], port, &log).await;
                *words.entry(word).or_default() += 1;
            }
        }
    }
    println!("{:?}: {faults} faults: {words:?}", place.backend());
    assert!(words["done"] * 4 > faults, "most are survived: {words:?}");
    assert_eq!(verify_ledgers(logs.path()).unwrap(), faults);
}

/// Two faults. The second one applies to a call that handles the first one.
#[tokio::test(start_paused = true)]
async fn two_faults_in_a_row() {
    let (place, logs) = (Place::start(Backend::Memory), tempfile::tempdir().unwrap());
    let mut runs = 0;
    for job in [Job::Promote, Job::BootstrapFrom, Job::Repair, Job::Recover] {
        for (port, at) in points(&calls(&place, job).await) {
            for first in [What::LostBefore, What::LostAfter, What::Refused] {
                for (later, second) in [
                    (1, What::LostBefore),
                    (1, What::LostAfter),
                    (1, What::Refused),
                    (2, What::LostAfter),
                    (3, What::LostBefore),
                ] {
                    runs += 1;
                    let log = logs.path().join(format!("{runs}.jsonl"));
                    fail(&place, job, &[(at, first), (at + later, second)], port, &log).await;
                }
            }
        }
    }
    assert_eq!(verify_ledgers(logs.path()).unwrap(), runs);
    println!("{runs} pairs");
}

#[test]
fn at_every_call_in_memory() {
    on(Backend::Memory, "faults::at_every_call_in_memory", |place| paused(every_call(place, &JOBS)));
}

#[test]
fn at_every_call_in_files() {
    on(Backend::File, "faults::at_every_call_in_files", |place| paused(every_call(place, &JOBS)));
}

#[test]
fn at_every_call_in_a_directory() {
    on(Backend::Directory, "faults::at_every_call_in_a_directory", |place| paused(every_call(place, &JOBS)));
}

#[test]
fn at_every_call_in_postgres() {
    on(Backend::Postgres, "faults::at_every_call_in_postgres", |place| paused(every_call(place, &JOBS)));
}

#[test]
fn at_every_call_in_s3() {
    on(Backend::S3, "faults::at_every_call_in_s3", |place| paused(every_call(place, &[Job::Promote])));
}

#[test]
fn at_every_call_in_azure() {
    on(Backend::Azure, "faults::at_every_call_in_azure", |place| paused(every_call(place, &[Job::Promote])));
}

#[test]
fn at_every_call_in_gcs() {
    on(Backend::Gcs, "faults::at_every_call_in_gcs", |place| paused(every_call(place, &JOBS)));
}

#[test]
fn at_every_call_in_a_git_branch() {
    on(Backend::Git, "faults::at_every_call_in_a_git_branch", |place| paused(every_call(place, &[Job::Promote])));
}
