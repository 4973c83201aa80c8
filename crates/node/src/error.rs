//! Errors on their way to JavaScript: JSON text in a `napi::Error`, made a `TagwardenError` by `lib/error.js`.

use std::error::Error as StdError;

use serde_json::{Map, Value, json};
use tagwarden::judge::Refusal;
use tagwarden::{Class, Error, ErrorKind};

/// What is thrown for an error of the core.
pub(crate) fn thrown(error: &Error) -> napi::Error {
    napi::Error::from_reason(described(error).to_string())
}

/// What is thrown when a call was aborted before it ended.
pub(crate) fn aborted() -> napi::Error {
    napi::Error::from_reason(json!({ "aborted": true }).to_string())
}

/// What is thrown when the binding's own code panicked.
pub(crate) fn panicked() -> napi::Error {
    let message = "a panic inside tagwarden ended the call; please report it";
    thrown(&Error::new(ErrorKind::InternalFault, message))
}

/// The kind that has this code.
pub(crate) fn kind_of(code: &str) -> Option<ErrorKind> {
    ErrorKind::ALL.iter().copied().find(|kind| kind.code() == code)
}

/// Every code, what a caller may do next, what sort of answer it is, and what it means, as JSON.
#[napi_derive::napi(catch_unwind)]
pub fn error_kinds() -> String {
    let kinds = ErrorKind::ALL.iter().map(|kind| {
        let class = class(kind.class());
        json!({ "code": kind.code(), "retry": kind.retry().as_str(), "class": class, "meaning": kind.meaning() })
    });
    Value::Array(kinds.collect()).to_string()
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Failed => "failed",
        Class::Usage => "usage",
        Class::Refused => "refused",
        Class::Drift => "drift",
        Class::Indeterminate => "indeterminate",
        Class::Unknown => "unknown",
        Class::Defect => "defect",
    }
}

/// An exception of a backend that is written in JavaScript. `lib/error.js` keeps the exception itself by its number.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) number: u32,
    pub(crate) message: String,
}

impl std::fmt::Display for Exception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Exception {}

/// An error as JSON.
pub(crate) fn described(error: &Error) -> Value {
    let context: Map<String, Value> = error.context().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let mut json = json!({
        "code": error.code(),
        "retry": error.retry().as_str(),
        "message": error.message(),
        "context": context,
    });
    match (error.source_as::<Refusal>(), error.source().map(cause)) {
        (Some(refusal), _) => json["findings"] = json!(refusal.findings()),
        (None, Some(cause)) => json["cause"] = cause,
        (None, None) => {}
    }
    json
}

fn cause(source: &(dyn StdError + 'static)) -> Value {
    if let Some(error) = source.downcast_ref::<Error>() {
        return described(error);
    }
    if let Some(Exception { number, message }) = source.downcast_ref::<Exception>() {
        return json!({ "exception": number, "message": message });
    }
    let mut json = json!({ "message": source.to_string() });
    if let Some(next) = source.source().map(cause) {
        json["cause"] = next;
    }
    json
}
