//! Holds: which moves they stop, who ends them, and what a misspelled channel answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;

#[test]
fn hold_of_a_misspelled_channel_is_refused() {
    let world = World::with_prod();
    let typo = world.channel("prd").to_string();
    let said = world.does(&["hold", &typo, "--reason", "incident 7"], 3);
    assert!(said.err.contains("the ledger has no log of it, and the registry has no such tag"), "{}", said.err);
    assert!(said.err.contains("[CHANNEL_ABSENT]"), "{}", said.err);
    assert!(!world.does(&["channels"], 0).out.contains(&typo));
}

#[test]
fn a_hold_stops_promotions_until_it_is_ended() {
    let world = World::with_prod();
    let prod = world.prod();
    let said = world.does(&["unhold", &prod, "--mine", "--reason", "over"], 0);
    assert_eq!(said.out, format!("nothing to do: no hold of {prod} is yours\n"));
    assert_eq!(world.does(&["holds", &prod], 0).out, format!("no hold is in force on {prod}\n"));
    let json = world.json(&["hold", &prod, "--reason", "incident 7", "--for", "1h"], 0);
    assert_eq!((&json["result"], &json["hold"], &json["scope"]), (&"held".into(), &3.into(), &"promotions".into()));
    let said = world.does(&["promote", &prod, "--source", "1.4.1"], 3);
    assert!(said.err.contains("no-hold CHANNEL_HELD: held for promotions by ada until "), "{}", said.err);
    let hint =
        format!("\nhint: `tagwarden holds {prod}` lists the holds; `tagwarden unhold {prod} ID --reason …` ends one");
    assert!(said.err.contains(&hint), "{}", said.err);
    let json = world.json(&["promote", &prod, "--source", "1.4.1"], 3);
    assert_eq!((&json["error"]["code"], &json["error"]["retry"]), (&"POLICY_REFUSED".into(), &"later".into()));
    assert!(world.does(&["current", &prod], 0).out.contains("  hold      held for promotions by ada until "));
    let json = world.json(&["unhold", &prod, "3", "--reason", "over"], 0);
    assert_eq!((&json["result"], &json["ended"]), (&"ended".into(), &serde_json::json!([3])));
    world.does(&["promote", &prod, "--source", "1.4.1"], 0);
    let said = world.does(&["hold", &prod, "--reason", "late", "--until", "2020-01-01T00:00:00Z"], 2);
    assert!(said.err.contains("would have ended already"), "{}", said.err);
    world.verify_independently("prod");
}

#[test]
fn ending_one_of_two_holds_leaves_the_other() {
    let world = World::with_prod();
    let prod = world.prod();
    world.does(&["promote", &prod, "--source", "1.4.1"], 0);
    world.does(&["hold", &prod, "--reason", "incident 7"], 0);
    let bob = ["--actor", "bob", "--run-id", "1"];
    let said = world.run(&[&["hold", &prod, "--reason", "legal", "--scope", "all"][..], &bob].concat());
    assert_eq!(said.exit, 0, "{}", said.err);
    let said = world.does(&["holds", &prod], 0);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("ID  SCOPE       BY   RUN "), "{}", said.out);
    assert!(
        lines[1].starts_with("5   promotions  ada  ") && lines[2].starts_with("6   all         bob  "),
        "{}",
        said.out
    );
    let said = world.does(&["rollback", &prod], 3);
    assert!(said.err.contains("held for all moves by bob until it is ended (hold 6): legal"), "{}", said.err);
    let said = world.run(&[&["unhold", &prod, "--mine", "--reason", "over"][..], &bob].concat());
    assert_eq!(
        said.out,
        format!("ended hold 6 of {prod}\nstill held for promotions by ada until it is ended (hold 5): incident 7\n")
    );
    assert!(world.does(&["unhold", &prod, "6", "--reason", "over"], 2).err.contains("in force: 5 [VALUE_INVALID]"));
    world.does(&["promote", &prod, "--source", "1.4.2"], 3);
}

