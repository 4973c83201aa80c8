//! Promotions go forward: by version, by time and by build number.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;
use serde_json::Value;
use tagwarden::registry::Manifest;
use tagwarden_testing::TestImage;

/// `prod`, ordered by this kind of value, with these lines in its policy.
fn configure(world: &World, by: &str, policy: &str) {
    let prod = world.prod();
    world.config(&format!(
        "ledger = 'ledger'\n[order]\nby = '{by}'\n\
         [[pipeline]]\nenvironment = 'prod'\nchannel = '{prod}'\n[pipeline.policy]\n{policy}\n"
    ));
}

/// Pushes an image with these annotations under a tag.
fn push(world: &World, tag: &str, number: u64, annotations: &[(&str, &str)]) {
    let repository = world.server.repository("acme/shop");
    let image = TestImage::image(number);
    let mut json: Value = serde_json::from_slice(image.manifest.bytes()).unwrap();
    json["annotations"] = annotations.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let manifest = Manifest::new(json.to_string(), image.manifest.media_type().as_str()).unwrap();
    world.server.memory().store(&repository, &image);
    world.server.memory().push(&repository, &tag.parse().unwrap(), &manifest);
}

/// The code, the verdict and the reason of forward-only in the findings of a recorded move, a refusal or a plan.
fn forward(json: &Value) -> (String, String, String) {
    let recorded = json["move"]["intent"]["decision"]["findings"].as_array();
    let findings = recorded.or(json["error"]["findings"].as_array()).or(json["findings"].as_array()).unwrap();
    let finding = findings.iter().find(|finding| finding["guardrail"] == "forward-only").unwrap();
    let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    (text("code"), text("verdict"), text("why"))
}

#[test]
fn older_version_is_refused_and_an_override_is_recorded_and_shown() {
    let world = World::new();
    configure(&world, "semver", "forward-only = 'refuse'");
    world.does(&["bootstrap", "prod", "--source", "1.4.1"], 0);
    let json = world.json(&["promote", "prod", "--source", "1.4.2"], 0);
    assert_eq!(json["move"]["intent"]["order"], serde_json::json!({ "by": "semver", "value": "1.4.2" }));
    let json = world.json(&["promote", "prod", "--source", "1.4.0"], 3);
    let why = "1.4.0 (semver) is older than 1.4.2 (semver), which is live: this is run 42 of manual by ada, and run 42 of \
               manual by ada moved the live one (seq 3); to promote it all the same: --override forward-only --reason …";
    assert_eq!(forward(&json), ("ORDER_OUTDATED".to_owned(), "refuse".to_owned(), why.to_owned()));
    assert_eq!(json["error"]["retry"], "never");
    let said = world.does(&["promote", "prod", "--source", "1.4.1"], 3);
    let back = format!("to go back on purpose: tagwarden rollback {} --to {}; ", world.prod(), world.digest("1.4.1"));
    assert!(said.err.contains(&back), "{}", said.err);

    let known =
        ["promote", "prod", "--source", "1.4.0", "--override", "forward-only", "--reason", "1.4.2 was withdrawn"];
    let said = world.does(&known, 0);
    assert!(said.out.contains("forward-only: 1.4.0 (semver) is older than 1.4.2 (semver)"), "{}", said.out);
    assert!(said.out.contains(" (overridden)\n"), "{}", said.out);
    let json = world.json(&["history", "prod"], 0);
    let overrides = &json["events"][0]["intent"]["decision"]["overrides"];
    assert_eq!(overrides[0]["guardrail"], "forward-only");
    assert_eq!(overrides[0]["reason"], "1.4.2 was withdrawn");
    world.verify_independently("prod");
}

#[test]
fn older_version_is_a_warning_where_nothing_else_is_configured() {
    let world = World::new();
    configure(&world, "semver", "");
    world.does(&["bootstrap", "prod", "--source", "1.4.2"], 0);
    let (code, verdict, why) = forward(&world.json(&["promote", "prod", "--source", "1.4.1"], 0));
    assert_eq!((code.as_str(), verdict.as_str()), ("ORDER_OUTDATED", "warn"));
    assert!(why.ends_with(" (the policy only warns)"), "{why}");
    world.config("ledger = 'ledger'\n");
    let prod = world.prod();
    let json = world.json(&["promote", &prod, "--source", "1.4.0"], 0);
    assert_eq!(forward(&json), (String::new(), "pass".to_owned(), "releases have no order here".to_owned()));
    assert_eq!(json["move"]["intent"].get("order"), None);
}

