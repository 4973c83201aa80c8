//! The documentation agrees with the code: every error code with its meaning, every finding, every number.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tagwarden::retention::RetentionRule;
use tagwarden::{ErrorKind, IdempotencyKey, MoveOptions, Provenance, Repository, Tag, Times};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the tables from `heading` to the next heading, each row as its cells.
fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, section) = document.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    rows.filter(|line| !line.starts_with("| ---")).skip(1).map(cells).collect()
}

#[test]
fn error_table_has_every_code_in_order_and_words() {
    let listed = rows(&format!("\n{}", read("docs/reference/errors.md")), "# Errors").into_iter().map(|mut row| {
        assert_eq!(row.len(), 6, "{row:?}");
        assert!(!row.pop().unwrap().is_empty(), "what to do about {row:?}");
        row
    });
    let expected = ErrorKind::ALL.iter().map(|kind| {
        let class = format!("{:?}", kind.class()).to_lowercase();
        let exit = kind.class().exit_code().to_string();
        vec![format!("`{}`", kind.code()), class, exit, kind.retry().as_str().to_owned(), kind.meaning().to_owned()]
    });
    assert_eq!(listed.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn finding_table_has_every_code() {
    let mut given = BTreeSet::new();
    for file in [
        "core/src/policy/guardrail.rs",
        "core/src/policy/blocked.rs",
        "core/src/policy/forward.rs",
        "core/src/policy/rolled_back.rs",
        "core/src/policy/parts.rs",
        "core/src/policy/evaluation.rs",
        "core/src/policy/refusal.rs",
        "core/src/promotion/pins.rs",
        "core/src/promotion/facts.rs",
        "core/src/promotion/new_channel.rs",
        "core/src/promotion/releases.rs",
        "bind/src/foreign/guardrail.rs",
    ] {
        let source = read(Path::new("crates").join(file));
        let source = source.split("#[cfg(test)]").next().unwrap();
        let strings = source.split('"').skip(1).step_by(2);
        given.extend(
            strings
                .filter(|text| text.contains('_') && text.chars().all(|c| c == '_' || c.is_ascii_uppercase()))
                .map(str::to_owned),
        );
    }
    assert!(given.contains("STAGE_SKIPPED"), "{given:?}");
    let rows = rows(&read("docs/reference/errors.md"), "## Findings");
    let listed = rows.into_iter().map(|row| row[0].trim_matches('`').to_owned());
    assert_eq!(listed.collect::<BTreeSet<_>>(), given);
}

/// A number of a document, in its smallest unit: bytes, milliseconds or pieces.
fn number(text: &str) -> u64 {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: u64 = number.replace(',', "").parse().unwrap_or_else(|_| panic!("{text}: not a number"));
    number
        * match unit {
            "" | "ms" | "bytes" | "characters" => 1,
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            "s" => 1000,
            "d" => 24 * 60 * 60 * 1000,
            other => panic!("{text}: {other}?"),
        }
}

/// The value of a constant in the source: a product, a shift or a duration.
fn constant(file: &str, name: &str) -> u64 {
    let source = read(Path::new("crates/core/src").join(file));
    let line = source.lines().map(str::trim).find(|line| {
        line.trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub(super) ")
            .starts_with(&format!("const {name}:"))
    });
    let line = line.unwrap_or_else(|| panic!("{file}: no {name}"));
    let value = line.split_once('=').unwrap().1.trim().trim_end_matches(';');
    let (value, unit) = match value.strip_prefix("Duration::from_secs(") {
        Some(seconds) => (seconds.trim_end_matches(')'), 1000),
        None => (value, 1),
    };
    let plain = |text: &str| text.trim().replace('_', "").parse::<u64>().unwrap_or_else(|_| panic!("{file}: {line}"));
    unit * match value.split_once("<<") {
        Some((one, shift)) => plain(one) << plain(shift),
        None => value.split('*').map(plain).product(),
    }
}

fn same<T: std::str::FromStr>(what: &str, listed: u64, of: impl Fn(usize) -> String) {
    let most = usize::try_from(listed).unwrap();
    assert!(of(most).parse::<T>().is_ok(), "{what} of {most}");
    assert!(of(most + 1).parse::<T>().is_err(), "{what} of {}", most + 1);
}

#[test]
fn documented_limits_are_those_of_the_code() {
    let rows = rows(&read("docs/reference/limits.md"), "## Numbers");
    assert!(rows.len() > 20, "{}", rows.len());
    for row in rows {
        let (what, listed) = (row[0].as_str(), number(&row[1]));
        match row[2].split('`').filter(|part| !part.trim().is_empty()).collect::<Vec<_>>()[..] {
            [file, name] => assert_eq!(listed, constant(file, name), "{what}"),
            ["tested"] => match what {
                "an idempotency key" => same::<IdempotencyKey>(what, listed, |n| "k".repeat(n)),
                "a tag" => same::<Tag>(what, listed, |n| "t".repeat(n)),
                "a repository with its host" => {
                    same::<Repository>(what, listed, |n| format!("reg.io/{}", "r".repeat(n - 7)))
                }
                _ => panic!("{what} is not tested"),
            },
            ref other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn documented_defaults_are_those_of_the_code() {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap();
    let terms = MoveOptions::new(Provenance::new("manual", "run", "ada").unwrap());
    let rule = RetentionRule::default();
    let mut times = [0; 4];
    for row in rows(&read("docs/reference/limits.md"), "## Defaults") {
        let listed = number(&row[1]);
        match row[0].as_str() {
            "time to live" => times[0] = listed,
            "grace" => times[1] = listed,
            "quiet time" => times[2] = listed,
            "put timeout" => times[3] = listed,
            "wait for another's move" => assert_eq!(listed, ms(terms.timeout)),
            "digests kept for rollback" => assert_eq!(listed, u64::from(rule.keep_last.get())),
            "time kept after a digest stopped being live" => assert_eq!(listed, ms(rule.keep_for)),
            other => panic!("{other} is not tested"),
        }
    }
    let [ttl, grace, quiet, put] = times.map(Duration::from_millis);
    assert_eq!(Times::new(ttl, grace, quiet, put).unwrap(), Times::default());
}

/// The Markdown files of a folder and of the folders below it.
fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
}

#[test]
fn links_have_existing_targets() {
    let mut files = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from).to_vec();
    markdown(Path::new("docs"), &mut files);
    assert!(files.len() > 25, "{files:?}");
    for file in files {
        let document = read(&file);
        let dir = file.parent().unwrap();
        for link in document.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
            if !link.is_empty() && !link.contains("://") {
                assert!(root().join(dir).join(link).exists(), "{}: {link} is not there", file.display());
            }
        }
    }
}

#[test]
fn readme_has_at_most_600_words() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= 600, "{words} words");
}

