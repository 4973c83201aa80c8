//! Answers of real registries, from the command line over HTTP: refusals of a put, and answers to reads that are proof
//! of absence, unknown, or neither.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::World;
use serde_json::Value;
use tagwarden::registry::Registry;
use tagwarden::registry::oci::{Lookup, OciOptions, OciRegistry};
use tagwarden::testing::{HttpAnswer, HttpFault, Seen};

const PROD: &str = "/manifests/prod";

fn cases(json: &str, want: usize) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(json).unwrap();
    assert_eq!(cases.len(), want, "a new case needs a look at this test");
    cases
}

/// The answer that a case describes; without a body where it has none, or an empty one.
fn answer_of(case: &Value) -> HttpAnswer {
    let answer = HttpAnswer::new(case["status"].as_u64().unwrap().try_into().unwrap());
    match (case["content_type"].as_str().unwrap_or("application/json"), case["body"].as_str().unwrap_or_default()) {
        (_, "") => answer,
        (content_type, body) => answer.with_body(content_type, body.to_owned()),
    }
}

/// How often the server got this method for the channel's tag.
fn count(world: &World, method: &str) -> usize {
    world.server.requests().iter().filter(|seen| seen.is(method, PROD)).count()
}

/// The body of the log's last entry, which is an outcome.
fn outcome(world: &World) -> Value {
    let log = std::fs::read_to_string(world.log("prod")).unwrap();
    let mut entry: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(entry["kind"], "outcome", "{entry}");
    entry["body"].take()
}

#[test]
fn a_refused_put_fails_the_move_at_once_with_the_registrys_words() {
    for case in cases(include_str!("../../../tests/vectors/refusals.json"), 10) {
        assert_eq!(case["expect"], "refused", "{case}");
        let words: Vec<&str> =
            case["message_contains"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        let world = World::with_prod();
        let prod = world.prod();
        world.server.always(|seen| seen.is("PUT", PROD), HttpFault::Answer(answer_of(&case)));
        for json in [true, false] {
            world.server.clear_requests();
            let begun = Instant::now();
            let message = match json {
                true => {
                    let json = world.json(&["promote", &prod, "--source", "1.4.1"], 1);
                    assert_eq!(json["error"]["code"], "MOVE_FAILED", "{case}: {json}");
                    json["error"]["message"].as_str().unwrap().to_owned()
                }
                false => world.does(&["promote", &prod, "--source", "1.4.1"], 1).err,
            };
            let took = begun.elapsed();
            println!("{} ({}): {} ms", case["status"], case["seen_with"], took.as_millis());
            // Far more than it takes: a slow machine does not wait out the quiet time (30 s), a wrong verdict does.
            assert!(took < Duration::from_secs(10), "{case}: {took:?}");
            assert_eq!(count(&world, "PUT"), 1, "{case}: {:?}", world.server.requests());
            assert_eq!(world.digest("prod"), world.digest("1.4.0"), "{case}");

            let outcome = outcome(&world);
            let noted = outcome["error"]["text"].as_str().unwrap_or_else(|| panic!("{case}: {outcome}"));
            assert_eq!(
                (&outcome["status"], &outcome["put"]),
                (&"failed".into(), &"refused".into()),
                "{case}: {outcome}"
            );
            for word in &words {
                assert!(message.contains(word), "{case}: {word}: {message}");
                assert!(noted.contains(word), "{case}: {word}: {noted}");
            }
        }
        // The next move is not in the way of the failed one.
        world.server.calm();
        world.does(&["promote", &prod, "--source", "1.4.1"], 0);
        world.verify_independently("prod");
    }
}

#[test]
fn a_put_that_is_answered_200_or_202_is_read_back_and_committed() {
    for status in [200, 202] {
        let world = World::with_prod();
        let prod = world.prod();
        world.server.always(|seen| seen.is("PUT", PROD), HttpFault::AnswerAfter(HttpAnswer::new(status)));
        world.server.clear_requests();
        let json = world.json(&["promote", &prod, "--source", "1.4.1"], 0);
        assert_eq!((&json["result"], &outcome(&world)["put"]), (&"committed".into(), &"accepted".into()), "{status}");
        assert_eq!((count(&world, "PUT"), world.digest("prod")), (1, world.digest("1.4.1")), "{status}");
    }
}

#[test]
fn a_refusal_that_is_cut_is_a_refusal_with_the_words_that_came() {
    let world = World::with_prod();
    let body = format!("<html><body>blocked by administrative rules{}</body></html>", " ".repeat(400));
    let answer = HttpAnswer::new(403).with_body("text/html", body).cut();
    world.server.always(|seen| seen.is("PUT", PROD), HttpFault::Answer(answer));
    world.server.clear_requests();
    let json = world.json(&["promote", &world.prod(), "--source", "1.4.1"], 1);
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains("403: blocked by administrative rules (the body is cut: "), "{message}");
    assert_eq!((count(&world, "PUT"), &outcome(&world)["status"]), (1, &"failed".into()));
}

