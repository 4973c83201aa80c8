//! Prints each step: its purpose, its command and its result.

use std::io::Write;

use serde_json::{Value, json};
use tagwarden::{Error, Result};

use crate::render::{Answer, Style, error_json, error_text};

#[derive(Debug)]
pub(super) struct Narrator {
    speaks: Option<Style>,
    steps: Vec<Value>,
}

impl Narrator {
    pub(super) fn speaking(style: Style) -> Narrator {
        Narrator { speaks: Some(style), steps: Vec::new() }
    }

    pub(super) fn silent() -> Narrator {
        Narrator { speaks: None, steps: Vec::new() }
    }

    /// Begins a new chapter.
    pub(super) fn chapter(&mut self, title: &str, why: &str) {
        if let Some(style) = self.speaks {
            let number = format!("{title}\n");
            self.say(&format!("\n{}{}", style.bold(&number), why));
        }
    }

    /// Prints a command and its answer.
    pub(super) fn did(&mut self, command: &str, answer: &Answer) {
        self.note(command, answer.exit, &answer.json, &answer.text);
    }

    /// Prints a command that is refused, as expected.
    pub(super) fn refused(&mut self, command: &str, error: &Error) {
        let text = error_text(error, self.speaks.unwrap_or(Style::Plain));
        self.note(command, error.kind().class().exit_code(), &error_json(error), &text);
    }

    pub(super) fn steps(&self) -> &[Value] {
        &self.steps
    }

    fn note(&mut self, command: &str, exit: u8, json: &Value, text: &str) {
        self.steps.push(json!({ "command": command, "exit": exit, "answer": json }));
        let Some(style) = self.speaks else { return };
        let indented: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
        let exit = if exit == 0 { String::new() } else { style.dim(&format!("\n    (exit code {exit})")) };
        self.say(&format!("  {} {}\n{}{exit}", style.dim("$"), style.bold(command), indented.join("\n")));
    }

    fn say(&self, text: &str) {
        // Ignore write errors: stdout may be closed (`| head`).
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }
}

/// The error that the step expects.
pub(super) fn refusal<T>(result: Result<T>) -> Result<Error> {
    match result {
        Err(error) => Ok(error),
        Ok(_) => Err(Error::new(tagwarden::ErrorKind::InternalFault, "the policy let through what it must refuse")),
    }
}
