//! Typing: a shell at a terminal, and what it must show.

use std::path::Path;
use std::process::Command;

use crate::common::{Said, World, said};
use crate::documents::{Form, Line, Session, of_help};
use crate::state::{self, State};

/// Code that names a command and leaves out what it takes.
pub const NAMED: &[&str] = &["tagwarden promote", "tagwarden recover", "tagwarden holds"];

/// Variables that the documents' commands name.
const VARIABLES: &[(&str, &str)] = &[
    ("LEDGER_URL", "elsewhere"),
    ("TAGWARDEN_LEDGER", "ledger"),
    ("GITHUB_RUN_ID", "4711"),
    ("GITHUB_RUN_ATTEMPT", "1"),
    ("GITHUB_REF_NAME", "v1.4.2"),
    ("CI_JOB_ID", "4711"),
    ("CI_REGISTRY_USER", "ci"),
    ("CI_REGISTRY_PASSWORD", "canary-4f1c"),
];

/// A shell in a world's directory, which finds `tagwarden` and has a person's environment.
pub fn shell(world: &World, script: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_tagwarden")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(world.dir.path()).env_clear();
    shell.env("PATH", std::env::join_paths(path).unwrap()).env("HOME", world.dir.path());
    shell.envs([("LOGNAME", "ada"), ("USER", "ada"), ("TERM", "xterm")]);
    let names = |name: &str| script.contains(&format!("${name}")) || script.contains(&format!("${{{name}}}"));
    shell.envs(VARIABLES.iter().filter(|(name, _)| names(name)).copied());
    shell
}

/// Types a script at a terminal. A question about a rollback is answered with yes.
pub fn terminal(mut shell: Command) -> Said {
    shell.env("COLUMNS", "80");
    let asks = shell.get_args().any(|arg| arg.to_string_lossy().contains("tagwarden rollback"));
    let (ended, out) = tagwarden_tests::terminal::run(shell, if asks { "y\n" } else { "" }).unwrap();
    Said { exit: ended.code().unwrap_or(-1), out: plain(&out), err: String::new() }
}

/// A text without the colours of a terminal.
fn plain(shown: &str) -> String {
    let mut parts = shown.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').get(1..).unwrap_or_default()
    })
}

/// The commands of a session that are typed here, each with what the reader's shell has exported before.
pub fn typed(session: &Session) -> Vec<(String, &Line)> {
    let (mut exports, mut found) = (String::new(), Vec::new());
    for line in &session.lines {
        if line.text.starts_with("export ") {
            exports.extend([line.text.as_str(), "\n"]);
        } else if line.is_tagwarden() && !NAMED.contains(&line.text.as_str()) {
            found.push((exports.clone(), line));
        }
    }
    found
}

/// A script with the real names of this world.
pub fn here(world: &World, state: State, script: &str) -> String {
    let names = state::names(world, state, script);
    names.iter().fold(script.to_owned(), |script, (written, here)| script.replace(written, here))
}

/// Runs a session by `run`: what went wrong.
pub fn session(session: &Session, run: impl Fn(Command) -> Said) -> Result<usize, String> {
    let typed = typed(session);
    let wrong = |text: &str, why: &str| Err(format!("{}\n  {text}\n  {why}", session.place));
    let mut start = State::New;
    for (_, line) in &typed {
        match state::of(&line.text) {
            None => return wrong(&line.text, "typed/state.rs: STATES says no state for it"),
            Some(_) if session.form == Form::Shown && line.exit == 3 => start = State::Behind,
            Some((needed, _)) if start == State::New => start = needed,
            Some(_) => {}
        }
    }
    let world = state::prepare(start);
    for (exports, line) in &typed {
        let script = here(&world, start, &format!("{exports}{}", line.text));
        let said = run(shell(&world, &script));
        let shown = format!("{}{}", said.out, said.err);
        if said.exit != line.exit {
            return wrong(&script, &format!("exit code {} for {}\n{shown}", said.exit, line.exit));
        }
        let failed = |line: &&str| ["error: ", "refused: ", "warning: "].iter().any(|word| line.starts_with(word));
        if let (0, Some(failed)) = (line.exit, shown.lines().find(failed)) {
            return wrong(&script, failed);
        }
        let silent = ["--dry-run", "--json", " > "].into_iter().any(|flag| line.text.contains(flag));
        let (_, shows) = state::of(&line.text).unwrap();
        if line.exit == 0 && !silent && !shown.contains(shows) {
            return wrong(&script, &format!("does not show {shows:?}\n{shown}"));
        }
    }
    Ok(typed.len())
}

/// A recovery waits for the quiet time of 30 s: they are all in one test, side by side.
pub fn is_recovery(session: &Session) -> bool {
    session.lines[0].text.starts_with("tagwarden recover ")
}

/// Types these sessions, and tells what went wrong in all of them. Fewer commands than `least` were not found.
pub fn all(sessions: &[Session], least: usize) {
    let ended: Vec<_> = sessions.iter().filter(|one| !is_recovery(one)).map(|one| session(one, terminal)).collect();
    let wrong: Vec<&str> = ended.iter().filter_map(|end| end.as_ref().err().map(String::as_str)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let count: usize = ended.into_iter().map(Result::unwrap).sum();
    assert!(count >= least, "{count} commands were found");
}

/// Every help, by its command, as a terminal of so many columns shows it.
pub fn helps(columns: &str) -> Vec<(String, String)> {
    fn below(world: &World, columns: &str, command: &str, found: &mut Vec<(String, String)>) {
        let help =
            said(shell(world, &format!("tagwarden {command} --help")).env("COLUMNS", columns).output().unwrap()).out;
        let commands = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest).lines();
        let named = commands.take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   "));
        for name in named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
            below(world, columns, format!("{command} {name}").trim(), found);
        }
        found.push((command.to_owned(), help));
    }
    let mut found = Vec::new();
    below(&state::prepare(State::New), columns, "", &mut found);
    found
}

pub fn of_helps(wanted: impl Fn(&str) -> bool) -> Vec<Session> {
    let helps = helps("80").into_iter().filter(|(command, _)| wanted(command));
    helps.flat_map(|(command, help)| of_help(&command, &help)).collect()
}
