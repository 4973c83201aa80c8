//! `Answer`: the result of a command as text and as JSON, with its exit code.

use serde::Serialize;
use serde_json::{Value, json};
use tagwarden::{Channel, Error, ErrorClass, ErrorKind, Result, Timestamp};

use super::error::error_fields;
use super::{Style, copy, shown};

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) json: Value,
    /// The text for people, without a line break at the end.
    pub(crate) text: String,
    pub(crate) exit: u8,
}

impl Answer {
    /// An answer with exit code 0.
    pub(crate) fn done(json: &impl Serialize, text: String) -> Result<Answer> {
        let json = serde_json::to_value(json)
            .map_err(|e| Error::new(ErrorKind::InternalFault, "the answer cannot be written as JSON").with_source(e))?;
        Ok(Answer { json, text, exit: 0 })
    }

    /// Sets the exit code of the class that was found; 0 if none was found.
    pub(crate) fn found(mut self, class: Option<ErrorClass>) -> Answer {
        self.exit = class.map_or(0, ErrorClass::exit_code);
        self
    }

    /// Adds what failed after the command had written something: `what` says which step it was. The exit code is that of
    /// the first failure.
    pub(crate) fn but(mut self, what: &str, failed: &[(Channel, Error)]) -> Result<Answer> {
        let Some((_, first)) = failed.first() else { return Ok(self) };
        self.exit = first.kind().class().exit_code();
        for (channel, error) in failed {
            let line = format!("{channel}: {what}: {error} [{}]", error.code());
            let before = if self.text.is_empty() { String::new() } else { format!("{}\n", self.text) };
            self.text = format!("{before}{}", shown(&line));
        }
        let failed = failed.iter().map(|(channel, error)| json!({ "channel": channel, "error": error_fields(error) }));
        let failed: Vec<_> = failed.collect();
        self.with("failed", &failed)
    }

    /// Adds the age of the copy of the ledger that the answer is from.
    pub(crate) fn of_copy(mut self, as_of: Timestamp, style: Style) -> Result<Answer> {
        let line = copy(as_of).replacen("ledger   ", &style.doubtful("ledger   "), 1);
        self.text.push_str(&format!("\n  {line}"));
        self.with("as_of", &as_of)
    }

    /// Adds a field to the JSON.
    pub(crate) fn with(mut self, name: &str, value: &impl Serialize) -> Result<Answer> {
        let value = Answer::done(value, String::new())?.json;
        if let Some(fields) = self.json.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
        Ok(self)
    }
}
