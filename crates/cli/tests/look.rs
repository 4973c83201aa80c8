//! The commands that only read (current, history, at, audit, retention, verify): text, JSON and exit codes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;
use tagwarden::Digest;
use tagwarden_testing::TestImage;

/// prod: 1.4.0, 1.4.1, 1.4.2, back to 1.4.1.
fn with_history() -> World {
    let world = World::with_prod();
    let prod = world.prod();
    for release in ["1.4.1", "1.4.2"] {
        world.does(&["promote", &prod, "--source", release, "--release", release], 0);
    }
    world.does(&["rollback", &prod, "--reason", "incident 7"], 0);
    world
}

#[test]
fn current_shows_digest_author_time_and_registry_state() {
    let world = with_history();
    let prod = world.prod();
    let said = world.does(&["current", &prod], 0);
    let (live, previous) = (world.digest("1.4.1"), world.digest("1.4.2"));
    assert!(
        said.out.starts_with(&format!("{prod}\n  release   1.4.1\n  live      {live}\n  previous  {previous}\n")),
        "{}",
        said.out
    );
    for want in ["  by        rollback of ada (a workload)\n", "  run       manual 42\n", "  reason    incident 7\n"] {
        assert!(said.out.contains(want), "{want}{}", said.out);
    }
    assert!(said.out.ends_with(&format!("  registry  in sync at {live}\n")), "{}", said.out);
    let json = world.json(&["current", &prod], 0);
    assert_eq!((&json["live"], &json["registry"]["state"]), (&live.to_string().into(), &"in_sync".into()));

    let hotfix = world.push_by_hand(7);
    let said = world.does(&["current", &prod], 4);
    assert!(said.out.contains(&format!("moved outside: {live} is live, the tag points at {hotfix}")), "{}", said.out);
    assert!(said.out.contains(&format!("put back what is live: tagwarden repair {prod}")), "{}", said.out);
    let json = world.json(&["current", &prod], 4);
    assert_eq!((&json["live"], &json["registry"]["observed"]), (&live.to_string().into(), &hotfix.to_string().into()));

    // The ledger alone: nothing is asked.
    world.server.clear_requests();
    let json = world.json(&["current", &prod, "--offline"], 0);
    assert!(json.get("registry").is_none());
    assert_eq!(world.server.requests(), []);
}

#[test]
fn current_without_a_registry_is_unknown() {
    let world = World::new();
    let dead = "127.0.0.1:9/acme/shop:prod";
    std::fs::create_dir(world.dir.path().join("ledger")).unwrap();
    let said = world.does(&["current", dead], 6);
    assert!(said.out.contains("  registry  unknown: REGISTRY_UNAVAILABLE: "), "{}", said.out);
    let said = world.does(&["current", dead, "--ledger", "none"], 1);
    assert!(said.err.contains("none: there is no ledger here [LEDGER_ABSENT]"), "{}", said.err);
    assert!(said.err.contains("hint: "), "{}", said.err);
    assert!(!world.dir.path().join("none").exists());
}

#[test]
fn tag_that_is_gone_is_not_to_be_adopted() {
    let world = World::with_prod();
    let (prod, repository) = (world.prod(), world.server.repository("acme/shop"));
    assert!(world.server.memory().delete_tag(&repository, &"prod".parse().unwrap()));
    let said = world.later(|| world.does(&["current", &prod], 4));
    assert!(said.out.contains("missing: ") && said.out.contains(&format!("repair {prod}; if the")), "{}", said.out);
    assert!(!said.out.contains("keep what is there"), "{}", said.out);
}

#[test]
fn unknown_channel_is_an_error() {
    let world = World::with_prod();
    let (prod, typo) = (world.prod(), world.channel("prd").to_string());
    for args in [
        &["current", typo.as_str()][..],
        &["current", &typo, "--offline"],
        &["previous", &typo],
        &["history", &typo],
        &["at", &typo, "2026-11-23T06:00:00Z"],
    ] {
        let said = world.does(args, 3);
        assert!(
            said.err.starts_with(&format!("refused: the ledger has no log of {typo} [CHANNEL_NOT_BOOT")),
            "{said:?}"
        );
        assert_eq!(said.out, "");
    }
    let said = world.does(&["previous", &prod], 3);
    assert_eq!((said.out.as_str(), said.err.contains("[ROLLBACK_NO_TARGET]")), ("", true), "{}", said.err);
}

