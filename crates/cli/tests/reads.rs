//! Answers of real registries to reads, from the command line over HTTP: proof of absence, unknown, neither, and a tag that
//! a policy hides.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::cases::{DEFAULT_TIMES, PROD, answer_of, cases, count};
use common::{Said, World};
use serde_json::Value;
use tagwarden::registry::Registry;
use tagwarden::registry::oci::{CredentialSource, OciOptions, OciRegistry};
use tagwarden_testing::ErrorAnswer;
use tagwarden_testing::{HttpAnswer, HttpFault, Seen};

/// The cases of absent.json that expect this, of which there are `count`.
fn expecting(expect: &str, count: usize) -> Vec<Value> {
    let mut cases = cases(include_str!("../../../tests/vectors/absent.json"), 5);
    cases.retain(|case| case["expect"].as_str().unwrap().contains(expect));
    assert_eq!(cases.len(), count, "{expect}");
    cases
}

/// From now on the tag `prod` is answered as the case says until it is put. `GET tags/list` of its `then` is what the
/// registry lists until then.
fn answers_as(world: &World, case: &Value) {
    let put = Arc::new(AtomicBool::new(false));
    let until_put = |asked: fn(&Seen, bool) -> bool, is_get: bool| {
        let put = Arc::clone(&put);
        move |seen: &Seen| {
            put.fetch_or(seen.is("PUT", PROD), Ordering::Relaxed);
            !put.load(Ordering::Relaxed) && asked(seen, is_get)
        }
    };
    // A HEAD cannot say more than a GET of the same tag.
    let is_get = case["request"].as_str().unwrap().starts_with("GET manifests/prod");
    let tag = until_put(|seen, is_get| seen.is("HEAD", PROD) || (is_get && seen.is("GET", PROD)), is_get);
    world.server.always(tag, HttpFault::Answer(answer_of(case)));
    if let Some(tags) = case["then"]["GET tags/list"].as_array() {
        let body = serde_json::json!({ "name": "acme/shop", "tags": tags }).to_string();
        let list = HttpAnswer::new(200).with_body("application/json", body);
        world.server.always(until_put(|seen, _| seen.is("GET", "/tags/list"), is_get), HttpFault::Answer(list));
    }
    world.server.clear_requests();
}

/// A world in which the tag `prod` is at 1.4.0, is not governed, and is answered as the case says until it is put.
fn world_of(case: &Value) -> World {
    let world = World::new();
    world.config("ledger = 'ledger'\n");
    world.push_by_hand(0);
    answers_as(&world, case);
    world
}

/// Runs it with default times, and checks that it does not wait: they are 30 s, and this bound leaves room for a slow
/// machine.
fn at_once(world: &World, args: &[&str], exit: i32) -> Said {
    let begun = Instant::now();
    let said = world.does(&[args, &DEFAULT_TIMES].concat(), exit);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{args:?}: {took:?}");
    said
}

/// The same with `--json`.
fn json_at_once(world: &World, args: &[&str], exit: i32) -> Value {
    serde_json::from_str(&at_once(world, &[args, &["--json"]].concat(), exit).out).unwrap()
}

/// The digest that the library's own client reads of the tag, without retries.
fn resolve(world: &World) -> tagwarden::Result<Option<tagwarden::Digest>> {
    let registry =
        OciRegistry::new(OciOptions::new().lookup(CredentialSource::Nowhere).retry_for(Duration::ZERO)).unwrap();
    world.block_on(registry.resolve(&world.server.repository("acme/shop"), &"prod".parse().unwrap()))
}

#[test]
fn a_tag_that_is_proven_absent_begins_a_new_channel() {
    for case in expecting("absent", 2) {
        let world = world_of(&case);
        let prod = world.prod();
        assert_eq!(resolve(&world).unwrap(), None, "{case}");
        let said = at_once(&world, &["bootstrap", &prod], 3);
        assert!(said.err.contains("[CHANNEL_ABSENT]"), "{case}: {}", said.err);
        assert_eq!(count(&world, "PUT"), 0, "{case}");
        at_once(&world, &["bootstrap", &prod, "--source", "1.4.1"], 0);
        assert_eq!((count(&world, "PUT"), world.digest("prod")), (1, world.digest("1.4.1")), "{case}");
    }
}

#[test]
fn a_governed_tag_that_is_proven_absent_is_drift_and_is_repaired() {
    for case in expecting("absent", 2) {
        let world = World::with_prod();
        let prod = world.prod();
        answers_as(&world, &case);
        // The channel was moved long ago: no lag explains it.
        world.later(|| {
            assert!(at_once(&world, &["audit", &prod], 4).out.contains("missing: "), "{case}");
            let said = at_once(&world, &["promote", &prod, "--source", "1.4.1"], 4);
            assert!(said.err.contains("[CHANNEL_DRIFTED]"), "{case}: {}", said.err);
            assert_eq!(count(&world, "PUT"), 0, "{case}");
            at_once(&world, &["repair", &prod], 0);
        });
        assert_eq!((count(&world, "PUT"), world.digest("prod")), (1, world.digest("1.4.0")), "{case}");
    }
}

#[test]
fn a_404_of_a_tag_that_is_listed_is_unknown() {
    for case in expecting("unknown", 1) {
        let world = world_of(&case);
        let prod = world.prod();
        for source in [&[][..], &["--source", "1.4.1"]] {
            let json = json_at_once(&world, &[&["bootstrap", prod.as_str()], source].concat(), 6);
            let message = json["error"]["message"].as_str().unwrap();
            assert_eq!(json["error"]["code"], "REGISTRY_UNAVAILABLE", "{case}: {json}");
            assert!(message.contains("404; its list of tags has prod"), "{case}: {message}");
        }
        assert_eq!((count(&world, "PUT"), world.log("prod").exists()), (0, false), "{case}: nothing is written");
    }
}

