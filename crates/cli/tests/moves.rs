//! Each move: in both forms, with its exit code and the text of its refusals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;

#[test]
fn release_is_promoted_through_the_pipeline_and_rolled_back() {
    let world = World::new();
    let prod = world.prod();
    let said = world.does(&["bootstrap", "dev", "--source", "1.4.0"], 0);
    let first = world.digest("1.4.0");
    let want = format!(
        "committed bootstrap {}: the first move of this channel\n  release   1.4.0\n  digest    {first}\n  previous  nothing\n",
        world.channel("dev")
    );
    assert!(said.out.starts_with(&want), "{}", said.out);
    let json = world.json(&["bootstrap", "prod", "--source", "1.4.0"], 0);
    assert_eq!(
        (&json["op"], &json["result"], &json["channel"]),
        (&"bootstrap".into(), &"committed".into(), &prod.clone().into())
    );

    let said = world.does(&["promote", "dev", "--source", "1.4.1", "--release", "v1.4.1", "--commit", "0123456"], 0);
    for want in
        ["  by        ada (a workload)\n", "  run       manual 42\n", "  commit    0123456\n", "  release   v1.4.1\n"]
    {
        assert!(said.out.contains(want), "{want}{}", said.out);
    }
    assert!(said.out.contains(&format!("  digest    {}\n", world.digest("1.4.1"))), "{}", said.out);

    // From the environment before, by its name and by its tag; what is live there already is not moved again.
    let json = world.json(&["promote", "prod", "--source", "dev"], 0);
    assert_eq!(json["digest"], world.digest("1.4.1").to_string());
    assert_eq!(json["move"]["intent"]["source"]["channel"], world.channel("dev").to_string());
    let said = world.later(|| world.does(&["promote", &prod, "--source", &world.channel("dev").to_string()], 0));
    assert!(said.out.starts_with(&format!("unchanged promote {prod}: ")), "{}", said.out);

    let json = world.json(&["rollback", "prod", "--reason", "incident 7"], 0);
    assert_eq!(
        (&json["digest"], world.digest("prod")),
        (&world.digest("1.4.0").to_string().into(), world.digest("1.4.0"))
    );
    let said = world.does(&["rollback", "prod"], 3);
    assert!(said.err.contains("[ROLLBACK_NO_TARGET]\nhint: `tagwarden history "), "{}", said.err);
    let to = world.digest("1.4.1").to_string();
    world.does(&["rollback", "prod", "--to", &to], 0);
    world.verify_independently("prod");
}

#[test]
fn a_source_is_a_tag_a_digest_a_reference_or_a_channel() {
    let world = World::with_prod();
    let (prod, repository) = (world.prod(), world.server.repository("acme/shop"));
    let digest = world.digest("1.4.2").to_string();
    for (from, want) in [
        ("1.4.1", "1.4.1"),
        (digest.as_str(), "1.4.2"),
        (&format!("{repository}:1.4.3"), "1.4.3"),
        (&format!("{repository}@{digest}"), "1.4.2"),
    ] {
        let json = world.json(&["promote", &prod, "--source", from], 0);
        assert_eq!(json["digest"], world.digest(want).to_string(), "{from}");
        assert!(json["move"]["intent"]["source"]["reference"].is_string(), "{from}");
    }
    // References as Flux, Helm, ko and skaffold print them are accepted.
    let json = world.json(&["promote", &format!("oci://{prod}"), "--source", &format!("oci://{repository}:1.4.4")], 0);
    assert_eq!(json["digest"], world.digest("1.4.4").to_string());
    assert_eq!(json["move"]["intent"]["source"]["reference"], format!("{repository}:1.4.4"));
    // A tag of which the ledger has a log is a channel: its live digest counts, not what the tag shows.
    world.does(&["bootstrap", &world.channel("qa").to_string(), "--source", "1.4.5"], 0);
    let json = world.json(&["promote", &prod, "--source", "qa"], 0);
    assert_eq!(json["move"]["intent"]["source"]["channel"], world.channel("qa").to_string());

    let said = world.does(&["promote", &prod, "--source", "ghcr.io/other/shop:1"], 2);
    assert!(said.err.contains("a move stays in one repository"), "{}", said.err);
    let said = world.does(&["promote", &prod, "--source", "9.9.9"], 3);
    assert!(said.err.contains("\n  target-readable "), "{}", said.err);
}

