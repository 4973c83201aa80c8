//! `Host`: asks a backend that is written in JavaScript.
//!
//! The way there is a thread-safe function that does not keep the process alive, and never throws: `lib/port.js` answers
//! `{given}` or `{thrown}`.

use std::fmt;
use std::time::Duration;

use napi::Status;
use napi::bindgen_prelude::{Function, Promise};
use napi::threadsafe_function::ThreadsafeFunction;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tagwarden::{Error, ErrorKind, Result};

/// The way into JavaScript: a request as JSON text, and a promise of the answer's.
pub(crate) type Ask<'a> = Function<'a, String, Promise<String>>;

/// A backend that is written in JavaScript.
pub(crate) struct Host {
    what: &'static str,
    ask: ThreadsafeFunction<String, Promise<String>, String, Status, false, true>,
    time_out: Duration,
}

/// An exception of a backend. `lib/error.js` keeps the exception itself by its number.
#[derive(Debug, Deserialize)]
pub(crate) struct Exception {
    #[serde(rename = "exception")]
    pub(crate) number: u32,
    message: String,
    code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Given(Value),
    Thrown(Exception),
}

impl Host {
    /// A backend; a call of it that takes longer than `time_out` milliseconds has failed.
    pub(crate) fn new(what: &'static str, ask: Ask, time_out: f64) -> napi::Result<Host> {
        let ask = ask.build_threadsafe_function().weak::<true>().build()?;
        let time_out = Duration::try_from_secs_f64(time_out / 1000.0)
            .map_err(|_| napi::Error::new(Status::InvalidArg, "timeOut: a number of milliseconds is needed"))?;
        Ok(Host { what, ask, time_out })
    }

    /// What `call` answers. An exception that is a TagwardenError keeps its kind; every other failure is `otherwise`.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        call: &str,
        arguments: Value,
        otherwise: ErrorKind,
    ) -> Result<T> {
        self.ask_within(self.time_out, call, arguments, otherwise).await
    }

    /// The same, with a time-out of its own.
    pub(crate) async fn ask_within<T: DeserializeOwned>(
        &self,
        time_out: Duration,
        call: &str,
        arguments: Value,
        otherwise: ErrorKind,
    ) -> Result<T> {
        let failed = |why: String| Error::new(otherwise, format!("{}.{call} {why}", self.what));
        let request = json!({ "call": call, "arguments": arguments }).to_string();
        let answered = async { self.ask.call_async_catch(request).await?.await };
        let answer = match tokio::time::timeout(time_out, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(gone)) => return Err(failed("cannot be asked any more".to_owned()).because(gone)),
            Err(_) => return Err(failed(format!("did not answer within {} ms", time_out.as_millis()))),
        };
        match serde_json::from_str(&answer) {
            Ok(Answer::Given(value)) => {
                serde_json::from_value(value).map_err(|e| failed(format!("answered what it must not: {e}")))
            }
            Ok(Answer::Thrown(exception)) => Err(exception.error(&format!("{}.{call} threw", self.what), otherwise)),
            Err(e) => Err(failed(format!("answered what it must not: {e}"))),
        }
    }
}

impl Exception {
    /// The error with this exception behind it.
    pub(crate) fn error(self, what: &str, otherwise: ErrorKind) -> Error {
        let named = |code: &str| ErrorKind::ALL.iter().copied().find(|kind| kind.code() == code);
        let kind = self.code.as_deref().and_then(named).unwrap_or(otherwise);
        Error::new(kind, format!("{what}: {self}")).because(self)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Exception {}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("what", &self.what).field("time_out", &self.time_out).finish_non_exhaustive()
    }
}
