//! All moves of a channel, newest first.

use std::sync::Arc;

use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::prelude::*;
use tagwarden::{log, promotion};
use tagwarden_bind::convert::{FromCore, to};
use tokio::sync::Mutex;

use crate::error::Raises;
use crate::promoter::{AsyncPromoter, Deferred, Inner, Promoter, deferred};
use crate::records::MoveRecord;
use crate::run::Awaited;
use crate::value::Channel;

/// The moves of a channel, read by the promoter of the first call.
#[derive(Clone)]
struct Moves(Channel, Arc<Mutex<Option<promotion::History>>>);

impl Moves {
    fn next<T: FromCore<Option<log::MoveRecord>> + 'static>(&self) -> Deferred<T> {
        let Moves(channel, history) = self.clone();
        deferred(async move |inner: Inner| {
            history.lock().await.get_or_insert_with(|| inner.core.history(&channel.0)).next().await
        })
    }
}

/// The moves of a channel, newest first.
#[pyclass(frozen, module = "tagwarden")]
pub(crate) struct History(Promoter, Moves);

impl History {
    pub(crate) fn new(promoter: Promoter, channel: Channel) -> History {
        History(promoter, Moves(channel, Arc::default()))
    }
}

#[pymethods]
impl History {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> Raises<Option<MoveRecord>> {
        self.0.ask(py, self.1.next())
    }
}

/// The moves of a channel, newest first, awaited.
#[pyclass(frozen, module = "tagwarden")]
pub(crate) struct AsyncHistory(AsyncPromoter, Moves);

impl AsyncHistory {
    pub(crate) fn new(promoter: AsyncPromoter, channel: Channel) -> AsyncHistory {
        AsyncHistory(promoter, Moves(channel, Arc::default()))
    }
}

#[pymethods]
impl AsyncHistory {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__(&self, py: Python<'_>) -> Raises<Awaited<Next>> {
        self.0.ask(py, self.1.next())
    }
}

/// The next move. None ends the iteration.
struct Next(Option<MoveRecord>);

impl FromCore<Option<log::MoveRecord>> for Next {
    fn from_core(core: Option<log::MoveRecord>) -> Next {
        Next(to(core))
    }
}

impl<'py> IntoPyObject<'py> for Next {
    type Target = MoveRecord;
    type Output = Bound<'py, MoveRecord>;
    type Error = PyErr;

    output!(<MoveRecord as IntoPyObject<'py>>::OUTPUT_TYPE);

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, MoveRecord>> {
        self.0.ok_or_else(|| PyStopAsyncIteration::new_err(()))?.into_pyobject(py)
    }
}
