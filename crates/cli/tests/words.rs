//! One word for one thing: what was renamed before the first release is in no command, flag, JSON field, code or public
//! name of the bindings and the Action any more. docs/reference/cli.md and docs/reference/errors.md have the words that
//! took their place.

mod common;

use std::io::Result;
use std::path::{Path, PathBuf};

use common::World;
use serde_json::Value;

/// Words that no public name has, in any spelling: their parts joined by `_`, `-` or capitals.
const NAMES: &[&str] =
    &["time_out", "take_over", "no_wait", "meet", "patience", "expect", "foreign", "abandon", "how", "moved"];

/// Names of move options that have another one now. In the log's own entries some of them are fields.
const OPTIONS: &[&str] = &["from", "from_", "key", "queue", "leave"];

const CODES: &[&str] = &["_MOVED", "_LIED", "_CONFLICT", "ORDER_SKIPPED", "ORDER_SUPERSEDED", "ROLLBACK_INCOMPLETE"];

fn path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(path(file))
}

/// The files of a folder whose names end so.
fn files(folder: &str, end: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path(folder))? {
        found.push(format!("{folder}/{}", entry?.file_name().to_string_lossy()));
    }
    found.retain(|name| name.ends_with(end));
    assert!(!found.is_empty(), "{folder}: no {end}");
    Ok(found)
}

/// The words before a `:`, `?:` or `=`: parameters, fields and options.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.match_indices([':', '=']).filter_map(move |(at, _)| {
        let before = text[..at].trim_end_matches('?');
        let name = before.rsplit(|c: char| !word(c)).next().unwrap_or_default();
        Some(name).filter(|name| !name.is_empty())
    })
}

fn snake(name: &str) -> String {
    let parts = name.chars().flat_map(|c| [c.is_ascii_uppercase().then_some('_'), Some(c.to_ascii_lowercase())]);
    parts.flatten().map(|c| if c == '-' { '_' } else { c }).collect()
}

fn check(place: &str, name: &str, banned: &[&str]) {
    let name = snake(name);
    assert!(!banned.iter().any(|word| name == *word || name.ends_with(&format!("_{word}"))), "{place}: {name}");
}

/// The help of a command and of every command below it.
fn helps(world: &World, command: &[&str], found: &mut Vec<(String, String)>) {
    let help = world.does(&[command, &["--help"]].concat(), 0).out;
    if let Some((_, commands)) = help.split_once("Commands:\n") {
        let indented = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        let commands = commands.lines().take_while(|line| !line.ends_with("options:") && *line != "Options:");
        for line in commands.filter(indented).filter_map(|line| line.split_whitespace().next()) {
            if line != "help" && !line.starts_with('-') {
                helps(world, &[command, &[line]].concat(), found);
            }
        }
    }
    found.push((command.join(" "), help));
}

#[test]
fn commands_and_flags_have_the_new_words() {
    let (world, mut found) = (World::new(), Vec::new());
    helps(&world, &[], &mut found);
    let commands: Vec<&str> = found.iter().map(|(command, _)| command.as_str()).collect();
    assert!(commands.contains(&"ledger migrate") && !commands.contains(&"ledger copy"), "{commands:?}");
    assert!(commands.contains(&"unhold") && !commands.contains(&"release"), "{commands:?}");
    for (command, help) in &found {
        for flag in help.split(|c: char| c.is_whitespace() || "`,[]()".contains(c)).filter_map(|w| w.strip_prefix("--"))
        {
            check(command, flag, NAMES);
            assert!(!["key", "queue"].contains(&flag), "{command}: --{flag}");
        }
        let from = help.matches("--from").count();
        assert_eq!(from, help.matches("[alias: --from]").count(), "{command}: --from is an alias of --source");
        assert_eq!(from, usize::from(["promote", "bootstrap"].contains(&command.as_str())), "{command}");
        assert!(!help.to_lowercase().contains("time-out"), "{command}");
    }
}

/// No field of an answer that is called `from` or `to` has a digest.
fn check_json(place: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                check(place, name, NAMES);
                let digest = value.as_str().is_some_and(|text| text.starts_with("sha256:"));
                assert!(!digest || !["from", "to"].contains(&name.as_str()), "{place}: {name}: {value}");
                check_json(&format!("{place} {name}"), value);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| check_json(place, item)),
        _ => {}
    }
}