#[test]
fn hotfix_of_an_older_release_goes_forward_after_a_rollback_to_it() {
    let world = World::new();
    configure(&world, "semver", "forward-only = 'refuse'");
    push(&world, "1.4.1-hotfix", 90, &[("org.opencontainers.image.version", "v1.4.1+hotfix")]);
    world.does(&["bootstrap", "prod", "--source", "1.4.1"], 0);
    world.does(&["promote", "prod", "--source", "1.4.5"], 0);
    let json = world.json(&["rollback", "prod"], 0);
    assert_eq!(json["move"]["intent"]["order"]["value"], "1.4.1", "a rollback copies the value of the log");
    // By its digest the release has the value of its annotation.
    let digest = world.digest("1.4.1-hotfix").to_string();
    let json = world.json(&["promote", "prod", "--source", &digest], 0);
    assert_eq!(json["move"]["intent"]["order"]["value"], "1.4.1+hotfix");
    world.does(&["promote", "prod", "--source", "1.4.2"], 0);
    world.verify_independently("prod");
}

#[test]
fn release_that_was_made_earlier_is_refused() {
    let world = World::new();
    configure(&world, "created", "forward-only = 'refuse'");
    for (tag, number, created) in [("a", 90, "2026-11-23T06:00:00Z"), ("b", 91, "2026-11-23T06:00:00+01:00")] {
        push(&world, tag, number, &[("org.opencontainers.image.created", created)]);
    }
    world.does(&["bootstrap", "prod", "--source", "a"], 0);
    let (code, _, why) = forward(&world.json(&["promote", "prod", "--source", "b"], 3));
    assert_eq!(code, "ORDER_OUTDATED");
    let want = "2026-11-23T05:00:00.000Z (created) is older than 2026-11-23T06:00:00.000Z (created), which is live: ";
    assert!(why.starts_with(want), "{why}");
    let later = ["promote", "prod", "--source", "b", "--order", "2026-11-24T00:00:00Z"];
    world.does(&later, 0);
}

#[test]
fn build_numbers_are_compared_within_one_series_alone() {
    let world = World::new();
    configure(&world, "build-number", "forward-only = 'refuse'");
    let built = |number: &'static str, series: &'static str| {
        [("dev.tagwarden.build-number", number), ("dev.tagwarden.build-series", series)]
    };
    push(&world, "a", 90, &built("9", "acme/shop/build.yml"));
    push(&world, "b", 91, &built("10", "acme/shop/build.yml"));
    push(&world, "c", 92, &built("3", "acme/shop/nightly.yml"));
    world.does(&["bootstrap", "prod", "--source", "a"], 0);
    world.does(&["promote", "prod", "--source", "b"], 0);
    let (code, ..) = forward(&world.json(&["promote", "prod", "--source", "a"], 3));
    assert_eq!(code, "ORDER_OUTDATED");
    // A series that cannot be read is not the series of builds that name none.
    push(&world, "d", 93, &built("11", "acme\nshop"));
    let (code, verdict, why) = forward(&world.json(&["promote", "prod", "--source", "d", "--dry-run"], 0));
    assert_eq!((code.as_str(), verdict.as_str()), ("ORDER_UNKNOWN", "warn"));
    let want = "the release has no value by build-number: its annotation dev.tagwarden.build-series cannot be read: text: \
                control or bidirectional character U+000A at byte 4; annotate it with dev.tagwarden.build-number, or give \
                --order";
    assert_eq!(why, want);
    let (code, verdict, why) = forward(&world.json(&["promote", "prod", "--source", "c"], 0));
    assert_eq!((code.as_str(), verdict.as_str()), ("ORDER_UNKNOWN", "warn"));
    let want = "3 (build-number of acme/shop/nightly.yml) and 10 (build-number of acme/shop/build.yml), which is live, \
                cannot be compared";
    assert_eq!(why, want);
}