#[test]
fn previous_history_and_at_need_only_the_ledger() {
    let world = with_history();
    let prod = world.prod();
    world.server.clear_requests();
    let previous = world.digest("1.4.2").to_string();
    assert_eq!(world.does(&["previous", &prod], 0).out, format!("{previous}\n"));
    assert_eq!(world.json(&["previous", &prod], 0)["previous"], previous);

    let said = world.does(&["history", &prod], 0);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], prod);
    assert!(lines[1].starts_with("SEQ  TIME ") && lines[1].ends_with("PREVIOUS      REASON"), "{}", said.out);
    let seqs: Vec<&str> = lines[2..].iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(seqs, ["7", "5", "3", "1"]);
    assert!(lines[2].contains("rollback") && lines[2].ends_with("incident 7"), "{}", lines[2]);

    let page = world.json(&["history", &prod, "--limit", "2"], 0);
    assert_eq!((page["events"].as_array().unwrap().len(), &page["next"]), (2, &5.into()));
    let page = world.json(&["history", &prod, "--limit", "2", "--before", "5"], 0);
    assert_eq!(page["events"][0]["seq"], 3);
    let all = world.json(&["history", &prod, "--all"], 0);
    assert_eq!(all["events"].as_array().unwrap().len(), 4);
    assert!(world.does(&["history", &prod, "--full"], 0).out.contains(&previous));
    assert_eq!(world.run(&["history", &prod, "--limit", "0"]).exit, 2);

    // Between the closing of the second move and that of the third.
    let second = all["events"][2]["outcome"]["at"].as_str().unwrap();
    let json = world.json(&["at", &prod, second], 0);
    assert_eq!(json["live"], world.digest("1.4.1").to_string());
    assert!(world.does(&["at", &prod, second], 0).out.contains("  by        promote of ada"));
    let said = world.does(&["at", &prod, "2020-01-01T00:00:00Z"], 0);
    assert_eq!(said.out, format!("{prod} had no recorded state at 2020-01-01T00:00:00.000Z\n"));
    assert!(world.does(&["at", &prod, "yesterday"], 2).err.contains("\"yesterday\" is not RFC 3339"));
    assert_eq!(world.server.requests(), []);
}

#[test]
fn past_shows_open_moves_and_drift() {
    let world = with_history();
    let prod = world.prod();
    let history = world.json(&["history", &prod, "--all"], 0);
    let intent_at = |n: usize| history["events"][n]["at"].as_str().unwrap();
    // When an intent was written, its move was open.
    let last = &history["events"][0];
    let json = world.json(&["at", &prod, intent_at(0)], 0);
    if intent_at(0) != last["outcome"]["at"] {
        assert_eq!(json["open"]["seq"], last["seq"]);
        let said = world.does(&["at", &prod, intent_at(0)], 0).out;
        let line = said.lines().find(|line| line.starts_with("  open  ")).unwrap();
        assert!(line.contains("an intent to ") && line.ends_with("; it had landed"), "{line}");
    }

    let repository = world.prod().parse::<tagwarden::Channel>().unwrap().repository().clone();
    let hotfix = world.server.memory().push_image(&repository, &"hotfix".parse().unwrap(), 99);
    world.server.memory().overwrite(&repository, &"prod".parse().unwrap(), &hotfix);
    world.does(&["promote", &prod, "--source", "1.4.1"], 4);
    let json = world.json(&["at", &prod, "2100-01-01T00:00:00Z"], 0);
    assert_eq!(json["drift"]["observed"], hotfix.digest().to_string());
    let said = world.does(&["at", &prod, "2100-01-01T00:00:00Z"], 0).out;
    assert!(said.contains(&format!("  drift     the tag was seen at {} instead of ", hotfix.digest())), "{said}");
}