#[test]
fn a_dry_run_shows_every_finding_and_moves_nothing() {
    let world = World::new();
    world.does(&["bootstrap", "dev", "--source", "1.4.0"], 0);
    world.does(&["bootstrap", "prod", "--source", "1.4.0"], 0);
    let before = std::fs::read(world.log("prod")).unwrap();

    let said = world.does(&["promote", "prod", "--source", "1.4.1", "--dry-run"], 3);
    for want in
        ["  pass      provenance-complete: ", "  refuse    promotion-order STAGE_SKIPPED: ", "it would be refused"]
    {
        assert!(said.out.contains(want), "{want}: {}", said.out);
    }
    let json = world.json(&["promote", "prod", "--source", "1.4.1", "--dry-run"], 3);
    assert_eq!((&json["verdict"], json["findings"].as_array().unwrap().len()), (&"refused".into(), 9));

    let json = world.json(&["promote", "dev", "--source", "1.4.1", "--dry-run"], 0);
    assert_eq!((&json["dry_run"], &json["verdict"]), (&true.into(), &"move".into()));
    assert_eq!(
        (&json["previous_digest"], &json["digest"]),
        (&world.digest("1.4.0").to_string().into(), &world.digest("1.4.1").to_string().into())
    );
    let json = world.later(|| world.json(&["promote", "prod", "--source", "dev", "--dry-run"], 0));
    assert_eq!(json["verdict"], "nothing");
    assert_eq!(std::fs::read(world.log("prod")).unwrap(), before);
    assert_eq!(world.digest("dev"), world.digest("1.4.0"));
}

#[test]
fn from_is_an_alias_of_source() {
    let world = World::with_prod();
    let prod = world.prod();
    world.does(&["promote", &prod, "--from", "1.4.1"], 0);
    assert_eq!(world.digest("prod"), world.digest("1.4.1"));
    let said = world.does(&["promote", &prod, "--from", "1.4.1", "--source", "1.4.2"], 2);
    assert!(said.err.contains("'--source <RELEASE>' cannot be used multiple times"), "{}", said.err);
}

#[test]
fn a_refusal_has_each_finding_on_its_own_line_and_in_json() {
    let world = World::with_prod();
    let prod = world.prod();
    let expect = world.digest("1.4.3").to_string();
    world.does(&["hold", &prod, "--reason", "incident 7"], 0);
    let said = world.does(&["promote", &prod, "--source", "1.4.1", "--expected", &expect], 3);
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(
        lines[0],
        format!("refused: {prod}: the policy refuses the move, by 2 of 9 guardrails [POLICY_REFUSED]")
    );
    assert!(
        lines[1].starts_with("  expected-state ") && lines[2].starts_with("  no-hold CHANNEL_HELD: "),
        "{}",
        said.err
    );
    assert_eq!(said.out, "");
    let json = world.json(&["promote", &prod, "--source", "1.4.1", "--expected", "absent"], 3);
    assert_eq!((&json["error"]["class"], &json["error"]["retry"]), (&"refused".into(), &"never".into()));
    assert_eq!(json["error"]["findings"].as_array().unwrap().len(), 9);
}

#[test]
fn a_rollback_names_a_release_or_a_move() {
    let world = World::with_prod();
    let prod = world.prod();
    for release in ["1.4.1", "1.4.2"] {
        world.does(&["promote", &prod, "--source", release], 0);
    }
    let said = world.does(&["rollback", &prod, "--to", "1.4.0"], 0);
    assert!(said.out.contains("  release   1.4.0\n"), "{}", said.out);
    world.does(&["rollback", &prod, "--to", "prod#3"], 0);
    assert_eq!(world.digest("prod"), world.digest("1.4.1"));
    let said = world.does(&["rollback", &prod, "--to", "9.9.9"], 3);
    assert!(said.err.contains("brought the release 9.9.9 [ROLLBACK_NO_TARGET]"), "{}", said.err);
    let history = world.does(&["history", &prod], 0).out;
    let releases: Vec<&str> = history.lines().skip(2).map(|line| line.split_whitespace().nth(4).unwrap()).collect();
    assert_eq!(releases, ["1.4.1", "1.4.0", "1.4.2", "1.4.1", "1.4.0"], "{history}");
}

#[test]
fn a_push_by_hand_is_found_and_repaired_or_adopted() {
    let world = World::with_prod();
    let prod = world.prod();
    let live = world.digest("1.4.0");
    let hotfix = world.push_by_hand(7);

    let said = world.does(&["promote", &prod, "--source", "1.4.1"], 4);
    assert!(said.err.contains("[CHANNEL_DRIFTED]\nhint: `tagwarden repair "), "{}", said.err);
    let json = world.json(&["repair", &prod], 0);
    assert_eq!(json["move"]["intent"]["replaced"], hotfix.to_string());
    assert_eq!(world.digest("prod"), live);

    world.push_by_hand(7);
    let said = world.does(&["adopt", &prod], 2);
    assert_eq!(said.err, "error: adopt needs a reason [VALUE_INVALID]\n");
    let said = world.does(&["adopt", &prod, "--reason", "hotfix, reviewed"], 0);
    let want = format!("committed adopt {prod}\n  release   -\n  digest    {hotfix}\n  previous  {live}\n");
    assert!(said.out.starts_with(&want), "{}", said.out);
    assert!(world.later(|| world.does(&["repair", &prod], 0)).out.starts_with("unchanged repair "));
    world.verify_independently("prod");
}

