//! A ledger in a Git branch touches nothing of the user's repository: each of its files has the same bytes before and after.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::git::{SETTINGS, bare, command, files, git};
use common::{Said, WHO, World, said};

const TIMES: [&str; 6] = ["--quiet", "1s", "--put-timeout", "1s", "--settle", "1s"];

/// A registry, and a bare repository `origin.git` with two commits.
fn with_origin() -> (World, PathBuf) {
    let world = World::new();
    world.config("");
    let origin = bare(&world.dir.path().join("origin.git"));
    let first = world.dir.path().join("first");
    git(world.dir.path(), &["clone", "--quiet", url(&origin).as_str(), "first"]);
    for text in ["one", "two"] {
        std::fs::write(first.join("app.yaml"), text).unwrap();
        git(&first, &["add", "app.yaml"]);
        git(&first, &["commit", "--quiet", "--message", text]);
    }
    git(&first, &["push", "--quiet", "origin", "HEAD:main"]);
    (world, origin)
}

fn url(repository: &Path) -> String {
    format!("file://{}", repository.display())
}

fn clone(world: &World, origin: &Path, options: &[&str]) -> PathBuf {
    let url = url(origin);
    git(world.dir.path(), &[&["clone", "--quiet"], options, &[url.as_str(), "shop"]].concat());
    world.dir.path().join("shop")
}

/// A hook of the user that leaves a trace where it runs.
fn hooks(world: &World, repository: &Path) {
    let dir = PathBuf::from(git(repository, &["rev-parse", "--path-format=absolute", "--git-path", "hooks"]));
    std::fs::create_dir_all(&dir).unwrap();
    let trace = world.dir.path().join("hook-ran");
    for name in
        ["pre-push", "post-commit", "pre-commit", "commit-msg", "reference-transaction", "post-checkout", "pre-auto-gc"]
    {
        script(&dir.join(name), &format!("echo {name} >> {}", trace.display()));
    }
}

