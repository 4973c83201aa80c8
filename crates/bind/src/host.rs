//! Calls to backends and rules written in the other language.
//!
//! The host's answers are not trusted: an invalid answer, an exception or a timeout is an error.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tagwarden::{Error, ErrorKind, Result};

/// The default timeout of one call of a backend or a rule.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An object of the other language, called with a method name and JSON. Its `Debug` text is its name in messages.
#[async_trait]
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// Calls a method. Its name is in snake case.
    async fn ask(&self, method: &'static str, request: Value) -> std::result::Result<Value, HostError>;
}

/// The exception of a method, or the failure of a call.
#[derive(Clone, Debug)]
pub struct HostError {
    /// The kind of the exception's code, if it is an error of tagwarden.
    kind: Option<ErrorKind>,
    message: String,
    exception: Option<Arc<dyn StdError + Send + Sync>>,
}

impl HostError {
    /// An exception with this message. `code` may be the code of an error of tagwarden; any other code is ignored.
    pub fn raised(code: Option<&str>, message: String, exception: impl StdError + Send + Sync + 'static) -> HostError {
        let kind = ErrorKind::ALL.iter().copied().find(|kind| Some(kind.code()) == code);
        HostError { kind, message, exception: Some(Arc::new(exception)) }
    }

    /// The host could not be called, or its answer is invalid.
    pub fn broken(message: impl fmt::Display) -> HostError {
        HostError { kind: None, message: message.to_string(), exception: None }
    }

    pub(crate) fn exception<E: StdError + 'static>(&self) -> Option<&E> {
        let exception: &(dyn StdError + 'static) = self.exception.as_deref()?;
        exception.downcast_ref()
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for HostError {}

/// The error kinds that a method may raise. If the exception's code starts with one of `codes`, its kind is used. For
/// every other failure `otherwise` is used: a backend must not raise errors of other parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meaning {
    pub(crate) codes: &'static [&'static str],
    pub(crate) otherwise: ErrorKind,
}

impl Meaning {
    /// The kind of the exception, if the method may raise it.
    pub(crate) fn named(self, raised: &HostError) -> Option<ErrorKind> {
        raised.kind.filter(|kind| self.codes.iter().any(|code| kind.code().starts_with(code)))
    }
}

/// A host with the timeout of its calls.
#[derive(Clone, Debug)]
pub struct Port {
    host: Arc<dyn Host>,
    timeout: Duration,
}

impl Port {
    /// A host and its timeout in milliseconds, 30,000 by default. CONFIG_INVALID if the number is not a valid timeout.
    pub fn to(host: Arc<dyn Host>, timeout_ms: Option<f64>) -> Result<Port> {
        let timeout = timeout_ms.map_or(Ok(TIMEOUT), |ms| {
            let timeout = Duration::try_from_secs_f64(ms / 1000.0).ok().filter(|timeout| !timeout.is_zero());
            let wrong = format!("{host:?}: invalid timeout: {ms} ms");
            timeout.ok_or_else(|| Error::new(ErrorKind::ConfigInvalid, wrong))
        })?;
        Ok(Port { host, timeout })
    }

    /// Calls a method and parses its answer.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        request: Value,
        meaning: Meaning,
    ) -> Result<T> {
        let answer = self.answer(method, request, self.timeout).await;
        let answer = answer.map_err(|raised| self.failed(method, raised, meaning))?;
        serde_json::from_value(answer)
            .map_err(|e| self.failed(method, HostError::broken(format!("it gave what it must not: {e}")), meaning))
    }

    /// Calls a method with this timeout. The answer is not parsed.
    pub(crate) async fn answer(
        &self,
        method: &'static str,
        request: Value,
        timeout: Duration,
    ) -> std::result::Result<Value, HostError> {
        match tokio::time::timeout(timeout, self.host.ask(method, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(HostError::broken(format!("it did not answer within {} ms", timeout.as_millis()))),
        }
    }

    /// The error of a method that failed.
    pub(crate) fn failed(&self, method: &str, raised: HostError, meaning: Meaning) -> Error {
        let kind = meaning.named(&raised).unwrap_or(meaning.otherwise);
        let error = Error::new(kind, format!("{method} of {:?} failed: {raised}", self.host));
        match raised.exception {
            Some(_) => error.with_source(raised),
            None => error,
        }
    }

    /// Calls a method and blocks this thread until the answer arrives.
    pub(crate) fn wait(&self, method: &'static str, request: Value) -> std::result::Result<Value, HostError> {
        let answer = self.answer(method, request, self.timeout);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(answer))
    }
}