/// A world in which the tag `prod` is at 1.4.0, and is answered as the case says until somebody puts it. `GET tags/list`
/// of its `then` is what the registry lists until then.
fn world_of(case: &Value) -> World {
    let world = World::new();
    world.config("ledger = 'ledger'\n");
    world.push_by_hand(0);
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
    world
}

/// The digest that the library's own client reads of the tag, without retries.
fn resolve(world: &World) -> tagwarden::Result<Option<tagwarden::Digest>> {
    let registry = OciRegistry::new(OciOptions::new().lookup(Lookup::Nowhere).retries(0)).unwrap();
    world.block_on(registry.resolve(&world.server.repository("acme/shop"), &"prod".parse().unwrap()))
}

/// The cases of absent.json that expect this, of which there are `count`.
fn expecting(expect: &str, count: usize) -> Vec<Value> {
    let mut cases = cases(include_str!("../../../tests/vectors/absent.json"), 5);
    cases.retain(|case| case["expect"].as_str().unwrap().contains(expect));
    assert_eq!(cases.len(), count, "{expect}");
    cases
}

#[test]
fn a_tag_that_is_proven_absent_begins_a_new_channel() {
    for case in expecting("absent", 2) {
        let world = world_of(&case);
        let prod = world.prod();
        assert_eq!(resolve(&world).unwrap(), None, "{case}");
        let said = world.does(&["bootstrap", &prod], 3);
        assert!(said.err.contains("[CHANNEL_ABSENT]"), "{case}: {}", said.err);
        world.server.clear_requests();
        world.does(&["bootstrap", &prod, "--source", "1.4.1"], 0);
        assert_eq!((count(&world, "PUT"), world.digest("prod")), (1, world.digest("1.4.1")), "{case}");
    }
}

#[test]
fn a_404_of_a_tag_that_is_listed_is_unknown() {
    for case in expecting("unknown", 1) {
        let world = world_of(&case);
        let prod = world.prod();
        for source in [&[][..], &["--source", "1.4.1"]] {
            let json = world.json(&[&["bootstrap", prod.as_str()], source].concat(), 6);
            let message = json["error"]["message"].as_str().unwrap();
            assert_eq!(json["error"]["code"], "REGISTRY_UNAVAILABLE", "{case}: {json}");
            assert!(message.contains("404; its list of tags has prod"), "{case}: {message}");
        }
        assert_eq!((count(&world, "PUT"), world.log("prod").exists()), (0, false), "{case}: nothing is written");
    }
}

#[test]
fn a_registry_that_does_not_know_head_is_asked_with_get() {
    for case in expecting("ask again with GET", 1) {
        let world = world_of(&case);
        let prod = world.prod();
        // Of everything, not of this tag alone.
        world.server.always(|seen| seen.method == "HEAD", HttpFault::Answer(answer_of(&case)));
        assert_eq!(resolve(&world).unwrap(), Some(world.digest("1.4.0")), "{case}");
        world.does(&["bootstrap", &prod], 0);
        world.does(&["promote", &prod, "--source", "1.4.1"], 0);
        world.does(&["rollback", &prod], 0);
        world.does(&["audit"], 0);
        assert_eq!(world.digest("prod"), world.digest("1.4.0"));
    }
}

/// That a promotion goes on with the ledger's word is the engine's part.
#[test]
fn a_tag_that_a_policy_hides_is_an_error_with_its_status_and_the_registrys_words() {
    for case in expecting("TAG_HIDDEN", 1) {
        let world = world_of(&case);
        // Harbor says it to a GET as well.
        world.server.always(|seen| seen.is("GET", PROD), HttpFault::Answer(answer_of(&case)));
        let error = resolve(&world).unwrap_err();
        assert!(error.context().any(|pair| pair == ("status", "412")), "{error:?}");
        for word in ["412", "PROJECTPOLICYVIOLATION", "current image with 5 vulnerabilities cannot be pulled"] {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
    }
}
