//! `ErrorAnswer`: the error answer of a registry.

use std::fmt;

use super::Call;
use tagwarden::{Error, ErrorKind};

/// The error answer of a registry, with any text. [`InjectedFault::Refused`](super::InjectedFault::Refused) and
/// [`MemoryRegistry::hide`](super::MemoryRegistry::hide) use it, and the HTTP server sends it.
///
/// ```
/// use tagwarden_testing::ErrorAnswer;
/// let harbor = ErrorAnswer::new(412, "PROJECTPOLICYVIOLATION", "the image has 3 critical vulnerabilities");
/// assert_eq!(harbor.to_string(), "412 PROJECTPOLICYVIOLATION: the image has 3 critical vulnerabilities");
/// assert_eq!(ErrorAnswer::new(423, "", "read-only").to_string(), "423: read-only");
/// assert_eq!(ErrorAnswer::of_code("DENIED").to_string(), "403 DENIED: scripted by the test");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The status of the HTTP answer, 400 to 499: any other status is not a refusal.
    pub status: u16,
    /// The code; empty if the registry gives none.
    pub code: String,
    /// The message of the registry, word for word.
    pub message: String,
}

impl ErrorAnswer {
    /// An error with this status, code and message.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> ErrorAnswer {
        ErrorAnswer { status, code: code.into(), message: message.into() }
    }

    /// An error with this code, the status that vendors send with it (400 if none is known), and a message without
    /// meaning.
    pub fn of_code(code: impl Into<String>) -> ErrorAnswer {
        let code = code.into();
        let status = match code.as_str() {
            "UNAUTHORIZED" => 401,
            "DENIED" => 403,
            "NAME_UNKNOWN" => 404,
            "UNSUPPORTED" => 405,
            "TAG_IMMUTABLE" => 409,
            "PRECONDITION" => 412,
            "TOOMANYREQUESTS" => 429,
            _ => 400,
        };
        ErrorAnswer::new(status, code, "scripted by the test")
    }

    /// The error of a put that the registry refused with this answer.
    pub(super) fn refusal(self, call: &Call) -> Error {
        self.error(ErrorKind::RegistryRefused, call)
    }

    /// The error of a read that the registry answered with this answer.
    pub(super) fn read_error(self, call: &Call) -> Error {
        let kind = match self.status {
            401 | 403 => ErrorKind::RegistryDenied,
            429 => ErrorKind::RegistryBusy,
            _ => ErrorKind::RegistryUnavailable,
        };
        self.error(kind, call)
    }

    /// An error with the context of `OciRegistry`: `status`, and `registry_code` if there is a code.
    fn error(self, kind: ErrorKind, call: &Call) -> Error {
        let error =
            Error::new(kind, format!("the registry answered {self} ({call})")).with_context("status", self.status);
        let error = if self.code.is_empty() { error } else { error.with_context("registry_code", &self.code) };
        error.with_source(self)
    }
}

impl fmt::Display for ErrorAnswer {
    /// `403 DENIED: scripted by the test`; without a code `403: as it was told to`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.code.is_empty() { "" } else { " " };
        write!(f, "{}{space}{}: {}", self.status, self.code, self.message)
    }
}

impl std::error::Error for ErrorAnswer {}