#[test]
fn channels_are_listed_and_audited() {
    let world = with_history();
    let (prod, qa) = (world.prod(), world.channel("qa").to_string());
    world.does(&["bootstrap", &qa, "--source", "1.4.0"], 0);
    world.does(&["hold", &qa, "--reason", "freeze"], 0);
    let said = world.does(&["channels"], 0);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[1].starts_with(&prod) && lines[1].ends_with("ada"), "{}", said.out);
    assert!(lines[2].starts_with(&qa) && lines[2].contains("held for promotions by ada until "), "{}", said.out);
    assert_eq!(world.json(&["channels"], 0)["channels"][1]["holds"][0]["reason"], "freeze");

    let json = world.json(&["audit"], 0);
    assert_eq!((json["channels"].as_array().unwrap().len(), json.get("worst")), (2, None));
    world.push_by_hand(7);
    let said = world.does(&["audit"], 4);
    assert!(said.out.contains(&format!("{prod}  moved outside: ")) && said.out.contains(&format!("{qa}  in sync at ")));
    assert_eq!(world.json(&["audit", &prod], 4)["worst"], "drift");
    world.does(&["audit", &qa], 0);
    let said = world.does(&["audit", &qa, "127.0.0.1:9/acme/shop:prod"], 6);
    assert!(said.out.contains("127.0.0.1:9/acme/shop:prod  unknown: REGISTRY_UNAVAILABLE: "), "{}", said.out);
}

#[test]
fn log_with_a_defect_is_the_worst_audit_state() {
    let world = with_history();
    let (prod, qa) = (world.prod(), world.channel("qa").to_string());
    world.does(&["bootstrap", &qa, "--source", "1.4.0"], 0);
    let log = world.log("qa");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.replace("\"ada\"", "\"eve\"")).unwrap();
    world.push_by_hand(7);
    let said = world.does(&["audit"], 7);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with(&format!("{prod}  moved outside: ")), "{}", said.out);
    assert!(said.out.contains(&format!("\n{qa}  corrupt: LEDGER_CORRUPT: ")), "{}", said.out);
    assert!(said.out.ends_with(&format!("  see which entry: tagwarden verify {qa}\n")), "{}", said.out);
    let json = world.json(&["audit"], 7);
    assert_eq!((&json["worst"], &json["channels"][1]["state"]), (&"defect".into(), &"corrupt".into()));
}

#[test]
fn history_of_entries_shows_what_is_no_move() {
    let world = World::with_prod();
    let prod = world.prod();
    let bad = world.digest("1.4.2");
    world.does(&["hold", &prod, "--reason", "incident 7"], 0);
    world.does(&["block", "1.4.2", "--only", &prod, "--reason", "it loses orders"], 0);
    let said = world.does(&["history", &prod, "--entries", "--full"], 0);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[1].starts_with("SEQ  TIME ") && lines[1].ends_with("  CONTENT"), "{}", said.out);
    assert!(lines[2].starts_with("4    ") && lines[2].ends_with(&format!("  {bad}: it loses orders")), "{}", said.out);
    assert!(lines[3].contains("  hold ") && lines[3].ends_with("  promotions: incident 7"), "{}", said.out);
    assert!(lines[4].contains("  outcome ") && lines[4].ends_with("  committed (seq 1)"), "{}", said.out);
    assert!(lines[6].starts_with("0    ") && lines[6].contains("  policy ") && lines.len() == 7, "{}", said.out);
    let json = world.json(&["history", &prod, "--entries", "--limit", "2"], 0);
    let kinds: Vec<_> =
        json["entries"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds, &json["next"]), (vec!["block", "hold"], &3.into()));
    let json = world.json(&["history", &prod, "--entries", "--before", "3"], 0);
    assert_eq!((json["entries"].as_array().unwrap().len(), json.get("next")), (3, None));
}