/// The parts of an example, in their order: the name of each task, and its program without the common indent.
fn tasks(example: &str, comment: &str) -> Vec<(String, String)> {
    let source = read(example);
    let begin = format!("{comment} task: ");
    let mut parts = source.split(&begin).skip(1).map(|part| {
        let (name, program) = part.split_once('\n').unwrap();
        let lines: Vec<&str> = program.trim_end().lines().collect();
        let filled = lines.iter().filter(|line| !line.is_empty());
        let indent = filled.map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
        let program = lines.iter().map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n");
        (name.to_owned(), program)
    });
    let found: Vec<_> = parts.by_ref().take_while(|(name, _)| name != "end").collect();
    assert!(parts.next().is_none(), "{example} has something after its last task");
    found
}

#[test]
fn guide_to_three_languages_shows_the_tasks_of_the_examples() {
    let guide = read("docs/guides/three-languages.md");
    let shown: Vec<String> = guide
        .split("\n```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').map(|(_, program)| program.to_owned()).unwrap())
        .collect();
    let languages = [
        tasks("crates/core/examples/tasks.rs", "//"),
        tasks("crates/py/examples/tasks.py", "#"),
        tasks("crates/node/examples/tasks.mjs", "//"),
    ];
    let names = |tasks: &[(String, String)]| tasks.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&languages[0]).len(), 10);
    assert!(languages.iter().all(|tasks| names(tasks) == names(&languages[0])), "the languages have other tasks");
    let expected = (0..10).flat_map(|task| languages.iter().map(move |language| language[task].1.clone()));
    assert_eq!(shown, expected.collect::<Vec<_>>());
}
