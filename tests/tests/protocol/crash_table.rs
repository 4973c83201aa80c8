//! The crash table of the protocol: a worker dies before or after each of its calls, and another worker recovers.

use std::collections::BTreeMap;
use std::time::Duration;

use tagwarden::drift::{Drift, Landing};
use tagwarden::log::Status;
use tagwarden::promotion::RecoveryMode;
use tagwarden_testing::InjectedFault;
use tagwarden_tests::verify_ledgers;

use super::backend::{Backend, Place, on, paused};
use super::gate::{Port, What};
use super::world::{JOBS, Job, TIMEOUT, World, assert_no_return, calls, on_purpose, points, terms, who};

/// The point of a worker's death at a call, and the fate of its put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    Before,
    After,
    /// The put was sent, and is never applied.
    PutLost,
    /// The put was sent, and lands ten seconds later.
    PutLate,
}

/// The rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    NoIntent,
    IntentAppended,
    PutNeverApplied,
    PutApplied,
    OutcomeAppended,
}

async fn die(
    place: &Place,
    job: Job,
    at: usize,
    port: Port,
    death: Death,
    how: RecoveryMode,
    logs: &std::path::Path,
) -> Row {
    let what = format!("{:?} {job:?} call {at} ({port:?}) {death:?}, recovered {how:?}", place.backend());
    let world = World::new(place);
    world.prepare(job).await;
    let before = (world.state().await, world.drift().await);
    let prod = world.prod.tag().clone();
    let crash = match death {
        Death::Before => What::CrashBefore,
        Death::After => What::CrashAfter,
        Death::PutLost | Death::PutLate => {
            let fault = if death == Death::PutLost {
                InjectedFault::Before
            } else {
                InjectedFault::Late(Duration::from_secs(10))
            };
            world.registry.script_when(move |call| call.puts(&prod), [fault]);
            What::CrashAfter
        }
    };
    let (promoter, gate) = world.gated(&[(at, crash)]);
    let ended = gate.unless_dead(world.run(&promoter, job)).await;
    // Wait for the worker's other open tasks to end.
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(gate.is_dead(), "{what}: it lives");
    assert_eq!(gate.violations(), [""; 0], "{what}");

    // The row of the table, from the log, the tag and the audit.
    let (state, drift, observed) = (world.state().await, world.drift().await, world.observed());
    let row = match (&state.open, &drift) {
        (None, Drift::InSync { live }) if state.committed > before.0.committed => {
            assert_eq!(*live, world.goal(job), "{what}");
            Row::OutcomeAppended
        }
        (None, _) => {
            assert_eq!(drift, before.1, "{what}: nothing has happened");
            assert_eq!(state.committed, before.0.committed, "{what}");
            Row::NoIntent
        }
        (Some(open), Drift::MoveInProgress { target: to, landing: Landing::Landed, .. }) => {
            assert_eq!((Some(*to), *to), (observed, open.target), "{what}");
            Row::PutApplied
        }
        (Some(open), Drift::MoveInProgress { landing: Landing::NotLanded, .. }) => {
            assert_eq!(observed, open.before(), "{what}");
            match death {
                Death::PutLost | Death::PutLate => Row::PutNeverApplied,
                _ => Row::IntentAppended,
            }
        }
        (open, drift) => panic!("{what}: {open:?} {drift:?}"),
    };
    if let Some(ended) = ended {
        // The caller got its answer: the worker died during the look back.
        ended.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(row, Row::OutcomeAppended, "{what}");
    }

    // Another machine recovers.
    let since = tokio::time::Instant::now();
    let other = world.promoter();
    other.recover(&world.prod, how, who(), TIMEOUT).await.unwrap_or_else(|error| panic!("{what}: recover: {error}"));
    if state.open.is_some() {
        assert!(since.elapsed() >= Duration::from_secs(90 + 30), "{what}: ttl, grace and quiet time");
    }
    let after = world.state().await;
    assert_eq!(after.open, None, "{what}");
    let landed = matches!(row, Row::PutApplied | Row::OutcomeAppended) || death == Death::PutLate;
    if how == RecoveryMode::RollForward && state.open.is_some() || landed {
        assert_eq!((after.live, world.observed()), (Some(world.goal(job)), Some(world.goal(job))), "{what}");
    } else if job != Job::Recover || row == Row::IntentAppended {
        assert_eq!((after.live, world.observed()), (before.0.live, observed), "{what}: given up");
    }

    // The pipeline runs again with its key: the channel is at its target, and it was moved once. What was aborted on
    // purpose is refused first.
    let again = if job == Job::Recover { Job::Promote } else { job };
    let aborted = how == RecoveryMode::Abort && after.closed.is_some_and(|closed| closed.status == Status::Aborted);
    let mut options = terms();
    if aborted && matches!(again, Job::BootstrapFrom | Job::BootstrapAsIs | Job::Promote) {
        assert_no_return(world.run(&other, again).await, &what);
        options = on_purpose(options);
    }
    world.run_with(&other, again, options).await.unwrap_or_else(|error| panic!("{what}: again: {error}"));
    assert_eq!(world.state().await.live, Some(world.goal(job)), "{what}");
    world.at_rest(&what).await;
    world.export(&logs.join(format!("{job:?}-{at}-{death:?}-{how:?}.jsonl"))).await;
    row
}

