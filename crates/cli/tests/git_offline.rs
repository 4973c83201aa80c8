//! A ledger in a Git branch whose server is down: what is read from this machine's copy.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;
use common::git::{ledger_of, stop};

/// A time before every test.
const PAST: &str = "2020-01-01T00:00:00Z";

/// dev has 1.4.1, prod has 1.4.0, and prod is held.
fn world() -> World {
    let world = ledger_of(World::new());
    world.does(&["bootstrap", "dev", "--source", "1.4.0"], 0);
    world.does(&["bootstrap", "prod", "--source", "dev"], 0);
    world.does(&["promote", "dev", "--source", "1.4.1"], 0);
    world.does(&["hold", "prod", "--reason", "a sale"], 0);
    world
}

#[test]
fn commands_that_only_read_answer_from_the_copy_and_say_its_age() {
    let world = world();
    let online = world.json(&["history", "dev"], 0);
    stop(&world);
    for (args, words) in [
        (&["current", "dev"][..], "previous"),
        (&["history", "dev"], "1.4.1"),
        (&["history", "prod", "--entries"], "a sale"),
        (&["at", "prod", PAST], "no recorded state"),
        (&["holds", "prod"], "a sale"),
        (&["holds", "--pipeline"], "a sale"),
        (&["channels"], "held"),
        (&["verify"], "every entry holds"),
        (&["verify", "dev"], "sound"),
        (&["audit"], "in sync"),
        (&["audit", "prod"], "in sync"),
        (&["diff", "dev..prod"], "1.4.1"),
        (&["ledger", "export", "backup"], "verify --log FILE"),
    ] {
        // Nothing else is tried in place of the server, unless it was asked for.
        let said = world.run(args);
        assert!(said.exit != 0 && !said.out.contains(words), "{said:?}");
        // An audit of named channels has the error in its answer.
        let hint = "from this machine's copy of the branch with --offline";
        assert!(args == ["audit", "prod"] || said.err.contains(hint), "{said:?}");
        let offline = [args, &["--offline"]].concat();
        let said = world.does(&offline, 0);
        assert!(said.out.contains(words), "{args:?}\n{}", said.out);
        let age = said.out.lines().last().unwrap();
        assert!(age.starts_with("  ledger    this machine's copy, read ") && age.contains("s ago, at 20"), "{age}");
        assert!(world.json(&offline, 0)["as_of"].as_str().unwrap().ends_with('Z'), "{args:?}");
    }
    let mut copy = world.json(&["history", "dev", "--offline"], 0);
    assert!(copy.as_object_mut().unwrap().remove("as_of").is_some());
    assert_eq!(copy, online);

    let said = world.does(&["previous", "dev", "--offline"], 0);
    assert_eq!(said.out.trim_end(), world.digest("1.4.0").to_string(), "a script reads the digest alone");
    assert!(said.err.contains("this machine's copy, read "), "{}", said.err);
}

#[test]
fn channel_that_the_copy_does_not_have_is_refused_with_the_age_of_the_copy() {
    let world = world();
    stop(&world);
    let stage = world.channel("stage").to_string();
    let said = world.does(&["history", &stage, "--offline"], 3);
    assert!(said.err.contains("this machine's copy, read "), "{}", said.err);
    assert!(said.err.contains("without --offline") && !said.err.contains("bootstrap"), "{}", said.err);
    assert!(world.json(&["history", &stage, "--offline"], 3)["error"]["context"]["as_of"].is_string());
}

#[test]
fn machine_that_never_read_the_branch_is_told_to_read_it_once() {
    let world = world();
    stop(&world);
    let elsewhere = world.dir.path().join("elsewhere");
    for args in [&["history", "prod"][..], &["verify"], &["channels"], &["ledger", "export", "backup"]] {
        let args = [args, &["--offline"]].concat();
        let said = common::said(world.command(&args).env("XDG_CACHE_HOME", &elsewhere).output().unwrap());
        assert_eq!(said.exit, 1, "{args:?}\n{}", said.err);
        assert!(
            said.err.contains("no copy of the branch: run the command once online [LEDGER_ABSENT]"),
            "{}",
            said.err
        );
        assert!(!said.err.contains("ledger init"), "{}", said.err);
    }
    assert!(!world.dir.path().join("backup").exists());
}

#[test]
fn command_that_writes_and_one_that_judges_deletions_take_no_offline() {
    let world = world();
    let repository = world.server.repository("acme/shop").to_string();
    for args in [
        &["promote", "dev", "--source", "1.4.2"][..],
        &["promote", "dev", "--source", "1.4.2", "--dry-run"],
        &["bootstrap", "dev"],
        &["rollback", "dev"],
        &["repair", "dev"],
        &["adopt", "dev", "--reason", "x"],
        &["recover", "dev"],
        &["hold", "dev", "--reason", "x"],
        &["unhold", "dev", "--mine", "--reason", "x"],
        &["block", "1.4.0", "--reason", "x"],
        &["unblock", "1.4.0", "--reason", "x"],
        &["retention", &repository],
        &["ledger", "init"],
        &["ledger", "import", "backup"],
        &["ledger", "migrate", "a", "b"],
        &["verify", "--log", "a.jsonl"],
    ] {
        let said = world.run(&[args, &["--offline"]].concat());
        assert_eq!(said.exit, 2, "{args:?}\n{}", said.err);
        assert!(said.err.contains("'--offline'"), "{args:?}\n{}", said.err);
    }
}

#[test]
fn ledger_that_keeps_no_copy_is_read_itself() {
    let world = World::with_prod();
    let prod = world.prod();
    for args in [&["history", &prod][..], &["current", &prod], &["channels"], &["verify"]] {
        let online = world.does(args, 0);
        let said = world.does(&[args, &["--offline"]].concat(), 0);
        assert!(!said.out.contains("copy"), "{args:?}\n{}", said.out);
        assert!(args[0] == "current" || said.out == online.out, "{args:?}\n{}", said.out);
    }
}
