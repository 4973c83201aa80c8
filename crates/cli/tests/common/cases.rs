//! Cases from public bug reports, of which `tests/vectors` has the files.

use serde_json::Value;
use tagwarden_testing::HttpAnswer;

use super::World;

pub const PROD: &str = "/manifests/prod";

/// The times of a run without flags, so that a verdict that waits for the quiet time takes 30 s and is noticed.
pub const DEFAULT_TIMES: [&str; 2] = ["--settle", "30s"];

pub fn cases(json: &str, want: usize) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(json).unwrap();
    assert_eq!(cases.len(), want, "a new case needs a look at this test");
    cases
}

/// The answer that a case describes; without a body where it has none, or an empty one.
pub fn answer_of(case: &Value) -> HttpAnswer {
    let answer = HttpAnswer::new(case["status"].as_u64().unwrap().try_into().unwrap());
    match (case["content_type"].as_str().unwrap_or("application/json"), case["body"].as_str().unwrap_or_default()) {
        (_, "") => answer,
        (content_type, body) => answer.with_body(content_type, body.to_owned()),
    }
}

/// How often the server got this method for the channel's tag.
pub fn count(world: &World, method: &str) -> usize {
    world.server.requests().iter().filter(|seen| seen.is(method, PROD)).count()
}
