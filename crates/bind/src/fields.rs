//! `Fields`: the named arguments of a call, taken one by one out of a JSON object.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tagwarden::{AsWritten, Error, ErrorKind, Result};

/// The language's style for names of several words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `keep_last`
    Snake,
    /// `keepLast`
    Camel,
}

impl Style {
    /// A name in snake case, converted to the style of the language.
    fn name(self, name: &str) -> Cow<'_, str> {
        match self {
            Style::Snake => Cow::Borrowed(name),
            Style::Camel => {
                let (first, rest) = name.split_once('_').unwrap_or((name, ""));
                let rest = rest.split('_').flat_map(|word| {
                    let (head, tail) = word.split_at(word.len().min(1));
                    [head.to_uppercase(), tail.to_owned()]
                });
                Cow::Owned(std::iter::once(first.to_owned()).chain(rest).collect())
            }
        }
    }
}

/// The arguments of a call. An error names the wrong argument and the reason, and quotes no more of the value than the
/// core would.
#[derive(Debug)]
pub struct Fields {
    style: Style,
    call: String,
    left: Map<String, Value>,
}

impl Fields {
    /// Parses the arguments of `call`, in snake case. VALUE_INVALID if the text is not a JSON object.
    pub fn parse(style: Style, call: &str, text: &str) -> Result<Fields> {
        let call = style.name(call).into_owned();
        match serde_json::from_str(text) {
            Ok(value) => Fields::of(style, call, value),
            Err(e) => Err(invalid(&call, e)),
        }
    }

    fn of(style: Style, call: String, value: Value) -> Result<Fields> {
        match value {
            Value::Object(left) => Ok(Fields { style, call, left }),
            other => Err(invalid(&call, format!("{} instead of an object", sort(&other)))),
        }
    }

    /// A required argument.
    pub(crate) fn need<T: DeserializeOwned>(&mut self, name: &str) -> Result<T> {
        match self.take(name)? {
            Some(value) => Ok(value),
            None => Err(self.wrong(name, "it is missing")),
        }
    }

    /// A required channel, reference or repository, as people write it.
    pub(crate) fn written<T: FromStr<Err = Error>>(&mut self, name: &str) -> Result<T> {
        self.need(name).map(|AsWritten(value)| value)
    }

