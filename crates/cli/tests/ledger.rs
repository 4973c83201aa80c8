//! Ledgers as such: made, moved, backed up and brought back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::World;

/// dev and prod, each with two moves.
fn with_two() -> World {
    let world = World::new();
    for stage in ["dev", "prod"] {
        world.does(&["bootstrap", stage, "--source", "1.4.0"], 0);
    }
    world.does(&["promote", "dev", "--source", "1.4.1"], 0);
    world.does(&["promote", "prod", "--source", "dev"], 0);
    world
}

fn roots(json: &serde_json::Value, of: &str) -> Vec<String> {
    json[of].as_array().unwrap().iter().map(|log| log["root"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn migrated_log_refuses_writes_in_the_old_ledger() {
    let world = with_two();
    let (dev, prod) = (world.channel("dev").to_string(), world.prod());
    let before = world.json(&["verify"], 0);
    let dry = world.json(&["ledger", "migrate", "ledger", "next", "--dry-run"], 0);
    assert_eq!(
        (&dry["dry_run"], &dry["channels"][1]["size"], &dry["channels"][1]["there"]),
        (&true.into(), &5.into(), &0.into())
    );
    assert!(!world.dir.path().join("next").exists(), "a dry run writes nothing");

    let said = world.does(&["ledger", "migrate", "ledger", "next"], 0);
    assert_eq!(said.err, "migrating 2 logs from ledger to next; each log is closed in ledger when it is there\n");
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[1].starts_with(&format!("{dev}   5        5       migrated  sha256:")), "{}", said.out);
    assert_eq!(
        lines[3],
        "2 logs go on in next now; ledger can be read, and nothing more be written there. Name next in --ledger, \
         TAGWARDEN_LEDGER and tagwarden.toml"
    );
    let next = world.dir.path().join("next").canonicalize().unwrap().display().to_string();
    assert_eq!(roots(&world.json(&["verify", "--ledger", "next"], 0), "logs"), roots(&before, "logs"));

    // Where it was: it can be read and says where it goes on; nothing can be written.
    let said = world.does(&["promote", "prod", "--source", "1.4.2"], 3);
    assert_eq!(
        said.err,
        format!(
            "refused: the log of {prod} was migrated at seq 5: it goes on in {next}; use that ledger [LEDGER_MIGRATED]\n\
             hint: name {next} in --ledger, TAGWARDEN_LEDGER or tagwarden.toml\n"
        )
    );
    for args in [
        &["rollback", "prod"][..],
        &["hold", "prod", "--reason", "incident 7"],
        &["repair", "prod"],
        &["adopt", "prod", "--reason", "hotfix"],
        &["bootstrap", "prod"],
    ] {
        assert!(world.does(args, 3).err.contains("[LEDGER_MIGRATED]"), "{args:?}");
    }
    assert_eq!(world.does(&["recover", "prod"], 0).out, format!("nothing to do {prod}: no move is open\n"));
    let said = world.does(&["current", "prod", "--offline"], 0);
    let want = format!("  migrated  the log was migrated to {next} at seq 5; this is its state then\n");
    assert!(said.out.ends_with(&want), "{}", said.out);
    assert_eq!(world.json(&["current", "prod", "--offline"], 0)["migrated"]["ledger"], next);
    let said = world.does(&["history", "prod"], 0);
    assert!(
        said.out.contains("promote") && said.out.ends_with(&format!("the log was migrated to {next} at seq 5\n")),
        "{}",
        said.out
    );
    assert!(world.does(&["channels"], 0).out.contains(&format!("migrated to {next}")));
    assert!(world.does(&["verify"], 0).out.contains(&format!("  the log was migrated to {next} at seq 5\n")));
    assert_eq!(world.json(&["verify"], 0)["logs"][0]["migrated_to"], next);
    assert!(world.does(&["audit"], 6).out.contains(&format!("unknown: the log was migrated to {next} (seq 5)")));

    // Where it is now.
    world.does(&["promote", "dev", "--source", "1.4.2", "--ledger", "next"], 0);
    let again = world.json(&["ledger", "migrate", "ledger", "next"], 0);
    let results: Vec<_> =
        again["channels"].as_array().unwrap().iter().map(|log| log["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["migrated_before", "migrated_before"]);
    assert!(
        world
            .does(&["ledger", "migrate", "ledger", "next"], 0)
            .out
            .ends_with("nothing to do: all of it was migrated before\n")
    );
    let back = world.does(&["ledger", "migrate", "next", "ledger"], 3);
    assert!(
        back.err.contains("was closed at seq 5 when it was migrated to ") && back.err.contains("[LEDGER_MIGRATED]"),
        "{}",
        back.err
    );
    world.verify_independently("prod");
}

#[test]
fn one_channel_migrates_alone_and_an_unknown_channel_is_an_error() {
    let world = with_two();
    let said = world.json(&["ledger", "migrate", "ledger", "next", "dev"], 0);
    assert_eq!(said["channels"].as_array().unwrap().len(), 1);
    // prod is governed here as before, but what dev is now stands elsewhere: neither as a source nor in its order.
    for from in ["dev", "1.4.0"] {
        let said = world.does(&["promote", "prod", "--source", from], 3);
        let want = format!("the log of {} was migrated at seq 5: it goes on in ", world.channel("dev"));
        assert!(said.err.contains(&want) && said.err.contains("[LEDGER_MIGRATED]"), "{}", said.err);
    }
    world.does(&["rollback", "prod"], 0);
    let said = world.does(&["ledger", "migrate", "ledger", "next", &world.channel("prd").to_string()], 3);
    assert!(said.err.contains("the source has no log of"), "{}", said.err);
    let said = world.does(&["ledger", "migrate", "ledger", "ledger/."], 2);
    assert!(said.err.contains("ledger and ledger/. are one ledger [CONFIG_INVALID]"), "{}", said.err);
    let said = world.does(&["ledger", "migrate", "typo", "next"], 1);
    assert!(said.err.contains("typo: there is no ledger here [LEDGER_ABSENT]"), "{}", said.err);
    assert!(!world.dir.path().join("typo").exists());
}

#[test]
fn torn_line_that_a_crash_left_is_cut_and_said() {
    let world = with_two();
    let whole = std::fs::read(world.log("dev")).unwrap();
    std::fs::write(world.log("dev"), [&whole[..], b"{\"at\":"].concat()).unwrap();
    let said = world.does(&["promote", "dev", "--source", "1.4.2"], 0);
    let (dev, end) = (world.channel("dev"), whole.len());
    let cut = format!("{dev}: cut 6 bytes at byte {end}: an append that never returned\n");
    assert!(said.err.ends_with(&cut), "{}", said.err);
    assert_eq!(world.does(&["hold", "dev", "--reason", "incident 7"], 0).err, "", "it is said once");
}

#[test]
fn exported_ledger_can_be_imported() {
    let world = with_two();
    let done = world.json(&["ledger", "export", "backup"], 0);
    assert_eq!(roots(&done, "channels"), roots(&world.json(&["verify"], 0), "logs"));
    for log in done["channels"].as_array().unwrap() {
        let file = world.dir.path().join(log["file"].as_str().unwrap());
        tagwarden_tests::verify_ledger(&file).unwrap();
        world.does(&["verify", "--log", file.to_str().unwrap()], 0);
    }
    // Again, after a move; and into another ledger.
    world.does(&["promote", "dev", "--source", "1.4.2"], 0);
    assert!(
        world
            .does(&["ledger", "export", "backup"], 0)
            .out
            .ends_with("in backup: an entry a line; `tagwarden verify --log FILE` checks one\n")
    );
    let restored = &["--ledger", "restored"][..];
    let dry = world.json(&[&["ledger", "import", "backup", "--dry-run"], restored].concat(), 0);
    assert_eq!(dry["channels"][0]["size"], 7);
    assert!(!world.dir.path().join("restored").exists());
    for copied in [7, 0] {
        let done = world.json(&[&["ledger", "import", "backup"], restored].concat(), 0);
        assert_eq!(
            (&done["channels"][0]["result"], &done["channels"][0]["copied"]),
            (&"copied".into(), &copied.into())
        );
    }
    assert_eq!(
        roots(&world.json(&[&["verify"], restored].concat(), 0), "logs"),
        roots(&world.json(&["verify"], 0), "logs")
    );
    world.does(&[&["promote", "dev", "--source", "1.4.3"], restored].concat(), 0);
    // Neither a ledger in use nor an older ledger takes the place of a backup.
    let said = world.does(&[&["ledger", "import", "ledger"], restored].concat(), 2);
    assert!(said.err.contains("not an export; use `ledger migrate` [CONFIG_INVALID]"), "{}", said.err);
    world.does(&["ledger", "export", "backup", "--ledger", "restored"], 0);
    let said = world.does(&["ledger", "export", "backup"], 7);
    assert!(said.err.contains("it has 9 entries, and the ledger's log of "), "{}", said.err);
}

#[test]
fn ledger_init_can_be_repeated() {
    let world = World::new();
    for _ in 0..2 {
        assert_eq!(world.does(&["ledger", "init", "deep/ledger"], 0).out, "ready deep/ledger\n");
        assert_eq!(world.json(&["ledger", "init"], 0)["result"], "ready");
    }
    assert!(world.dir.path().join("deep/ledger").is_dir() && world.dir.path().join("ledger").is_dir());
    assert_eq!(world.does(&["ledger", "migrate", "ledger", "next"], 0).out, "there are no logs\n");
}

#[cfg(unix)]
#[test]
fn dry_run_says_what_a_run_would_make_and_makes_nothing() {
    use common::git::{bare, git, ledger};

    let world = with_two();
    world.does(&["ledger", "export", "backup"], 0);
    let repository = bare(&world.dir.path().join("ledger.git"));
    let (branch, other) = (ledger(&repository), format!("{}#audit", ledger(&repository)));
    for (to, creates) in [(branch.as_str(), "branch tagwarden"), (&other, "branch audit"), ("next", "directory next")] {
        for args in [&["ledger", "migrate", "ledger", to][..], &["ledger", "import", "backup", "--ledger", to]] {
            let args = [args, &["--dry-run"]].concat();
            let dry = world.json(&args, 0);
            assert!(dry["creates"].as_str().unwrap().starts_with(creates), "{args:?} {dry:#}");
            assert_eq!((&dry["channels"][0]["there"], dry["channels"].as_array().unwrap().len()), (&0.into(), 2));
            let said = world.does(&args, 0);
            let words = format!("nothing stands against it; a run would make the {creates}");
            assert!(said.out.contains(&words) && said.out.ends_with("; nothing was written\n"), "{}", said.out);
        }
    }
    assert_eq!(git(&repository, &["for-each-ref"]), "");
    assert!(!world.dir.path().join("next").exists());

    // A run would not make a repository.
    let nowhere = format!("git+file://{}/nowhere.git", world.dir.path().display());
    let said = world.does(&["ledger", "migrate", "ledger", &nowhere, "--dry-run"], 1);
    assert!(said.err.contains("git init --bare") && said.err.contains("[LEDGER_ABSENT]"), "{}", said.err);

    world.does(&["ledger", "migrate", "ledger", &branch], 0);
    let dry = world.json(&["ledger", "migrate", "ledger", &branch, "--dry-run"], 0);
    assert_eq!(
        (&dry["creates"], &dry["channels"][0]["there"]),
        (&serde_json::Value::Null, &dry["channels"][0]["size"])
    );
}