#[test]
fn given_build_number_has_the_series_of_its_workflow() {
    let mut world = World::new();
    configure(&world, "build-number", "forward-only = 'refuse'");
    let workflow = |name| {
        vec![
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_RUN_ID", "42"),
            ("GITHUB_ACTOR", "ada"),
            ("GITHUB_SERVER_URL", "https://github.example.com"),
            ("GITHUB_REPOSITORY", "acme/shop"),
            ("GITHUB_WORKFLOW", name),
        ]
    };
    let run = |world: &World, args: &[&str], exit| {
        // A run that is named by a flag has no workflow of the CI.
        let said = world.run(&[args, &["--json"]].concat());
        assert_eq!(said.exit, exit, "{}", said.err);
        serde_json::from_str::<Value>(&said.out).unwrap()
    };
    world.environment = workflow("build.yml");
    let json = run(&world, &["bootstrap", "prod", "--source", "1.4.0", "--order", "9"], 0);
    let series = "acme/shop/build.yml";
    let want = serde_json::json!({ "by": "build-number", "value": 9, "series": series });
    assert_eq!(json["move"]["intent"]["order"], want);
    let (code, ..) = forward(&run(&world, &["promote", "prod", "--source", "1.4.1", "--order", "8"], 3));
    assert_eq!(code, "ORDER_OUTDATED");
    world.environment = workflow("other.yml");
    let (code, verdict, _) = forward(&run(&world, &["promote", "prod", "--source", "1.4.1", "--order", "10"], 0));
    assert_eq!((code.as_str(), verdict.as_str()), ("ORDER_UNKNOWN", "warn"));
}

#[test]
fn value_of_a_source_channel_comes_from_its_log() {
    let world = World::new();
    let (dev, prod) = (world.channel("dev"), world.prod());
    world.config(&format!(
        "ledger = 'ledger'\n[order]\nby = 'build-number'\n\
         [[pipeline]]\nenvironment = 'dev'\nchannel = '{dev}'\n\
         [[pipeline]]\nenvironment = 'prod'\nchannel = '{prod}'\npolicy = {{ forward-only = 'refuse' }}\n"
    ));
    world.does(&["bootstrap", "dev", "--source", "1.4.0", "--order", "7"], 0);
    let json = world.json(&["promote", "prod", "--source", "dev"], 0);
    assert_eq!(json["move"]["intent"]["order"]["value"], 7);
    world.does(&["promote", "dev", "--source", "1.4.1", "--order", "6"], 0);
    let (code, ..) = forward(&world.json(&["promote", "prod", "--source", "dev"], 3));
    assert_eq!(code, "ORDER_OUTDATED");
}

#[test]
fn value_of_a_release_that_has_none_of_its_own_comes_from_the_log() {
    let world = World::new();
    configure(&world, "semver", "forward-only = 'refuse'");
    world.does(&["bootstrap", "prod", "--source", "1.4.1"], 0);
    world.does(&["promote", "prod", "--source", "1.4.2"], 0);
    let [older, newer] = ["1.4.1", "1.4.2"].map(|tag| world.digest(tag).to_string());
    // A run that finds its release live is recorded by its key, and the value stays.
    let json = world.json(&["promote", "prod", "--source", &newer, "--idempotency-key", "run-2"], 0);
    assert_eq!(json["move"]["intent"]["order"]["value"], "1.4.2");
    world.server.memory().push_image(&world.server.repository("acme/shop"), &"latest".parse().unwrap(), 1);
    for again in [&older, "latest"] {
        let (code, ..) = forward(&world.json(&["promote", "prod", "--source", again], 3));
        assert_eq!(code, "ORDER_OUTDATED", "{again}");
    }
}

#[test]
fn release_without_a_value_is_refused_where_one_is_required() {
    let world = World::new();
    let prod = world.prod();
    world.config(&format!(
        "ledger = 'ledger'\n[order]\nby = 'semver'\nrequired = true\n\
         [[pipeline]]\nenvironment = 'prod'\nchannel = '{prod}'\n"
    ));
    push(&world, "latest", 90, &[]);
    world.does(&["bootstrap", "prod", "--source", "1.4.0"], 0);
    let (code, verdict, why) = forward(&world.json(&["promote", "prod", "--source", "latest"], 3));
    assert_eq!((code.as_str(), verdict.as_str()), ("ORDER_UNKNOWN", "refuse"));
    let want = "the release has no value by semver: promote it by a tag such as 1.4.2, annotate it with \
                org.opencontainers.image.version, or give --order. A value is required; to move all the same: --override \
                forward-only --reason …";
    assert_eq!(why, want);
    world.does(&["promote", "prod", "--source", "latest", "--order", "1.4.3"], 0);
}