fn script(file: &Path, lines: &str) {
    std::fs::write(file, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs it in a directory, with a person's settings that must not count.
fn run(world: &World, dir: &Path, args: &[&str]) -> Said {
    let mut program = world.command(args);
    program.current_dir(dir).envs(SETTINGS.iter().copied());
    program.env("GIT_INDEX_FILE", dir.join("no-index")).env("GIT_TRACE", dir.join("trace"));
    said(program.output().unwrap())
}

/// The commands that write, and those that read, with `git` as the ledger.
fn everything(world: &World, dir: &Path) {
    let prod = world.prod();
    let backup = world.dir.path().join("backup").display().to_string();
    let (moves, reason) = ([&WHO[..], &TIMES].concat(), ["--reason", "incident 7"]);
    let commands: Vec<Vec<&str>> = vec![
        vec!["ledger", "init", "git"],
        [&["bootstrap", &prod, "--source", "1.4.0"], &moves[..]].concat(),
        [&["promote", &prod, "--source", "1.4.1"], &moves[..]].concat(),
        [&["hold", &prod], &reason[..], &WHO].concat(),
        vec!["current", &prod, "--settle", "1s"],
        vec!["current", &prod, "--offline"],
        vec!["history", &prod],
        vec!["verify"],
        vec!["ledger", "export", &backup],
    ];
    for command in commands {
        let said = run(world, dir, &[&command[..], &["--ledger", "git"]].concat());
        assert_eq!(said.exit, 0, "{command:?}\n{}\n{}", said.out, said.err);
    }
    std::fs::remove_dir_all(&backup).unwrap();
}

/// The branch was written, the repository is what it was, and no hook ran.
fn untouched(world: &World, origin: &Path, dir: &Path, watched: &[&Path]) {
    hooks(world, dir);
    let seen = || watched.iter().flat_map(|path| files(path)).collect::<std::collections::BTreeMap<_, _>>();
    let _ = std::fs::remove_file(world.dir.path().join("hook-ran"));
    let before = seen();
    everything(world, dir);
    let after = seen();
    let changed = before.iter().filter(|(path, bytes)| after.get(*path) != Some(*bytes)).map(|(path, _)| path);
    let added = after.keys().filter(|path| !before.contains_key(*path));
    assert_eq!(changed.chain(added).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
    assert!(!world.dir.path().join("hook-ran").exists(), "a hook of the user ran");
    assert!(git(origin, &["log", "--format=%s", "tagwarden"]).contains("promote acme/shop:prod to 1.4.1 (sha256:"));
}

#[test]
fn git_ledger_in_a_dirty_repository_changes_no_file_of_it() {
    let (world, origin) = with_origin();
    let shop = clone(&world, &origin, &[]);
    std::fs::write(shop.join("app.yaml"), "stashed").unwrap();
    git(&shop, &["stash", "push", "--quiet"]);
    std::fs::write(shop.join("staged.yaml"), "staged").unwrap();
    git(&shop, &["add", "staged.yaml"]);
    std::fs::write(shop.join("app.yaml"), "changed").unwrap();
    std::fs::write(shop.join("untracked.yaml"), "new").unwrap();
    for (name, value) in
        [("commit.gpgSign", "true"), ("push.gpgSign", "true"), ("push.followTags", "true"), ("user.name", "eve")]
    {
        git(&shop, &["config", name, value]);
    }
    let below = shop.join("below");
    std::fs::create_dir(&below).unwrap();
    let status = git(&shop, &["status", "--porcelain=v2", "--branch"]);
    untouched(&world, &origin, &below, &[&shop]);
    assert_eq!(git(&shop, &["status", "--porcelain=v2", "--branch"]), status);
    assert_eq!(git(&shop, &["stash", "list"]).lines().count(), 1);
}

#[test]
fn git_ledger_in_a_shallow_repository_changes_no_file_of_it() {
    let (world, origin) = with_origin();
    let shop = clone(&world, &origin, &["--depth=1", "--branch=main"]);
    assert!(shop.join(".git/shallow").exists());
    untouched(&world, &origin, &shop, &[&shop]);
}

#[test]
fn git_ledger_in_a_bare_repository_changes_no_file_of_it() {
    let (world, origin) = with_origin();
    let shop = clone(&world, &origin, &["--bare"]);
    untouched(&world, &origin, &shop, &[&shop]);
}

#[test]
fn git_ledger_in_an_empty_repository_changes_no_file_of_it() {
    let (world, origin) = with_origin();
    let shop = world.dir.path().join("shop");
    git(world.dir.path(), &["init", "--quiet", "shop"]);
    git(&shop, &["remote", "add", "origin", &url(&origin)]);
    untouched(&world, &origin, &shop, &[&shop]);
}

#[test]
fn git_ledger_in_a_worktree_changes_no_file_of_it() {
    let (world, origin) = with_origin();
    let shop = clone(&world, &origin, &["--branch=main"]);
    let other = world.dir.path().join("other");
    git(&shop, &["worktree", "add", "--quiet", "-b", "fix", other.to_str().unwrap()]);
    untouched(&world, &origin, &other, &[&shop, &other]);
}

/// Git gives its hooks the place of the repository, of the index and of objects that do not count yet.
#[test]
fn git_ledger_inside_a_hook_changes_no_file_of_the_repository() {
    let (world, origin) = with_origin();
    let (prod, log) = (world.prod(), bare(&world.dir.path().join("ledger.git")));
    let ledger = common::git::ledger(&log);
    let begin = run(
        &world,
        world.dir.path(),
        &[&["bootstrap", &prod, "--source", "1.4.0", "--ledger", &ledger][..], &WHO, &TIMES].concat(),
    );
    assert_eq!(begin.exit, 0, "{}", begin.err);
    let shop = clone(&world, &origin, &["--branch=main"]);
    let push: &[&str] = &["push", "--quiet", "origin", "HEAD:main"];
    let commit: &[&str] = &["commit", "--quiet", "--all", "--message", "three"];
    for (at, (repository, hook, does)) in [
        (&shop, "pre-commit", commit),
        (&shop, "post-commit", commit),
        (&shop, "pre-push", push),
        (&origin, "pre-receive", push),
    ]
    .into_iter()
    .enumerate()
    {
        let of_git = if repository == &shop { shop.join(".git") } else { origin.clone() };
        let out = world.dir.path().join(format!("{hook}-{at}"));
        std::fs::create_dir(&out).unwrap();
        let release = format!("1.4.{}", at + 1);
        let args =
            [&["promote", &prod, "--source", &release, "--ledger", &ledger][..], &WHO, &TIMES].concat().join(" ");
        let (program, repository, out_dir) = (env!("CARGO_BIN_EXE_tagwarden"), repository.display(), out.display());
        // The hook itself is in place for both looks.
        let lines = format!(
            "look() {{ (cd {repository} && find . -type f -exec sha256sum {{}} + | sort); }}\n\
             env | grep ^GIT_ > {out_dir}/environment\n\
             look > {out_dir}/before\n\
             {program} {args} > {out_dir}/said 2>&1; echo $? > {out_dir}/exit\n\
             look > {out_dir}/after\n\
             cat > /dev/null || true"
        );
        std::fs::create_dir_all(of_git.join("hooks")).unwrap();
        script(&of_git.join("hooks").join(hook), &lines);
        std::fs::write(shop.join("app.yaml"), format!("{hook} {at}")).unwrap();
        let mut ends = command(&shop, does);
        ends.env("HOME", world.dir.path());
        let ended = said(ends.output().unwrap());
        let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(ended.exit, 0, "{hook}: {}", ended.err);
        assert_eq!(read("exit").trim(), "0", "{hook}: {}", read("said"));
        assert!(!read("environment").is_empty() && !read("before").is_empty(), "{hook}");
        assert_eq!(read("before"), read("after"), "{hook}");
        std::fs::remove_file(of_git.join("hooks").join(hook)).unwrap();
        if does == push {
            // The next push has something to bring.
            git(&shop, commit);
        }
    }
    assert_eq!(git(&log, &["log", "--format=%s", "tagwarden"]).matches("promote acme/shop:prod to ").count(), 4);
}
