//! Blocks: which moves they refuse, in which environments, and the way out of a blocked live digest.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;
use serde_json::Value;
use tagwarden::Digest;

/// `dev`, `qa` and `prod` in a pipeline, each with 1.4.0 and then 1.4.1.
fn world() -> World {
    let world = World::new();
    let stage = |name: &str| format!("[[pipeline]]\nenvironment = '{name}'\nchannel = '{}'\n", world.channel(name));
    world.config(&format!("ledger = 'ledger'\n{}{}{}", stage("dev"), stage("qa"), stage("prod")));
    for release in ["1.4.0", "1.4.1"] {
        for stage in ["dev", "qa", "prod"] {
            let op = if release == "1.4.0" { "bootstrap" } else { "promote" };
            world.does(&[op, stage, "--source", release], 0);
        }
    }
    world
}

/// The code and the reason of the only refusing finding.
fn refused(json: &Value) -> (String, String) {
    let findings = json["error"]["findings"].as_array().unwrap();
    let refusing: Vec<_> = findings.iter().filter(|finding| finding["verdict"] == "refuse").collect();
    assert_eq!(refusing.len(), 1, "{json}");
    let text = |name: &str| refusing[0][name].as_str().unwrap().to_owned();
    (text("code"), text("why"))
}

fn push_by_hand(world: &World, tag: &str, number: u64) -> Digest {
    let repository = world.server.repository("acme/shop");
    world.server.memory().push_image(&repository, &tag.parse().unwrap(), number).digest()
}

#[test]
fn blocked_release_is_refused_by_promote_and_rollback_in_its_environment_and_later_ones() {
    let world = world();
    world.does(&["promote", "dev", "--source", "1.4.2"], 0);
    world.does(&["promote", "qa", "--source", "1.4.2"], 0);
    let bad = world.digest("1.4.2");
    let said =
        world.does(&["block", "1.4.2", "--reason", "it loses orders", "--url", "https://issues.example.com/7"], 0);
    assert!(said.out.starts_with(&format!("blocked {bad} on {}, ", world.channel("dev"))), "{}", said.out);
    let good = world.digest("1.4.1");
    let live = format!("\nit is live on {0}: roll back: tagwarden rollback {0} --to {good}\n", world.channel("qa"));
    assert!(said.out.contains(&live), "{}", said.out);

    let (code, why) = refused(&world.json(&["promote", "prod", "--source", "1.4.2"], 3));
    assert_eq!(code, "TARGET_BLOCKED");
    let by = format!(
        "{bad} blocked by ada (seq 7): it loses orders, https://issues.example.com/7, on {}; ",
        world.channel("dev")
    );
    assert_eq!(why, format!("{by}promote another release, or end the block: tagwarden unblock {bad} --reason …"));
    let said = world.does(&["promote", "prod", "--source", "1.4.2", "--override", "not-blocked", "--reason", "x"], 2);
    assert!(said.err.contains("not-blocked cannot be overridden in a promote"), "{}", said.err);

    let back = bad.to_string();
    for stage in ["dev", "qa"] {
        world.does(&["rollback", stage], 0);
        let (code, why) = refused(&world.json(&["rollback", stage, "--to", &back], 3));
        assert_eq!(code, "TARGET_BLOCKED");
        let (channel, other) = (world.channel(stage), world.digest("1.4.0"));
        assert!(why.ends_with(&format!("instead, roll back: tagwarden rollback {channel} --to {other}")), "{why}");
    }
    world.does(&["block", "1.4.3", "--reason", "it loses orders"], 0);
    let (code, _) = refused(&world.json(&["promote", "dev", "--source", "1.4.3"], 3));
    assert_eq!(code, "TARGET_BLOCKED", "in its own environment");

    world.does(&["unblock", &back, "--reason", "it was the database"], 0);
    for stage in ["dev", "qa"] {
        world.does(&["rollback", stage, "--to", &back], 0);
    }
    world.does(&["promote", "prod", "--source", "1.4.2"], 0);
    for stage in ["dev", "qa", "prod"] {
        world.verify_independently(stage);
    }
}

#[test]
fn url_of_a_block_is_recorded_without_its_credentials() {
    let world = world();
    let block = |url: &str, exit| world.json(&["block", "1.4.2", "--reason", "it loses orders", "--url", url], exit);
    for url in ["notaurl", "javascript:alert(1)", "ssh://u:c4n4ry@h/x"] {
        let error = &block(url, 2)["error"];
        assert_eq!(error["code"], "VALUE_INVALID");
        assert_eq!(error["message"], "url: it is no http:// or https:// URL");
    }
    block("https://u:c4n4ry@issues.example.com/7?token=c4n4ry", 0);
    let log = std::fs::read_to_string(world.log("dev")).unwrap();
    assert!(log.contains("\"https://issues.example.com/7\"") && !log.contains("c4n4ry"), "{log}");
}

