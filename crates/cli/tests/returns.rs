//! Rollbacks that stay: what a rollback left is not promoted again, and a hold may stop promotions after it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::process::Child;
use std::time::{Duration, Instant};

use common::{World, said};
use serde_json::Value;
use tagwarden_testing::HttpFault;

/// The codes of the refusing findings.
fn refused(json: &Value) -> Vec<&str> {
    let findings = json["error"]["findings"].as_array().unwrap();
    let refusing = findings.iter().filter(|finding| finding["verdict"] == "refuse");
    refusing.map(|finding| finding["code"].as_str().unwrap()).collect()
}

fn configure(world: &World, policy: &str) {
    let prod = world.prod();
    world.config(&format!(
        "ledger = 'ledger'\n[[pipeline]]\nenvironment = 'prod'\nchannel = '{prod}'\n[pipeline.policy]\n{policy}\n"
    ));
}

const TIMES: [&str; 10] = ["--ttl", "2s", "--grace", "1s", "--quiet", "1s", "--put-timeout", "1s", "--settle", "1s"];

/// A promotion of 1.4.2 with a key, whose process is killed when its put is on its way. The put never lands.
fn dead_promotion(world: &World) -> Vec<&'static str> {
    let promote = ["promote", "prod", "--source", "1.4.2", "--idempotency-key", "job-7"];
    let promote: Vec<_> = promote.into_iter().chain(TIMES).collect();
    world.server.clear_requests();
    world.server.always(|seen| seen.is("PUT", "/manifests/prod"), HttpFault::Silent);
    let mut child = world.begin(&promote);
    await_put(world);
    child.kill().unwrap();
    child.wait().unwrap();
    world.server.calm();
    promote
}

fn await_put(world: &World) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !world.server.requests().iter().any(|seen| seen.is("PUT", "/manifests/prod")) {
        assert!(Instant::now() < deadline, "no put came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn end(child: Child) -> common::Said {
    said(child.wait_with_output().unwrap())
}

#[test]
fn release_that_was_rolled_back_is_refused_and_a_newer_one_is_committed() {
    let world = World::new();
    configure(&world, "");
    world.does(&["bootstrap", "prod", "--source", "1.4.0"], 0);
    world.does(&["promote", "prod", "--source", "1.4.1"], 0);
    world.does(&["rollback", "prod", "--reason", "incident 7"], 0);
    let again = ["promote", "prod", "--source", "1.4.1"];
    let json = world.json(&again, 3);
    assert_eq!(refused(&json), ["ROLLED_BACK"]);
    let why = format!(
        "{} was left by the rollback of run 42 of manual by ada (seq 5: incident 7); to promote it all the same: --override \
         not-rolled-back --reason …",
        world.digest("1.4.1")
    );
    let findings = json["error"]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["why"] == why), "{json}");
    world.does(&["promote", "prod", "--source", "1.4.2"], 0);
    assert_eq!(refused(&world.json(&again, 3)), ["ROLLED_BACK"], "a newer release changes nothing");

    // A rollback that names it warns, and it is then a release as any other.
    let to = world.digest("1.4.1").to_string();
    let said = world.does(&["rollback", "prod", "--to", &to], 0);
    assert!(said.out.contains("warn      not-rolled-back: "), "{}", said.out);
    world.does(&["promote", "prod", "--source", "1.4.3"], 0);
    world.does(&again, 0);
    world.verify_independently("prod");
}

#[test]
fn override_of_a_release_that_was_rolled_back_is_recorded() {
    let world = World::new();
    configure(&world, "");
    world.does(&["bootstrap", "prod", "--source", "1.4.0"], 0);
    world.does(&["promote", "prod", "--source", "1.4.1"], 0);
    world.does(&["rollback", "prod"], 0);
    let known =
        ["promote", "prod", "--source", "1.4.1", "--override", "not-rolled-back", "--reason", "it was the database"];
    let json = world.json(&known, 0);
    let overrides = &json["move"]["intent"]["decision"]["overrides"];
    assert_eq!(overrides[0]["guardrail"], "not-rolled-back");
}

