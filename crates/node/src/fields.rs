//! `Fields`: the named arguments of a call, taken one by one out of a JSON object.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tagwarden::{Error, ErrorKind, Result};

/// The arguments of `call`. An error says which one is wrong and why, and shows no more of it than the core would.
pub(crate) struct Fields {
    call: String,
    left: Map<String, Value>,
}

impl Fields {
    /// The arguments of a call: a JSON object.
    pub(crate) fn parse(call: &str, text: &str) -> Result<Fields> {
        match serde_json::from_str(text) {
            Ok(value) => Fields::of(call, value),
            Err(e) => Err(invalid(call, e)),
        }
    }

    fn of(call: &str, value: Value) -> Result<Fields> {
        match value {
            Value::Object(left) => Ok(Fields { call: call.to_owned(), left }),
            other => Err(invalid(call, format!("{} instead of an object", sort(&other)))),
        }
    }

    /// An argument that there must be.
    pub(crate) fn need<T: DeserializeOwned>(&mut self, name: &str) -> Result<T> {
        match self.take(name)? {
            Some(value) => Ok(value),
            None => Err(self.wrong(name, "it is missing")),
        }
    }

    /// An argument that there may be. Null is none.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|e| self.wrong(name, e))
    }

    /// A text of which an error shows nothing, such as a password.
    pub(crate) fn secret(&mut self, name: &str) -> Result<Option<String>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, format!("{} instead of a string", sort(&other)))),
        }
    }

    /// One of several words.
    pub(crate) fn word<T: Clone>(&mut self, name: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.take::<String>(name)? else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(value.clone())),
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                Err(self.wrong(name, format!("{text:?} is none of {}", words.join(", "))))
            }
        }
    }

    /// A duration in milliseconds, fractions allowed.
    pub(crate) fn ms(&mut self, name: &str) -> Result<Option<Duration>> {
        let Some(ms) = self.take::<f64>(name)? else { return Ok(None) };
        let duration = Duration::try_from_secs_f64(ms / 1000.0);
        duration.map(Some).map_err(|_| self.wrong(name, format!("{ms} is not a number of milliseconds")))
    }

    /// An argument that has fields of its own.
    pub(crate) fn inner(&mut self, name: &str) -> Result<Option<Fields>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        Fields::of(&format!("{}: {name}", self.call), value).map(Some)
    }

    /// A list of arguments that have fields of their own.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Fields>> {
        let values: Vec<Value> = self.need(name)?;
        let call = format!("{}: {name}", self.call);
        values.into_iter().map(|value| Fields::of(&call, value)).collect()
    }

    /// The names of what has not been taken.
    pub(crate) fn names(&self) -> Vec<String> {
        self.left.keys().cloned().collect()
    }

    /// Everything must have been taken: an argument that is not known is an error, not a wish that is passed over.
    pub(crate) fn end(self) -> Result<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.wrong(name, "it is not known here")),
        }
    }

    /// The error of an argument.
    pub(crate) fn wrong(&self, name: &str, why: impl std::fmt::Display) -> Error {
        invalid(&format!("{}: {name}", self.call), why)
    }

    /// The value of an argument; null is none.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }
}

fn invalid(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ValueInvalid, format!("{what}: {why}"))
}

/// What a value is, without showing it.
fn sort(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
