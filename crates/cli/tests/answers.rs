//! Answers of real registries to a put, from the command line over HTTP. Answers to reads are in `reads.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::time::{Duration, Instant};

use common::World;
use common::cases::{DEFAULT_TIMES, PROD, answer_of, cases, count};
use serde_json::Value;
use tagwarden_testing::{HttpAnswer, HttpFault};

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
        let promote = [&["promote", prod.as_str(), "--source", "1.4.1"][..], &DEFAULT_TIMES].concat();
        for json in [true, false] {
            world.server.clear_requests();
            let begun = Instant::now();
            let message = match json {
                true => {
                    let json = world.json(&promote, 1);
                    assert_eq!(json["error"]["code"], "MOVE_FAILED", "{case}: {json}");
                    json["error"]["message"].as_str().unwrap().to_owned()
                }
                false => world.does(&promote, 1).err,
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
fn truncated_refusal_is_a_refusal_with_the_received_words() {
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
