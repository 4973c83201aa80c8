//! `Call`: one call of the core, which Python can wait for, get by callback, or abort.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tagwarden::{Error, ErrorKind, Result};
use tagwarden_bind::{ApprovedPlan, Failure, Given, Server};
use tokio::task::AbortHandle;

use crate::backend::Raised;
use crate::object::{self, Artifact, Ledger, Promoter, Registry};
use crate::runtime::runtime;

/// The pause between two checks for signals in a blocking call.
const SIGNALS: Duration = Duration::from_millis(50);

/// The result of a call for Python: JSON text, or a native object.
pub(crate) enum Gives {
    Json(String),
    Plan(Box<tagwarden_bind::Plan>),
    ApprovedPlan(Box<ApprovedPlan>),
    Ledger(Ledger),
    Registry(Registry),
    Promoter(Promoter),
    Server(Server),
    Artifact(Artifact),
}

impl From<Given> for Gives {
    fn from(given: Given) -> Gives {
        match given {
            Given::Json(text) => Gives::Json(text),
            Given::Plan(plan) => Gives::Plan(plan),
        }
    }
}

pub(crate) type Outcome = std::result::Result<Gives, Failure>;

/// The end of a call: `(result, None, None)` or `(None, error as JSON, exception of a backend or None)`.
pub(crate) type Ended<'py> = (Option<Bound<'py, PyAny>>, Option<String>, Option<Bound<'py, PyAny>>);

type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A call, which begins when it is waited for. Aborting it drops the core's future: a move whose intent may stand is
/// brought to its end all the same, in a task of its own.
#[pyclass(frozen)]
pub(crate) struct Call {
    work: Mutex<Option<Work>>,
    running: Mutex<Option<AbortHandle>>,
}

impl Call {
    /// A call that runs `work`.
    pub(crate) fn of<G: Into<Gives>, E: Into<Failure>>(
        work: impl Future<Output = std::result::Result<G, E>> + Send + 'static,
    ) -> Call {
        let work = async move { work.await.map(Into::into).map_err(Into::into) };
        Call { work: Mutex::new(Some(Box::pin(work))), running: Mutex::default() }
    }

    fn take(&self) -> Result<Work> {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        work.ok_or_else(|| Error::new(ErrorKind::InternalFault, "the call was asked for its end twice"))
    }
}

#[pymethods]
impl Call {
    /// Does it on this thread, without the GIL. An exception of a signal's handler ends the call.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<Ended<'py>> {
        let (work, runtime) = match (self.take(), runtime()) {
            (Ok(work), Ok(runtime)) => (Mutex::new(work), runtime),
            (Err(error), _) | (_, Err(error)) => return shown(py, Err(error.into())),
        };
        let for_a_while = || {
            let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
            runtime.block_on(async { tokio::time::timeout(SIGNALS, &mut *work).await })
        };
        loop {
            match py.detach(|| catch_unwind(AssertUnwindSafe(for_a_while))) {
                Ok(Ok(outcome)) => return shown(py, outcome),
                Ok(Err(_elapsed)) => py.check_signals()?,
                Err(_panic) => return shown(py, Err(Failure::panic())),
            }
        }
    }

    /// Does it in the background, and calls `done(given, error, exception)` at its end, from another thread.
    fn then(&self, py: Python<'_>, done: Py<PyAny>) -> PyResult<()> {
        let (work, runtime) = match (self.take(), runtime()) {
            (Ok(work), Ok(runtime)) => (work, runtime),
            (Err(error), _) | (_, Err(error)) => {
                done.call1(py, shown(py, Err(error.into()))?)?;
                return Ok(());
            }
        };
        let task = runtime.spawn(work);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        runtime.spawn(async move {
            let outcome = ended(task.await);
            // No callbacks during interpreter shutdown.
            _ = Python::try_attach(|py| {
                let told = shown(py, outcome).and_then(|shown| done.call1(py, shown));
                told.map_err(|error| error.write_unraisable(py, None))
            });
        });
        Ok(())
    }

    /// Ends what goes on in the background, if it has not ended yet.
    fn abort(&self) {
        if let Some(running) = &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            running.abort();
        }
    }
}

/// The outcome of a task. A panic becomes an error that asks the user to report it.
fn ended(task: std::result::Result<Outcome, tokio::task::JoinError>) -> Outcome {
    match task {
        Ok(outcome) => outcome,
        Err(end) if end.is_panic() => Err(Failure::panic()),
        Err(_) => Err(Error::new(ErrorKind::InternalFault, "the call was aborted").into()),
    }
}

fn shown(py: Python<'_>, outcome: Outcome) -> PyResult<Ended<'_>> {
    let given = match outcome {
        Ok(Gives::Json(text)) => text.into_pyobject(py)?.into_any(),
        Ok(Gives::Plan(plan)) => object::Plan { plan: *plan }.into_pyobject(py)?.into_any(),
        Ok(Gives::ApprovedPlan(plan)) => object::ApprovedPlan { plan: *plan }.into_pyobject(py)?.into_any(),
        Ok(Gives::Ledger(ledger)) => ledger.into_pyobject(py)?.into_any(),
        Ok(Gives::Registry(registry)) => registry.into_pyobject(py)?.into_any(),
        Ok(Gives::Promoter(promoter)) => promoter.into_pyobject(py)?.into_any(),
        Ok(Gives::Server(server)) => object::Server::of(server).into_pyobject(py)?.into_any(),
        Ok(Gives::Artifact(artifact)) => artifact.into_pyobject(py)?.into_any(),
        Err(failure) => {
            let exception = failure.exception().map(|raised: &Raised| raised.exception(py));
            return Ok((None, Some(failure.json()), exception));
        }
    };
    Ok((Some(given), None, None))
}

/// Runs a synchronous call. A panic becomes an error; the process continues.
pub(crate) fn at_once<'py, G: Into<Gives>, E: Into<Failure>>(
    py: Python<'py>,
    act: impl FnOnce() -> std::result::Result<G, E>,
) -> PyResult<Ended<'py>> {
    let outcome = catch_unwind(AssertUnwindSafe(act));
    shown(py, outcome.map_or_else(|_| Err(Failure::panic()), |outcome| outcome.map(Into::into).map_err(Into::into)))
}
