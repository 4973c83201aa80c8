//! A ledger in a Git branch beside the settings that a person has for Git: they change no entry and no word.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use common::git::{files, git, hook, ledger_of};
use common::{World, said};

/// Settings that would make packs, write reflogs, ask for signatures, colour what Git says, or choose another format.
const SETTINGS: &str = "\
[advice]
\tpushUpdateRejected = true
[color]
\tui = always
\tadvice = always
\tpush = always
\tremote = always
\ttransport = always
[commit]
\tgpgSign = true
[core]
\tautocrlf = true
\tbigFileThreshold = 2k
\tlogAllRefUpdates = always
[fastimport]
\tunpackLimit = 1
[fetch]
\tfsckObjects = true
\tunpackLimit = 1
[init]
\tdefaultObjectFormat = sha256
\tdefaultRefFormat = reftable
[log]
\tshowSignature = true
[push]
\tdefault = nothing
\tnegotiate = true
\tuseForceIfIncludes = true
[safe]
\tbareRepository = explicit
[submodule]
\trecurse = true
[transfer]
\tfsckObjects = true
\tunpackLimit = 1
";

fn world() -> World {
    let world = ledger_of(World::new());
    std::fs::write(world.dir.path().join(".gitconfig"), SETTINGS).unwrap();
    world.does(&["bootstrap", "dev", "--source", "1.4.0"], 0);
    world
}

#[test]
fn settings_of_the_user_change_no_entry_and_add_no_packs_and_no_reflogs_to_the_cache() {
    let world = world();
    world.does(&["promote", "dev", "--source", "1.4.1"], 0);
    // Another machine reads the whole log, and appends.
    std::fs::rename(world.dir.path().join(".cache"), world.dir.path().join("other")).unwrap();
    world.does(&["hold", "dev", "--reason", "a sale"], 0);
    std::fs::rename(world.dir.path().join(".cache"), world.dir.path().join("third")).unwrap();
    std::fs::rename(world.dir.path().join("other"), world.dir.path().join(".cache")).unwrap();
    assert!(world.does(&["history", "dev"], 0).out.contains("1.4.1"));
    assert!(world.does(&["verify", "dev"], 0).out.contains("6 entries"));
    let server = world.dir.path().join("ledger.git");
    assert_eq!(git(&server, &["rev-list", "--count", "tagwarden"]), "6");
    for cache in [".cache", "third"] {
        let made = files(&world.dir.path().join(cache)).into_keys().map(|path| path.display().to_string());
        let made: Vec<String> = made.collect();
        let count = |part: &str| made.iter().filter(|path| path.contains(part)).count();
        // The first fetch of a cache is always a pack.
        assert_eq!((count("refs/tagwarden/tip"), count("/logs/refs")), (1, 0), "{made:#?}");
        assert!(count(".pack") <= 1, "{made:#?}");
    }
}

#[test]
fn refusal_is_shown_without_the_colours_that_the_user_sets() {
    let world = world();
    hook(
        &world,
        "pre-receive",
        "echo 'error: GH013: Repository rule violations found for refs/heads/tagwarden' >&2; exit 1",
    );
    let error = world.json(&["promote", "dev", "--source", "1.4.1"], 1)["error"].take();
    let message = error["message"].as_str().unwrap();
    assert_eq!(error["code"], "LEDGER_DENIED", "{message}");
    assert!(message.contains("GH013: Repository rule violations found"), "{message}");
    for part in ["\u{1b}", "[31m", "[m", "failed to push some refs"] {
        assert!(!message.contains(part), "{message:?}");
    }
}

/// A setting that makes an SSH address of the ledger's: SSH must not ask a person for a password.
#[test]
fn address_that_a_setting_turns_into_one_of_ssh_is_reached_without_a_question() {
    let world = World::new();
    let settings = "[url \"git@git.example.com:\"]\n\tinsteadOf = https://git.example.com/\n";
    std::fs::write(world.dir.path().join(".gitconfig"), settings).unwrap();
    let (programs, called) = (world.dir.path().join("bin"), world.dir.path().join("called"));
    std::fs::create_dir(&programs).unwrap();
    let ssh = programs.join("ssh");
    std::fs::write(&ssh, format!("#!/bin/sh\necho \"$@\" >> {}; exit 255\n", called.display())).unwrap();
    std::fs::set_permissions(ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = world.command(&["channels", "--ledger", "git+https://git.example.com/acme/shop"]);
    command.env("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()));
    let said = said(command.output().unwrap());
    assert_eq!(said.exit, 6, "{}", said.err);
    let called = std::fs::read_to_string(called).unwrap();
    assert!(called.lines().all(|line| line.contains("BatchMode=yes") && line.contains("acme/shop")), "{called}");
}

/// After a parent that ignores SIGCHLD, the system keeps no exit code of a child.
#[cfg(target_os = "linux")]
#[test]
fn lost_exit_code_of_git_is_said() {
    let world = world();
    let tagwarden = world.command(&["current", "dev", "--json"]);
    let mut parent = Command::new("env");
    parent.arg("--ignore-signal=CHLD").arg(tagwarden.get_program()).args(tagwarden.get_args());
    parent.envs(tagwarden.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(world.dir.path());
    let said = said(parent.output().unwrap());
    assert_eq!(said.exit, 6, "{said:?}");
    assert!(said.out.contains("LEDGER_UNAVAILABLE") && said.out.contains("the exit code of git is lost"), "{said:?}");
}
