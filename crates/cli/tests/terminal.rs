//! At a terminal a person needs no flags for provenance; a script does.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;
use serde_json::Value;

/// Types a command at a terminal, in an environment that has these variables besides: its exit code, and what is shown.
fn typed(world: &World, args: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    answered(world, args, environment, "")
}

/// The same, with the answer to a question.
fn answered(world: &World, args: &[&str], environment: &[(&str, &str)], answer: &str) -> (i32, String) {
    let mut command = world.command(args);
    command.envs(environment.iter().copied());
    let (ended, shown) = tagwarden_tests::terminal::run(command, answer).unwrap();
    (ended.code().unwrap(), shown)
}

fn json(shown: &str) -> Value {
    serde_json::from_str(shown).unwrap_or_else(|e| panic!("{e}\n{shown}"))
}

/// Every command that writes, as the README and docs/guides/incidents.md print it.
const COMMANDS: [&[&str]; 7] = [
    &["bootstrap", "prod", "--source", "1.4.1"],
    &["promote", "prod", "--source", "1.4.2"],
    &["rollback", "prod", "--reason", "incident 7"],
    &["hold", "prod", "--reason", "incident 7"],
    &["unhold", "prod", "--mine", "--reason", "over"],
    &["repair", "prod"],
    &["adopt", "prod", "--reason", "hotfix for incident 7"],
];

/// A registry, and a tagwarden.toml that names prod alone.
fn prod() -> World {
    let world = World::new();
    let channel = world.prod();
    world.config(&format!("ledger = 'ledger'\n[[pipeline]]\nenvironment = 'prod'\nchannel = '{channel}'\n"));
    world
}

#[test]
fn commands_of_a_person_in_a_terminal_need_no_flags() {
    let world = prod();
    for args in COMMANDS {
        match args[0] {
            "repair" => drop(world.push_by_hand(8)),
            "adopt" => {
                world.push_by_hand(9);
                // As minutes later, so that it does not wait until reads are settled.
                world.server.date_offset_ms(6 * 60 * 1000);
            }
            _ => {}
        }
        let answer = if args[0] == "rollback" { "y\n" } else { "" };
        let (exit, shown) = answered(&world, args, &[("LOGNAME", "ada")], answer);
        assert_eq!(exit, 0, "{args:?}\n{shown}");
    }
    let said = world.json(&["history", "prod"], 0);
    let events = said["events"].as_array().unwrap();
    assert_eq!(events.len(), 5);
    let mut runs = Vec::new();
    for event in events {
        let provenance = &event["intent"]["provenance"];
        let run = provenance["pipeline"]["run_id"].as_str().unwrap();
        assert_eq!(uuid(run), 7, "{run}");
        runs.push(run);
        assert_eq!(provenance["pipeline"]["provider"], "manual");
        assert_eq!(provenance["actor"], serde_json::json!({ "id": "ada", "kind": "human" }));
        assert!(provenance.get("identity").is_none(), "a login name proves nothing");
    }
    runs.sort_unstable();
    runs.dedup();
    assert_eq!(runs.len(), 5, "each run has an id of its own");
    world.verify_independently("prod");
}

/// The version of a UUID.
fn uuid(text: &str) -> u32 {
    assert_eq!(text.len(), 36);
    text[14..15].parse().unwrap()
}

#[test]
fn unknown_ci_without_run_and_actor_is_provenance_incomplete() {
    let world = prod();
    for args in COMMANDS {
        let (exit, shown) = typed(&world, args, &[("LOGNAME", "ada"), ("CI", "true")]);
        assert_eq!(exit, 2, "{args:?}\n{shown}");
        assert!(shown.contains("[PROVENANCE_INCOMPLETE]"), "{shown}");
        assert!(shown.contains("give the run id (--run-id) and the actor (--actor)"), "{shown}");
    }
    assert!(!world.log("prod").exists(), "nothing was recorded");
    let (exit, shown) =
        typed(&world, &[COMMANDS[0], &common::WHO, &["--json"]].concat(), &[("LOGNAME", "eve"), ("CI", "true")]);
    assert_eq!(exit, 0, "{shown}");
    let provenance = &json(&shown)["move"]["intent"]["provenance"];
    assert_eq!(provenance["actor"], serde_json::json!({ "id": "ada", "kind": "workload" }));
}