#[test]
fn defect_in_the_log_of_an_earlier_environment_names_its_channel() {
    let world = World::new();
    let dev = world.channel("dev").to_string();
    for stage in ["dev", "prod"] {
        world.does(&["bootstrap", stage, "--source", "1.4.0"], 0);
    }
    let text = std::fs::read_to_string(world.log("dev")).unwrap();
    std::fs::write(world.log("dev"), text.replace("\"ada\"", "\"eve\"")).unwrap();
    let said = world.does(&["promote", "prod", "--source", "1.4.0"], 7);
    assert!(said.err.contains(&format!("the log of {dev}: seq ")), "{}", said.err);
    assert!(said.err.contains(&format!("`tagwarden verify {dev}` names every defect")), "{}", said.err);
    let error = &world.json(&["promote", "prod", "--source", "1.4.0"], 7)["error"];
    assert_eq!((&error["code"], &error["context"]["channel"]), (&"LEDGER_CORRUPT".into(), &dev.as_str().into()));
}

#[test]
fn missing_part_is_a_warning_of_audit_with_parts_and_can_be_overridden() {
    let world = with_history();
    let prod = world.prod();
    let (live, layer) = (world.digest("1.4.1"), Digest::of(&TestImage::image(1).blobs[1]));
    let repository = world.channel("prod").repository().clone();
    world.server.memory().delete_blob(&repository, &layer);
    assert!(!world.does(&["audit"], 0).out.contains("warn"));
    let said = world.does(&["audit", "--parts"], 0).out;
    let warning =
        format!("  warn parts-present TARGET_INCOMPLETE: {live} lacks parts: not in the registry: blob {layer}");
    assert!(said.contains(&format!("{prod}  in sync at {live}\n{warning}")), "{said}");
    assert_eq!(world.json(&["audit", "--parts"], 0)["channels"][0]["findings"][0]["code"], "TARGET_INCOMPLETE");

    world.does(&["promote", &prod, "--source", "1.4.3"], 0);
    let said = world.does(&["rollback", &prod], 3);
    assert!(said.err.contains("--override parts-present with --reason goes there all the same"), "{}", said.err);
    let reason = ["--override", "parts-present", "--reason", "nodes have it"];
    let said = world.does(&[&["rollback", &prod][..], &reason].concat(), 0);
    assert!(said.out.contains("(overridden)"), "{}", said.out);
    assert_eq!(world.json(&["current", &prod], 0)["live"], live.to_string());
}

#[test]
fn retention_lists_each_digest_with_its_decision() {
    let world = with_history();
    let repository = world.server.repository("acme/shop");
    // A version tag keeps its digest; without it, the window decides.
    for release in ["1.4.0", "1.4.2"] {
        assert!(world.server.memory().delete_tag(&repository, &release.parse().unwrap()));
    }
    let said = world.does(&["retention", &world.prod(), "--keep-last", "2", "--keep-for", "0s"], 0);
    assert!(said.out.contains("  keep    pinned  "), "{}", said.out);
    assert!(
        said.out.contains("1 may go (the last 2 digests of each channel, and 0ms); nothing was deleted"),
        "{}",
        said.out
    );
    let json = world.json(&["retention", repository.as_str(), "--keep-last", "2", "--keep-for", "0s"], 0);
    let expired: Vec<_> = json["digests"].as_array().unwrap().iter().filter(|d| d.get("expire").is_some()).collect();
    assert_eq!((expired.len(), &expired[0]["expire"]["reason"]), (1, &"past".into()));
    world.config("ledger = 'ledger'\n[retention]\nkeep-last = 7\nkeep-for = '3d'\n");
    let rule = world.json(&["retention", repository.as_str()], 0)["rule"].clone();
    assert_eq!((&rule["keep_last"], &rule["keep_for_s"]), (&7.into(), &259_200.into()));
}

