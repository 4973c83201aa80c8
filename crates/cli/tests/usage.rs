//! Configuration, help, credentials: what a person gets wrong, and what is never shown.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{WHO, World, said};
use tagwarden_testing::{AuthMode, Login};

#[test]
fn the_configuration_is_found_upwards_and_its_errors_have_line_and_column() {
    let world = World::new();
    world.does(&["bootstrap", "dev", "--source", "1.4.0"], 0);
    let below = world.dir.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let found = said(world.command(&["current", "dev"]).current_dir(&below).output().unwrap());
    assert_eq!(found.exit, 0, "{}", found.err);

    let said = world.does(&["current", "staging"], 2);
    assert!(said.err.contains("\"staging\" is no HOST/REPOSITORY:TAG, and "), "{}", said.err);
    assert!(said.err.contains("tagwarden.toml names dev, prod [VALUE_INVALID]"), "{}", said.err);

    world.config("ledger = 'ledger'\n\n[retention]\nkeep-lats = 3\n");
    let said = world.does(&["channels"], 2);
    assert!(
        said.err.contains("tagwarden.toml:4:1: unknown key `keep-lats`; did you mean `keep-last`? [CONFIG_INVALID]"),
        "{}",
        said.err
    );
    let json = world.json(&["channels"], 2);
    assert_eq!((&json["error"]["code"], &json["error"]["context"]["line"]), (&"CONFIG_INVALID".into(), &"4".into()));
    // Neither needs it.
    world.does(&["completions", "bash"], 0);
}

#[test]
fn missing_ledger_is_a_usage_error() {
    let world = World::with_prod();
    world.config("");
    let said = world.does(&["channels"], 2);
    assert!(
        said.err.starts_with("error: no ledger was named: give --ledger URL, set TAGWARDEN_LEDGER"),
        "{}",
        said.err
    );
    let said = world.does(&["channels", "--ledger", "redis://cache/0"], 2);
    assert!(said.err.contains("no ledger is kept in redis://; give a directory, file://, s3://"), "{}", said.err);
    let said = world.does(&["channels", "--ledger", "host=db dbname=audit user=ci"], 2);
    let want = "ledger: a libpq connection string; write it as postgres://USER@HOST/DATABASE [CONFIG_INVALID]";
    assert!(said.err.contains(want), "{}", said.err);
    if !cfg!(feature = "postgres") {
        let said = world.does(&["channels", "--ledger", "postgres://ci:c4n4ry@db/audit"], 2);
        let want =
            "ledger: postgres:// is not built into this program: cargo install tagwarden-cli --features postgres";
        assert!(said.err.contains(want) && !said.err.contains("c4n4ry"), "{}", said.err);
    }
    let url = world.dir.path().join("ledger");
    let with_variable = said_of(world.command(&["channels"]).env("TAGWARDEN_LEDGER", url));
    assert!(with_variable.out.contains(&world.prod()), "{}", with_variable.err);
}

fn said_of(command: &mut std::process::Command) -> common::Said {
    said(command.output().unwrap())
}

#[test]
fn usage_error_is_json_if_json_is_asked_for() {
    let world = World::new();
    let said = world.run(&["promote", "prod", "--form", "1.4.2", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.exit, &json["error"]["class"]), (2, &"usage".into()));
    assert!(json["error"]["message"].as_str().unwrap().contains("'--form'"), "{json}");
    let said = world.run(&["promote", "prod"]);
    assert_eq!((said.exit, said.out.as_str()), (2, ""));
    assert!(said.err.contains("--source <RELEASE>"), "{}", said.err);
}

/// The questions of an incident are answered by `--help` alone.
#[test]
fn help_names_the_first_commands_guarantees_and_exit_codes() {
    let world = World::new();
    let said = world.does(&["--help"], 0);
    for want in [
        "tagwarden current prod",
        "tagwarden rollback prod",
        "tagwarden repair prod",
        "tagwarden adopt prod",
        "Guaranteed:",
        "Only detected, not prevented:",
        "tagwarden.toml",
    ] {
        assert!(said.out.contains(want), "{want}");
    }
    assert!(said.out.trim_end().ends_with("7  defect: the ledger's bytes break a rule of its format"), "{}", said.out);
    assert_eq!(world.run(&["current", "--version"]).exit, 0);
}

