//! Every command that the README, the other documents and `--help` print is typed as it is printed: into a shell at a
//! pseudo-terminal, by a person, without a CI's environment. Each exits with 0, unless the document says another code.
//!
//! A command that is printed from now on is typed, too. It needs a line in `state::STATES` if its verb is new.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]
#![allow(unreachable_pub, reason = "as in common")]

#[path = "../common/mod.rs"]
mod common;
mod documents;
mod run;
mod state;

use std::process::{Command, Stdio};

use common::said;
use documents::{Form, Session, markdown, of_help, of_markdown, read};
use run::{NAMED, all, helps, here, is_recovery, of_helps, session, shell, terminal, typed};
use state::{STAND_INS, State};

/// The pages for users: every line that they type is typed here, or is in `ELSEWHERE`. Of the other documents only the commands
/// of tagwarden are typed.
const PAGES: &[&str] = &[
    "README.md",
    "docs/getting-started.md",
    "docs/guides/incidents.md",
    "docs/concepts.md",
    "docs/guides/extending.md",
    "docs/guides/github-action.md",
    "docs/guides/ledgers.md",
    "docs/guides/node.md",
    "docs/guides/python.md",
    "docs/guides/registries.md",
    "docs/reference/cli.md",
    "docs/reference/configuration.md",
    "docs/reference/errors.md",
    "docs/reference/ledger-urls.md",
    "docs/reference/limits.md",
];

/// The pages that a newcomer and a person on call read first: the README, the first steps and the incidents.
const FIRST: usize = 3;

/// Lines that are not typed here, by their beginning, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo run --release -p tagwarden-cli -- demo", "builds tagwarden; tests/demo.rs runs the demo"),
    ("tests/run", "runs all tests, this one among them"),
    ("cargo install --path crates/cli", "builds the command line; `tests/run build` does"),
    ("pip install ./crates/py", "builds the Python package; `tests/run build bindings python` does"),
    ("(cd crates/node && npm install)", "builds the Node package; `tests/run build bindings node` does"),
    (".ci/release", "builds the packages; CI does"),
    ("createdb releases", "needs a PostgreSQL; tests/engines makes its own"),
];

/// A page whose commands follow each other from an empty directory: tests/git_guide.rs runs them.
const IN_ORDER: &str = "docs/guides/git-ledger.md";

/// Every other document.
fn others() -> Vec<String> {
    let files = ["docs", "crates/py", "crates/node", "crates/cli/demo"].into_iter().flat_map(markdown);
    let top = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned);
    files.chain(top).filter(|file| !PAGES.contains(&file.as_str()) && file != IN_ORDER).collect()
}

fn of_others() -> Vec<Session> {
    others().iter().flat_map(|file| of_markdown(file)).collect()
}

fn of_pages() -> Vec<Session> {
    PAGES.iter().flat_map(|page| of_markdown(page)).collect()
}

#[test]
fn commands_of_the_first_pages_typed_as_printed_succeed() {
    let sessions = PAGES[..FIRST].iter().flat_map(|page| of_markdown(page));
    all(&sessions.collect::<Vec<_>>(), 32);
}

#[test]
fn commands_of_the_other_pages_typed_as_printed_succeed() {
    let sessions = PAGES[FIRST..].iter().flat_map(|page| of_markdown(page)).chain(of_others());
    all(&sessions.collect::<Vec<_>>(), 12);
}

/// The commands that write into a channel's log, but for `recover`.
const MOVES: &[&str] = &["bootstrap", "promote", "rollback", "repair", "adopt", "hold", "unhold"];

#[test]
fn examples_of_moves_in_help_typed_as_printed_succeed() {
    all(&of_helps(|command| MOVES.contains(&command)), 17);
}

#[test]
fn other_examples_in_help_typed_as_printed_succeed() {
    let waits = |command: &str| command == "demo" || command.starts_with("dev");
    all(&of_helps(|command| !waits(command) && !MOVES.contains(&command)), 36);
}

#[test]
fn demos_in_help_typed_as_printed_succeed() {
    all(&of_helps(|command| command == "demo"), 4);
}

#[test]
fn recoveries_typed_as_printed_close_the_move_of_a_dead_run() {
    let mut sessions = [of_pages(), of_others(), of_helps(|_| true)].concat();
    sessions.retain(is_recovery);
    sessions.sort_by(|a, b| a.lines[0].text.cmp(&b.lines[0].text));
    sessions.dedup_by(|a, b| a.lines[0].text == b.lines[0].text);
    let ended: Vec<_> = std::thread::scope(|scope| {
        let begun: Vec<_> = sessions.iter().map(|one| scope.spawn(|| session(one, terminal))).collect();
        begun.into_iter().map(|run| run.join().unwrap()).collect()
    });
    ended.iter().for_each(|end| assert!(end.is_ok(), "{}", end.as_ref().unwrap_err()));
    assert_eq!(ended.iter().flatten().sum::<usize>(), 3);
}

/// A terminal of 80 columns shows each example as a wide one does: what is copied from it is whole.
#[test]
fn examples_in_help_fit_into_80_columns() {
    let texts = |columns: &str| -> Vec<String> {
        let sessions = helps(columns).into_iter().flat_map(|(command, help)| of_help(&command, &help));
        sessions.map(|session| session.lines[0].text.clone()).collect()
    };
    assert_eq!(texts("80"), texts("110"));
}

