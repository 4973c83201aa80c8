//! Errors as exceptions of `tagwarden.errors`.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use tagwarden::Error;
use tagwarden_bind::convert::to;
use tagwarden_bind::failure::{Cause, Failure, cause, findings};

use crate::records::Finding;

/// The result of a function that Python calls, or what it raises.
pub(crate) type Raises<T> = Result<T, Raise>;

/// The exception that a function raises.
#[derive(Debug)]
pub(crate) struct Raise(PyErr);

impl From<Failure> for Raise {
    fn from(failure: Failure) -> Raise {
        Python::attach(|py| {
            let raised = failure.exception::<Raised>().map(|raised| raised.0.value(py).clone().into_any());
            Raise(exception(py, failure.error(), raised).map_or_else(|failed| failed, PyErr::from_value))
        })
    }
}

impl From<Error> for Raise {
    fn from(error: Error) -> Raise {
        Failure::from(error).into()
    }
}

impl From<PyErr> for Raise {
    fn from(error: PyErr) -> Raise {
        Raise(error)
    }
}

impl From<Raise> for PyErr {
    fn from(Raise(error): Raise) -> PyErr {
        error
    }
}

/// An exception of a backend or a guardrail that is written in Python.
#[derive(Debug)]
pub(crate) struct Raised(pub(crate) PyErr);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Raised {}

/// The exception of an error. The innermost cause is the exception that a backend raised.
fn exception<'py>(py: Python<'py>, error: &Error, raised: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let behind = behind(py, error, raised)?;
    let context = PyDict::new(py);
    for (name, value) in error.context() {
        context.set_item(name, value)?;
    }
    let findings = PyTuple::new(py, findings(error).iter().map(|finding| to::<_, Finding>(finding.clone())))?;
    let base = py.import("tagwarden.errors")?.getattr("TagwardenError")?;
    let parts = (error.code(), error.message(), context, findings, error.retry().as_str());
    let exception = base.call_method1("of", parts)?;
    exception.setattr("__cause__", behind)?;
    Ok(exception)
}

/// The exception behind an error, if there is one.
fn behind<'py>(
    py: Python<'py>,
    error: &(dyn StdError + 'static),
    raised: Option<Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match cause(error) {
        None => Ok(raised),
        Some(Cause::Error(error)) => exception(py, error, raised).map(Some),
        Some(Cause::Other(other)) => match behind(py, other, raised)? {
            Some(behind) => Ok(Some(behind)),
            None => Ok(Some(PyException::new_err(other.to_string()).into_value(py).into_bound(py).into_any())),
        },
    }
}

/// A TypeError for an object that is not what is expected.
pub(crate) fn mistaken(expected: &str, given: &Bound<'_, PyAny>) -> PyErr {
    let got = given.get_type().name().map_or_else(|_| "another object".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("expected {expected}, got {got}"))
}

/// Every code: ``code``, ``retry``, ``class`` and ``meaning``.
///
/// ``class`` is the kind of the error: ``failed``, ``usage``, ``refused``, ``drift``, ``indeterminate``, ``unknown`` or
/// ``defect``. The exit code of the command line follows from it (``docs/reference/errors.md``).
#[pyfunction]
pub(crate) fn error_kinds() -> Vec<BTreeMap<&'static str, &'static str>> {
    let shown = |kind: &tagwarden::ErrorKind| {
        let (retry, class) = (kind.retry().as_str(), kind.class().as_str());
        BTreeMap::from([("code", kind.code()), ("retry", retry), ("class", class), ("meaning", kind.meaning())])
    };
    tagwarden::ErrorKind::ALL.iter().map(shown).collect()
}

/// Panics in a call, so that tests see what becomes of a panic.
#[pyfunction]
#[pyo3(name = "_panic")]
#[allow(clippy::panic, reason = "it is what this is for")]
pub(crate) fn panic(py: Python<'_>) -> Raises<()> {
    let panics = || -> tagwarden::Result<()> { panic!("injected") };
    crate::run::block(py, async move { panics() })
}
