//! Errors on their way to another language.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use serde::Serialize;
use serde_json::{Value, json};
use tagwarden::judge::{Finding, Refusal};
use tagwarden::{Class, Error, ErrorKind};

use crate::host::HostError;

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

/// An error of the core, and the exception that a backend or a guardrail of the other language raised, if one is behind it.
#[derive(Debug)]
pub struct Failure {
    error: Error,
    raised: Option<HostError>,
}

impl Failure {
    /// A panic inside a call: an error that asks to be reported.
    pub fn panic() -> Failure {
        let message = "a panic inside tagwarden ended the call; please report it";
        Error::new(ErrorKind::InternalFault, message).into()
    }

    /// The error with another exception behind it.
    pub(crate) fn blaming(self, raised: Option<HostError>) -> Failure {
        Failure { raised: raised.or(self.raised), ..self }
    }

    /// The error as JSON: `{code, retry, message, context?, findings?, cause?}`. A cause that is no error of the core has a
    /// message alone; it stands where the exception belongs.
    pub fn json(&self) -> String {
        json!(described(&self.error)).to_string()
    }

    /// The exception behind it, as the binding keeps it.
    pub fn exception<E: StdError + 'static>(&self) -> Option<&E> {
        self.raised.as_ref().and_then(HostError::exception)
    }

    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.error.source_as()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let mut source = error.source();
        while let Some(behind) = source {
            if let Some(raised) = behind.downcast_ref::<HostError>() {
                return Failure { raised: Some(raised.clone()), error };
            }
            source = behind.source();
        }
        Failure { error, raised: None }
    }
}

#[derive(Serialize)]
struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<&'static str>,
    message: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    context: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Box<Described>>,
}

/// An error and what is behind it. A refusal stands in the error itself, as its findings.
fn described(error: &Error) -> Described {
    let refusal = error.source_as::<Refusal>();
    Described {
        code: Some(error.code()),
        retry: Some(error.retry().as_str()),
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
            retry: None,
            message: source.to_string(),
            context: BTreeMap::new(),
            findings: Vec::new(),
            cause: source.source().map(cause).map(Box::new),
        },
    }
}
