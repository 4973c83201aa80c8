//! Errors as they are passed to another language.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use serde::Serialize;
use serde_json::{Value, json};
use tagwarden::policy::{Finding, Refusal};
use tagwarden::{Error, ErrorKind};

use crate::host::HostError;

/// Every error code with its retry, its class and its meaning.
pub fn error_kinds() -> Value {
    let kinds = ErrorKind::ALL.iter().map(|kind| {
        let (retry, class) = (kind.retry().as_str(), kind.class().as_str());
        json!({ "code": kind.code(), "retry": retry, "class": class, "meaning": kind.meaning() })
    });
    Value::Array(kinds.collect())
}

/// An error of the core, with the exception of a backend or a guardrail of the other language if that caused it.
#[derive(Debug)]
pub struct Failure {
    error: Error,
    raised: Option<HostError>,
}

impl Failure {
    /// The error of a panic inside a call. It asks the user to report the panic.
    pub fn panic() -> Failure {
        let message = "a panic inside tagwarden ended the call; please report it";
        Error::new(ErrorKind::InternalFault, message).into()
    }

    /// The error, caused by another exception.
    pub(crate) fn blaming(self, raised: Option<HostError>) -> Failure {
        Failure { raised: raised.or(self.raised), ..self }
    }

    /// The error as JSON: `{code, retry, message, context?, findings?, cause?}`. A cause that is not an error of the
    /// core has only a message; the binding shows the exception in its place.
    pub fn json(&self) -> String {
        json!(described(&self.error)).to_string()
    }

    /// The exception that caused the error, as the binding stores it.
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

/// An error and its cause. A refusal is not a cause: its findings are in the error itself.
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
