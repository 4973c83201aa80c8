//! `Call`: one call of the core, which JavaScript can wait for or abort.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{AbortHandle, Abortable, Aborted};
use napi::bindgen_prelude::{Either5, within_runtime_if_available};
use napi_derive::napi;
use serde_json::{Value, json};
use tagwarden::{Error, ErrorKind};
use tagwarden_bind::{Failure, Given};

use crate::host::Exception;
use crate::object::{Artifact, Ledger, Plan, Server};

/// The result of a call for JavaScript: JSON text, or a native object.
pub(crate) struct Gives(Either5<String, Plan, Ledger, Server, Artifact>);

impl From<Given> for Gives {
    fn from(given: Given) -> Gives {
        match given {
            Given::Json(text) => Gives(Either5::A(text)),
            Given::Plan(plan) => Gives(Either5::B(Plan { plan: *plan })),
        }
    }
}

impl From<Ledger> for Gives {
    fn from(ledger: Ledger) -> Gives {
        Gives(Either5::C(ledger))
    }
}

impl From<Server> for Gives {
    fn from(server: Server) -> Gives {
        Gives(Either5::D(server))
    }
}

impl From<Artifact> for Gives {
    fn from(artifact: Artifact) -> Gives {
        Gives(Either5::E(artifact))
    }
}

type Work = Abortable<Pin<Box<dyn Future<Output = Result<Gives, Failure>> + Send>>>;

/// A call. It starts when `done` is called. Aborting it drops the core's future; a move that may have an intent in the
/// log is still completed, in a task of its own.
#[napi]
pub struct Call {
    work: Mutex<Option<Work>>,
    abort: AbortHandle,
}

impl Call {
    /// A call that runs `work`. A panic becomes an error that asks the user to report it.
    pub(crate) fn of<G: Into<Gives>, E: Into<Failure>>(
        work: impl Future<Output = Result<G, E>> + Send + 'static,
    ) -> Call {
        let work = async move {
            let outcome = AssertUnwindSafe(work).catch_unwind().await;
            outcome.map_or_else(|_panic| Err(Failure::panic()), |outcome| outcome.map(Into::into).map_err(Into::into))
        };
        let (abort, aborted) = AbortHandle::new_pair();
        let work: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(work);
        Call { work: Mutex::new(Some(Abortable::new(work, aborted))), abort }
    }
}

#[napi]
impl Call {
    /// The result of the call. It can be called once.
    #[napi]
    pub async fn done(&self) -> napi::Result<Either5<String, Plan, Ledger, Server, Artifact>> {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(work) = work else {
            let message = "the call was asked for its result twice";
            return Err(thrown(&Error::new(ErrorKind::InternalFault, message).into()));
        };
        match work.await {
            Ok(outcome) => outcome.map(|Gives(given)| given).map_err(|failure| thrown(&failure)),
            Err(Aborted) => Err(napi::Error::from_reason(json!({ "aborted": true }).to_string())),
        }
    }

    /// Aborts the call if it has not ended yet.
    #[napi(catch_unwind)]
    pub fn abort(&self) {
        self.abort.abort();
    }
}

/// Runs a synchronous call, with the runtime's clock. A panic becomes an error; the process continues.
pub(crate) fn at_once<T, E: Into<Failure>>(act: impl FnOnce() -> Result<T, E>) -> napi::Result<T> {
    let done = catch_unwind(AssertUnwindSafe(|| within_runtime_if_available(act)));
    match done {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(thrown(&error.into())),
        Err(_panic) => Err(thrown(&Failure::panic())),
    }
}

/// The JSON text of a synchronous call's result.
pub(crate) fn text(given: Given) -> Result<String, Failure> {
    match given {
        Given::Json(text) => Ok(text),
        Given::Plan(_) => Err(Error::new(ErrorKind::InternalFault, "a plan was given where text was due").into()),
    }
}

/// The exception for an error: `{error, exception?}`, where `exception` is the number that `lib/error.js` gave to the
/// original exception.
pub(crate) fn thrown(failure: &Failure) -> napi::Error {
    let error: Value = serde_json::from_str(&failure.json()).unwrap_or_default();
    let exception = failure.exception().map(|Exception(number)| *number);
    napi::Error::from_reason(json!({ "error": error, "exception": exception }).to_string())
}

/// Panics, in a call or synchronously, to test that a panic never ends the process. `index.js` does not export it.
#[napi]
#[allow(clippy::panic, reason = "that is what it is for")]
pub fn inject_panic(in_a_call: bool) -> napi::Result<Call> {
    let panics = || -> Result<Given, Failure> { panic!("injected") };
    if in_a_call {
        return Ok(Call::of(async move { panics() }));
    }
    at_once(panics).map(|given| Call::of(async { Ok::<_, Failure>(given) }))
}
