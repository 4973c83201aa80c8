//! The branch of a Git ledger, as an auditor has it: a clone whose files are the logs.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::World;
use common::git::{bare, git, ledger};
use serde_json::Value;
use tagwarden::ledger::FileLedger;
use tagwarden::log::{Hold, HoldScope};
use tagwarden::{Promoter, Provenance};
use tagwarden_tests::verify_ledger;

/// The directory of a channel's log in a clone of the branch.
fn log_dir(world: &World, clone: &Path, tag: &str) -> PathBuf {
    clone.join(world.server.host().replace(':', "%3a")).join("acme/shop").join(format!("@{tag}"))
}

/// The files of a channel's log, one after the other, in one file.
fn joined(world: &World, clone: &Path, tag: &str) -> PathBuf {
    let mut parts: Vec<PathBuf> =
        std::fs::read_dir(log_dir(world, clone, tag)).unwrap().map(|entry| entry.unwrap().path()).collect();
    parts.sort();
    let file = world.dir.path().join(format!("{}-{tag}.jsonl", clone.file_name().unwrap().display()));
    std::fs::write(&file, parts.iter().flat_map(|part| std::fs::read(part).unwrap()).collect::<Vec<u8>>()).unwrap();
    file
}

/// A clone of the branch alone.
fn clone(world: &World, repository: &Path, name: &str, options: &[&str]) -> PathBuf {
    let url = format!("file://{}", repository.display());
    let args = [&["clone", "--quiet", "--branch", "tagwarden", "--single-branch"], options, &[url.as_str(), name]];
    git(world.dir.path(), &args.concat());
    world.dir.path().join(name)
}

/// Holds prod and ends the hold, so often. In this process, which is quicker than a process for each.
fn holds(world: &World, times: usize) {
    let ledger = FileLedger::open(world.dir.path().join("ledger")).unwrap();
    let promoter = Promoter::new(Arc::new(world.server.memory().clone()), Arc::new(ledger));
    let (prod, ada) = (world.channel("prod"), Provenance::new("manual", "42", "ada").unwrap());
    let hold = Hold { scope: HoldScope::All, reason: "a sale".parse().unwrap(), provenance: ada.clone(), until: None };
    world.block_on(async {
        for _ in 0..times {
            promoter.hold(&prod, hold.clone()).await.unwrap();
            promoter.unhold_mine(&prod, "it is over".parse().unwrap(), ada.clone()).await.unwrap();
        }
    });
}

/// Brings an exported log into the branch, in the layout of the branch. An import would push each entry.
fn lay(world: &World, repository: &Path, tag: &str) {
    let here = clone(world, repository, "laid", &[]);
    let name = format!("{}.jsonl", world.channel(tag).to_string().replace(':', "%3a").replace('/', "%2f"));
    let text = std::fs::read_to_string(world.dir.path().join("backup").join(name)).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let dir = log_dir(world, &here, tag);
    std::fs::create_dir_all(&dir).unwrap();
    for (at, part) in lines.chunks(100).enumerate() {
        std::fs::write(dir.join(format!("{:012}.jsonl", at * 100)), part.concat()).unwrap();
    }
    git(&here, &["add", "--all"]);
    git(&here, &["commit", "--quiet", "--message", "lay"]);
    git(&here, &["push", "--quiet", "origin", "HEAD:tagwarden"]);
}

fn log<'v>(verdict: &'v Value, channel: &str) -> &'v Value {
    verdict["logs"].as_array().unwrap().iter().find(|log| log["channel"] == channel).unwrap()
}

/// Changes the clone, whose directory is the first argument.
type Edit<'a> = &'a dyn Fn(&Path, &Path);

