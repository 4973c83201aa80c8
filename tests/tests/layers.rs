//! The modules of the library form layers: a file uses its own layer and those below, never one above.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The layer of a module of the library. None if it has no layer yet, which is a violation.
fn layer(module: &str) -> Option<i8> {
    Some(match module {
        "error" | "lock" => -1,
        "value" => 0,
        "log" => 1,
        "policy" | "drift" | "retention" => 2,
        // The state machine of a move is pure, although it is part of `promotion`.
        "machine" => 2,
        "registry" | "ledger" | "identity" | "tls" | "http" | "backoff" | "secret" => 3,
        "flux" | "attest" | "diff" => 4,
        "promotion" => 5,
        "config" => 6,
        _ => return None,
    })
}

/// The module of a name that is re-exported at the top of the crate.
fn home(name: &str) -> &str {
    match name {
        "Error" | "ErrorKind" | "Result" | "Class" | "Retry" => "error",
        "Promoter" | "Receipt" | "Terms" | "Times" | "Operation" | "MoveResult" => "promotion",
        _ if name.chars().next().is_some_and(char::is_uppercase) => "value",
        module => module,
    }
}

/// The modules that a source uses by `crate::`, each with its line. Tests do not count.
fn uses(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let code = without_tests(source);
    for (at, line) in code.lines().enumerate() {
        let line = line.split("//").next().unwrap_or("");
        for (start, _) in line.match_indices("crate::") {
            if line[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let rest = &line[start + "crate::".len()..];
            match rest.strip_prefix('{') {
                // `use crate::{a::B, c}`: one name at each comma that is not inside another brace. A list on several
                // lines is reported as a violation, so that no name is missed.
                Some(list) => match list.split_once("};") {
                    Some((list, _)) => {
                        let mut depth = 0;
                        for part in list.split(',') {
                            if depth == 0 {
                                found.push((at + 1, name(part.trim())));
                            }
                            depth += part.matches('{').count();
                            depth -= part.matches('}').count().min(depth);
                        }
                    }
                    None => found.push((at + 1, "a list over several lines".to_owned())),
                },
                None => found.push((at + 1, name(rest))),
            }
        }
    }
    found
}

fn name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The source without the items under `#[cfg(test)]` (or `cfg(all(test, …))`). Line numbers do not change.
fn without_tests(source: &str) -> String {
    let mut kept = String::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let attribute = line.trim();
        if !(attribute.starts_with("#[cfg(test)]") || attribute.starts_with("#[cfg(all(test,")) {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        kept.push('\n');
        let indent = line.len() - line.trim_start().len();
        for line in lines.by_ref() {
            kept.push('\n');
            let text = line.trim();
            let at_indent = line.len() - line.trim_start().len() == indent;
            // rustfmt indents the last line of an item like its first line.
            if at_indent && !text.starts_with("#[") && (text.ends_with(';') || text.ends_with('}')) {
                break;
            }
        }
    }
    kept
}

/// The violations in a file of this module, as messages.
fn violations(module: &str, file: &str, source: &str) -> Vec<String> {
    let Some(own) = layer(module) else { return vec![format!("{file}: {module} has no layer")] };
    let mut wrong = Vec::new();
    for (line, used) in uses(source) {
        match layer(home(&used)) {
            Some(layer) if layer <= own => {}
            Some(layer) => wrong.push(format!("{file}:{line}: {module} (layer {own}) uses {used} (layer {layer})")),
            None => wrong.push(format!("{file}:{line}: crate::{used} has no layer")),
        }
    }
    wrong
}

/// The name of a module that a line declares, to be read from a file of its own.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub").map_or(line, |rest| rest.split_once(' ').map_or(rest, |(_, item)| item));
    line.strip_prefix("mod ")?.strip_suffix(';')
}