#[test]
fn retry_of_a_promotion_that_a_rollback_aborted_is_refused() {
    let world = World::new();
    configure(&world, "");
    world.does(&["bootstrap", "prod", "--source", "1.4.0"], 0);
    world.does(&["promote", "prod", "--source", "1.4.1"], 0);
    let promote = dead_promotion(&world);
    let rollback: Vec<_> = ["rollback", "prod"].into_iter().chain(TIMES).collect();
    let json = world.json(&rollback, 0);
    assert_eq!(json["digest"], world.digest("1.4.1").to_string(), "the live digest is put again");
    let json = world.json(&promote, 3);
    assert_eq!(refused(&json), ["ROLLED_BACK"]);
    let findings = json["error"]["findings"].to_string();
    assert!(findings.contains("its promotion was aborted by run 42 of manual by ada (seq "), "{findings}");
    assert_eq!(world.digest("prod"), world.digest("1.4.1"));
    world.does(&["promote", "prod", "--source", "1.4.3"], 0);
    world.verify_independently("prod");
}

#[test]
fn retry_of_a_promotion_that_recover_aborted_is_refused() {
    let world = World::new();
    configure(&world, "");
    world.does(&["bootstrap", "prod", "--source", "1.4.0"], 0);
    let promote = dead_promotion(&world);
    let abort: Vec<_> = ["recover", "prod", "--abort"].into_iter().chain(TIMES).collect();
    world.does(&abort, 0);
    assert_eq!(refused(&world.json(&promote, 3)), ["ROLLED_BACK"]);
}

#[test]
fn hold_of_a_rollback_stops_promotions_until_a_person_ends_it() {
    let world = World::new();
    configure(&world, "after-rollback = 'hold'");
    world.does(&["bootstrap", "prod", "--source", "1.4.0"], 0);
    world.does(&["rollback", "prod"], 3);
    let none = world.does(&["holds", "prod"], 0);
    assert!(none.out.starts_with("no hold is in force"), "a refused rollback holds nothing: {}", none.out);
    world.does(&["promote", "prod", "--source", "1.4.1"], 0);
    let json = world.json(&["rollback", "prod", "--reason", "incident 7"], 0);
    let (hold, intent) = (json["hold"].as_u64().unwrap(), json["move"]["seq"].as_u64().unwrap());
    assert!(hold < intent, "the hold {hold} comes before the intent {intent}");
    let json = world.json(&["promote", "prod", "--source", "1.4.2"], 3);
    assert_eq!((refused(&json), &json["error"]["retry"]), (vec!["CHANNEL_HELD"], &"later".into()));
    let said = world.does(&["holds", "prod"], 0);
    assert!(said.out.contains("after-rollback: incident 7"), "{}", said.out);
    let said = world.does(&["rollback", "prod", "--to", "1.4.1"], 0);
    let line = format!("  hold      promotions, until it is ended: tagwarden unhold {} ", world.prod());
    assert!(said.out.contains(&line), "{}", said.out);
    world.does(&["unhold", "prod", "--mine", "--reason", "over"], 0);
    world.does(&["promote", "prod", "--source", "1.4.2"], 0);
    let said = world.does(&["config", "validate"], 0);
    assert!(said.out.contains("  rollback  each one first appends a hold of promotions\n"), "{}", said.out);
    world.verify_independently("prod");
}

#[test]
fn waiting_promotion_gives_up_when_a_rollback_holds() {
    let world = World::new();
    configure(&world, "after-rollback = 'hold'");
    world.does(&["bootstrap", "prod", "--source", "1.4.0"], 0);
    world.does(&["promote", "prod", "--source", "1.4.1"], 0);
    world.server.clear_requests();
    world.server.always(|seen| seen.is("PUT", "/manifests/prod"), HttpFault::Silent);
    let promote: Vec<_> = ["promote", "prod", "--source", "1.4.2"].into_iter().chain(TIMES).collect();
    let mut first = world.begin(&promote);
    await_put(&world);
    let waits: Vec<_> =
        ["promote", "prod", "--source", "1.4.3", "--on-conflict", "requeue"].into_iter().chain(TIMES).collect();
    let waiting = world.begin(&waits);
    first.kill().unwrap();
    first.wait().unwrap();
    world.server.calm();
    let rollback: Vec<_> = ["rollback", "prod"].into_iter().chain(TIMES).collect();
    let json = world.json(&rollback, 0);
    assert_eq!(json["digest"], world.digest("1.4.1").to_string());
    let waited = end(waiting);
    assert_eq!(waited.exit, 3, "{}", waited.err);
    assert!(waited.err.contains("no-hold CHANNEL_HELD: held for promotions by ada"), "{}", waited.err);
    let log = std::fs::read_to_string(world.log("prod")).unwrap();
    assert_eq!(log.matches("\"kind\":\"takeover\"").count(), 1, "the rollback alone took the move over");
    world.verify_independently("prod");
}