#[test]
fn files_of_a_clone_are_the_logs_that_verify_reads() {
    let world = World::new();
    let repository = bare(&world.dir.path().join("ledger.git"));
    let url = ledger(&repository);
    for stage in ["dev", "prod"] {
        world.does(&["bootstrap", stage, "--source", "1.4.0"], 0);
    }
    // With these, prod has more entries than one file.
    holds(&world, 50);
    world.does(&["ledger", "export", "backup"], 0);
    world.does(&["ledger", "import", "backup", "dev", "--ledger", &url], 0);
    lay(&world, &repository, "prod");
    world.does(
        &["promote", "dev", "--source", "1.4.1", "--reason", "\u{e9}t\u{e9} \u{2014} 1.4.1", "--ledger", &url],
        0,
    );
    world.does(&["promote", "prod", "--source", "dev", "--ledger", &url], 0);
    let verdict = world.json(&["verify", "--ledger", &url], 0);
    assert_eq!(verdict["sound"], true);

    for (name, options) in [("plain", &[][..]), ("windows", &["-c", "core.autocrlf=true", "-c", "core.eol=crlf"])] {
        let here = clone(&world, &repository, name, options);
        assert_eq!(std::fs::read_to_string(here.join(".gitattributes")).unwrap(), "* -text\n");
        assert!(std::fs::read_to_string(here.join("README.md")).unwrap().contains("tagwarden"));
        assert!(std::fs::read_dir(log_dir(&world, &here, "prod")).unwrap().count() > 1);
        for tag in ["dev", "prod"] {
            let channel = world.channel(tag).to_string();
            let file = joined(&world, &here, tag);
            let said = world.json(&["verify", "--log", file.to_str().unwrap()], 0);
            let (alone, whole) = (log(&said, &channel), log(&verdict, &channel));
            for field in ["entries", "moves", "committed", "live", "root"] {
                assert_eq!(alone[field], whole[field], "{name} {channel} {field}");
            }
            let judged = verify_ledger(&file).unwrap();
            for field in ["entries", "moves", "committed", "live"] {
                assert_eq!(judged[field], whole[field], "{name} {channel} {field}");
            }
        }
    }
    // One entry, one commit.
    let entries = log(&verdict, &world.channel("dev").to_string())["entries"].to_string();
    assert_eq!(git(&repository, &["rev-list", "--count", "tagwarden", "--", "*/@dev/*"]), entries);
}

/// The lines that the guide's command for auditors prints.
fn deleted(clone: &Path) -> Vec<String> {
    let numbers = git(clone, &["log", "-m", "--no-renames", "--format=", "--numstat"]);
    let lines = numbers.lines().filter(|line| !line.is_empty() && line.split('\t').nth(1) != Some("0"));
    lines.map(str::to_owned).collect()
}

/// Edits that a protected branch accepts, because they only add commits.
#[test]
fn command_of_the_guide_for_auditors_shows_every_edit_of_a_protected_branch() {
    let world = World::new();
    let repository = bare(&world.dir.path().join("ledger.git"));
    git(&repository, &["config", "receive.denyNonFastForwards", "true"]);
    let url = ledger(&repository);
    world.config("");
    let prod = world.prod();
    world.does(&["bootstrap", &prod, "--source", "1.4.0", "--ledger", &url], 0);
    world.does(&["promote", &prod, "--source", "1.4.1", "--ledger", &url], 0);
    let begin = clone(&world, &repository, "begin", &[]);
    assert_eq!(deleted(&begin), Vec::<String>::new());
    let tip = git(&begin, &["rev-parse", "HEAD"]);

    let edits: [(&str, Edit<'_>); 4] = [
        ("a line that was edited", &|_, log| {
            let text = std::fs::read_to_string(log).unwrap();
            std::fs::write(log, text.replacen("\"ada\"", "\"eve\"", 1)).unwrap();
        }),
        ("a file that was renamed", &|here, log| {
            std::fs::rename(log, here.join("notes.txt")).unwrap();
        }),
        ("a merge that removes lines", &|here, log| merge(here, log, ["HEAD", "HEAD~1"])),
        ("a merge whose first parent is older", &|here, log| merge(here, log, ["HEAD~1", "HEAD"])),
    ];
    for (at, (edit, does)) in edits.iter().enumerate() {
        let here = clone(&world, &repository, &format!("edit-{at}"), &[]);
        let log = log_dir(&world, &here, "prod").join("000000000000.jsonl");
        does(&here, &log);
        if !edit.contains("merge") {
            git(&here, &["add", "--all"]);
            git(&here, &["commit", "--quiet", "--message", edit]);
        }
        git(&here, &["push", "--quiet", "origin", "HEAD:tagwarden"]);
        assert!(!deleted(&clone(&world, &repository, &format!("auditor-{at}"), &[])).is_empty(), "{edit}");
        // Back, for the next edit.
        git(&repository, &["update-ref", "refs/heads/tagwarden", &tip]);
    }
}

/// A merge of two commits with the log cut after its first line.
fn merge(here: &Path, log: &Path, parents: [&str; 2]) {
    let text = std::fs::read_to_string(log).unwrap();
    std::fs::write(log, format!("{}\n", text.lines().next().unwrap())).unwrap();
    git(here, &["add", "--all"]);
    let tree = git(here, &["write-tree"]);
    let commit = git(here, &["commit-tree", &tree, "-p", parents[0], "-p", parents[1], "-m", "merge"]);
    git(here, &["reset", "--quiet", "--hard", &commit]);
}