#[test]
fn script_without_a_terminal_is_provenance_incomplete() {
    let mut world = prod();
    world.environment.push(("LOGNAME", "ada"));
    for args in COMMANDS {
        let said = world.run(args);
        assert_eq!(said.exit, 2, "{args:?}\n{}", said.err);
        let want = "nor a person in a terminal; give the run id (--run-id) and the actor (--actor)";
        assert!(said.err.contains(want) && said.err.contains("[PROVENANCE_INCOMPLETE]"), "{}", said.err);
    }
    assert!(!world.log("prod").exists(), "nothing was recorded");
}

#[test]
fn actor_is_the_flag_then_the_variable_then_the_login() {
    let world = prod();
    let login = ("LOGNAME", "ada");
    let actor = |args: &[&str], environment: &[(&str, &str)]| {
        let (exit, shown) = typed(&world, &[args, &["--json"]].concat(), environment);
        assert_eq!(exit, 0, "{shown}");
        json(&shown)["move"]["intent"]["provenance"]["actor"].clone()
    };
    let human = |id: &str| serde_json::json!({ "id": id, "kind": "human" });
    assert_eq!(actor(COMMANDS[0], &[login]), human("ada"));
    let named = [login, ("TAGWARDEN_ACTOR", "ada@example.com")];
    assert_eq!(actor(COMMANDS[1], &named), human("ada@example.com"));
    assert_eq!(actor(&["rollback", "prod", "--actor", "bob"], &named), human("bob"));
    let given = ["promote", "prod", "--source", "1.4.3", "--actor-kind", "workload"];
    assert_eq!(actor(&given, &[login])["kind"], "workload", "what is given wins");
    // Without a variable, the system knows who runs it.
    let system = actor(&["promote", "prod", "--source", "1.4.4"], &[]);
    assert_eq!(system["kind"], "human");
    assert!(!system["id"].as_str().unwrap().is_empty());
}

#[test]
fn rollback_in_a_terminal_shows_what_changes_and_asks() {
    let world = prod();
    let ada = [("LOGNAME", "ada")];
    for args in &COMMANDS[..2] {
        assert_eq!(typed(&world, args, &ada).0, 0);
    }
    let (first, second) = (world.digest("1.4.1"), world.digest("1.4.2"));
    for answer in ["n\n", "\n", "\u{4}"] {
        let (exit, shown) = answered(&world, &["rollback", "prod"], &ada, answer);
        assert_eq!(exit, 3, "{shown}");
        let want = format!("rollback {}\n  digest    {first}\n  previous  {second}\n", world.prod());
        assert!(plain(&shown).contains(&want), "{shown}");
        for want in
            ["  between   1 move of ", ", back\n", "  layers    1 added, 1 gone, 0 the same\n", "roll back? [y/N] "]
        {
            assert!(shown.contains(want), "{want}: {shown}");
        }
        assert!(shown.contains(&format!("{}: nothing was moved\n", world.prod())), "{shown}");
        assert_eq!(world.digest("prod"), second);
    }
    let (exit, shown) = answered(&world, &["rollback", "prod"], &ada, "yes\n");
    assert_eq!((exit, world.digest("prod")), (0, first), "{shown}");
    assert!(shown.contains("roll back? [y/N] ") && plain(&shown).contains("committed rollback "), "{shown}");
    for extra in [&["--to", "1.4.2", "--yes"][..], &["--to", "1.4.1", "--json"], &["--to", "1.4.2", "--dry-run"]] {
        let (exit, shown) = answered(&world, &[&["rollback", "prod"], extra].concat(), &ada, "");
        assert_eq!(exit, 0, "{shown}");
        assert!(!shown.contains("[y/N]"), "{shown}");
    }
    let (exit, shown) = answered(&world, &["rollback", "prod", "--to", "9.9"], &ada, "");
    assert_eq!((exit, shown.contains("[y/N]")), (3, false), "there is nothing to agree to: {shown}");
    world.does(&["hold", "prod", "--scope", "all", "--reason", "legal freeze"], 0);
    let (exit, shown) = answered(&world, &["rollback", "prod", "--to", "1.4.2"], &ada, "y\n");
    assert_eq!((exit, shown.contains("[y/N]")), (3, false), "it is refused: {shown}");
    assert!(shown.contains("CHANNEL_HELD"), "{shown}");
    world.verify_independently("prod");
}

/// The text without colours.
fn plain(shown: &str) -> String {
    let mut parts = shown.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}
