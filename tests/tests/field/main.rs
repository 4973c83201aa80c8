//! The field failures: accidents with floating tags from public reports, and the rules of a move, each as a scenario.
//!
//! A scenario does the same twice: with tagwarden, and with what people use today (`skopeo copy`, and `crane tag` where
//! it is installed). It runs against the registry in this process and against a real `docker-registry`, both behind a
//! proxy that injects network faults. At its end `skopeo inspect` says what `prod` is, the ledger is verified, and both
//! must be what the table of `docs/internals/field-failures.md` says.

mod accidents;
mod place;
mod rules;
mod table;
mod tool;

use place::{Kind, Place};
use tool::is_installed;

/// Both tests of each scenario.
macro_rules! scenarios {
    ($($part:ident: $($name:ident)+;)+) => {
        $($(mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn ends_as_the_table_says_in_process() {
                let test = concat!(stringify!($name), "::ends_as_the_table_says_in_process");
                run(test, Kind::InProcess, |place| Box::pin($part::$name(place))).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn ends_as_the_table_says_on_docker_registry() {
                let test = concat!(stringify!($name), "::ends_as_the_table_says_on_docker_registry");
                run(test, Kind::DockerRegistry, |place| Box::pin($part::$name(place))).await;
            }
        })+)+

        /// The names of the scenarios.
        const SCENARIOS: &[&str] = &[$($(stringify!($name)),+),+];
    };
}

scenarios! {
    accidents:
        older_build
        undone_rollback
        bad_release
        late_run
        retried_job
        two_holds
        freeze
        replaced_release
        hand_push
        collected_target
        skipped_environment
        what_it_brings;
    rules:
        runs_at_once
        lost_answer
        put_that_never_arrived
        dead_worker
        failed_look
        whole_index;
}

type Scenario<'p> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'p>>;

async fn run(test: &str, kind: Kind, scenario: impl for<'p> FnOnce(&'p Place) -> Scenario<'p>) {
    if !is_installed(test, "skopeo") {
        return;
    }
    let Some(place) = Place::start(test, kind).await else { return };
    scenario(&place).await;
    let name = test.split_once("::").map_or(test, |(name, _)| name);
    let row = table::row(name);
    place.verify().await;
    assert_eq!(place.end_of_ours(), row.ours, "{test}: tagwarden");
    for other in place.others() {
        assert_eq!(place.end_of(other), row.end_of(other.name()), "{test}: {}", other.name());
    }
}

/// The table has a row for each scenario, and no other.
#[test]
fn table_has_every_scenario() {
    let rows: Vec<String> = table::rows().into_iter().map(|row| row.scenario).collect();
    assert_eq!(rows, SCENARIOS);
    assert!(rows.len() >= 12, "{}", rows.len());
    for row in table::rows() {
        assert_ne!(row.seen_in, "", "{}: a public report or a rule", row.scenario);
    }
}