#[test]
fn block_of_one_channel_counts_from_there_on() {
    let world = world();
    world.does(&["promote", "dev", "--source", "1.4.2"], 0);
    world.does(&["block", "dev", "--only", "qa", "--reason", "not yet"], 0);
    let (code, why) = refused(&world.json(&["promote", "qa", "--source", "dev"], 3));
    assert_eq!(code, "TARGET_BLOCKED");
    let (bad, qa) = (world.digest("1.4.2"), world.channel("qa"));
    assert!(why.ends_with(&format!("end the block: tagwarden unblock {bad} --only {qa} --reason …")), "{why}");
    world.does(&["rollback", "dev"], 0);
    world.does(&["rollback", "dev", "--to", "1.4.2"], 0);
    let bad = world.digest("1.4.2").to_string();
    let said = world.does(&["unblock", &bad, "--reason", "now"], 2);
    let want =
        format!("{bad} is not blocked on {}; it is blocked on {} (--only)", world.channel("dev"), world.channel("qa"));
    assert!(said.err.contains(&want), "{}", said.err);
    world.does(&["unblock", &bad, "--only", "qa", "--reason", "now"], 0);
    world.does(&["promote", "qa", "--source", "dev"], 0);
}

#[test]
fn rollback_whose_default_target_is_blocked_names_the_next_that_is_not() {
    let world = world();
    for release in ["1.4.2", "1.4.3"] {
        for stage in ["dev", "qa", "prod"] {
            world.does(&["promote", stage, "--source", release], 0);
        }
    }
    for release in ["1.4.2", "1.4.1"] {
        world.does(&["block", release, "--reason", "it loses orders"], 0);
    }
    let (code, why) = refused(&world.json(&["rollback", "prod"], 3));
    assert_eq!(code, "TARGET_BLOCKED");
    let (_, command) = why.split_once("instead, roll back: tagwarden ").unwrap();
    assert_eq!(command, format!("rollback {} --to {}", world.prod(), world.digest("1.4.0")));
    let command: Vec<_> = command.split(' ').collect();
    world.does(&command, 0);
    assert_eq!(world.digest("prod"), world.digest("1.4.0"));
}

#[test]
fn audit_says_blocked_and_live_and_what_to_do() {
    let world = world();
    let live = world.digest("1.4.1").to_string();
    world.does(&["block", &live, "--reason", "it loses orders"], 0);
    let json = world.json(&["audit", "prod"], 4);
    let found = &json["channels"][0];
    assert_eq!((&found["state"], &found["live"]), (&"blocked_and_live".into(), &live.as_str().into()));
    assert_eq!(found["instead"], world.digest("1.4.0").to_string());
    let said = world.does(&["audit", "prod"], 4);
    assert!(
        said.out.contains(&format!("blocked and live: {live} blocked by ada (seq 5): it loses orders")),
        "{}",
        said.out
    );
    let advice = format!("roll back: tagwarden rollback {} --to {}", world.prod(), world.digest("1.4.0"));
    assert!(said.out.contains(&advice), "{}", said.out);
    let said = world.does(&["current", "prod"], 4);
    assert!(said.out.contains("  block     ") && said.out.contains(&advice), "{}", said.out);
    world.does(&["rollback", "prod"], 0);
    world.does(&["audit", "prod"], 0);
}

#[test]
fn drift_from_a_blocked_live_digest_has_a_way_out_that_every_refusal_names() {
    let world = world();
    let live = world.digest("1.4.1").to_string();
    world.does(&["block", &live, "--reason", "it loses orders"], 0);
    push_by_hand(&world, "prod", 77);
    let (prod, good) = (world.prod(), world.digest("1.4.0"));
    let back = format!("roll back: tagwarden rollback {prod} --to {good}");
    let out = format!("adopt what is there (tagwarden adopt {prod} --reason …), then {back}");
    let (code, why) = refused(&world.later(|| world.json(&["repair", "prod"], 3)));
    assert_eq!(code, "TARGET_BLOCKED");
    assert!(why.ends_with(&out), "{why}");
    for refused in [&["rollback", "prod"][..], &["promote", "prod", "--source", "1.4.0"]] {
        let said = world.later(|| world.does(refused, 4));
        assert!(said.err.contains("[CHANNEL_DRIFTED]") && said.err.contains(&out), "{}", said.err);
        assert!(!said.err.contains("tagwarden repair"), "{}", said.err);
    }
    let said = world.later(|| world.does(&["audit", "prod"], 4));
    assert!(said.out.contains("moved outside") && said.out.contains(&out), "{}", said.out);
    assert!(!said.out.contains("tagwarden repair"), "{}", said.out);

    world.later(|| world.does(&["adopt", "prod", "--reason", "way out"], 0));
    let (code, why) = refused(&world.later(|| world.json(&["rollback", "prod"], 3)));
    assert_eq!(code, "TARGET_BLOCKED");
    assert!(why.ends_with(&format!("instead, {back}")), "{why}");
    let to = good.to_string();
    world.later(|| world.does(&["rollback", "prod", "--to", &to], 0));
    assert_eq!(world.digest("prod"), good);
    world.verify_independently("prod");
}

