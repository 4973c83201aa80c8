//! The demonstration runs to its end, on the embedded registry and on another one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::time::{Duration, Instant};

use common::World;

#[test]
fn demo_prints_every_step_in_a_few_seconds() {
    let world = World::new();
    let began = Instant::now();
    let said = world.does(&["demo"], 0);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for want in [
        "$ tagwarden artifact push ",
        "$ tagwarden bootstrap prod --source 1.4.0\n",
        "$ tagwarden promote prod --source preprod --release 1.4.1\n",
        "promotion-order STAGE_SKIPPED: ",
        "$ tagwarden current prod\n",
        "$ tagwarden previous prod\n",
        "$ tagwarden history prod\n",
        "$ tagwarden rollback prod ",
        "moved outside: ",
        "(exit code 4)",
        "$ tagwarden repair prod ",
        "3 logs: every entry holds.",
    ] {
        assert!(said.out.contains(want), "{want}: {}", said.out);
    }
    assert!(!said.out.contains('\u{1b}'), "colour is for terminals");
}

#[test]
fn demo_with_keep_leaves_a_ledger_that_commands_read() {
    let world = World::new();
    let json = world.json(&["demo", "--keep", "kept"], 0);
    let exits: Vec<_> = json["steps"].as_array().unwrap().iter().filter_map(|step| step["exit"].as_i64()).collect();
    assert_eq!(
        exits.iter().filter(|exit| **exit != 0).copied().collect::<Vec<_>>(),
        [3, 4],
        "refused once, drift once"
    );
    let kept = world.dir.path().join("kept");
    let found = common::said(world.command(&["history", "prod"]).current_dir(&kept).output().unwrap());
    assert_eq!(found.exit, 0, "{}", found.err);
    assert!(found.out.contains("rollback") && found.out.contains("repair"), "{}", found.out);
    let verified = common::said(world.command(&["verify"]).current_dir(&kept).output().unwrap());
    assert_eq!(verified.exit, 0, "{}", verified.out);
    assert!(world.does(&["demo", "--keep", "kept"], 2).err.contains("the directory is not empty"));
}

#[test]
fn demo_runs_repeatedly_on_a_ledger_with_other_logs() {
    let world = World::with_prod();
    for logs in [4, 7] {
        let json = world.json(&["demo", "--ledger", "ledger"], 0);
        assert_eq!(json["ledger"], "ledger");
        assert!(json.get("kept").is_none(), "{json}");
        let verified = world.json(&["verify"], 0);
        assert_eq!((&verified["sound"], verified["logs"].as_array().unwrap().len()), (&true.into(), logs));
        let prod = format!("{}:prod", json["repository"].as_str().unwrap());
        assert_eq!(world.json(&["verify", &prod], 0)["logs"].as_array().unwrap().len(), 1);
    }
    // The demo ignores variables that a shell has set for real work.
    let mut command = world.command(&["demo", "--json"]);
    let said = common::said(command.env("TAGWARDEN_LEDGER", world.dir.path().join("ledger")).output().unwrap());
    assert_eq!(said.exit, 0, "{}", said.err);
    assert_eq!(world.json(&["verify"], 0)["logs"].as_array().unwrap().len(), 7);
    let said = world.does(&["demo", "--ledger", "ledger", "--keep", "kept"], 2);
    assert!(said.err.contains("--keep is for a directory of the demonstration's own"), "{}", said.err);
}

#[test]
fn demo_runs_on_another_registry_with_other_sources() {
    let world = World::new();
    let repository = format!("{}/demo/app", world.server.host());
    std::fs::create_dir(world.dir.path().join("mine")).unwrap();
    std::fs::write(world.dir.path().join("mine/app.yaml"), "kind: ConfigMap\n").unwrap();
    let said = world.does(&["demo", "--registry", &repository, "--source", "mine"], 0);
    assert!(said.out.contains(&format!("committed repair {repository}:prod")), "{}", said.out);
    let prod = world.server.memory().peek(&world.server.repository("demo/app"), &"prod".parse().unwrap());
    assert!(prod.is_some());
    let again = world.does(&["demo", "--registry", &repository], 3);
    assert!(again.err.contains("the demonstration makes its own tags"), "{}", again.err);
    assert!(world.does(&["demo", "--source", "none"], 2).err.contains("[SOURCE_INVALID]"));
}
