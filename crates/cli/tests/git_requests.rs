//! The requests that a command sends to the Git server of a ledger.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;
use tagwarden_tests::git_http::GitServer;

/// The requests of one command, which ends with 0.
fn requests(world: &World, git: &GitServer, args: &[&str]) -> Vec<String> {
    git.clear_requests();
    world.does(&[args, &["--ledger", &git.ledger()]].concat(), 0);
    git.requests().iter().map(|seen| format!("{} {} {}", seen.method, seen.path, seen.status)).collect()
}

fn assert_at_most(most: usize, world: &World, git: &GitServer, args: &[&str]) {
    let seen = requests(world, git, args);
    assert!(!seen.is_empty() && seen.len() <= most, "{args:?}: at most {most}: {seen:#?}");
}

/// A world with a ledger in a branch, in which 1.4.0 is live everywhere.
fn world() -> (World, GitServer) {
    let (world, git) = (World::new(), GitServer::start());
    for stage in ["dev", "prod"] {
        requests(&world, &git, &["bootstrap", stage, "--source", "1.4.0"]);
    }
    (world, git)
}

/// A look is 2 requests and an entry is 2. Every move looks twice: before it is judged, and before it puts.
#[test]
fn move_is_two_looks_and_two_entries() {
    let (world, git) = world();
    assert_at_most(8, &world, &git, &["promote", "dev", "--source", "1.4.1"]);
    assert_at_most(8, &world, &git, &["promote", "prod", "--source", "dev"]);
    let by_name = format!("{}:1.4.2", world.server.repository("acme/shop"));
    assert_at_most(8, &world, &git, &["promote", "dev", "--source", &by_name]);
    assert_at_most(8, &world, &git, &["rollback", "prod"]);
    assert_at_most(8, &world, &git, &["rollback", "dev", "--to", "1.4.0"]);
    assert_at_most(2, &world, &git, &["promote", "prod", "--source", "1.4.0", "--dry-run"]);
    assert_at_most(2, &world, &git, &["current", "prod"]);
    assert_at_most(2, &world, &git, &["history", "prod"]);
}

/// Git asks its helper only after a 401, in each call anew.
#[test]
fn move_through_a_credential_helper_is_twelve_requests() {
    let (world, git) = world();
    git.expect("Basic YWRhOmNhbmFyeQ==");
    let helper = "[credential]\nhelper = \"!f() { echo username=ada; echo password=canary; }; f\"\n";
    std::fs::write(world.dir.path().join(".gitconfig"), helper).unwrap();
    assert_at_most(12, &world, &git, &["promote", "dev", "--source", "1.4.1"]);
    assert_at_most(12, &world, &git, &["promote", "prod", "--source", "dev"]);
}

/// An audit of channels that are in sync looks once, however many there are.
#[test]
fn report_is_one_look() {
    let (world, git) = world();
    for report in [&["channels"][..], &["audit"], &["audit", "prod"], &["holds", "prod"]] {
        assert_at_most(2, &world, &git, report);
    }
}
