//! Values, parsed by the core, and other synchronous functions.

use std::collections::HashMap;

use pyo3::prelude::*;
use tagwarden_bind::{Given, Surroundings};

use crate::call::{Call, Ended, Gives, at_once};
use crate::object::fields;

#[pyfunction]
pub(crate) fn parse_value<'py>(py: Python<'py>, kind: &str, text: &str) -> PyResult<Ended<'py>> {
    at_once(py, || Given::json(&tagwarden_bind::parse_value(kind, text)?))
}

#[pyfunction]
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    tagwarden_bind::digest_of(bytes)
}

#[pyfunction]
pub(crate) fn provenance<'py>(
    py: Python<'py>,
    given: &str,
    environment: Option<HashMap<String, String>>,
    terminal: bool,
    login: Option<String>,
) -> PyResult<Ended<'py>> {
    let around = environment.map(|environment| Surroundings { environment, terminal, login });
    at_once(py, || Given::json(&tagwarden_bind::provenance(fields("Provenance", given)?, around)?))
}

#[pyfunction]
pub(crate) fn error_kinds() -> String {
    tagwarden_bind::error_kinds().to_string()
}

#[pyfunction]
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Panics in a call, so that tests see what becomes of a panic.
#[pyfunction]
#[allow(clippy::panic, reason = "it is what this is for")]
pub(crate) fn panic_here() -> Call {
    Call::of(async move {
        let panics = || -> tagwarden::Result<Gives> { panic!("injected") };
        panics()
    })
}
