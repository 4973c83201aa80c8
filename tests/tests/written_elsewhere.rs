//! Formats of CI systems and of other tools are parsed correctly. Python and Node test the same cases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

use serde_json::{Value, json};
use tagwarden::ledger::LedgerUrl;
use tagwarden::{ErrorKind, ProvenanceParts, ReleaseName, SystemClock, Terminal};

#[test]
fn environment_gives_its_provenance() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../vectors/ci-environments.json")).unwrap();
    assert!(cases.len() >= 5);
    for case in cases {
        let mut parts = ProvenanceParts::default();
        if case["terminal"] == true {
            let login = case["login_name"].as_str().map(str::to_owned);
            parts.terminal = Some(Terminal::of(login, &SystemClock).unwrap());
        }
        let generated = parts.terminal.as_ref().map(|terminal| terminal.run_id.to_string());
        let env = |name: &str| case["env"].get(name).map(|value| value.as_str().unwrap().to_owned());
        let provenance = parts.fill(env).unwrap().build().unwrap();
        assert_eq!(provenance.identity, None, "context is no evidence");
        let found = json!(provenance);
        for (name, want) in case["expect"].as_object().unwrap() {
            let is = match name.as_str() {
                "commit" => &found["commit"],
                "actor" => &found["actor"]["id"],
                "actor_kind" => &found["actor"]["kind"],
                name => &found["pipeline"][name],
            };
            match want.as_str() {
                Some("generated") => assert_eq!(is.as_str(), generated.as_deref(), "{case}"),
                _ => assert_eq!(is, want, "{name}: {case}"),
            }
        }
        assert_eq!(found["pipeline"].get("attempt"), None, "{case}");
    }
}

#[test]
fn references_of_other_tools_are_accepted() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../vectors/references.json")).unwrap();
    assert_eq!(cases.len(), 3, "a new case needs a sentence here");
    let given = |case: usize| cases[case]["given"].as_str().unwrap();

    let name: ReleaseName = given(0).parse().unwrap();
    assert_eq!((name.reference.to_string().as_str(), name.tag), (cases[0]["expect"].as_str().unwrap(), None));

    // The warning for a tag that points elsewhere is tested with the command line:
    // `source_with_tag_and_digest_is_the_digest`.
    let name: ReleaseName = given(1).parse().unwrap();
    let (repository, digest) = (name.reference.repository(), name.reference.target());
    assert_eq!(name.tag.as_ref().unwrap().as_str(), "1.4.2");
    assert_eq!(format!("{repository}:1.4.2@{digest}"), given(1));

    let error = given(2).parse::<LedgerUrl>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    let want = cases[2]["expect"].as_str().unwrap().strip_prefix("CONFIG_INVALID: ").unwrap();
    assert!(error.to_string().starts_with(&format!("ledger: {want}")), "{error}");
}