#[test]
fn same_idempotency_key_moves_once() {
    let world = World::with_prod();
    let prod = world.prod();
    let promote = ["promote", &prod, "--source", "1.4.1", "--idempotency-key", "release-41"];
    world.does(&promote, 0);
    let newer = ["promote", &prod, "--source", "1.4.2", "--idempotency-key", "release-42"];
    world.does(&newer, 0);
    let json = world.json(&promote, 3);
    let (error, context) = (&json["error"], &json["error"]["context"]);
    assert_eq!(error["code"], "IDEMPOTENCY_SUPERSEDED");
    assert_eq!((&context["seq"], &context["live_seq"]), (&"3".into(), &"5".into()));
    assert_eq!(context["live"], world.digest("1.4.2").to_string());
    for want in ["was committed (seq 3) and replaced by", "run 42, ada, at ", "tagwarden rollback "] {
        assert!(error["message"].as_str().unwrap().contains(want), "{want}: {error}");
    }
    assert_eq!(world.digest("prod"), world.digest("1.4.2"), "nothing moved");
    world.does(&["rollback", &prod], 0);
    let json = world.later(|| world.json(&promote, 0));
    assert_eq!(
        (&json["result"], &json["move"]["seq"], &json["live"]["seq"]),
        (&"replayed".into(), &3.into(), &7.into())
    );
    let said = world.does(&newer, 3);
    let want =
        "; a retry needs nothing more; a rollback replaced it, so promote a newer release [IDEMPOTENCY_SUPERSEDED]";
    assert!(said.err.contains(want), "{}", said.err);
    let again = world.does(&["rollback", &prod, "--to", "1.4.1"], 0);
    assert!(again.out.contains(": it was live already, and the tag was put again\n"), "{}", again.out);
    world.push_by_hand(7);
    let json = world.json(&promote, 4);
    assert_eq!(json["error"]["code"], "CHANNEL_DRIFTED", "the same under drift: {json}");
    let said = world.does(&["promote", &prod, "--source", "1.4.3", "--idempotency-key", "release-41"], 3);
    assert!(said.err.contains("[IDEMPOTENCY_MISMATCH]"), "{}", said.err);
}

#[test]
fn bootstrap_of_a_bootstrapped_absent_or_foreign_channel_is_refused() {
    let world = World::with_prod();
    let prod = world.prod();
    assert!(world.does(&["bootstrap", &prod], 3).err.contains("[CHANNEL_BOOTSTRAPPED]"));
    let qa = world.channel("qa").to_string();
    assert!(world.does(&["bootstrap", &qa], 3).err.contains("[CHANNEL_ABSENT]"));
    world.server.memory().push_image(world.channel("qa").repository(), &"qa".parse().unwrap(), 3);
    let said = world.does(&["promote", &qa, "--source", "1.4.1"], 3);
    assert!(
        said.err.contains(&format!("for a new channel `tagwarden bootstrap {qa}` takes the tag as it is")),
        "{}",
        said.err
    );
    // Another ledger does not know the pins of this one.
    let said = world.does(&["bootstrap", &prod, "--ledger", "other"], 3);
    assert!(said.err.contains("[LEDGER_FOREIGN]"), "{}", said.err);
    world.does(&["bootstrap", &prod, "--ledger", "other", "--override", "ledger-complete"], 2);
    let args = ["--ledger", "other", "--override", "ledger-complete", "--reason", "the old one is lost"];
    let json = world.json(&[&["bootstrap", prod.as_str()][..], &args].concat(), 0);
    let noted = &json["move"]["intent"]["decision"]["overrides"];
    assert_eq!((&noted[0]["guardrail"], &noted[0]["reason"]), (&args[3].into(), &args[5].into()));
}

#[test]
fn provenance_is_read_from_the_ci_and_completed_by_flags() {
    let world = World::with_prod();
    let prod = world.prod();
    let said = world.run(&["promote", &prod, "--source", "1.4.1"]);
    assert_eq!(said.exit, 2);
    assert!(
        said.err.contains("give the run id (--run-id) and the actor (--actor) [PROVENANCE_INCOMPLETE]"),
        "{}",
        said.err
    );
    let mut command = world.command(&["promote", &prod, "--source", "1.4.1", "--release", "v1", "--json"]);
    let ci = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_RUN_ID", "77"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_ACTOR", "octocat"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
    ];
    let said = common::said(command.envs(ci).output().unwrap());
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let provenance = &json["move"]["intent"]["provenance"];
    assert_eq!(provenance["pipeline"]["provider"], "github-actions");
    assert_eq!((&provenance["actor"]["id"], &provenance["release"]), (&"octocat".into(), &"v1".into()));
    assert!(world.does(&["current", &prod], 0).out.contains("  run       github-actions 77/2\n"));
}

