//! Runs the core's futures: blocking, without the GIL and with a look at signals, or awaited by an event loop.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::types::PyNone;
use tagwarden::{Error, ErrorKind, Result};
use tagwarden_bind::failure::Failure;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use crate::error::{Raise, Raises};

/// The pause between two checks for signals in a blocking call.
const SIGNALS: Duration = Duration::from_millis(50);

/// A future of the core, with its result as a value of Python.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = std::result::Result<T, Failure>> + Send>>;

/// One tokio runtime for each process. The child of a fork has none of its parent's threads, so it makes its own.
static RUNTIME: Mutex<Option<(u32, Arc<Runtime>)>> = Mutex::new(None);

/// The runtime of this process. Call it with the GIL held, so that no fork happens while the lock is held.
pub(crate) fn runtime() -> Result<Arc<Runtime>> {
    let mut kept = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let here = std::process::id();
    if let Some((process, runtime)) = kept.as_ref()
        && *process == here
    {
        return Ok(Arc::clone(runtime));
    }
    let failed = |e| Error::new(ErrorKind::InternalFault, "no threads can be started").with_source(e);
    let made = Arc::new(Builder::new_multi_thread().enable_all().thread_name("tagwarden").build().map_err(failed)?);
    // Forget the parent's runtime, do not drop it: its threads do not exist in this process.
    std::mem::forget(kept.replace((here, Arc::clone(&made))));
    Ok(made)
}

/// The process in which an object was made. Connections and locks work only in that process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home(u32);

impl Home {
    /// The current process.
    pub(crate) fn here() -> Home {
        Home(std::process::id())
    }

    /// CONFIG_INVALID in a child of a fork.
    pub(crate) fn check(self, what: &str) -> Result<()> {
        let (made, here) = (self.0, std::process::id());
        if made == here {
            return Ok(());
        }
        let message = format!(
            "the {what} was made in process {made}, and this is process {here}: after a fork, make it again in the child"
        );
        Err(Error::new(ErrorKind::ConfigInvalid, message))
    }
}

/// Does work on this thread, without the GIL. An exception of a signal's handler ends it.
pub(crate) fn block<T, E>(py: Python<'_>, work: impl Future<Output = std::result::Result<T, E>> + Send) -> Raises<T>
where
    T: Send,
    E: Into<Raise> + Send,
{
    let runtime = runtime()?;
    let mut work = Box::pin(work);
    loop {
        let for_a_while = || runtime.block_on(async { tokio::time::timeout(SIGNALS, &mut work).await });
        match py.detach(|| catch_unwind(AssertUnwindSafe(for_a_while))) {
            Ok(Ok(outcome)) => return outcome.map_err(Into::into),
            Ok(Err(_elapsed)) => py.check_signals()?,
            Err(_panic) => return Err(Failure::panic().into()),
        }
    }
}

/// Does something at once, in the runtime, whose clock the test registries use. A panic becomes an error.
pub(crate) fn at_once<T, E: Into<Raise>>(act: impl FnOnce() -> std::result::Result<T, E>) -> Raises<T> {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let done = catch_unwind(AssertUnwindSafe(act));
    done.map_or_else(|_panic| Err(Failure::panic().into()), |done| done.map_err(Into::into))
}

/// Defines a function that blocks, and one that is awaited, of a function that gives the work.
macro_rules! functions {
    ($(
        $(#[$about:meta])*
        fn $work:ident of $name:ident, $awaited:ident(
            $($arg:ident: $type:ty),*
        ) as ($($signature:tt)*) -> $gives:ty $body:block
    )+) => {$(
        #[allow(clippy::too_many_arguments, reason = "each is an option")]
        fn $work($($arg: $type),*) -> Raises<crate::run::Work<$gives>> $body

        $(#[$about])*
        #[pyfunction]
        #[pyo3(signature = ($($signature)*))]
        #[allow(clippy::too_many_arguments, reason = "each is an option")]
        pub(crate) fn $name(py: Python<'_>, $($arg: $type),*) -> Raises<$gives> {
            crate::run::block(py, $work($($arg),*)?)
        }

        #[doc = concat!("``", stringify!($name), "``, awaited. Cancelling the task aborts it.")]
        #[pyfunction]
        #[pyo3(signature = ($($signature)*))]
        #[allow(clippy::too_many_arguments, reason = "each is an option")]
        pub(crate) fn $awaited(py: Python<'_>, $($arg: $type),*) -> Raises<crate::run::Awaited<$gives>> {
            let work = $work($($arg),*)?;
            crate::run::awaited(py, |_| Ok(work))
        }
    )+};
}

/// No result: None in Python, where `()` is an empty tuple for the one that awaits it.
pub(crate) struct Nothing;

impl<'py> IntoPyObject<'py> for Nothing {
    type Target = PyNone;
    type Output = Borrowed<'py, 'py, PyNone>;
    type Error = Infallible;

    output!(<PyNone as pyo3::PyTypeInfo>::TYPE_HINT);

    fn into_pyobject(self, py: Python<'py>) -> std::result::Result<Self::Output, Infallible> {
        Ok(PyNone::get(py))
    }
}

/// A coroutine that gives a `T`.
pub(crate) struct Awaited<T>(Py<PyAny>, PhantomData<T>);

impl<'py, T: IntoPyObject<'py>> IntoPyObject<'py> for Awaited<T> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    output!(type_hint_subscript!(
        type_hint_identifier!("collections.abc", "Coroutine"),
        type_hint_identifier!("typing", "Any"),
        type_hint_identifier!("typing", "Any"),
        T::OUTPUT_TYPE
    ));

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.0.into_bound(py))
    }
}