#[test]
fn drift_to_a_blocked_digest_is_adopted_with_a_warning_and_left_by_a_rollback() {
    let world = world();
    let bad = push_by_hand(&world, "1.4.2", 77);
    world.does(&["block", &bad.to_string(), "--reason", "it loses orders"], 0);
    push_by_hand(&world, "prod", 77);
    let back = format!("roll back: tagwarden rollback {} --to {}", world.prod(), world.digest("1.4.1"));
    let said = world.later(|| world.does(&["promote", "prod", "--source", "1.4.1"], 4));
    assert!(
        said.err.contains(&format!("it loses orders, on {}: after an adoption, {back}", world.channel("dev"))),
        "{}",
        said.err
    );
    let out = format!(
        "put back what is live: tagwarden repair {0}; or adopt what is there (tagwarden adopt {0} --reason …), then {back}",
        world.prod()
    );
    for look in ["audit", "current"] {
        let said = world.later(|| world.does(&[look, "prod"], 4));
        let by = format!("{bad} blocked by ada (seq 5): it loses orders, on {}; {out}", world.channel("dev"));
        assert!(said.out.contains("moved outside") && said.out.contains(&by), "{}", said.out);
    }
    let said = world.later(|| world.does(&["adopt", "prod", "--reason", "way out"], 0));
    let want = format!("it is recorded as it is; next, {back}");
    assert!(said.out.contains("not-blocked: ") && said.out.contains(&want), "{}", said.out);
    world.later(|| world.does(&["audit", "prod"], 4));
    world.later(|| world.does(&["rollback", "prod"], 0));
    assert_eq!(world.digest("prod"), world.digest("1.4.1"));
    world.verify_independently("prod");
}

#[test]
fn release_that_does_not_exist_cannot_be_blocked_by_its_tag() {
    let world = World::new();
    let said = world.does(&["block", "9.9.9", "--reason", "typo"], 1);
    let want =
        format!("9.9.9 does not exist now: name its digest; `tagwarden history {} --full`", world.channel("dev"));
    assert!(said.err.contains(&want), "{}", said.err);
    world.config("ledger = 'ledger'\n");
    let said = world.does(&["block", "1.4.1", "--reason", "no pipeline"], 2);
    assert!(said.err.contains("name the channel with --only [CONFIG_INVALID]"), "{}", said.err);
    let typo = world.channel("prd").to_string();
    let said = world.does(&["block", "1.4.1", "--only", &typo, "--reason", "typo"], 3);
    assert!(said.err.contains("cannot be blocked: the ledger has no log of it"), "{}", said.err);
}

#[test]
fn name_that_was_pushed_again_blocks_nothing_and_names_the_digest_that_was_promoted() {
    let world = world();
    let (promoted, prod) = (world.digest("1.4.1"), world.channel("prod"));
    let again = push_by_hand(&world, "1.4.1", 77);
    let said = world.does(&["block", "1.4.1", "--reason", "it loses orders"], 2);
    let command = |digest| format!("tagwarden block {digest} --reason …");
    let want = format!("name the digest: {}; or {}", command(again), command(promoted));
    assert!(said.err.contains(&want) && said.err.contains("[VALUE_INVALID]"), "{}", said.err);
    let said = world.does(&["block", "1.4.1", "--only", "prod", "--reason", "it loses orders"], 2);
    let want = format!("tagwarden block {promoted} --only {prod} --reason …");
    assert!(said.err.contains(&want), "{}", said.err);

    world.does(&["block", &promoted.to_string(), "--reason", "it loses orders"], 0);
    let json = world.json(&["unblock", "1.4.1", "--reason", "the one that is blocked is meant"], 0);
    assert_eq!(json["digest"], promoted.to_string());
}

#[test]
fn name_whose_tag_is_gone_blocks_the_digest_that_was_promoted() {
    let world = world();
    let promoted = world.digest("1.4.1");
    let repository = world.server.repository("acme/shop");
    assert!(world.server.memory().delete_tag(&repository, &"1.4.1".parse().unwrap()));
    let json = world.json(&["block", "1.4.1", "--reason", "it loses orders"], 0);
    assert_eq!(json["digest"], promoted.to_string());
}

