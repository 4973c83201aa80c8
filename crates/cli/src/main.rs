//! The command line of tagwarden: reads arguments, prints answers. Every decision is made by the library.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod confirm;
mod connect;
mod demo;
mod interrupt;
mod names;
mod offline;
mod progress;
mod provenance;
mod render;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::StyledStr;
use clap::error::ErrorKind as Usage;
use tagwarden::ledger::LedgerUrl;
use tagwarden::{Error, ErrorKind, Result, without_credentials};

use crate::args::Cli;
use crate::render::{Answer, Style, error_json, error_text, shown};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    match answer(cli) {
        Ok(answer) => {
            if json {
                print(&answer.json.to_string());
            } else if !answer.text.is_empty() {
                print(&answer.text);
            }
            ExitCode::from(answer.exit)
        }
        Err(error) => failed(&error, json),
    }
}

/// Runs the command. One thread is enough for waiting; a move runs in a task of its own.
fn answer(cli: Cli) -> Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|e| Error::new(ErrorKind::InternalFault, "the runtime cannot begin").with_source(e))?;
    let answer = runtime.block_on(commands::run(cli, Style::of(&std::io::stdout())));
    // Do not wait for outstanding blocking reads at exit.
    runtime.shutdown_background();
    answer
}

fn failed(error: &Error, json: bool) -> ExitCode {
    if json {
        print(&error_json(error).to_string());
    } else {
        let text = error_text(error, Style::of(&std::io::stderr()));
        // Ignore write errors: stderr may be closed.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
    ExitCode::from(error.kind().class().exit_code())
}

/// Prints the error in the command line, or the help.
fn usage(error: &clap::Error) -> ExitCode {
    let wrong = !matches!(error.kind(), Usage::DisplayHelp | Usage::DisplayVersion);
    if wrong && std::env::args_os().any(|arg| arg == "--json") {
        let text = quoting(error).to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        // The remaining lines only repeat the usage.
        let why = text.split("\n\n").next().unwrap_or(text).trim();
        return failed(&Error::new(ErrorKind::ValueInvalid, format!("command line: {why}")), true);
    }
    if wrong {
        let (text, style) = (quoting(error), Style::of(&std::io::stderr()));
        let text = if style == Style::Coloured { text.ansi().to_string() } else { text.to_string() };
        let _ = write!(std::io::stderr().lock(), "{text}");
    } else {
        // Ignore write errors: the output may be closed.
        let _ = error.print();
    }
    ExitCode::from(if wrong { ErrorKind::ValueInvalid.class().exit_code() } else { 0 })
}

/// The text of a usage error. It quotes arguments, or a name and a value from `--name=value`: a URL among them may have a
/// password, and control characters could drive the terminal.
fn quoting(error: &clap::Error) -> StyledStr {
    // With the colours, because the text without them has lost some control characters, too.
    let mut text = error.render().ansi().to_string();
    for argument in std::env::args_os() {
        let argument = argument.to_string_lossy();
        let option = argument.split_once('=').filter(|(name, _)| name.starts_with('-'));
        let (name, value) = option.unwrap_or(("", &*argument));
        let public = match value.contains("://") {
            true => value.parse::<LedgerUrl>().map_or("…".to_owned(), |url| url.to_string()),
            false => without_credentials(value),
        };
        // The reason of a value's parser quotes it as Rust does.
        let quoted = (format!("{value:?}"), format!("{public:?}"));
        for (part, safe) in [(value.to_owned(), shown(&public)), quoted, (name.to_owned(), shown(name))] {
            if part != safe {
                text = text.replace(&part, &safe);
            }
        }
    }
    text.into()
}

/// Prints one answer on standard output. A closed output (`| head`) is not a failure.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
