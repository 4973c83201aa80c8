//! Backends and rules written in JavaScript, called from the core's threads.
//!
//! The calls use a thread-safe function that does not keep the process alive and never throws: `lib/port.js` answers
//! `{given}` or `{thrown}`.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use napi::Status;
use napi::bindgen_prelude::{Function, Promise};
use napi::threadsafe_function::ThreadsafeFunction;
use serde::Deserialize;
use serde_json::{Value, json};
use tagwarden_bind::{Host, HostError, Port};

use crate::call::at_once;

/// The function that calls JavaScript: it takes `{method, request}` as JSON text, and returns a promise of the answer
/// as JSON text.
pub(crate) type Ask<'a> = Function<'a, String, Promise<String>>;

/// The port of an object with this name. `timeout` is the timeout of one call, in milliseconds.
pub(crate) fn port(name: String, ask: Ask, timeout: Option<f64>) -> napi::Result<Port> {
    let script = Script::of(name, ask)?;
    at_once(|| Port::to(Arc::new(script), timeout))
}

/// An object of JavaScript.
pub(crate) struct Script {
    name: String,
    ask: ThreadsafeFunction<String, Promise<String>, String, Status, false, true>,
}

impl Script {
    pub(crate) fn of(name: String, ask: Ask) -> napi::Result<Script> {
        let ask = ask.build_threadsafe_function().weak::<true>().build()?;
        Ok(Script { name, ask })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Given(Value),
    Thrown { exception: u32, message: String, code: Option<String> },
}

#[async_trait]
impl Host for Script {
    async fn ask(&self, method: &'static str, request: Value) -> Result<Value, HostError> {
        let request = json!({ "method": method, "request": request }).to_string();
        let answered = async { self.ask.call_async_catch(request).await?.await };
        let answer =
            answered.await.map_err(|gone| HostError::broken(format!("it cannot be asked any more: {gone}")))?;
        match serde_json::from_str(&answer).map_err(HostError::broken)? {
            Answer::Given(value) => Ok(value),
            Answer::Thrown { exception, message, code } => {
                Err(HostError::raised(code.as_deref(), message, Exception(exception)))
            }
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// An exception of JavaScript, as the number under which `lib/error.js` stores it.
#[derive(Debug)]
pub(crate) struct Exception(pub(crate) u32);

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exception {}", self.0)
    }
}

impl std::error::Error for Exception {}
