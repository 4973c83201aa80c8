//! A registry that still answers an older value: rollbacks and repairs go on by the log, and put.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::time::{Duration, Instant};

use common::World;
use common::cases::{DEFAULT_TIMES, count};
use serde_json::Value;
use tagwarden::registry::pin_tag;
use tagwarden_testing::HttpFault;
use tagwarden_testing::ReadFault;

/// The next look at the channel's tag is answered with what it had before its last change.
fn answers_the_old_value_once(world: &World) {
    world.server.memory().script_reads_when(|call| call.resolves(&"prod".parse().unwrap()), [ReadFault::Stale]);
}

/// The codes of the findings of a move that are not passed.
fn codes(json: &Value) -> Vec<&str> {
    let findings = json["move"]["intent"]["decision"]["findings"].as_array().unwrap();
    findings.iter().filter(|finding| finding["verdict"] != "pass").map(|f| f["code"].as_str().unwrap()).collect()
}

#[test]
fn a_repair_puts_also_when_the_registry_lags() {
    let world = World::with_prod();
    let prod = world.prod();
    world.does(&["promote", &prod, "--source", "1.4.1"], 0);
    let old = world.digest("1.4.0").to_string();
    for lags in [true, false] {
        world.server.clear_requests();
        if lags {
            answers_the_old_value_once(&world);
        }
        // Reads are not settled: that the tag was read at the live digest proves nothing either.
        let json = world.json(&["repair", &prod], 0);
        let (want, replaced) = if lags { (&["TAG_LAGGING"][..], Some(old.as_str())) } else { (&[][..], None) };
        assert_eq!((&json["result"], codes(&json).as_slice()), (&"committed".into(), want), "{json}");
        assert_eq!(json["move"]["intent"]["replaced"].as_str(), replaced, "{json}");
        assert_eq!((count(&world, "PUT"), world.digest("prod")), (1, world.digest("1.4.1")), "{lags}");
    }
    assert_eq!(world.server.memory().faults_left(), 0);
    world.verify_independently("prod");
}

#[test]
fn a_repair_of_drift_puts_although_the_read_after_it_lags() {
    let world = World::with_prod();
    let prod = world.prod();
    world.push_by_hand(7);
    world.server.clear_requests();
    let tag = "prod".parse().unwrap();
    // The look before the put is not stale; the read after it is.
    world.server.memory().script_reads_when(move |call| call.resolves(&tag), [ReadFault::Pass, ReadFault::Stale]);
    let json = world.later(|| world.json(&["repair", &prod], 0));
    assert_eq!((&json["result"], world.digest("prod")), (&"committed".into(), world.digest("1.4.0")), "{json}");
    assert_eq!((count(&world, "PUT"), world.server.memory().faults_left()), (1, 0));
}

#[test]
fn a_rollback_while_the_registry_answers_the_old_digest_succeeds_at_once() {
    let world = World::with_prod();
    let prod = world.prod();
    world.does(&["promote", &prod, "--source", "1.4.1"], 0);
    answers_the_old_value_once(&world);
    world.server.clear_requests();
    let begun = Instant::now();
    // Reads settle after 30 s.
    let json = world.json(&[&["rollback", prod.as_str()][..], &DEFAULT_TIMES].concat(), 0);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}: it waited until reads were settled");
    assert_eq!((&json["result"], codes(&json)), (&"committed".into(), vec!["TAG_LAGGING"]), "{json}");
    assert_eq!((count(&world, "PUT"), world.digest("prod")), (1, world.digest("1.4.0")));
    assert_eq!(world.server.memory().faults_left(), 0);
}

#[test]
fn a_rollback_after_a_promotion_that_was_killed_before_its_put_puts_the_live_digest_once() {
    let world = World::with_prod();
    let prod = world.prod();
    world.does(&["promote", &prod, "--source", "1.4.2"], 0);
    // The promotion hangs at the pin of its target: its intent stands, and its put was not sent.
    let pin = format!("/manifests/{}", pin_tag(&world.digest("1.4.1")));
    world.server.always(move |seen| seen.is("PUT", &pin), HttpFault::Silent);
    world.server.clear_requests();
    let times = ["--ttl", "2s", "--grace", "1s", "--quiet", "1s", "--put-timeout", "1s", "--settle", "1s"];
    let mut child = world.begin(&[&["promote", prod.as_str(), "--source", "1.4.1"][..], &times].concat());
    let deadline = Instant::now() + Duration::from_secs(20);
    let intents = || std::fs::read_to_string(world.log("prod")).unwrap().matches("\"kind\":\"intent\"").count();
    while intents() < 3 {
        assert!(Instant::now() < deadline, "no intent came");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    world.server.calm();
    assert_eq!(count(&world, "PUT"), 0, "it was killed before its put");

    let json = world.json(&[&["rollback", prod.as_str()][..], &times].concat(), 0);
    let (live, intent) = (world.digest("1.4.2").to_string(), &json["move"]["intent"]);
    assert_eq!((&json["result"], &json["digest"]), (&"committed".into(), &live.clone().into()), "{json}");
    assert_eq!((&intent["previous"], &intent["target"]["digest"]), (&live.clone().into(), &live.into()), "{json}");
    assert_eq!((count(&world, "PUT"), world.digest("prod")), (1, world.digest("1.4.2")));
    let text = json.to_string();
    assert!(text.contains("was closed") && text.contains("(put again)"), "{text}");
    world.verify_independently("prod");
}