/// A coroutine that does the work that `begin` gives for the event loop in which it is awaited.
pub(crate) fn awaited<T, F>(py: Python<'_>, begin: F) -> Raises<Awaited<T>>
where
    T: for<'py> IntoPyObject<'py> + Send + 'static,
    F: FnOnce(&Bound<'_, PyAny>) -> Raises<Work<T>> + Send + 'static,
{
    let begin: Begin = Box::new(move |event_loop: &Bound<'_, PyAny>| -> Raises<Running> {
        let work = begin(event_loop)?;
        Ok(Box::pin(async move {
            let outcome = work.await;
            Box::new(move |py: Python<'_>| outcome.map_err(Raise::from)?.into_py_any(py)) as Done
        }))
    });
    let call = Call { begin: Mutex::new(Some(begin)), running: Mutex::default() };
    let coroutine = py.import("tagwarden._run")?.call_method1("awaited", (call,))?;
    Ok(Awaited(coroutine.unbind(), PhantomData))
}

/// The end of a call, which makes the Python object of its result.
type Done = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;
type Running = Pin<Box<dyn Future<Output = Done> + Send>>;
type Begin = Box<dyn FnOnce(&Bound<'_, PyAny>) -> Raises<Running> + Send>;

/// A call, which begins when its coroutine is awaited. Aborting it drops the core's future: a move whose intent may
/// stand is brought to its end all the same, in a task of its own.
#[pyclass(frozen)]
pub(crate) struct Call {
    begin: Mutex<Option<Begin>>,
    running: Mutex<Option<AbortHandle>>,
}

#[pymethods]
impl Call {
    /// Begins it. The loop's `future` gets its result.
    fn start(&self, event_loop: &Bound<'_, PyAny>, future: Py<PyAny>) -> Raises<()> {
        let begin = self.begin.lock().unwrap_or_else(PoisonError::into_inner).take();
        let begun = || Error::new(ErrorKind::InternalFault, "the call was begun twice");
        let work = begin.ok_or_else(begun)?(event_loop)?;
        let runtime = runtime()?;
        let task = runtime.spawn(work);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        let (event_loop, key) = (event_loop.clone().unbind(), event_loop.as_ptr() as usize);
        runtime.spawn(async move {
            let done: Done = match task.await {
                Ok(done) => done,
                Err(end) if end.is_panic() => Box::new(|_: Python<'_>| Err(Raise::from(Failure::panic()).into())),
                Err(_aborted) => return,
            };
            if !ended(key, Ended { future, done }) {
                return;
            }
            // No callbacks during the interpreter's shutdown.
            _ = Python::try_attach(|py| {
                let woken = event_loop.bind(py).call_method1("call_soon_threadsafe", (Settle(key),));
                if woken.is_err() {
                    drop(take_ended(key)); // The loop is closed, so nothing awaits the futures.
                }
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

/// A call that ended, and whose future does not know it yet.
struct Ended {
    future: Py<PyAny>,
    done: Done,
}

/// The calls that ended, for each event loop: one wake-up of a loop serves all of them.
static ENDED: LazyLock<Mutex<HashMap<usize, Vec<Ended>>>> = LazyLock::new(Mutex::default);

/// Adds a call that ended. True if the loop must be woken up for it.
fn ended(event_loop: usize, call: Ended) -> bool {
    let mut ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
    let waiting = ended.entry(event_loop).or_default();
    waiting.push(call);
    waiting.len() == 1
}

fn take_ended(event_loop: usize) -> Vec<Ended> {
    ENDED.lock().unwrap_or_else(PoisonError::into_inner).remove(&event_loop).unwrap_or_default()
}

/// The callback of an event loop that gives the results of all calls that ended to their futures.
#[pyclass(frozen)]
struct Settle(usize);

#[pymethods]
impl Settle {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        for Ended { future, done } in take_ended(self.0) {
            let future = future.bind(py);
            // A future that was cancelled is done already.
            if future.call_method0("done")?.extract()? {
                continue;
            }
            match done(py) {
                Ok(value) => future.call_method1("set_result", (value,))?,
                Err(error) => future.call_method1("set_exception", (error.into_value(py),))?,
            };
        }
        Ok(())
    }
}