#[test]
fn help_of_a_command_names_only_flags_that_it_takes() {
    let world = World::new();
    for command in ["current", "audit", "recover", "promote"] {
        let help = world.does(&[command, "--help"], 0).out;
        let (flags, _) = help.rsplit_once("Examples:").or(help.rsplit_once("Example:")).unwrap_or((&help, ""));
        let is_end = |rest: &str| rest.is_empty() || rest.starts_with(' ');
        let taken = |flag: &str| help.lines().any(|line| line.trim().strip_prefix(flag).is_some_and(is_end));
        for named in ["--quiet", "--no-settle", "--put-timeout"] {
            assert!(!flags.contains(named) || taken(named), "{command} --help names {named}");
        }
    }
}

/// `docs/reference/cli.md` names every command, every flag and every exit code.
#[test]
fn cli_reference_lists_every_command_and_flag() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/cli.md")).unwrap();
    let world = World::new();
    let help = world.does(&["--help"], 0).out;
    let commands = help.split("Commands:").nth(1).unwrap().split("Common options").next().unwrap();
    // A command stands two columns in, and its description beside or under it.
    let indented = |line: &&str| line.starts_with("  ") && !line.starts_with("   ") && !line.starts_with("  -");
    let commands: Vec<&str> =
        commands.lines().filter(indented).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(commands.len(), 28, "{commands:?}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(docs.contains(&format!("`{command}")) || docs.contains(&format!("tagwarden {command}")), "{command}");
        let help = match command {
            "artifact" => world.does(&["artifact", "push", "--help"], 0).out,
            "dev" => world.does(&["dev", "registry", "--help"], 0).out,
            "config" => world.does(&["config", "validate", "--help"], 0).out,
            "ledger" => ["init", "migrate", "export", "import"]
                .map(|verb| {
                    assert!(
                        docs.contains(&format!("`ledger {verb} ")) && docs.contains(&format!("`ledger {verb}`")),
                        "{verb}"
                    );
                    world.does(&["ledger", verb, "--help"], 0).out
                })
                .concat(),
            command => world.does(&[command, "--help"], 0).out,
        };
        let flags = help.split(|c: char| c.is_whitespace() || c == ',' || c == '`');
        for flag in flags.filter(|word| word.starts_with("--") && word.len() > 2) {
            let flag = flag.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            assert!(docs.contains(flag), "{command} {flag}");
        }
    }
    for exit in 0..=7 {
        assert!(docs.contains(&format!("| {exit} |")), "exit code {exit}");
    }
}

#[test]
fn completions_are_made_for_every_shell() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = world.does(&["completions", shell], 0);
        assert!(said.out.contains("tagwarden") && said.out.contains("put-timeout"), "{shell}");
    }
    assert_eq!(world.json(&["completions", "fish"], 0)["shell"], "fish");
}

const CANARY: &str = "canary-4f1c";

