//! A ledger in a Git branch that a force push cut or rewrote, as a machine sees it that read the branch before.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::path::PathBuf;

use common::git::{git, ledger_of};
use common::{World, said};
use serde_json::Value;

/// The logs of dev and prod, in this order of their entries; the last two commits are a promotion of prod.
fn world() -> World {
    let world = ledger_of(World::new());
    world.does(&["bootstrap", "dev", "--source", "1.4.0"], 0);
    world.does(&["bootstrap", "prod", "--source", "dev"], 0);
    world.does(&["promote", "dev", "--source", "1.4.1"], 0);
    world.does(&["promote", "prod", "--source", "dev"], 0);
    world
}

fn repository(world: &World) -> PathBuf {
    world.dir.path().join("ledger.git")
}

/// Removes the last commits of the branch.
fn cut(world: &World, commits: u32) {
    git(&repository(world), &["update-ref", "refs/heads/tagwarden", &format!("tagwarden~{commits}")]);
}

/// Appends a hold from a machine that never read the branch.
fn hold_elsewhere(world: &World, channel: &str) {
    let elsewhere = world.dir.path().join("elsewhere");
    let args = ["hold", channel, "--reason", "eve", "--actor", "eve", "--run-id", "7"];
    let held = said(world.command(&args).env("XDG_CACHE_HOME", &elsewhere).output().unwrap());
    assert_eq!(held.exit, 0, "{}", held.err);
}

/// Commands about one channel.
fn about(channel: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["current", channel],
        vec!["previous", channel],
        vec!["history", channel],
        vec!["history", channel, "--entries"],
        vec!["at", channel, "2020-01-01T00:00:00Z"],
        vec!["holds", channel],
        vec!["verify", channel],
        vec!["ledger", "export", "backup", channel],
    ]
}

/// Commands about every log of the branch.
const ALL: [&[&str]; 4] = [&["channels"], &["verify"], &["audit"], &["ledger", "export", "backup"]];

/// Runs each command. Every one ends with this error about the log of this channel.
fn end(world: &World, commands: &[Vec<&str>], code: &str, channel: &str, words: &str) {
    let channel = world.channel(channel).to_string();
    for args in commands {
        let error: Value = world.json(args, 7)["error"].take();
        assert_eq!(error["code"], code, "{args:?} {error:#}");
        assert_eq!(error["context"]["channel"], channel, "{args:?} {error:#}");
        let message = error["message"].as_str().unwrap();
        let begin = format!("git+file://{}: {channel}: seq ", repository(world).display());
        assert!(message.starts_with(&begin) && message.contains(words), "{args:?}\n{message}");
        let text = world.does(args, 7).err;
        assert!(text.contains(&format!("hint: move nothing on {channel} ")), "{args:?}\n{text}");
    }
}

fn all() -> Vec<Vec<&'static str>> {
    ALL.map(<[&str]>::to_vec).to_vec()
}

#[test]
fn log_that_a_force_push_cut_is_truncated_in_every_command() {
    let world = world();
    world.does(&["verify"], 0);
    cut(&world, 2);
    let words = "the log has 3 entries, and 5 were read on this machine before";
    let promote = vec!["promote", "prod", "--source", "dev"];
    let plan = [&promote[..], &["--dry-run"]].concat();
    let hold = vec!["hold", "prod", "--reason", "x"];
    end(&world, &[about("prod"), all(), vec![promote, plan, hold]].concat(), "LEDGER_TRUNCATED", "prod", words);
    // The log of dev is as it was; the branch is not.
    end(&world, &about("dev"), "LEDGER_TRUNCATED", "prod", words);
    end(&world, &[vec!["diff", "dev..prod"]], "LEDGER_TRUNCATED", "prod", words);
    let said = world.json(&["audit", "prod", "--no-settle"], 7);
    assert_eq!(said["channels"][0]["state"], "truncated", "{said:#}");

    // The copy still has what was read, and the command of the message restores it.
    assert!(world.does(&["history", "prod", "--offline"], 0).out.contains("1.4.1"));
    let message = world.json(&["verify", "prod"], 7)["error"]["message"].as_str().unwrap().to_owned();
    let restore =
        message.split("To restore it: git ").nth(1).unwrap().split(". If Git answers").next().unwrap().to_owned();
    git(world.dir.path(), &restore.split(' ').collect::<Vec<_>>());
    world.does(&["verify"], 0);
}

#[test]
fn log_that_a_force_push_rewrote_is_forked_in_every_command() {
    let world = world();
    world.does(&["verify"], 0);
    cut(&world, 2);
    for _ in 0..2 {
        hold_elsewhere(&world, "prod");
    }
    let words = "another entry was read there before on this machine";
    end(&world, &[about("prod"), all(), about("dev")].concat(), "LEDGER_FORKED", "prod", words);
}

#[test]
fn each_log_that_a_force_push_changed_has_its_own_code() {
    let world = world();
    world.does(&["verify"], 0);
    // dev loses its promotion; other entries take the place of that of prod.
    cut(&world, 4);
    for _ in 0..2 {
        hold_elsewhere(&world, "prod");
    }
    let (dev, prod) = (world.channel("dev").to_string(), world.channel("prod").to_string());
    let also = |channel: &str| format!("The push also changed {channel}.");
    end(&world, &about("dev"), "LEDGER_TRUNCATED", "dev", &also(&prod));
    end(&world, &[about("prod"), all()].concat(), "LEDGER_FORKED", "prod", &also(&dev));
}

#[test]
fn log_that_an_ordinary_commit_removed_is_truncated_in_a_command_about_all_logs() {
    let world = world();
    world.does(&["verify"], 0);
    let clone = world.dir.path().join("clone");
    let url = format!("file://{}", repository(&world).display());
    git(world.dir.path(), &["clone", "--quiet", "--branch", "tagwarden", &url, "clone"]);
    git(&clone, &["rm", "-r", "--quiet", "*/@prod/*"]);
    git(&clone, &["commit", "--quiet", "--message", "tidy"]);
    git(&clone, &["push", "--quiet", "origin", "HEAD:tagwarden"]);
    let words = "the log has 0 entries, and 5 were read on this machine before";
    end(&world, &all(), "LEDGER_TRUNCATED", "prod", words);
    world.does(&["verify", "dev"], 0);
}