/// The same log, by its ledger and by its file.
#[test]
fn verify_of_ledger_and_of_file_agree() {
    let world = with_history();
    let (file, prod) = (world.log("prod"), world.prod());
    let log = std::fs::read_to_string(&file).unwrap();
    let last = log.lines().last().unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let cases = [
        (log.clone(), 9, 0, 0),
        // A process died before its append was acknowledged: in the middle of the line, and at its end.
        (format!("{log}{}", &last[..40]), 9, 40, 0),
        (format!("{log}{last}\n"), 9, last.len() + 1, 0),
        // An entry that cannot be read, and one that breaks a rule of meaning.
        (log.replacen("\"kind\"", "\"Kind\"", 3), 0, 0, 1),
        (lines[..1].iter().chain(&["x"]).chain(&lines[2..]).map(|line| format!("{line}\n")).collect(), 1, 0, 1),
    ];
    for (text, entries, torn, defects) in cases {
        let pad = log.len().saturating_sub(text.len());
        let text = text.replacen("\nx\n", &format!("\n{}\n", "x".repeat(pad + 1)), 1);
        std::fs::write(&file, &text).unwrap();
        let exit = if defects > 0 { 7 } else { 0 };
        let by_ledger = world.json(&["verify", &prod], exit);
        let by_file = world.json(&["verify", "--log", file.to_str().unwrap()], exit);
        assert_eq!(by_ledger, by_file);
        let report = &by_file["logs"][0];
        assert_eq!((&report["entries"], &report["torn_bytes"]), (&entries.into(), &torn.into()), "{report}");
        assert_eq!(report["defects"].as_array().map_or(0, Vec::len), defects, "{report}");
        // A copy elsewhere has no mark beside it: whole lines count.
        let copy = world.dir.path().join("copy.jsonl");
        std::fs::copy(&file, &copy).unwrap();
        let copied = world.run(&["verify", "--log", "copy.jsonl", "--json"]);
        let copied: serde_json::Value = serde_json::from_str(&copied.out).unwrap();
        assert!(copied["logs"][0]["entries"].as_u64() >= report["entries"].as_u64(), "{copied}");
    }
    std::fs::write(&file, format!("{log}{}", &last[..40])).unwrap();
    let said = world.does(&["verify", &prod], 0);
    assert!(said.out.contains("the last 40 bytes are not acknowledged: an append that did not return"), "{}", said.out);
}

#[test]
fn verify_without_logs_is_an_error() {
    let world = World::new();
    std::fs::create_dir(world.dir.path().join("elsewhere")).unwrap();
    let said = world.does(&["verify", "--ledger", "elsewhere"], 1);
    assert!(said.err.contains("there are no logs, so nothing was verified [LEDGER_ABSENT]"), "{}", said.err);
}

#[test]
fn verify_proves_the_ledger_or_names_the_defect() {
    let world = with_history();
    let said = world.does(&["verify"], 0);
    assert!(said.out.contains("sound: 9 entries, 4 moves, root sha256:"), "{}", said.out);
    assert!(said.out.contains("Unanchored: a changed last entry or a cut tail cannot be seen"), "{}", said.out);
    let json = world.json(&["verify"], 0);
    assert_eq!((&json["sound"], &json["anchored"]), (&true.into(), &false.into()));

    let log = std::fs::read_to_string(world.log("prod")).unwrap();
    let file = world.dir.path().join("exported.jsonl");
    std::fs::write(&file, log.replacen("\"ada\"", "\"eve\"", 1)).unwrap();
    let said = world.does(&["verify", "--log", "exported.jsonl"], 7);
    assert!(said.out.contains("  seq 1: PARENT: "), "{}", said.out);
    let json = world.json(&["verify", "--log", "exported.jsonl"], 7);
    assert_eq!((&json["sound"], &json["logs"][0]["defect"]["seq"]), (&false.into(), &1.into()));
    std::fs::write(world.log("prod"), std::fs::read(&file).unwrap()).unwrap();
    world.does(&["verify"], 7);
    assert!(world.does(&["verify", "--log", "no.jsonl"], 2).err.contains("[SOURCE_INVALID]"));
}
