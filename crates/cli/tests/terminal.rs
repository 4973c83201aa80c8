//! At a terminal a person needs no flags for provenance; a script does.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;
use serde_json::Value;

/// Types a command at a terminal, in an environment that has these variables besides: its exit code, and what is shown.
fn typed(world: &World, args: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let mut command = world.command(args);
    command.envs(environment.iter().copied());
    let (ended, shown) = tagwarden_tests::terminal::run(command).unwrap();
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
        let (exit, shown) = typed(&world, args, &[("LOGNAME", "ada")]);
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
