//! Errors on their way to another language, as JSON.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use serde::Serialize;
use serde_json::{Value, json};
use tagwarden::judge::{Finding, Refusal};
use tagwarden::{Class, Error, ErrorKind};

/// Every code, what a caller may do next, what sort of answer it is, and what it means.
pub fn error_kinds() -> Value {
    let kinds = ErrorKind::ALL.iter().map(|kind| {
        let class = class(kind.class());
        json!({ "code": kind.code(), "retry": kind.retry().as_str(), "class": class, "meaning": kind.meaning() })
    });
    Value::Array(kinds.collect())
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
#[derive(Debug, Serialize)]
pub struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    message: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    context: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Box<Described>>,
}

/// An error and what is behind it. A refusal stands in the error itself, as its findings.
pub fn described(error: &Error) -> Described {
    let refusal = error.source_as::<Refusal>();
    Described {
        code: Some(error.code()),
        message: error.message().to_owned(),
        context: error.context().map(|(name, value)| (name, value.to_owned())).collect(),
        findings: refusal.map_or_else(Vec::new, |refusal| refusal.findings().to_vec()),
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
            cause: source.source().map(cause).map(Box::new),
        },
    }
}