/// Whatever is wrong with a ledger's URL, or with the command line that it stands in: its password is not shown.
#[test]
fn no_output_shows_a_ledgers_password() {
    let world = World::with_prod();
    let url = "postgres://ci:canary-4f1c@127.0.0.1:9/audit?sslmode=disable&token=canary-4f1c";
    let file = "file://u:canary-4f1c@/srv";
    let flag = format!("--ledger={url}");
    for args in [
        &["channels", "--ledger", url][..],
        &["channels", url],
        &["channels", "--lodger", url],
        &["channels", &flag, &flag],
        &["ledger", "init", url],
        &["ledger", "migrate", "ledger", url],
        &["ledger", "migrate", url, "ledger"],
        &["ledger", "migrate", "ledger", url, "--dry-run"],
        &["ledger", "import", "none", "--ledger", url],
        &["demo", "--ledger", url],
        &["channels", "--ledger", "postgres://ci:canary-4f1c/x@h/db"],
        &["channels", "--ledger", "s3://key:canary-4f1c@bucket"],
        &["channels", "--ledger", file],
        &["ledger", "init", file],
        &["ledger", "migrate", "ledger", file],
        &["ledger", "migrate", file, "ledger"],
    ] {
        for json in [&[][..], &["--json"]] {
            let said = world.run(&[args, json].concat());
            assert_ne!(said.exit, 0, "{args:?}");
            assert!(!format!("{said:?}").contains(CANARY), "{args:?}: {said:?}");
        }
    }
    for url in [url, file] {
        world.config(&format!("ledger = '{url}'\n"));
        let said = said_of(world.command(&["channels"]).env("TAGWARDEN_LEDGER", url));
        assert!(said.exit != 0 && !format!("{said:?}").contains(CANARY), "{said:?}");
        let said = world.run(&["channels"]);
        assert!(said.exit != 0 && !format!("{said:?}").contains(CANARY), "{said:?}");
    }
}

#[test]
fn usage_error_shows_no_secret_of_an_option() {
    let world = World::with_prod();
    for url in [
        "https://u:canary-4f1c@h/x?token=canary-4f1c",
        "https://u:canary-4f1c@h/\u{1b}[2J\u{9b}",
        "~https://u:canary-4f1c@h/x",
        "#u:canary-4f1c@h",
        "u:canary-4f1c@h",
    ] {
        for option in ["--to", "--commit", "--expected", "--timeout", "--on-conflict", "--json", "--no-such"] {
            let joined = format!("{option}={url}");
            for args in [&[joined.as_str()][..], &[option, url], &[&joined, "--json"]] {
                let said = world.run(&[&["rollback", "prod"][..], args].concat());
                assert_eq!(said.exit, 2, "{args:?}: {said:?}");
                assert!(!format!("{said:?}").contains(CANARY), "{args:?}: {said:?}");
            }
        }
    }
}

#[test]
fn url_in_the_place_of_a_path_or_a_channel_is_a_usage_error_that_shows_no_secret() {
    let world = World::with_prod();
    let url = "https://u:canary-4f1c@h/x";
    for args in [
        &["verify", "--log", url][..],
        &["config", "validate", url],
        &["ledger", "export", url],
        &["ledger", "import", url],
        &["current", "prod", "--ca-file", url],
        &["artifact", "push", "u:canary-4f1c@h", "--path", url],
        &["artifact", "push", "u:canary-4f1c@h", "--path", "."],
        &["current", "u:canary-4f1c@h"],
        &["channels", "--ledger", "u:canary-4f1c@h"],
    ] {
        let said = world.run(args);
        assert_eq!(said.exit, 2, "{args:?}: {said:?}");
        assert!(!format!("{said:?}").contains(CANARY), "{args:?}: {said:?}");
    }
    assert!(world.run(&["verify", "--log", url]).err.contains("a URL is no path of this host"));
    assert!(!world.dir.path().join("https:").exists());
}

#[test]
fn usage_error_escapes_control_characters_of_an_argument() {
    let world = World::new();
    for (argument, want) in [
        ("--to=a\u{7}\u{9b}31m", "'a\\u{7}\\u{9b}31m'"),
        ("--no\u{1b}[2Jsuch=1", "'--no\\u{1b}[2Jsuch'"),
        ("a\r\n\nb\u{202e}", "'a\\r\\n\\nb\\u{202e}'"),
    ] {
        let said = world.run(&["rollback", "prod", argument]);
        assert_eq!(said.exit, 2, "{said:?}");
        assert!(said.err.contains(want), "{said:?}");
        assert!(!said.err.contains(|char: char| char.is_control() && char != '\n' || char == '\u{202e}'), "{said:?}");
        let said = world.run(&["rollback", "prod", argument, "--json"]);
        let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert!(json["error"]["message"].as_str().unwrap().contains(want), "{json}");
    }
}