#[test]
fn contradicting_deadlines_are_refused() {
    let world = World::with_prod();
    let said = world.does(&["promote", &world.prod(), "--source", "1.4.1", "--put-timeout", "60s"], 2);
    assert!(said.err.contains("[CONFIG_INVALID]"), "{}", said.err);
    let said = world.does(&["promote", &world.prod(), "--source", "1.4.1", "--ttl", "2h"], 2);
    assert!(said.err.contains("[CONFIG_INVALID]"), "{}", said.err);
    let args = ["promote", &world.prod(), "--source", "1.4.1", "--on-conflict", "fail", "--timeout", "1m"];
    let said = world.does(&args, 2);
    assert!(said.err.contains("--timeout: --on-conflict fail does not wait"), "{}", said.err);
    let said = world.does(&["promote", &world.prod(), "--source", "1.4.1", "--ttl", "60"], 2);
    assert!(said.err.contains("duration: \"60\": no unit at byte 2"), "{}", said.err);
}

/// Of a tag and a digest the digest counts: the tag is what people call it, and one that points elsewhere is a warning.
#[test]
fn source_with_tag_and_digest_is_the_digest() {
    let world = World::with_prod();
    let (prod, repository) = (world.prod(), world.server.repository("acme/shop"));
    let (second, third) = (world.digest("1.4.2"), world.digest("1.4.3"));
    let whole = format!("oci://{repository}:1.4.2@{second}");
    let json = world.json(&["promote", &prod, "--source", &whole], 0);
    let intent = &json["move"]["intent"];
    assert_eq!(json["digest"], second.to_string());
    assert_eq!(intent["source"]["reference"], format!("{repository}@{second}"));
    assert_eq!(intent["provenance"]["release"], "1.4.2");
    assert_eq!(intent["decision"]["findings"][1]["verdict"], "pass");

    let said = world.does(&["promote", &prod, "--source", &format!("1.4.2@{third}"), "--release", "v3"], 0);
    assert!(said.out.contains("  release   v3\n"), "{}", said.out);
    let want = format!("the tag 1.4.2 that was named with it points at {second}");
    assert!(said.out.contains("warn      target-readable: ") && said.out.contains(&want), "{}", said.out);
    let json = world.json(&["promote", &prod, "--source", &format!("9.9@{second}"), "--dry-run"], 0);
    let finding = &json["findings"][1];
    assert_eq!((&finding["verdict"], &finding["code"]), (&"warn".into(), &"TARGET_TAG_DIFFERS".into()));
    assert!(
        finding["why"].as_str().unwrap().ends_with("the tag 9.9 that was named with it does not exist"),
        "{finding}"
    );
    world.verify_independently("prod");
}

#[test]
fn misspelt_channel_is_moved_and_said_to_be_new() {
    let world = World::with_prod();
    let (prod, typo) = (world.prod(), world.channel("prdo").to_string());
    let args = ["promote", &typo, "--source", "1.4.1"];
    let why = format!(
        "new-channel CHANNEL_NEW: this is the first move of a new channel: the registry has no tag {typo}; did you mean {prod}?"
    );
    let planned = world.does(&[&args[..], &["--dry-run"]].concat(), 0);
    assert!(planned.out.contains(&format!("  warn      {why}\n")), "{}", planned.out);
    assert!(planned.out.starts_with(&format!("dry run: promote {typo}: the first move of this channel\n")));
    let moved = world.does(&args, 0);
    assert!(moved.out.contains(&why.replace(" CHANNEL_NEW", "")), "{}", moved.out);
    assert!(moved.out.starts_with(&format!("committed bootstrap {typo}: the first move of this channel\n")));
}

#[test]
fn second_rollback_after_a_repair_says_that_the_last_change_was_a_rollback() {
    let world = World::with_prod();
    let prod = world.prod();
    world.does(&["promote", &prod, "--source", "1.4.1"], 0);
    world.does(&["rollback", &prod], 0);
    world.push_by_hand(7);
    world.does(&["repair", &prod], 0);
    let said = world.does(&["rollback", &prod], 3);
    let want = format!("the last change of {prod} was a rollback: name the digest that the next rollback goes to");
    assert!(said.err.contains(&want), "{}", said.err);
}