async fn table(place: &Place, jobs: &[Job]) {
    let logs = tempfile::tempdir().unwrap();
    let mut rows: BTreeMap<(String, Row), usize> = BTreeMap::new();
    let mut deaths_died = 0;
    for job in jobs {
        let ports = calls(place, *job).await;
        for (port, at) in points(&ports) {
            let deaths: &[Death] = match port {
                Port::Put => &[Death::Before, Death::After, Death::PutLost, Death::PutLate],
                _ => &[Death::Before, Death::After],
            };
            for death in deaths {
                deaths_died += 1;
                for how in [RecoveryMode::RollForward, RecoveryMode::Abort] {
                    let row = die(place, *job, at, port, *death, how, logs.path()).await;
                    *rows.entry((format!("{job:?}"), row)).or_default() += 1;
                }
            }
        }
    }
    println!("{:?}: {deaths_died} crash points; {rows:?}", place.backend());
    assert!(deaths_died >= 24, "{deaths_died}");
    for job in jobs {
        let as_it_is = matches!(job, Job::BootstrapAsIs | Job::Adopt);
        let puts: &[Row] = if as_it_is { &[] } else { &[Row::IntentAppended, Row::PutNeverApplied] };
        for row in [Row::NoIntent, Row::PutApplied, Row::OutcomeAppended].iter().chain(puts) {
            let begun = *job == Job::Recover && *row == Row::NoIntent;
            assert!(begun || rows.contains_key(&(format!("{job:?}"), *row)), "{job:?}: no crash in row {row:?}");
        }
    }
    let verified = verify_ledgers(logs.path()).unwrap();
    assert_eq!(verified, 2 * deaths_died);
}

#[test]
fn every_row_in_memory() {
    on(Backend::Memory, "", |place| paused(table(place, &JOBS)));
}

#[test]
fn every_row_in_files_of_first_moves_and_promotions() {
    on(Backend::File, "", |place| paused(table(place, &[Job::BootstrapFrom, Job::BootstrapAsIs, Job::Promote])));
}

#[test]
fn every_row_in_files_of_rollbacks_and_repairs() {
    on(Backend::File, "", |place| paused(table(place, &[Job::Rollback, Job::Repair, Job::Adopt, Job::Recover])));
}

#[test]
fn every_row_in_a_directory() {
    on(Backend::Directory, "crash_table::every_row_in_a_directory", |place| paused(table(place, &JOBS)));
}

#[test]
fn every_row_in_postgres() {
    on(Backend::Postgres, "crash_table::every_row_in_postgres", |place| paused(table(place, &[Job::Promote])));
}

#[test]
fn every_row_in_s3() {
    on(Backend::S3, "crash_table::every_row_in_s3", |place| paused(table(place, &[Job::Promote])));
}

#[test]
fn every_row_in_azure() {
    on(Backend::Azure, "crash_table::every_row_in_azure", |place| paused(table(place, &[Job::Promote])));
}

#[test]
fn every_row_in_gcs() {
    on(Backend::Gcs, "crash_table::every_row_in_gcs", |place| paused(table(place, &JOBS)));
}

#[test]
fn every_row_in_a_git_branch() {
    on(Backend::Git, "crash_table::every_row_in_a_git_branch", |place| paused(table(place, &[Job::Promote])));
}

#[test]
fn every_row_in_a_git_branch_over_http() {
    on(Backend::GitHttp, "crash_table::every_row_in_a_git_branch_over_http", |place| {
        paused(table(place, &[Job::Promote]))
    });
}
