//! Errors on their way to JavaScript: JSON text in a `napi::Error`, made a `TagwardenError` by `lib/error.js`.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use serde::Serialize;
use serde_json::{Value, json};
use tagwarden::judge::{Finding, Refusal};
use tagwarden::{Class, Error, ErrorKind};

use crate::host::Exception;

/// What is thrown for an error of the core.
pub(crate) fn thrown(error: &Error) -> napi::Error {
    napi::Error::from_reason(json!(described(error)).to_string())
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

/// An error as JSON. What is behind an error need not be one of the core's: then it has a message alone.
#[derive(Serialize)]
pub(crate) struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    message: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    context: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Box<Described>>,
}

/// An error and what is behind it. A refusal stands in the error itself, as its findings.
pub(crate) fn described(error: &Error) -> Described {
    let refusal = error.source_as::<Refusal>();
    Described {
        code: Some(error.code()),
        message: error.message().to_owned(),
        context: error.context().map(|(name, value)| (name, value.to_owned())).collect(),
        findings: refusal.map_or_else(Vec::new, |refusal| refusal.findings().to_vec()),
        exception: None,
        cause: error.source().filter(|_| refusal.is_none()).map(cause).map(Box::new),
    }
}

fn cause(source: &(dyn StdError + 'static)) -> Described {
    match source.downcast_ref::<Error>() {
        Some(error) => described(error),
        None => Described {
            code: None,
            message: source.to_string(),
            context: BTreeMap::new(),
            findings: Vec::new(),
            exception: source.downcast_ref::<Exception>().map(|exception| exception.number),
            cause: source.source().map(cause).map(Box::new),
        },
    }
}