#[test]
fn answers_have_the_new_words() {
    let world = World::with_prod();
    let prod = world.prod();
    let promote = ["promote", &prod, "--source", "1.4.1", "--idempotency-key", "k"];
    let reason = ["--reason", "why"];
    let asks: [&[&str]; 12] = [
        &["promote", &prod, "--source", "1.4.1", "--dry-run"],
        &promote,
        &promote,
        &["promote", &prod, "--source", "1.4.1"],
        &["rollback", &prod],
        &["recover", &prod],
        &["current", &prod],
        &["history", &prod],
        &["at", &prod, "2999-01-01T00:00:00Z"],
        &["audit"],
        &["verify"],
        &["ledger", "migrate", "ledger", "next"],
    ];
    for ask in asks {
        check_json(&ask.join(" "), &world.json(ask, 0));
    }
    check_json("hold", &world.json(&[&["hold", prod.as_str(), "--ledger", "next"][..], &reason].concat(), 0));
    let refused = world.json(&["promote", &prod, "--source", "1.4.2", "--ledger", "next"], 3);
    check_json("a refusal", &refused);
}

/// The names of all fields of a JSON value.
fn fields<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(inner) => {
            for (name, value) in inner {
                found.push(name);
                fields(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
        _ => {}
    }
}

#[test]
fn log_entries_have_the_new_words() {
    let world = World::with_prod();
    let prod = world.prod();
    world.does(&["promote", &prod, "--source", "1.4.1", "--expected", &world.digest("1.4.0").to_string()], 0);
    world.does(&["hold", &prod, "--reason", "why"], 0);
    world.does(&["unhold", &prod, "--mine", "--reason", "why"], 0);
    world.push_by_hand(7);
    world.does(&["promote", &prod, "--source", "1.4.2"], 4);
    world.does(&["repair", &prod], 0);
    world.does(&["ledger", "migrate", "ledger", "next"], 0);
    let log = std::fs::read_to_string(world.log("prod")).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        kinds.insert(entry["kind"].as_str().unwrap().to_owned());
        let mut found = Vec::new();
        fields(&entry["body"], &mut found);
        for name in found {
            check(line, name, NAMES);
            assert!(!["from", "to", "by", "ambiguous"].contains(&name), "{name}: {line}");
        }
    }
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    assert_eq!(kinds, ["hold", "intent", "migrated", "observation", "outcome", "policy", "unhold"]);
    world.verify_independently("prod");
}

#[test]
fn codes_have_the_new_words() {
    for kind in tagwarden::ErrorKind::ALL {
        assert!(!CODES.iter().any(|old| kind.code().contains(old)), "{}", kind.code());
    }
    let findings = read("../docs/reference/errors.md").unwrap();
    assert!(!CODES.iter().any(|old| findings.contains(old)));
}

#[test]
fn bindings_and_action_have_the_new_words() {
    let python = [files("py/python/tagwarden", ".py").unwrap(), files("py/python/tagwarden", ".pyi").unwrap()].concat();
    let node = files("node", ".d.ts").unwrap();
    for file in python.iter().chain(&node).map(String::as_str).chain(["node/action/action.yml"]) {
        let text = read(file).unwrap();
        names(&text).for_each(|name| check(file, name, NAMES));
        for old in ["time_out", "timeOut", "TIME_OUT", "time-out"] {
            assert!(!text.contains(old), "{file}: {old}");
        }
    }
    for (file, method) in
        [("py/python/tagwarden/_tagwarden.pyi", " release(self, /, channel"), ("node/native.d.ts", " release(channel")]
    {
        let text = read(file).unwrap();
        assert!(text.contains(&method.replace("release", "unhold")), "{file}");
        assert!(!text.contains(method), "{file}: it is unhold");
    }
    let (types, action) = (read("node/native.d.ts").unwrap(), read("node/action/action.yml").unwrap());
    assert!(types.contains("  idempotencyKey?: "));
    for option in OPTIONS {
        assert!(!types.contains(&format!("  {option}?: ")), "native.d.ts: {option}");
        assert!(!names(&action).any(|name| name == *option), "action.yml: {option}");
    }
}

/// The Rust files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn rust_has_the_new_words() {
    let (mut files, mut seen) = (Vec::new(), 0);
    sources(&path("core/src"), &mut files).unwrap();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let public = text.lines().filter_map(|line| line.trim_start().strip_prefix("pub "));
        let variants = text.lines().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_uppercase()));
        for line in public.chain(variants) {
            let line = line.trim_start();
            let name =
                line.split_whitespace().find(|word| !["async", "const", "fn", "enum", "struct", "type"].contains(word));
            let name = name.unwrap_or_default().split([':', '(', '<', ',', '{', ';']).next().unwrap_or_default();
            seen += 1;
            check(&format!("{}: {line}", file.display()), name, &["moved", "time_out", "release_hold"]);
            let digest = line.starts_with("from: Option<Digest>") || line.starts_with("from: Digest");
            assert!(!digest && !line.starts_with("to: "), "{}: {line}", file.display());
        }
    }
    assert!(seen > 1_000, "{seen}");
}