/// The steps of a pipeline do in the CI that they are written for what they do when a person types them.
#[test]
fn steps_of_pipelines_in_their_ci_succeed() {
    let (mut run, github) = (0, [("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", "4711"), ("GITHUB_ACTOR", "ada")]);
    let gitlab = [("GITLAB_CI", "true"), ("CI_PIPELINE_ID", "4711"), ("GITLAB_USER_LOGIN", "ada")];
    for page in PAGES {
        for step in of_markdown(page).iter().filter(|session| session.form == Form::Step) {
            let variables = if step.around.contains("$CI_") { gitlab } else { github };
            let in_ci = |mut shell: Command| {
                shell.envs(variables).env("CI", "true").env_remove("LOGNAME").env_remove("USER").stdin(Stdio::null());
                said(shell.output().unwrap())
            };
            run += session(step, in_ci).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
    }
    assert_eq!(run, 3);
}

/// A command that a CI runs in a terminal is not a person's: nothing is recorded without the run and the actor.
#[test]
fn writes_of_the_first_pages_in_a_ci_that_is_not_known_are_provenance_incomplete() {
    let mut verbs = Vec::new();
    let sessions = PAGES[..FIRST].iter().flat_map(|page| of_markdown(page));
    for session in &sessions.filter(|session| session.form == Form::Typed).collect::<Vec<_>>() {
        for (exports, line) in typed(session) {
            let verb = line.text.split_whitespace().nth(1).unwrap();
            if !MOVES.contains(&verb) && verb != "recover" && !line.text.contains("ledger migrate") {
                continue;
            }
            let (start, _) = state::of(&line.text).unwrap();
            let world = state::prepare(start);
            let before = (std::fs::read(world.log("prod")).ok(), world.digest("prod"));
            let script = here(&world, start, &format!("{exports}{}", line.text));
            let mut shell = shell(&world, &script);
            shell.env("CI", "true");
            let said = terminal(shell);
            assert_eq!(said.exit, 2, "{script}\n{}", said.out);
            for want in ["[PROVENANCE_INCOMPLETE]", "give the run id (--run-id) and the actor (--actor)"] {
                assert!(said.out.contains(want), "{script}\n{}", said.out);
            }
            assert!((std::fs::read(world.log("prod")).ok(), world.digest("prod")) == before, "{script}");
            verbs.push(verb.to_owned());
        }
    }
    for verb in MOVES {
        assert!(verbs.iter().any(|seen| seen == verb), "the first pages have no {verb}");
    }
}

#[test]
fn exit_codes_beside_the_commands_are_those_of_drift_and_of_a_defect() {
    let page = read("docs/guides/incidents.md");
    assert!(page.contains("`tagwarden audit prod` (exit 4: ") && page.contains("`tagwarden verify` (exit 7: "));
    let world = state::prepare(State::Drifted);
    let said = terminal(shell(&world, "tagwarden audit prod"));
    assert_eq!(said.exit, 4, "{}", said.out);
    let log = std::fs::read_to_string(world.log("prod")).unwrap();
    std::fs::write(world.log("prod"), log.replacen("\"ada\"", "\"eve\"", 1)).unwrap();
    let said = terminal(shell(&world, "tagwarden verify"));
    assert_eq!(said.exit, 7, "{}", said.out);
}

/// Where a page names a command with flags but without its channel, as in `promote --dry-run`, the command has the flags.
#[test]
fn flags_that_pages_name_with_a_command_are_flags_of_it() {
    let (helps, mut count) = (helps("110"), 0);
    for page in PAGES {
        for code in documents::code(&read(page)) {
            let named = |command: &str| code.strip_prefix(command).is_some_and(|rest| rest.starts_with(" --"));
            let Some((command, help)) = helps.iter().find(|(command, _)| !command.is_empty() && named(command)) else {
                continue;
            };
            for flag in code.split_whitespace().filter(|word| word.starts_with("--")) {
                let has = help.split_whitespace().any(|word| word.trim_end_matches([',', ';', '.']) == flag);
                assert!(has, "{page}: {code:?}, but {command} has no {flag}");
                count += 1;
            }
        }
    }
    assert!(count >= 5, "{count} flags were found");
}

#[test]
fn lines_of_pages_are_typed_or_listed_with_a_reason() {
    for session in &of_pages() {
        for line in session.lines.iter().filter(|line| !line.is_tagwarden() && !line.text.starts_with("export ")) {
            let listed = ELSEWHERE.iter().any(|(begins, _)| line.text.starts_with(begins));
            assert!(listed, "{}: {:?} is not typed, and ELSEWHERE does not say why", session.place, line.text);
        }
    }
    let sessions = [of_pages(), of_others(), of_helps(|_| true)].concat();
    let lines = || sessions.iter().flat_map(|session| &session.lines);
    for (begins, _) in ELSEWHERE {
        assert!(lines().any(|line| line.text.starts_with(begins)), "ELSEWHERE: no page has {begins:?} any more");
    }
    for name in NAMED {
        assert!(lines().any(|line| line.text == *name), "NAMED: nothing has {name:?} any more");
    }
    for (url, needs) in STAND_INS {
        let with: Vec<_> = sessions.iter().filter(|one| one.lines.iter().any(|line| line.text.contains(url))).collect();
        assert!(!with.is_empty(), "STAND_INS: nothing has {url:?} any more");
        for session in with {
            let around = session.around.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(around.contains(needs), "{}: {url} {needs}, and the reader is not told", session.place);
        }
    }
    for remote in ["s3://", "gs://", "az://", "postgres://", "git+https://", "ghcr.io"] {
        for line in lines().filter(|line| line.text.contains(remote)) {
            assert!(STAND_INS.iter().any(|(url, _)| line.text.contains(url)), "no stand-in: {}", line.text);
        }
    }
}