#[test]
fn second_block_of_a_digest_says_that_it_is_not_recorded() {
    let world = world();
    let bad = world.digest("1.4.1").to_string();
    let first = world.json(&["block", &bad, "--reason", "it loses orders"], 0);
    assert!(first.get("already").is_none(), "{first}");
    let said = world.does(&["block", &bad, "--reason", "mine", "--url", "https://issues.example.com/8"], 0);
    let want =
        format!("{bad} is blocked already by ada (seq {}): it loses orders; yours is not recorded\n", first["block"]);
    assert!(said.out.starts_with(&want), "{}", said.out);
    let again = world.json(&["block", &bad, "--reason", "mine"], 0);
    assert_eq!((&again["already"], &again["block"]), (&true.into(), &first["block"]));
}

/// A defect in the log of a channel.
fn corrupt(world: &World, tag: &str) {
    let text = std::fs::read_to_string(world.log(tag)).unwrap();
    std::fs::write(world.log(tag), text.replace("\"ada\"", "\"eve\"")).unwrap();
}

#[test]
fn block_is_said_although_a_later_log_cannot_be_read() {
    let world = world();
    corrupt(&world, "qa");
    let bad = world.digest("1.4.1").to_string();
    let said = world.does(&["block", &bad, "--reason", "it loses orders"], 7);
    assert!(said.out.starts_with(&format!("blocked {bad} on {}, ", world.channel("dev"))), "{said:?}");
    assert!(said.out.contains(&format!("\nit is live on {}: ", world.channel("dev"))), "{said:?}");
    let want = format!("\n{0}: it is not known whether it is live here: the log of {0}: seq ", world.channel("qa"));
    assert!(said.out.contains(&want) && said.out.contains(" [LEDGER_CORRUPT]"), "{said:?}");
    let json = world.json(&["unblock", &bad, "--reason", "it was the database"], 7);
    assert_eq!((&json["result"], &json["failed"][0]["error"]["code"]), (&"unblocked".into(), &"LEDGER_CORRUPT".into()));
    let log = std::fs::read_to_string(world.log("dev")).unwrap();
    assert!(log.contains("\"kind\":\"block\"") && log.contains("\"kind\":\"unblock\""), "{log}");
}

#[test]
fn block_of_a_release_of_another_repository_says_where_it_counts() {
    let world = world();
    let other = world.server.repository("acme/other");
    let digest = world.server.memory().push_image(&other, &"2.0".parse().unwrap(), 50).digest();
    let said = world.does(&["block", &format!("{other}:2.0"), "--reason", "it loses orders"], 0);
    let want = format!("to this digest; a channel in {other} is not covered: block it there with --only\n");
    assert!(said.out.contains(&digest.to_string()) && said.out.contains(&want), "{}", said.out);
    let said = world.does(&["block", "1.4.1", "--reason", "it loses orders"], 0);
    assert!(!said.out.contains("is not covered"), "{}", said.out);
}

#[test]
fn advice_after_a_block_is_a_rollback_that_is_not_refused() {
    let world = world();
    world.does(&["block", "1.4.0", "--reason", "it loses orders, too"], 0);
    let said = world.does(&["block", "1.4.1", "--reason", "it loses orders"], 0);
    let none = format!("\nit is live on {}: promote another release: no earlier one is unblocked\n", world.prod());
    assert!(said.out.contains(&none), "{}", said.out);

    world.does(&["promote", "dev", "--source", "1.4.2"], 0);
    world.does(&["promote", "dev", "--source", "1.4.3"], 0);
    world.does(&["rollback", "dev"], 0);
    world.does(&["promote", "dev", "--source", "1.4.4"], 0);
    world.does(&["rollback", "dev"], 0);
    let said = world.does(&["block", "1.4.2", "--reason", "it loses orders"], 0);
    let command = said.out.split_once("roll back: tagwarden ").unwrap().1.lines().next().unwrap();
    world.does(&command.split(' ').collect::<Vec<_>>(), 0);
    assert_ne!(world.digest("dev"), world.digest("1.4.2"));
}

#[test]
fn unblock_names_a_block_that_is_left_in_a_later_environment() {
    let world = world();
    let bad = world.digest("1.4.2").to_string();
    world.does(&["block", &bad, "--reason", "it loses orders"], 0);
    world.does(&["block", &bad, "--only", "prod", "--reason", "not here"], 0);
    world.does(&["block", "1.4.3", "--only", "prod", "--reason", "another digest"], 0);
    let json = world.json(&["unblock", &bad, "--reason", "it was the database"], 0);
    let left = json["blocks"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{json}");
    assert_eq!((&left[0]["digest"], &left[0]["channel"]), (&bad.as_str().into(), &world.prod().into()));
}