#[test]
fn a_governed_tag_whose_404_is_unknown_is_neither_moved_nor_drift() {
    for case in expecting("unknown", 1) {
        let world = World::with_prod();
        let prod = world.prod();
        let before = std::fs::read(world.log("prod")).unwrap();
        answers_as(&world, &case);
        for args in [&["promote", &prod, "--source", "1.4.1"][..], &["rollback", &prod], &["repair", &prod]] {
            let json = json_at_once(&world, args, 6);
            assert_eq!(json["error"]["code"], "REGISTRY_UNAVAILABLE", "{case}: {args:?}: {json}");
        }
        assert!(at_once(&world, &["audit", &prod], 6).out.contains("unknown: REGISTRY_UNAVAILABLE: "), "{case}");
        assert_eq!((count(&world, "PUT"), std::fs::read(world.log("prod")).unwrap()), (0, before), "{case}");
    }
}

#[test]
fn registry_without_head_is_read_with_get() {
    for case in expecting("ask again with GET", 1) {
        let world = world_of(&case);
        let prod = world.prod();
        // Of everything, not of this tag alone.
        world.server.always(|seen| seen.method == "HEAD", HttpFault::Answer(answer_of(&case)));
        assert_eq!(resolve(&world).unwrap(), Some(world.digest("1.4.0")), "{case}");
        world.does(&["bootstrap", &prod], 0);
        assert_eq!(count(&world, "PUT"), 0, "{case}: it is taken as it is");
        at_once(&world, &["promote", &prod, "--source", "1.4.1"], 0);
        at_once(&world, &["rollback", &prod], 0);
        at_once(&world, &["audit"], 0);
        assert_eq!((count(&world, "PUT"), world.digest("prod")), (2, world.digest("1.4.0")), "{case}");
    }
}

/// The registry's words in the last case.
const WORDS: [&str; 3] = ["412", "PROJECTPOLICYVIOLATION", "current image with 5 vulnerabilities cannot be pulled"];

fn has_the_words(text: &str) {
    for word in WORDS {
        assert!(text.contains(word), "{word}: {text}");
    }
}

/// A release is hidden, as the case says: its tags, its pin and its digest.
fn hide(world: &World, release: &str, case: &Value) {
    let body: Value = serde_json::from_str(case["body"].as_str().unwrap()).unwrap();
    let word = |name: &str| body["errors"][0][name].as_str().unwrap().to_owned();
    let answer = ErrorAnswer::new(case["status"].as_u64().unwrap().try_into().unwrap(), word("code"), word("message"));
    world.server.memory().hide(&world.server.repository("acme/shop"), &world.digest(release), answer);
}

/// The text of the finding TAG_HIDDEN of a move.
fn hidden(json: &Value) -> &str {
    let findings = json["move"]["intent"]["decision"]["findings"].as_array().unwrap_or_else(|| panic!("{json}"));
    let found: Vec<_> = findings.iter().filter(|finding| finding["code"] == "TAG_HIDDEN").collect();
    assert_eq!((found.len(), &found[0]["verdict"]), (1, &"warn".into()), "{json}");
    found[0]["why"].as_str().unwrap()
}

#[test]
fn promotion_over_a_hidden_tag_uses_the_live_digest_of_the_ledger() {
    for case in expecting("TAG_HIDDEN", 1) {
        let world = World::with_prod();
        let prod = world.prod();
        hide(&world, "1.4.0", &case);
        has_the_words(&resolve(&world).unwrap_err().to_string());
        world.server.clear_requests();
        let json = json_at_once(&world, &["promote", &prod, "--source", "1.4.1"], 0);
        has_the_words(hidden(&json));
        assert_eq!((&json["result"], world.digest("prod")), (&"committed".into(), world.digest("1.4.1")), "{case}");
        assert_eq!(count(&world, "PUT"), 1, "{case}");

        // For people, and back from one that is hidden.
        hide(&world, "1.4.1", &case);
        let said = at_once(&world, &["promote", &prod, "--source", "1.4.2"], 0);
        has_the_words(said.out.lines().find(|line| line.contains("tag-read: ")).unwrap_or_else(|| panic!("{said:?}")));
        hide(&world, "1.4.2", &case);
        let to = world.digest("1.4.1").to_string();
        assert!(world.server.memory().unhide(&world.server.repository("acme/shop"), &world.digest("1.4.1")));
        has_the_words(hidden(&json_at_once(&world, &["rollback", &prod, "--to", &to], 0)));
        assert_eq!((count(&world, "PUT"), world.digest("prod")), (3, world.digest("1.4.1")), "{case}");
        world.verify_independently("prod");
    }
}

#[test]
fn hidden_tag_is_unknown_except_to_promote_and_rollback() {
    for case in expecting("TAG_HIDDEN", 1) {
        let world = World::with_prod();
        let prod = world.prod();
        hide(&world, "1.4.0", &case);
        world.server.clear_requests();
        for args in [
            &["repair", prod.as_str()][..],
            &["adopt", &prod, "--reason", "hotfix"],
            &["promote", &prod, "--source", &world.digest("1.4.0").to_string()],
        ] {
            let json = json_at_once(&world, args, 6);
            has_the_words(json["error"]["message"].as_str().unwrap());
        }
        let said = at_once(&world, &["audit", &prod], 6);
        assert!(said.out.contains("unknown: "), "{}", said.out);
        has_the_words(&said.out);
        assert_eq!(count(&world, "PUT"), 0, "{case}");
    }
}
