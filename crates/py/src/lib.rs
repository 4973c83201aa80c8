//! The native half of the Python binding: every object has `call(method, request)`, which returns a `Call`.
//!
//! Both halves exchange JSON text, as in `tagwarden-bind`. `python/tagwarden` is the half that users see.

#![forbid(unsafe_code)]
#![allow(missing_docs, missing_debug_implementations, reason = "what PyO3 exports is described in _tagwarden.pyi")]

mod backend;
mod call;
mod conformance;
mod object;
mod runtime;
mod value;

use pyo3::prelude::*;

#[pymodule]
mod _tagwarden {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use pyo3::exceptions::PyImportError;
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::call::Call;
    #[pymodule_export]
    use super::conformance::{ledger_requirements, registry_requirements};
    #[pymodule_export]
    use super::object::{
        ApprovedPlan, Artifact, Ledger, MemoryRegistry, Plan, Promoter, Registry, Server, init_ledger, memory_ledger,
        oci_registry, open_ledger, pack, start_server,
    };
    #[pymodule_export]
    use super::value::{digest_of, error_kinds, panic_here, parse_value, provenance, version};

    /// Allows one interpreter in each process: a callback from the core's threads would not know its interpreter.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        static HOME: AtomicUsize = AtomicUsize::new(0);
        // The `sys` module identifies the interpreter: each interpreter has its own.
        let here = module.py().import("sys")?.as_ptr() as usize;
        match HOME.compare_exchange(0, here, Ordering::SeqCst, Ordering::SeqCst) {
            Err(other) if other != here => {
                let why =
                    "tagwarden is loaded in another interpreter of this process: sub-interpreters are not supported";
                Err(PyImportError::new_err(why))
            }
            _ => Ok(()),
        }
    }
}
