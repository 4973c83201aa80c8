//! The command line on ledgers that every runner shares, on real engines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]
#![allow(dead_code, unused_imports, reason = "each engine is a feature")]

mod common;

use common::World;
use serde_json::Value;

/// The whole story on a ledger, twice; and a directory ledger that moves into it.
fn tells_the_story(world: &World, url: &str, name: &str) {
    world.does(&["ledger", "init", url], 0);
    for logs in [3, 6] {
        let said = world.json(&["demo", "--ledger", url], 0);
        assert_eq!(said["ledger"], name, "without its password");
        let exits = said["steps"].as_array().unwrap().iter().filter_map(|step| step["exit"].as_i64());
        assert_eq!(exits.filter(|exit| *exit != 0).collect::<Vec<_>>(), [3, 4], "refused once, drift once");
        let verified = world.json(&["verify", "--ledger", url], 0);
        assert_eq!((&verified["sound"], verified["logs"].as_array().unwrap().len()), (&true.into(), logs));
    }

    let prod = world.prod();
    let moved = world.json(&["ledger", "migrate", "ledger", url], 0);
    assert_eq!((&moved["to"], &moved["channels"][0]["result"]), (&name.into(), &"migrated".into()));
    let said = world.does(&["promote", &prod, "--source", "1.4.1"], 3);
    assert!(said.err.contains(&format!("it goes on in {name}; use that ledger [LEDGER_MIGRATED]")), "{}", said.err);
    world.does(&["promote", &prod, "--source", "1.4.1", "--ledger", url], 0);
    assert_eq!(world.json(&["ledger", "migrate", "ledger", url], 0)["channels"][0]["result"], "migrated_before");

    world.json(&["ledger", "export", "backup", "--ledger", url], 0);
    assert_eq!(tagwarden_tests::verify_ledgers(&world.dir.path().join("backup")), Ok(7));
    let restored = world.json(&["ledger", "import", "backup", "--ledger", "restored"], 0);
    assert_eq!(restored["channels"].as_array().unwrap().len(), 7);
    assert_eq!(
        roots(&world.json(&["verify", "--ledger", "restored"], 0)),
        roots(&world.json(&["verify", "--ledger", url], 0))
    );
}

fn roots(verified: &Value) -> Vec<&str> {
    verified["logs"].as_array().unwrap().iter().map(|log| log["root"].as_str().unwrap()).collect()
}

#[test]
fn moves_and_migration_work_on_a_directory_of_objects() {
    let world = World::with_prod();
    let url = format!("file://{}", world.dir.path().join("objects").display());
    tells_the_story(&world, &url, &url);
}

#[cfg(feature = "s3")]
#[test]
fn moves_and_migration_work_on_s3() {
    use tagwarden_tests::docker_registry::Transport;
    use tagwarden_tests::moto::Moto;

    let Some(moto) = Moto::start("moves_and_migration_work_on_s3", Transport::Http) else { return };
    let mut world = World::with_prod();
    world.environment = Moto::environment().to_vec();
    let url = moto.url("team/ledger");
    tells_the_story(&world, &url, &url);
}

#[cfg(feature = "postgres")]
#[test]
fn moves_and_migration_work_on_postgresql() {
    use tagwarden_tests::postgres::{PASSWORD, Postgres};

    let Some(postgres) = Postgres::start("moves_and_migration_work_on_postgresql", &[]) else { return };
    let world = World::with_prod();
    let url = postgres.database("audit");
    let absent = world.does(&["channels", "--ledger", &url], 1);
    assert!(absent.err.contains("[LEDGER_ABSENT]") && absent.err.contains("tagwarden ledger init"), "{}", absent.err);
    tells_the_story(&world, &url, &url.replace(&format!(":{PASSWORD}"), ""));
    let kept = std::fs::read_to_string(world.log("prod")).unwrap();
    assert!(kept.contains("\"migrated\"") && !kept.contains(PASSWORD), "{kept}");

    // The password where other users of the machine do not see it.
    let named = url.replace(&format!(":{PASSWORD}"), "");
    let mut command = world.command(&["channels"]);
    let said = common::said(command.env("TAGWARDEN_LEDGER", &named).env("PGPASSWORD", PASSWORD).output().unwrap());
    assert!(said.exit == 0 && said.out.contains(&world.prod()), "{}", said.err);
}