/// Every source file below `dir`, except those that exist in test builds only.
fn sources(dir: &Path, into: &mut Vec<PathBuf>, test_only: &mut BTreeSet<PathBuf>) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        if path.is_dir() {
            sources(&path, into, test_only);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            // A module that is declared under `cfg(test)` is in a file of its own.
            let source = std::fs::read_to_string(&path).unwrap();
            let stem = path.file_stem().unwrap();
            let below = if stem == "mod" || stem == "lib" { dir.to_owned() } else { dir.join(stem) };
            let mut test = false;
            for line in source.lines().map(str::trim) {
                if line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test,") {
                    test = true;
                } else if let (true, Some(module)) = (test, declared(line)) {
                    test_only.extend([below.join(format!("{module}.rs")), below.join(module)]);
                    test = false;
                } else if !line.starts_with("#[") {
                    test = false;
                }
            }
            into.push(path);
        }
    }
}

#[test]
fn file_uses_no_layer_above_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/core/src");
    let (mut files, mut test_only) = (Vec::new(), BTreeSet::new());
    sources(&root, &mut files, &mut test_only);
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for path in files {
        if path == root.join("lib.rs") || test_only.iter().any(|only| path == *only || path.starts_with(only)) {
            continue;
        }
        let file = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let path_in_promotion = file.strip_prefix("promotion/").filter(|path| path.starts_with("machine"));
        let module = path_in_promotion.unwrap_or(&file).split(['/', '.']).next().unwrap().to_owned();
        wrong.extend(violations(&module, &file, &std::fs::read_to_string(&path).unwrap()));
        seen.insert(module);
    }
    assert_eq!(wrong, Vec::<String>::new(), "\n{}", wrong.join("\n"));
    for module in [
        "error",
        "value",
        "log",
        "policy",
        "drift",
        "retention",
        "machine",
        "registry",
        "ledger",
        "promotion",
        "config",
    ] {
        assert!(seen.contains(module), "{module} was not looked at");
    }
}

#[test]
fn layer_violation_is_found() {
    let wrong = |module: &str, source: &str| violations(module, "x.rs", source);
    let ledger = "use crate::error::Result;\nuse crate::ledger::Journal;\n";
    assert_eq!(wrong("machine", ledger), ["x.rs:2: machine (layer 2) uses ledger (layer 3)"]);
    assert_eq!(wrong("ledger", ledger), Vec::<String>::new());
    assert_eq!(wrong("value", "fn f() -> crate::log::Entry {\n"), ["x.rs:1: value (layer 0) uses log (layer 1)"]);
    assert_eq!(wrong("error", "use crate::value::Digest;"), ["x.rs:1: error (layer -1) uses value (layer 0)"]);
    assert_eq!(wrong("policy", "use crate::{Digest, Promoter};"), ["x.rs:1: policy (layer 2) uses Promoter (layer 5)"]);
    assert_eq!(
        wrong("policy", "use crate::{log::{Op, Entry}, promotion::Terms};"),
        ["x.rs:1: policy (layer 2) uses promotion (layer 5)"]
    );
    assert_eq!(
        wrong("policy", "use crate::{\n    promotion,\n};"),
        ["x.rs:1: crate::a list over several lines has no layer"]
    );
    assert_eq!(wrong("policy", "use crate::somewhere::X;"), ["x.rs:1: crate::somewhere has no layer"]);
    assert_eq!(wrong("attic", ""), ["x.rs: attic has no layer"]);
}

#[test]
fn tests_may_use_every_layer_and_code_after_them_may_not() {
    let source = "#[cfg(test)]\nmod tests {\n    use crate::promotion::Promoter;\n}\n\nuse crate::promotion::Terms;\n";
    assert_eq!(violations("value", "x.rs", source), ["x.rs:6: value (layer 0) uses promotion (layer 5)"]);
    let source = "#[cfg(all(test, feature = \"file\"))]\nmod tests;\nuse crate::promotion::Terms;\n";
    assert_eq!(violations("value", "x.rs", source), ["x.rs:3: value (layer 0) uses promotion (layer 5)"]);
    assert_eq!(violations("value", "x.rs", "// crate::promotion is above\n"), Vec::<String>::new());
}