#[test]
fn hold_of_the_pipeline_stops_every_environment_and_is_shown_with_who_why_and_until_when() {
    let world = World::new();
    let (dev, prod) = (world.channel("dev").to_string(), world.prod());
    world.does(&["bootstrap", "dev", "--source", "1.4.0"], 0);
    let until = "2099-01-01T00:00:00.000Z";
    let json = world.json(&["hold", "--pipeline", "--reason", "incident 7", "--until", until], 0);
    let ids = serde_json::json!([{ "channel": dev, "hold": 3 }, { "channel": prod, "hold": 0 }]);
    assert_eq!((&json["result"], &json["channels"], &json["until"]), (&"held".into(), &ids, &until.into()));
    for stage in ["dev", "prod"] {
        let said = world.does(&["promote", stage, "--source", "1.4.1"], 3);
        assert!(said.err.contains("no-hold CHANNEL_HELD: "), "{}", said.err);
    }
    let bob = ["--actor", "bob", "--run-id", "1"];
    let said = world.run(&[&["hold", "prod", "--reason", "legal", "--scope", "all"][..], &bob].concat());
    assert_eq!(said.exit, 0, "{}", said.err);
    let said = world.does(&["unhold", "--pipeline", "--mine", "--reason", "over"], 0);
    assert!(
        said.out.contains(&format!("ended hold 3 of {dev}\nended hold 0 of {prod}\nstill held for all moves by bob"))
    );
    let said = world.does(&["holds", "--pipeline"], 0);
    assert!(said.out.contains(&format!("no hold is in force on {dev}\n{prod}\nID ")), "{}", said.out);
    world.does(&["promote", "dev", "--source", "1.4.1"], 0);
    world.verify_independently("dev");
}

#[test]
fn end_of_a_pipelines_holds_that_fails_on_one_channel_says_which_are_done() {
    let world = World::new();
    let (dev, prod) = (world.channel("dev").to_string(), world.prod());
    world.does(&["hold", "--pipeline", "--reason", "incident 7"], 0);
    let text = std::fs::read_to_string(world.log("dev")).unwrap();
    std::fs::write(world.log("dev"), text.replacen("\"seq\":0", "\"seq\":7", 1)).unwrap();
    let args = ["unhold", "--pipeline", "--mine", "--reason", "over"];
    let said = world.does(&args, 7);
    let want = format!("ended hold 0 of {prod}\n{dev}: its holds are not ended: the log of {dev}: seq 0: ");
    assert!(said.out.starts_with(&want), "{said:?}");
    let json = world.json(&args, 7);
    assert_eq!((&json["channels"][0]["channel"], &json["failed"][0]["channel"]), (&prod.into(), &dev.into()));
}

#[test]
fn holds_are_shown_by_every_question_about_the_channel() {
    let world = World::with_prod();
    let prod = world.prod();
    let until = "2099-01-01T00:00:00.000Z";
    world.does(&["hold", &prod, "--reason", "incident 7", "--until", until], 0);
    let hold = format!("held for promotions by ada until {until} (hold 3): incident 7");
    for question in [&["current", &prod][..], &["history", &prod], &["channels"]] {
        let said = world.does(question, 0);
        assert!(said.out.contains(&hold), "{question:?}: {}", said.out);
    }
    let json = world.json(&["history", &prod], 0);
    assert_eq!((&json["holds"][0]["seq"], &json["holds"][0]["until"]), (&3.into(), &until.into()));
}

#[test]
fn hold_of_a_pipeline_that_is_not_configured_is_refused() {
    let world = World::with_prod();
    let said = world.does(&["hold", "--pipeline", "--reason", "incident 7"], 2);
    assert!(
        said.err.contains("no [[pipeline]] of a tagwarden.toml names an environment [CONFIG_INVALID]"),
        "{}",
        said.err
    );
    world.does(&["hold", "--reason", "incident 7"], 2);
}
