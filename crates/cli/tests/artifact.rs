//! `artifact push`: what is packed of a directory, and what git, the CI and the clock say about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Said, World};
use serde_json::Value;
use tagwarden::flux::DEFAULT_IGNORE_PATHS;
use tagwarden::registry::Registry;
use tagwarden::registry::oci::{OciOptions, OciRegistry};

const SOURCE: [&str; 4] =
    ["--source", "https://github.com/acme/shop", "--revision", "main@sha1:0123456789abcdef0123456789abcdef01234567"];

/// A world whose directory holds these files below `app`.
fn with_files(files: &[(&str, &str)]) -> World {
    let world = World::new();
    for (path, content) in files {
        let path = world.dir.path().join("app").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    world
}

fn git(dir: &Path, time: u64, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(dir).args(["-c", "user.name=ada", "-c", "user.email=ada@example.com"]).args(args);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.env("GIT_COMMITTER_DATE", format!("{time} +0000")).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Makes `app` a repository with everything in one commit, and an origin.
fn repository(world: &World) -> String {
    let app = world.dir.path().join("app");
    git(&app, 1_700_000_000, &["init", "--quiet", "--initial-branch=main"]);
    git(&app, 1_700_000_000, &["remote", "add", "origin", "https://ci:canary-4f1c@git.example.com/acme/shop.git"]);
    commit(&app, 1_700_000_000)
}

fn commit(app: &Path, time: u64) -> String {
    git(app, time, &["add", "--all"]);
    git(app, time, &["commit", "--quiet", "--message=change"]);
    git(app, time, &["rev-parse", "HEAD"])
}

fn push(world: &World, version: &str, args: &[&str]) -> Value {
    let reference = world.channel(version).to_string();
    world.json(&[&["artifact", "push", &reference, "--path", "app"], args].concat(), 0)
}

fn refused(world: &World, args: &[&str]) -> Said {
    let reference = world.channel("2.0.0").to_string();
    world.does(&[&["artifact", "push", &reference, "--path", "app"], args].concat(), 2)
}

fn manifest(world: &World, version: &str) -> Value {
    let reference = world.channel(version).to_string().parse().unwrap();
    let registry = OciRegistry::new(OciOptions::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let manifest = runtime.block_on(registry.fetch(&reference)).unwrap().unwrap();
    serde_json::from_slice(manifest.bytes()).unwrap()
}

/// The files of the layer as it was pushed, listed by the machine's `tar`.
fn listed(world: &World, version: &str) -> Vec<String> {
    let digest = manifest(world, version)["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    let registry = OciRegistry::new(OciOptions::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let repository = world.server.repository("acme/shop");
    let layer = runtime.block_on(registry.fetch_blob(&repository, &digest, 1 << 20)).unwrap().unwrap();
    let file = world.dir.path().join("layer.tar.gz");
    std::fs::write(&file, layer).unwrap();
    let output = Command::new("tar").arg("-tzf").arg(&file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.ends_with('/')).map(str::to_owned).collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn repository_with_secrets_and_ignored_paths_is_pushed_without_them() {
    let world = with_files(&[
        ("deploy/app.yaml", "kind: ConfigMap\n"),
        (".env", "TOKEN=canary-4f1c\n"),
        (".sourceignore", "node_modules\n"),
        ("node_modules/left-pad/index.js", "x"),
        ("ui/node_modules/index.js", "x"),
        ("ui/logo.png", "x"),
        ("tls.crt", "-----BEGIN EC PRIVATE KEY-----\ncanary-4f1c\n"),
        ("ca.pem", "x"),
    ]);
    let commit = repository(&world);
    let reference = world.channel("2.0.0").to_string();
    let mut command = world.command(&["artifact", "push", &reference, "--path", ".", "--json"]);
    let said = common::said(command.current_dir(world.dir.path().join("app")).output().unwrap());
    assert_eq!(said.exit, 0, "{said:?}");
    assert_eq!(listed(&world, "2.0.0"), [".sourceignore", "deploy/app.yaml"]);
    assert!(!said.out.contains("canary") && !said.err.contains("canary"), "{said:?}");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    let left_out = [".env", ".git/", "ca.pem", "node_modules/", "tls.crt", "ui/logo.png", "ui/node_modules/"];
    assert_eq!(texts(&json["left_out"]), left_out);
    assert_eq!(
        said.err,
        "left out 7: .env, .git/, ca.pem, node_modules/, tls.crt and 2 more (to pack one all the same: --include PATH)\n"
    );
    assert_eq!(json["source"], "https://git.example.com/acme/shop.git");
    assert_eq!(json["revision"], format!("main@sha1:{commit}"));
    assert_eq!(json["created"], "2023-11-14T22:13:20.000Z");
    assert_eq!(json["warnings"], serde_json::json!([]));
}

#[test]
fn help_names_every_default_pattern() {
    let world = World::new();
    let help = world.does(&["artifact", "push", "--help"], 0).out;
    let words = help.split_whitespace().collect::<String>();
    assert!(words.contains(&DEFAULT_IGNORE_PATHS.join(",")), "{help}");
}

#[test]
fn ignore_paths_and_include_decide_what_is_packed() {
    let files =
        [("a.yaml", "x"), ("a.png", "x"), ("b.md", "x"), ("docs/c.txt", "x"), ("tls/tls.key", "x"), (".env", "x")];
    let world = with_files(&files);
    let args = |more: &[&'static str]| [&SOURCE[..], &["--created", "2026-11-23T06:00:00Z"], more].concat();
    push(&world, "2.0.0", &args(&[]));
    assert_eq!(listed(&world, "2.0.0"), ["a.yaml", "b.md", "docs/c.txt"]);
    let json = push(&world, "2.0.1", &args(&["--ignore-paths", "*.md,docs/"]));
    assert_eq!(listed(&world, "2.0.1"), ["a.png", "a.yaml"]);
    assert_eq!(texts(&json["left_out"]), [".env", "b.md", "docs/", "tls/tls.key"]);
    let twice = push(&world, "2.0.2", &args(&["--ignore-paths", "*.md", "--ignore-paths", "docs/"]));
    assert_eq!(twice["digest"], json["digest"]);
    push(&world, "2.0.3", &args(&["--include", "tls/tls.key", "--include", "a.png"]));
    assert_eq!(listed(&world, "2.0.3"), ["a.png", "a.yaml", "b.md", "docs/c.txt", "tls/tls.key"]);
    push(&world, "2.0.4", &args(&["--ignore-paths", ""]));
    assert_eq!(listed(&world, "2.0.4"), ["a.png", "a.yaml", "b.md", "docs/c.txt"], "an empty list has no pattern");
    let said = refused(&world, &args(&["--include", "app/.env"]));
    assert!(said.err.contains("app has no app/.env, which was to be included"), "{}", said.err);
}

#[test]
fn releases_are_in_the_order_of_their_commits() {
    let world = with_files(&[("a.yaml", "1")]);
    repository(&world);
    let app = world.dir.path().join("app");
    let created = |version| {
        push(&world, version, &[]);
        let annotations = &manifest(&world, version)["annotations"];
        annotations["org.opencontainers.image.created"].as_str().unwrap().to_owned()
    };
    let first = created("2.0.0");
    std::fs::write(app.join("a.yaml"), "2").unwrap();
    commit(&app, 1_700_000_060);
    let second = created("2.0.1");
    assert_eq!([first.as_str(), &second], ["2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z"]);
    // The same commit from another clone is the same release.
    let clone = with_files(&[]);
    git(clone.dir.path(), 1_700_000_000, &["clone", "--quiet", &app.display().to_string(), "app"]);
    let origin = git(&app, 1_700_000_000, &["config", "remote.origin.url"]);
    git(&clone.dir.path().join("app"), 1_700_000_000, &["remote", "set-url", "origin", &origin]);
    push(&clone, "2.0.1", &[]);
    assert_eq!(clone.digest("2.0.1"), world.digest("2.0.1"));
}

#[test]
fn created_is_given_else_source_date_epoch_else_the_clock() {
    let mut world = with_files(&[("a.yaml", "1")]);
    let said = push(&world, "2.0.0", &SOURCE);
    assert!(said["created"].as_str().unwrap() > "2026-01-01", "{said}");
    assert!(said["warnings"][0].as_str().unwrap().starts_with("created is the time of the clock"), "{said}");
    world.environment = vec![("SOURCE_DATE_EPOCH", "1600000000")];
    let said = push(&world, "2.0.1", &SOURCE);
    assert_eq!(said["created"], "2020-09-13T12:26:40.000Z");
    assert_eq!(said["warnings"], serde_json::json!([]));
    let said = push(&world, "2.0.2", &[&SOURCE[..], &["--created", "2021-01-01T00:00:00Z"]].concat());
    assert_eq!(said["created"], "2021-01-01T00:00:00.000Z");
}

#[test]
fn missing_git_repository_is_an_error_that_names_the_flags_or_a_ci_gives_them() {
    let mut world = with_files(&[("a.yaml", "1")]);
    let said = refused(&world, &[]);
    assert!(said.err.contains("git: not a git repository"), "{}", said.err);
    assert!(said.err.contains("give --source and --revision") && said.err.contains("[VALUE_INVALID]"), "{}", said.err);
    world.environment = vec![
        ("GITLAB_CI", "true"),
        ("CI_PROJECT_URL", "https://gitlab.example.com/acme/shop"),
        ("CI_COMMIT_REF_NAME", "v2.0.0"),
        ("CI_COMMIT_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ("SOURCE_DATE_EPOCH", "1600000000"),
    ];
    let said = push(&world, "2.0.0", &[]);
    assert_eq!(said["source"], "https://gitlab.example.com/acme/shop");
    assert_eq!(said["revision"], "v2.0.0@sha1:0123456789abcdef0123456789abcdef01234567");
    // git is not there, either: nothing but the CI is needed.
    world.environment.push(("PATH", "/nowhere"));
    assert_eq!(push(&world, "2.0.0", &[])["digest"], said["digest"]);
    world.environment = vec![("PATH", "/nowhere")];
    assert!(refused(&world, &[]).err.contains("git is not installed; no CI was found"));
}

#[test]
fn changes_that_are_not_committed_are_warned_of() {
    let world = with_files(&[("a.yaml", "1")]);
    let commit = repository(&world);
    std::fs::write(world.dir.path().join("app/a.yaml"), "2").unwrap();
    let said = world.does(&["artifact", "push", &world.channel("2.0.0").to_string(), "--path", "app"], 0);
    let want =
        format!("warning: app has changes that are not committed: its files are not those of main@sha1:{commit}\n");
    assert!(said.err.starts_with(&want), "{}", said.err);
}
