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
use clap::error::ErrorKind as Usage;
use tagwarden::ledger::LedgerUrl;
use tagwarden::{Error, ErrorKind, Result};

use crate::args::Cli;
use crate::render::{Answer, Style, error_json, error_text};

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
        let text = quoting(error.render().to_string());
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        // The remaining lines only repeat the usage.
        let why = text.split("\n\n").next().unwrap_or(text).trim();
        return failed(&Error::new(ErrorKind::ValueInvalid, format!("command line: {why}")), true);
    }
    if wrong {
        // The text quotes arguments, and a ledger URL among them may have a password.
        let style = Style::of(&std::io::stderr());
        let text = error.render();
        let text = if style == Style::Coloured { text.ansi().to_string() } else { text.to_string() };
        let _ = write!(std::io::stderr().lock(), "{}", quoting(text));
    } else {
        // Ignore write errors: the output may be closed.
        let _ = error.print();
    }
    ExitCode::from(if wrong { ErrorKind::ValueInvalid.class().exit_code() } else { 0 })
}

/// Removes possible secrets from a text that quotes arguments.
fn quoting(mut text: String) -> String {
    let arguments = std::env::args_os().filter_map(|argument| argument.into_string().ok());
    for argument in arguments.filter(|argument| argument.contains("://")) {
        let value = argument.strip_prefix("--ledger=").unwrap_or(&argument);
        let shown = value.parse::<LedgerUrl>().map_or("…".to_owned(), |url| url.to_string());
        text = text.replace(value, &shown);
    }
    text
}

/// Prints one answer on standard output. A closed output (`| head`) is not a failure.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
