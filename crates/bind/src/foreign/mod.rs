//! Registries, ledgers and guardrails that are objects of the other language.
//!
//! A binding implements the traits [`ForeignRegistry`], [`ForeignLedger`] and [`ForeignGuardrail`] for its objects. The
//! adapters of this module are the ports of the core over them. The answers are not trusted: an invalid answer, an
//! exception or a timeout is an error. After an exception in a write it is unknown whether the write was applied,
//! unless the exception's code says that nothing was written.

mod guardrail;
mod ledger;
mod registry;

pub use guardrail::{ForeignGuardrail, Guardrails, Judgement, policy};
pub use ledger::{ForeignLedger, LedgerPort};
pub use registry::{ForeignManifest, ForeignRegistry, RegistryPort};

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tagwarden::{Error, ErrorKind, Result};

/// The default timeout of one call of a foreign object.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The answer of a foreign object.
pub type Answer<T> = std::result::Result<T, ForeignError>;

/// The exception of a method, or the failure of a call.
#[derive(Clone, Debug)]
pub struct ForeignError {
    /// The kind of the exception's code, if it is an error of tagwarden.
    kind: Option<ErrorKind>,
    message: String,
    exception: Option<Arc<dyn StdError + Send + Sync>>,
}

impl ForeignError {
    /// An exception with this message. `code` may be the code of an error of tagwarden; any other code is ignored.
    pub fn raised(
        code: Option<&str>,
        message: String,
        exception: impl StdError + Send + Sync + 'static,
    ) -> ForeignError {
        let kind = ErrorKind::ALL.iter().copied().find(|kind| Some(kind.code()) == code);
        ForeignError { kind, message, exception: Some(Arc::new(exception)) }
    }

    /// The object could not be called, or its answer is invalid.
    pub fn broken(message: impl fmt::Display) -> ForeignError {
        ForeignError { kind: None, message: message.to_string(), exception: None }
    }

    /// The exception, as the binding gave it.
    pub fn exception<E: StdError + 'static>(&self) -> Option<&E> {
        let exception: &(dyn StdError + 'static) = self.exception.as_deref()?;
        exception.downcast_ref()
    }
}

impl fmt::Display for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ForeignError {}

/// The error kinds that a method may raise. If the exception's code starts with one of `codes`, its kind is used. For
/// every other failure `otherwise` is used: a backend must not raise errors of other parts.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    codes: &'static [&'static str],
    otherwise: ErrorKind,
}

impl Meaning {
    /// The kind of the exception, if the method may raise it.
    fn named(self, raised: &ForeignError) -> Option<ErrorKind> {
        raised.kind.filter(|kind| self.codes.iter().any(|code| kind.code().starts_with(code)))
    }

    /// The error of a method of `object` that failed.
    fn error(self, method: &str, object: &impl fmt::Debug, raised: ForeignError) -> Error {
        let kind = self.named(&raised).unwrap_or(self.otherwise);
        let error = Error::new(kind, format!("{method} of {object:?} failed: {raised}"));
        match raised.exception {
            Some(_) => error.with_source(raised),
            None => error,
        }
    }
}

/// The timeout of the calls of an object, which `name` names: 30 s if none is given, in seconds. CONFIG_INVALID if the
/// number is not a valid timeout.
fn timeout(name: &impl fmt::Debug, seconds: Option<f64>) -> Result<Duration> {
    let Some(seconds) = seconds else { return Ok(TIMEOUT) };
    let timeout = Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero());
    let invalid = || format!("{name:?}: invalid timeout: {} ms", seconds * 1000.0);
    timeout.ok_or_else(|| Error::new(ErrorKind::ConfigInvalid, invalid()))
}

/// The answer of a call, unless it takes longer than `timeout`.
async fn within<T>(timeout: Duration, call: impl Future<Output = Answer<T>>) -> Answer<T> {
    match tokio::time::timeout(timeout, call).await {
        Ok(answer) => answer,
        Err(_) => Err(ForeignError::broken(format!("it did not answer within {} ms", timeout.as_millis()))),
    }
}