#[test]
fn value_that_no_order_expects_is_invalid() {
    let world = World::with_prod();
    let prod = world.prod();
    let said = world.does(&["promote", &prod, "--source", "1.4.1", "--order", "1.4.1"], 2);
    assert!(said.err.contains("order: no order of releases is configured; set `by` in `[order]`"), "{}", said.err);
    configure(&world, "semver", "");
    let said = world.does(&["promote", "prod", "--source", "1.4.1", "--order", "next"], 2);
    let want = "order: \"next\" is not a semantic version, such as 1.4.2 (by = \"semver\") [VALUE_INVALID]";
    assert!(said.err.contains(want), "{}", said.err);
}

#[test]
fn past_release_from_before_the_order_has_the_newest_value_of_its_log() {
    let world = World::new();
    let (preprod, prod) = (world.channel("preprod"), world.prod());
    let environments = format!(
        "[[pipeline]]\nenvironment = 'preprod'\nchannel = '{preprod}'\n\
         [[pipeline]]\nenvironment = 'prod'\nchannel = '{prod}'\n"
    );
    world.config(&format!("ledger = 'ledger'\n{environments}"));
    let json = world.json(&["bootstrap", "preprod", "--source", "1.4.1"], 0);
    assert_eq!(json["move"]["intent"].get("order"), None);
    let old = format!("preprod#{}", json["move"]["seq"].as_u64().unwrap());
    world.config(&format!(
        "ledger = 'ledger'\n[order]\nby = 'semver'\n{environments}policy = {{ forward-only = 'refuse' }}\n"
    ));
    for release in ["1.4.2", "1.4.1", "1.4.2"] {
        world.does(&["promote", "preprod", "--source", release], 0);
    }
    world.does(&["bootstrap", "prod", "--source", "1.4.2"], 0);
    let (code, _, why) = forward(&world.json(&["promote", "prod", "--source", &old], 3));
    assert_eq!(code, "ORDER_OUTDATED");
    assert!(why.starts_with("1.4.1 (semver) is older than 1.4.2 (semver), which is live"), "{why}");
}

#[test]
fn tag_beside_a_digest_gives_a_value_only_if_it_points_there() {
    let world = World::new();
    configure(&world, "semver", "forward-only = 'refuse'");
    world.does(&["bootstrap", "prod", "--source", "1.4.2"], 0);
    push(&world, "old", 90, &[("org.opencontainers.image.version", "1.4.0")]);
    // One of the tags points elsewhere, and one does not exist.
    for tag in ["1.4.9", "3.0.0"] {
        let source = format!("{tag}@{}", world.digest("old"));
        let (code, _, why) = forward(&world.json(&["promote", "prod", "--source", &source], 3));
        assert_eq!(code, "ORDER_OUTDATED", "{tag}");
        assert!(why.starts_with("1.4.0 (semver) is older than "), "{why}");
    }
    let source = format!("1.4.9@{}", world.digest("1.4.9"));
    let json = world.json(&["promote", "prod", "--source", &source], 0);
    assert_eq!(json["move"]["intent"]["order"]["value"], "1.4.9");
}

#[test]
fn rollback_that_is_judged_too_can_be_overridden() {
    let world = World::new();
    configure(&world, "semver", "forward-only = { mode = 'refuse', ops = ['rollback'] }");
    world.does(&["bootstrap", "prod", "--source", "1.4.1"], 0);
    world.does(&["promote", "prod", "--source", "1.4.2"], 0);
    let (code, _, why) = forward(&world.json(&["rollback", "prod"], 3));
    assert_eq!(code, "ORDER_OUTDATED");
    assert!(why.ends_with("(seq 3); to move to it all the same: --override forward-only --reason …"), "{why}");
    // A rollback is refused as well, so a promotion does not name it.
    let (_, _, why) = forward(&world.json(&["promote", "prod", "--source", "1.4.1"], 3));
    assert!(why.ends_with("(seq 3); to promote it all the same: --override forward-only --reason …"), "{why}");
    world.does(&["rollback", "prod", "--override", "forward-only", "--reason", "incident 7"], 0);
    assert_eq!(world.digest("prod"), world.digest("1.4.1"));
}

#[test]
fn override_that_the_policy_forbids_is_not_named() {
    let world = World::new();
    let policy = "forward-only = 'refuse'\noverride = { by = ['manual:grace'] }";
    configure(&world, "semver", policy);
    world.does(&["bootstrap", "prod", "--source", "1.4.2"], 0);
    let (_, _, why) = forward(&world.json(&["promote", "prod", "--source", "1.4.1"], 3));
    assert!(why.ends_with("); manual:ada may not override it, only manual:grace"), "{why}");
}
