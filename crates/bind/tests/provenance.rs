//! A provenance of the parts that a caller gives.

use tagwarden_bind::provenance::provenance;

#[test]
fn a_provenance_by_hand_holds_no_more_than_a_built_one() {
    let rebuilt = |given| provenance("provenance", serde_json::from_value(given).unwrap());
    let mut given = serde_json::json!({
        "pipeline": {
            "provider": "jenkins", "run_id": "job/7", "attempt": 2, "url": "https://ci:hunter2@ci.example.com/job/7",
            "workflow": "Release", "job": { "id": "99", "name": "promote" },
        },
        "actor": { "id": "ada", "kind": "human" },
        "repository_url": "https://x:token@git.example.com/shop.git?access_token=t",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "release": "v1.4.2",
    });
    let written = serde_json::json!(rebuilt(given.clone()).unwrap());
    given["pipeline"]["url"] = serde_json::json!("https://ci.example.com/job/7");
    given["repository_url"] = serde_json::json!("https://git.example.com/shop.git");
    assert_eq!(written, given);
    assert_eq!(serde_json::json!(rebuilt(given.clone()).unwrap()), given, "built twice it is the same");

    let hash = format!("sha256:{}", "0".repeat(64));
    given["identity"] = serde_json::json!({
        "issuer": "https://token.example.com", "subject": "ci", "audience": "a", "token_sha256": hash,
    });
    let error = rebuilt(given).unwrap_err();
    assert_eq!(error.message(), "provenance: identity: only the verifier of a token may set it");
}
