//! Backends and rules written in Python, called from the core's threads.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde_json::Value;
use tagwarden_bind::{Host, HostError, Port};

/// An object whose `ask(method, request)` takes and gives JSON text. `tagwarden._backend` makes one of a user's object.
#[derive(Clone)]
pub(crate) struct Backend {
    object: Arc<Py<PyAny>>,
    name: String,
}

impl Backend {
    /// The port of an object with `ask`, a `name`, and a `timeout` in milliseconds or None.
    pub(crate) fn port(object: &Bound<'_, PyAny>) -> PyResult<tagwarden::Result<Port>> {
        let (name, timeout) = (object.getattr("name")?.extract()?, object.getattr("timeout")?.extract()?);
        let backend = Backend { object: Arc::new(object.clone().unbind()), name };
        Ok(Port::to(Arc::new(backend), timeout))
    }

    fn call(&self, method: &str, request: &Value) -> Result<Value, HostError> {
        let answer = Python::try_attach(|py| {
            let answer = self.object.call_method1(py, "ask", (method, request.to_string()));
            answer.and_then(|answer| answer.extract::<String>(py)).map_err(|error| raised(error, py))
        });
        let text = answer.unwrap_or_else(|| Err(HostError::broken(ENDED)))?;
        serde_json::from_str(&text).map_err(HostError::broken)
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
        // Use a blocking thread: Python may be slow, and must not block other tasks.
        let backend = self.clone();
        let asked = tokio::task::spawn_blocking(move || backend.call(method, &request));
        asked.await.unwrap_or_else(|_| Err(HostError::broken(ENDED)))
    }
}

/// The message for a call that was interrupted by the end of the interpreter.
pub(crate) const ENDED: &str = "the Python interpreter is ending";

/// Converts an exception. The message of any exception but an error of tagwarden starts with its class.
fn raised(error: PyErr, py: Python<'_>) -> HostError {
    let value = error.value(py);
    let text = |name: &str| value.getattr(name).ok()?.cast_into::<PyString>().ok().map(|text| text.to_string());
    let (code, own) = (text("code"), text("message"));
    let message = match (&code, own) {
        (Some(_), Some(message)) => message,
        _ => {
            let class = value.get_type().name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
            let said = value.str().map_or_else(|_| String::new(), |said| said.to_string_lossy().into_owned());
            if said.is_empty() { class } else { format!("{class}: {said}") }
        }
    };
    HostError::raised(code.as_deref(), message, Raised(error))
}

/// A Python exception.
#[derive(Debug)]
pub(crate) struct Raised(PyErr);

impl Raised {
    pub(crate) fn exception<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.0.value(py).clone().into_any()
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Raised {}
