//! `Call`: one call of the core under way, which Python waits for, is told of, or aborts.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tagwarden::{Error, ErrorKind, Result};
use tagwarden_bind::{Described, Given, HostError, described};
use tokio::task::{AbortHandle, JoinHandle};

use crate::backend::Raised;
use crate::object::{Ledger, Plan, Server};
use crate::runtime::runtime;

/// How often a blocking call looks whether a signal came.
const SIGNALS: Duration = Duration::from_millis(50);

/// What a call gives to Python.
pub(crate) enum Gives {
    Json(String),
    Plan(Box<tagwarden_bind::Plan>),
    Ledger(Ledger),
    Server(tagwarden_bind::Server),
}

impl From<Given> for Gives {
    fn from(given: Given) -> Gives {
        match given {
            Given::Json(text) => Gives::Json(text),
            Given::Plan(plan) => Gives::Plan(plan),
        }
    }
}

/// How a call ended: `(given, None, None)` or `(None, error as JSON, exception of a backend or None)`.
type Ended<'py> = (Option<Bound<'py, PyAny>>, Option<String>, Option<Bound<'py, PyAny>>);

/// A call under way. Aborting it drops the core's future: a move whose intent may stand is brought to its end all the
/// same, in a task of its own.
#[pyclass(frozen)]
pub(crate) struct Call {
    task: Mutex<Option<JoinHandle<Result<Gives>>>>,
    abort: AbortHandle,
}

impl Call {
    /// Starts a call.
    pub(crate) fn start<G: Into<Gives>>(work: impl Future<Output = Result<G>> + Send + 'static) -> PyResult<Call> {
        let task = match runtime() {
            Ok(runtime) => runtime.spawn(async move { work.await.map(Into::into) }),
            Err(error) => return Err(PyRuntimeError::new_err(error.to_string())),
        };
        Ok(Call { abort: task.abort_handle(), task: Mutex::new(Some(task)) })
    }

    fn take(&self) -> Result<JoinHandle<Result<Gives>>> {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        task.ok_or_else(|| Error::new(ErrorKind::InternalFault, "the call was asked for its end twice"))
    }
}

#[pymethods]
impl Call {
    /// Waits for its end without the GIL. An exception of a signal's handler ends the call.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<Ended<'py>> {
        let task = match (self.take(), runtime()) {
            (Ok(task), Ok(runtime)) => {
                let (tell, told) = channel();
                // Whoever waits may be gone.
                runtime.spawn(async move { _ = tell.send(ended(task.await)) });
                told
            }
            (Err(error), _) | (_, Err(error)) => return shown(py, Err(error)),
        };
        let result = until_told(py, task).inspect_err(|_| self.abort.abort())?;
        shown(py, result)
    }

    /// Calls `done(given, error, exception)` at its end, from another thread.
    fn then(&self, py: Python<'_>, done: Py<PyAny>) -> PyResult<()> {
        let (task, runtime) = match (self.take(), runtime()) {
            (Ok(task), Ok(runtime)) => (task, runtime),
            (Err(error), _) | (_, Err(error)) => {
                done.call1(py, shown(py, Err(error))?)?;
                return Ok(());
            }
        };
        runtime.spawn(async move {
            let result = ended(task.await);
            // Nobody is there to be told while the interpreter ends.
            _ = Python::try_attach(|py| {
                let told = shown(py, result).and_then(|shown| done.call1(py, shown));
                told.map_err(|error| error.write_unraisable(py, None))
            });
        });
        Ok(())
    }

    /// Ends it, if it has not ended yet.
    fn abort(&self) {
        self.abort.abort();
    }
}

/// Waits for an answer, and lets Python's signal handlers run meanwhile.
fn until_told<T: Send>(py: Python<'_>, told: Receiver<T>) -> PyResult<T> {
    let told = Mutex::new(told);
    loop {
        let waited = py.detach(|| told.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(SIGNALS));
        match waited {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("the call was ended with its runtime"));
            }
        }
    }
}

/// What became of the task. A panic is an error that asks to be reported.
fn ended(task: std::result::Result<Result<Gives>, tokio::task::JoinError>) -> Result<Gives> {
    match task {
        Ok(result) => result,
        Err(end) if end.is_panic() => Err(panicked()),
        Err(_) => Err(Error::new(ErrorKind::InternalFault, "the call was aborted")),
    }
}

fn panicked() -> Error {
    Error::new(ErrorKind::InternalFault, "a panic inside tagwarden ended the call; please report it")
}

fn shown(py: Python<'_>, result: Result<Gives>) -> PyResult<Ended<'_>> {
    let given = match result {
        Ok(Gives::Json(text)) => text.into_pyobject(py)?.into_any(),
        Ok(Gives::Plan(plan)) => Plan::of(*plan).into_pyobject(py)?.into_any(),
        Ok(Gives::Ledger(ledger)) => ledger.into_pyobject(py)?.into_any(),
        Ok(Gives::Server(server)) => Server::of(server).into_pyobject(py)?.into_any(),
        Err(error) => {
            let (text, exception) = failed(py, &error);
            return Ok((None, Some(text), exception));
        }
    };
    Ok((Some(given), None, None))
}

/// An error as JSON, and the exception that a backend in Python raised, if one is behind it.
pub(crate) fn failed<'py>(py: Python<'py>, error: &Error) -> (String, Option<Bound<'py, PyAny>>) {
    let described: Described = described(error);
    let text = serde_json::to_string(&described).unwrap_or_else(|e| format!(r#"{{"message":"{e}"}}"#));
    let mut source: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(behind) = source {
        if let Some(raised) = behind.downcast_ref::<HostError>().and_then(Raised::of) {
            return (text, Some(raised.exception(py)));
        }
        source = behind.source();
    }
    (text, None)
}

/// Runs what is done at once: its result, or the error as in [`Call::wait`]. A panic is an error, never an abort.
pub(crate) fn at_once<'py, G: Into<Gives>>(py: Python<'py>, act: impl FnOnce() -> Result<G>) -> PyResult<Ended<'py>> {
    let result = std::panic::catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| Err(panicked()));
    shown(py, result.map(Into::into))
}
