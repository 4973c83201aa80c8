//! Backends and rules written in Python, called from the core's threads.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde_json::Value;
use tagwarden_bind::{Host, HostError, Judge};

/// An object whose `ask(method, request)` takes and gives JSON text. `tagwarden._backend` makes one of a user's object.
pub(crate) struct Backend {
    object: Py<PyAny>,
    name: String,
}

impl Backend {
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Arc<Backend>> {
        let name = object.getattr("name")?.extract()?;
        Ok(Arc::new(Backend { object: object.clone().unbind(), name }))
    }

    fn call(&self, method: &str, request: &Value) -> Result<Value, HostError> {
        let answer = Python::try_attach(|py| {
            let answer = self.object.call_method1(py, "ask", (method, request.to_string()))?;
            answer.extract::<String>(py)
        });
        let message = |text: &str| HostError { code: None, message: text.to_owned(), exception: Arc::new(Gone) };
        match answer {
            Some(Ok(text)) => serde_json::from_str(&text).map_err(|e| message(&e.to_string())),
            Some(Err(error)) => Err(Python::try_attach(|py| Raised::from(error, py)).unwrap_or_else(|| message(ENDED))),
            None => Err(message(ENDED)),
        }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[async_trait]
impl Host for Backend {
    async fn ask(&self, method: &'static str, request: Value) -> Result<Value, HostError> {
        let backend = Python::try_attach(|py| Backend { object: self.object.clone_ref(py), name: self.name.clone() });
        let ended = || HostError { code: None, message: ENDED.to_owned(), exception: Arc::new(Gone) };
        let backend = backend.ok_or_else(ended)?;
        // Python may take its time, and must not hold up a thread that others wait on.
        let asked = tokio::task::spawn_blocking(move || backend.call(method, &request));
        asked.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl Judge for Backend {
    fn judge(&self, facts: Value) -> Result<Value, HostError> {
        tokio::task::block_in_place(|| self.call("judge", &facts))
    }
}

/// What is said of a call that the end of the interpreter cut.
const ENDED: &str = "the Python interpreter is ending";

/// There is no exception.
#[derive(Debug)]
struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ENDED)
    }
}

impl std::error::Error for Gone {}

/// A Python exception that a backend raised.
#[derive(Debug)]
pub(crate) struct Raised(PyErr);

impl Raised {
    /// The exception behind an error.
    pub(crate) fn of(error: &HostError) -> Option<&Raised> {
        let exception: &(dyn std::error::Error + 'static) = &*error.exception;
        exception.downcast_ref()
    }

    pub(crate) fn exception<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.0.value(py).clone().into_any()
    }

    fn from(error: PyErr, py: Python<'_>) -> HostError {
        let value = error.value(py);
        let text = |name: &str| value.getattr(name).ok()?.cast_into::<PyString>().ok().map(|text| text.to_string());
        let kind = value.get_type().name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
        let said = value.str().map_or_else(|_| String::new(), |said| said.to_string_lossy().into_owned());
        let message = if said.is_empty() { kind } else { format!("{kind}: {said}") };
        HostError { code: text("code"), message, exception: Arc::new(Raised(error)) }
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Raised {}