#[test]
fn no_output_shows_a_secret() {
    let world = World::with_prod();
    let prod = world.prod();
    let login = |password: &str| AuthMode::Basic(Login::new("ci", password));
    let with_password = |args: &[&str], password: &str| {
        let mut command = world.command(&[args, &["--username", "ci", "--password-stdin"], &WHO].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        said(child.wait_with_output().unwrap())
    };
    let promote = ["promote", prod.as_str(), "--source", "1.4.1"];

    world.server.access(login("another one"));
    for args in [&promote[..], &[&promote[..], &["--json"]].concat()] {
        let refused = with_password(args, CANARY);
        assert_eq!(refused.exit, 1, "{} {}", refused.out, refused.err);
        assert!(!format!("{refused:?}").contains(CANARY), "{refused:?}");
        assert!(format!("{refused:?}").contains("REGISTRY_DENIED"), "{refused:?}");
    }
    let wrong = said_of(
        world.command(&[&promote[..], &WHO].concat()).env("TAGWARDEN_USERNAME", "ci").env("TAGWARDEN_PASSWORD", CANARY),
    );
    assert!(wrong.exit == 1 && !format!("{wrong:?}").contains(CANARY), "{wrong:?}");
    assert!(wrong.err.contains("\nhint: log in with `docker login`"), "{}", wrong.err);

    world.server.access(login(CANARY));
    let done = with_password(&promote, &format!("{CANARY}\n"));
    assert_eq!(done.exit, 0, "{}", done.err);
    assert!(!format!("{done:?}").contains(CANARY), "{done:?}");
    let log = std::fs::read_to_string(world.log("prod")).unwrap();
    assert!(!log.contains(CANARY));
    assert_eq!(world.run(&["current", &prod, "--username", "ci"]).exit, 2);
}

#[test]
fn text_from_outside_cannot_drive_the_terminal() {
    let world = World::with_prod();
    let said = world.does(&["promote", &world.prod(), "--source", "1.4.1", "--reason", "a\u{1b}[2J"], 2);
    assert!(!said.err.contains("\u{1b}[2J"), "{}", said.err);
    let said = world.does(&["verify", "--log", "no\u{1b}[2J.jsonl"], 2);
    assert!(said.err.contains("no\\u{1b}[2J.jsonl"), "{}", said.err);
}

#[test]
fn a_release_is_packed_and_pushed_from_the_command_line() {
    let world = World::with_prod();
    std::fs::create_dir(world.dir.path().join("deploy")).unwrap();
    std::fs::write(world.dir.path().join("deploy/app.yaml"), "kind: ConfigMap\n").unwrap();
    let reference = world.channel("2.0.0").to_string();
    let revision = "main@sha1:0123456789abcdef0123456789abcdef01234567";
    let url = "https://user:canary-4f1c@github.com/acme/shop";
    let source = ["--source", url, "--revision", revision, "--created", "2026-11-23T06:00:00Z"];
    let push = [&["artifact", "push", &reference, "--path", "deploy"], &source[..]].concat();
    let json = world.json(&push, 0);
    assert_eq!(json["digest"], world.digest("2.0.0").to_string());
    let said = world.does(&push, 0);
    assert!(said.out.starts_with(&format!("pushed {reference}\n  digest    sha256:")) && !said.out.contains(CANARY));
    world.does(&["promote", &world.prod(), "--source", "2.0.0"], 0);
    let absent = [&["artifact", "push", &reference, "--path", "none"], &source[..]].concat();
    assert!(world.does(&absent, 2).err.contains("[SOURCE_INVALID]"));
}

#[test]
fn certificates_that_cannot_be_read_are_a_usage_error() {
    let world = World::with_prod();
    std::fs::write(world.dir.path().join("bad.pem"), "no certificate").unwrap();
    for (file, want) in [("none.pem", "none.pem cannot be used: "), ("bad.pem", "[CONFIG_INVALID]")] {
        let said = world.does(&["current", &world.prod(), "--ca-file", file], 2);
        assert!(said.err.contains(want), "{}", said.err);
    }
}
