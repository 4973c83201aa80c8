//! A Git server that fails in the middle of a move: the error names the ledger, with its own words.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;
use common::git::{hook, ledger_of, stop};
use tagwarden_testing::InjectedFault;

const PROMOTE: [&str; 4] = ["promote", "prod", "--source", "1.4.1"];

fn world() -> World {
    let world = ledger_of(World::new());
    let prod = world.prod();
    let text = std::fs::read_to_string(world.dir.path().join("tagwarden.toml")).unwrap();
    let ledger = text.lines().next().unwrap().to_owned();
    world.config(&format!("{ledger}\n[[pipeline]]\nenvironment = 'prod'\nchannel = '{prod}'\n"));
    world.does(&["bootstrap", "prod", "--source", "1.4.0"], 0);
    world
}

/// From now on the server's hook refuses the outcomes of moves.
fn refuse_outcomes(world: &World) {
    hook(
        world,
        "pre-receive",
        "read old new ref\n\
         git log -1 --format=%s $new | grep -Eq '^(committed|failed|aborted)' || exit 0\n\
         echo 'the disk is read-only tonight' >&2; exit 1",
    );
}

/// The message of the failed move.
fn failed(world: &World) -> String {
    let error = world.json(&PROMOTE, 5)["error"].take();
    assert_eq!(error["code"], "MOVE_INDETERMINATE", "{error:#}");
    let message = error["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&world.prod()) && message.contains("recover the channel"), "{message}");
    message
}

#[test]
fn outcome_that_the_ledger_refuses_is_said_with_its_words_and_where_the_tag_points() {
    let world = world();
    refuse_outcomes(&world);
    let message = failed(&world);
    let target = world.digest("1.4.1");
    assert!(message.contains(&format!("points at {target}, the target, but the ledger did not take the outcome: git")));
    assert!(message.contains("the disk is read-only tonight") && message.contains("git+file://"), "{message}");
    assert!(!message.contains("registry") && !message.contains("not known"), "{message}");
    assert_eq!(world.digest("prod"), target);
}

#[test]
fn refusals_of_registry_and_ledger_are_both_said_each_with_its_own_words() {
    let world = world();
    refuse_outcomes(&world);
    let prod = "prod".parse().unwrap();
    world.server.memory().script_when(move |call| call.puts(&prod), [InjectedFault::refused("DENIED")]);
    let message = failed(&world);
    let (registry, ledger) = message.split_once("; and the ledger did not take the outcome: ").unwrap();
    assert!(registry.contains("the registry refused the put: ") && !registry.contains("read-only"), "{message}");
    assert!(ledger.contains("the disk is read-only tonight"), "{message}");
}

#[test]
fn server_that_stops_after_the_intent_is_said_and_no_put_is_sent() {
    let world = world();
    let (from, to) = (world.dir.path().join("ledger.git"), world.dir.path().join("stopped.git"));
    hook(
        &world,
        "post-receive",
        &format!(
            "read old new ref\ngit log -1 --format=%s $new | grep -q '^promote' && mv {} {}\nexit 0",
            from.display(),
            to.display()
        ),
    );
    let message = failed(&world);
    assert!(
        message.contains("the ledger failed after it took the intent, so no put was sent: git+file://"),
        "{message}"
    );
    assert!(message.contains("does not appear to be a git repository") && !message.contains("registry"), "{message}");
    assert_eq!(world.digest("prod"), world.digest("1.4.0"));
}

#[test]
fn intent_that_the_ledger_refuses_is_a_denied_ledger_and_nothing_is_open() {
    let world = world();
    hook(&world, "pre-receive", "echo 'closed for tonight' >&2; exit 1");
    let said = world.does(&PROMOTE, 1);
    assert!(said.err.contains("closed for tonight") && said.err.contains("[LEDGER_DENIED]"), "{}", said.err);
    world.does(&["current", "prod"], 0);
}

#[test]
fn server_that_is_gone_before_the_move_is_said_and_nothing_is_moved() {
    let world = world();
    stop(&world);
    let said = world.does(&PROMOTE, 1);
    assert!(
        said.err.contains("does not appear to be a git repository") && said.err.contains("git+file://"),
        "{}",
        said.err
    );
    assert_eq!(world.digest("prod"), world.digest("1.4.0"));
}