    /// An optional argument. Null counts as absent.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|e| self.wrong(name, e))
    }

    /// An optional value in text form, read by its own parser. serde accepts more: it also reads values of existing
    /// logs.
    pub(crate) fn text<T: FromStr<Err = Error>>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.take::<String>(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|e| self.wrong(name, e))
    }

    /// A required value in text form.
    pub(crate) fn need_text<T: FromStr<Err = Error>>(&mut self, name: &str) -> Result<T> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "it is missing"))
    }

    /// An optional text that an error never quotes, such as a password.
    pub(crate) fn secret(&mut self, name: &str) -> Result<Option<String>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, format!("{} instead of a string", sort(&other)))),
        }
    }

    /// Required bytes, in base 64.
    pub(crate) fn bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        let text: String = self.need(name)?;
        STANDARD.decode(text).map_err(|e| self.wrong(name, e))
    }

    /// An optional word, one of `words`, which are in snake case.
    pub(crate) fn word<T: Clone>(&mut self, name: &str, words: &[(&'static str, T)]) -> Result<Option<T>> {
        let Some(text) = self.take::<String>(name)? else { return Ok(None) };
        match words.iter().find(|(word, _)| self.style.name(word) == text) {
            Some((_, value)) => Ok(Some(value.clone())),
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| self.style.name(word)).collect();
                Err(self.wrong(name, format!("{text:?} is none of {}", words.join(", "))))
            }
        }
    }

    /// A required word, one of `words`.
    pub(crate) fn need_word<T: Clone>(&mut self, name: &str, words: &[(&'static str, T)]) -> Result<T> {
        self.word(name, words)?.ok_or_else(|| self.wrong(name, "it is missing"))
    }

    /// A required duration in milliseconds.
    pub(crate) fn need_ms(&mut self, name: &str) -> Result<Duration> {
        self.ms(name)?.ok_or_else(|| self.wrong(&self.name_of_ms(name), "it is missing"))
    }

    /// An optional duration in milliseconds; fractions are allowed. The argument's name has the unit if the caller
    /// gives a plain number.
    pub(crate) fn ms(&mut self, name: &str) -> Result<Option<Duration>> {
        let name = &self.name_of_ms(name);
        let Some(ms) = self.take::<f64>(name)? else { return Ok(None) };
        let duration = Duration::try_from_secs_f64(ms / 1000.0);
        duration.map(Some).map_err(|_| self.wrong(name, format!("{ms} is not a number of milliseconds")))
    }

    /// The name of a duration. Python callers give seconds or a timedelta, and the Python half of the binding converts
    /// them.
    fn name_of_ms(&self, name: &str) -> String {
        match self.style {
            Style::Snake => name.to_owned(),
            Style::Camel => format!("{name}_ms"),
        }
    }

    /// An optional argument that has fields of its own.
    pub(crate) fn inner(&mut self, name: &str) -> Result<Option<Fields>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        Fields::of(self.style, self.place(name), value).map(Some)
    }

    /// A required argument in the core's own JSON, which is in snake case in every language.
    pub(crate) fn record(&mut self, name: &str) -> Result<Fields> {
        let mut record = self.inner(name)?.ok_or_else(|| self.wrong(name, "it is missing"))?;
        record.style = Style::Snake;
        Ok(record)
    }

    /// A required array of objects.
    pub(crate) fn items(&mut self, name: &str) -> Result<Vec<Fields>> {
        let items: Vec<Value> = self.need(name)?;
        items.into_iter().map(|item| Fields::of(self.style, self.place(name), item)).collect()
    }

    /// An optional object whose keys are data, such as names of hosts.
    pub(crate) fn keyed(&mut self, name: &str) -> Result<Vec<(String, Value)>> {
        Ok(self.inner(name)?.map_or_else(Vec::new, |keyed| keyed.left.into_iter().collect()))
    }

    /// One of the values of [`Fields::keyed`], as an object.
    pub(crate) fn at(&self, name: &str, value: Value) -> Result<Fields> {
        Fields::of(self.style, self.place(name), value)
    }

    /// Checks that every argument was read. An unknown argument is an error; it is never ignored.
    pub(crate) fn end(self) -> Result<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(invalid(&format!("{}: {name}", self.call), "it is not known here")),
        }
    }

    /// The error of a wrong argument.
    pub(crate) fn wrong(&self, name: &str, why: impl std::fmt::Display) -> Error {
        invalid(&self.place(name), why)
    }

    /// The value of an optional argument. Null counts as absent.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.left.remove(self.style.name(name).as_ref()).filter(|value| !value.is_null())
    }

    fn place(&self, name: &str) -> String {
        format!("{}: {}", self.call, self.style.name(name))
    }
}

fn invalid(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ValueInvalid, format!("{what}: {why}"))
}

/// The type of a value, for an error that must not show the value.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_reads_its_own_names() {
        let text = r#"{"keep_last": 3, "odd": 1}"#;
        let mut fields = Fields::parse(Style::Snake, "may_delete", text).unwrap();
        assert_eq!(fields.need::<u32>("keep_last").unwrap(), 3);
        assert_eq!(fields.end().unwrap_err().message(), "may_delete: odd: it is not known here");
        let mut fields = Fields::parse(Style::Camel, "may_delete", text).unwrap();
        assert_eq!(fields.need::<u32>("keep_last").unwrap_err().message(), "mayDelete: keepLast: it is missing");
        assert_eq!(Style::Camel.name("connect_timeout"), "connectTimeout");
    }

    #[test]
    fn a_duration_of_a_plain_number_has_its_unit_in_its_name() {
        let mut fields = Fields::parse(Style::Camel, "oci", r#"{"connectTimeoutMs": 1500}"#).unwrap();
        assert_eq!(fields.ms("connect_timeout").unwrap(), Some(Duration::from_millis(1500)));
        assert_eq!(fields.need_ms("idle_timeout").unwrap_err().message(), "oci: idleTimeoutMs: it is missing");
        let mut fields = Fields::parse(Style::Snake, "oci", r#"{"connect_timeout": -1}"#).unwrap();
        let error = fields.ms("connect_timeout").unwrap_err();
        assert_eq!(error.message(), "oci: connect_timeout: -1 is not a number of milliseconds");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let mut fields = Fields::parse(Style::Snake, "oci", r#"{"password": ["hunter2"]}"#).unwrap();
        let error = fields.secret("password").unwrap_err();
        assert_eq!(error.message(), "oci: password: an array instead of a string");
        let mut fields = Fields::parse(Style::Snake, "oci", r#"{"credentials": "ci:hunter2"}"#).unwrap();
        let error = fields.keyed("credentials").unwrap_err();
        assert_eq!(error.message(), "oci: credentials: a string instead of an object");
    }
}
