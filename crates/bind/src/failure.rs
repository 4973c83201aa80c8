//! `Failure`: an error of the core, with the exception of the other language that caused it.

use std::error::Error as StdError;

use tagwarden::policy::{Finding, Refusal};
use tagwarden::{Error, ErrorKind};

use crate::foreign::ForeignError;

/// An error of the core, with the exception of a backend or a guardrail of the other language if that caused it.
#[derive(Debug)]
pub struct Failure {
    error: Error,
    raised: Option<ForeignError>,
}

/// The cause of an error.
#[derive(Debug)]
pub enum Cause<'a> {
    /// Another error of tagwarden.
    Error(&'a Error),
    /// An error of another library. The binding shows the exception in its place, if there is one.
    Other(&'a (dyn StdError + 'static)),
}

impl Failure {
    /// The error of a panic inside a call. It asks the user to report the panic.
    pub fn panic() -> Failure {
        let message = "a panic inside tagwarden ended the call; please report it";
        Error::new(ErrorKind::InternalFault, message).into()
    }

    /// The error.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The exception that caused the error, as the binding gave it. It is the innermost cause.
    pub fn exception<E: StdError + 'static>(&self) -> Option<&E> {
        self.raised.as_ref().and_then(ForeignError::exception)
    }

    /// The same error, caused by this exception.
    pub(crate) fn blaming(self, raised: Option<ForeignError>) -> Failure {
        Failure { raised: raised.or(self.raised), ..self }
    }
}

/// The findings of the guardrails, if the policy refused.
pub fn findings(error: &Error) -> &[Finding] {
    error.source_as().map_or(&[], Refusal::findings)
}

/// The cause of an error. A refusal is not a cause: its findings are in the error itself.
pub fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<Cause<'a>> {
    let source = error.source().filter(|source| !source.is::<Refusal>())?;
    Some(source.downcast_ref().map_or(Cause::Other(source), Cause::Error))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let mut source = error.source();
        while let Some(behind) = source {
            if let Some(raised) = behind.downcast_ref::<ForeignError>() {
                return Failure { raised: Some(raised.clone()), error };
            }
            source = behind.source();
        }
        Failure { error, raised: None }
    }
}
