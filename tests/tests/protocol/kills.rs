//! A real process is killed with SIGKILL at every call of a port, and another process recovers.

use std::sync::Arc;

use tagwarden::log::Status;
use tagwarden::promotion::RecoveryMode;
use tagwarden_testing::RegistryServer;
use tagwarden_tests::verify_ledgers;

use super::backend::{Backend, Place, export, on, real_time};
use super::child::{bootstrap, oci, prod, promote, promote_with, promoter, push_releases, start};
use super::gate::{Call, Gate};
use super::world::{TIMEOUT, assert_no_return, on_purpose, tag, terms, who};

async fn killed_at_any_call(place: &Place) {
    let server = RegistryServer::start().await.unwrap();
    let logs = tempfile::tempdir().unwrap();
    // Count the calls in a separate world.
    let calls = {
        let repository = server.repository("count");
        push_releases(server.memory(), &repository, 0);
        bootstrap(Arc::new(oci()), place.open(), &repository).await;
        let gate = Gate::new(Arc::new(oci()), place.open(), None, &[]);
        promote(&promoter(gate.registry(), gate.ledger(), place.url()), &repository).await.unwrap();
        gate.calls()
    };
    let points: Vec<(usize, &str, Call)> =
        (1..).zip(calls).flat_map(|(at, call)| [(at, "CrashBefore", call.clone()), (at, "CrashAfter", call)]).collect();
    assert!(points.len() >= 24, "{}", points.len());
    let (mut landed, mut open) = (0, 0);
    for some in points.chunks(9) {
        let runs = some.iter().map(|(at, what, call)| {
            let (server, logs) = (&server, logs.path());
            async move {
                let name = format!("{at} {what} ({:?} {})", call.port, call.what);
                let repository = server.repository(&format!("app/{at}-{}", what.to_lowercase()));
                push_releases(server.memory(), &repository, 0);
                bootstrap(Arc::new(oci()), place.open(), &repository).await;
                let mut child = start("die", &repository, place, &format!("{at} {what}"));
                let died = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
                assert_eq!(std::os::unix::process::ExitStatusExt::signal(&died), Some(9), "{name}: {died}");

                let other = promoter(Arc::new(oci()), place.open(), place.url());
                let channel = prod(&repository);
                let found = other.state(&channel).await.unwrap();
                let how = if at % 2 == 0 { RecoveryMode::RollForward } else { RecoveryMode::Abort };
                let recovered = other.recover(&channel, how, who(), TIMEOUT).await;
                recovered.unwrap_or_else(|error| panic!("{name}: {error}"));
                let state = other.state(&channel).await.unwrap();
                let observed = server.memory().peek(&repository, channel.tag());
                assert_eq!((state.open, state.live), (None, observed), "{name}");
                let aborted =
                    how == RecoveryMode::Abort && state.closed.is_some_and(|closed| closed.status == Status::Aborted);
                let mut options = terms();
                if aborted {
                    assert_no_return(promote(&other, &repository).await, &name);
                    options = on_purpose(options);
                }
                let again = promote_with(&other, &repository, options).await;
                again.unwrap_or_else(|error| panic!("{name}: again: {error}"));
                assert_eq!(other.verify(&channel).await.unwrap().defect, None, "{name}");
                let wanted = server.memory().peek(&repository, &tag("1.1"));
                assert_eq!(server.memory().peek(&repository, channel.tag()), wanted, "{name}");
                export(place.open().as_ref(), &channel, &logs.join(format!("{at}-{what}.jsonl"))).await;
                (found.committed == 2, found.open.is_some())
            }
        });
        for (done, was_open) in futures_util::future::join_all(runs).await {
            landed += usize::from(done);
            open += usize::from(was_open);
        }
    }
    println!("{:?}: {} kills: {open} left a move open, {landed} had closed it", place.backend(), points.len());
    assert!(open >= 8 && landed >= 2, "{open} {landed}");
    assert_eq!(verify_ledgers(logs.path()).unwrap(), points.len());
}

#[test]
fn in_files() {
    on(Backend::File, "kills::in_files", |place| real_time(killed_at_any_call(place)));
}

#[test]
fn in_a_directory() {
    on(Backend::Directory, "kills::in_a_directory", |place| real_time(killed_at_any_call(place)));
}

#[test]
fn on_postgres() {
    on(Backend::Postgres, "kills::on_postgres", |place| real_time(killed_at_any_call(place)));
}

#[test]
fn on_s3() {
    on(Backend::S3, "kills::on_s3", |place| real_time(killed_at_any_call(place)));
}

#[test]
fn on_azure() {
    on(Backend::Azure, "kills::on_azure", |place| real_time(killed_at_any_call(place)));
}

#[test]
fn on_gcs() {
    on(Backend::Gcs, "kills::on_gcs", |place| real_time(killed_at_any_call(place)));
}

#[test]
fn in_a_git_branch() {
    on(Backend::Git, "kills::in_a_git_branch", |place| real_time(killed_at_any_call(place)));
}

#[test]
fn in_a_git_branch_over_http() {
    on(Backend::GitHttp, "kills::in_a_git_branch_over_http", |place| real_time(killed_at_any_call(place)));
}
