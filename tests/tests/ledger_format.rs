//! `docs/reference/ledger-format.md` agrees with the code.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tagwarden::log::{DefectCode, Kind, LogReport, MAX_ENTRY};
use tagwarden_tests::file;

fn page() -> String {
    std::fs::read_to_string(file("../docs/reference/ledger-format.md")).unwrap()
}

fn section(name: &str) -> String {
    let page = page();
    let (_, rest) = page.split_once(&format!("\n## {name}\n")).unwrap_or_else(|| panic!("no section {name}"));
    rest.split("\n## ").next().unwrap().to_owned()
}

#[test]
fn defect_table_lists_the_codes_of_the_enum() {
    let rows: Vec<String> = section("Defects")
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| code") && !line.starts_with("| ---"))
        .map(str::to_owned)
        .collect();
    let want: Vec<String> =
        DefectCode::ALL.iter().map(|code| format!("| {} | {} |", code.as_str(), code.meaning())).collect();
    assert_eq!(rows, want);
}

#[test]
fn every_entry_kind_has_a_paragraph() {
    let kinds = section("Kinds");
    for kind in Kind::ALL {
        assert!(kinds.contains(&format!("**{}**", kind.as_str())), "{}", kind.as_str());
    }
    assert_eq!(MAX_ENTRY, 32_768, "the size that the page names");
}

/// Every field of every kind of entry in the good log is named in the section of that kind.
#[test]
fn every_field_of_every_kind_is_documented() {
    let kinds = section("Kinds");
    let good = std::fs::read_to_string(file("vectors/log/good.jsonl")).unwrap();
    let mut seen = BTreeSet::new();
    for line in good.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let kind = entry["kind"].as_str().unwrap();
        let (_, own) = kinds.split_once(&format!("\n**{kind}**: ")).unwrap();
        let own = own.split("\n**").next().unwrap();
        let provenance = kinds.split("\n**").next().unwrap();
        let mut fields = Vec::new();
        fields_of(&entry["body"], &mut fields);
        for (name, in_provenance) in fields {
            let text = if in_provenance { provenance } else { own };
            let named = text.contains(&format!("`{name}`")) || text.contains(&format!("`{name} "));
            assert!(named, "{kind}: {name} is not named");
        }
        seen.insert(kind.to_owned());
    }
    // The good log was not migrated, so it has no `migrated` entry.
    assert_eq!(seen.len(), Kind::ALL.len() - 1, "{seen:?}");
}

/// The names of all fields; true for the fields of a provenance. Names that a writer chooses are left out.
fn fields_of(value: &Value, to: &mut Vec<(String, bool)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let before = to.len();
                to.push((name.clone(), false));
                if !["annotations", "claims"].contains(&name.as_str()) {
                    fields_of(value, to);
                }
                if name == "provenance" {
                    to[before + 1..].iter_mut().for_each(|(_, in_provenance)| *in_provenance = true);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields_of(item, to)),
        _ => {}
    }
}

#[test]
fn python_code_of_the_page_verifies_a_log() {
    let page = page();
    let script = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let check = dir.path().join("check.py");
    std::fs::write(&check, script).unwrap();
    let run = |name: &str| {
        let log = file("vectors/log").join(name);
        let run = Command::new("python3").arg(&check).arg(log).output().expect("python3");
        (run.status.success(), String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned())
    };
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file("vectors/log/expected.json")).unwrap()).unwrap();
    let (holds, said) = run("good.jsonl");
    assert!(holds && said.contains(expected["good"]["root"].as_str().unwrap()), "{said}");
    for (name, want) in [
        ("bit-flip", "seq 2: the entry before it is not the one it was written after"),
        ("removed", "seq 18: version, position or channel"),
        ("spaces", "seq 0: not canonical"),
    ] {
        let (holds, said) = run(&format!("{name}.jsonl"));
        assert!(!holds && said.contains(want), "{name}: {said}");
    }
}

#[test]
fn truncated_log_is_detected_only_with_a_checkpoint() {
    let good = std::fs::read(file("vectors/log/good.jsonl")).unwrap();
    let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
    let cut = LogReport::of_jsonl(None, &lines[..lines.len() - 2].concat());
    assert_eq!((cut.defect, cut.entries), (None, lines.len() as u64 - 2));
}
