//! Runs the requirements of the ports on backends written in Python.

use std::sync::Arc;

use async_trait::async_trait;
use pyo3::prelude::*;
use tagwarden::{Error, ErrorKind, ledger};
use tagwarden_testing::conformance::ledger::LedgerHarness;

use crate::backend::{Backend, ENDED};
use crate::call::Call;
use crate::object::{Ledger, Registry, fields};

/// Every requirement of a registry: `{repository, lag?}`; `store` is an object with `ask`.
#[pyfunction]
pub(crate) fn registry_requirements(
    registry: &Registry,
    broken: &Registry,
    store: &Bound<'_, PyAny>,
    request: String,
) -> PyResult<Call> {
    let (registry, broken, store) = (Arc::clone(&registry.port), Arc::clone(&broken.port), Backend::port(store)?);
    Ok(Call::of(async move {
        let asked = fields("conformance.registry", &request)?;
        tagwarden_bind::registry_requirements(registry, broken, store?, asked).await
    }))
}

/// Every requirement of a ledger, until the first that is broken. `open` gives the ledger, opened anew.
#[pyfunction]
pub(crate) fn ledger_requirements(open: Py<PyAny>) -> Call {
    let opened = Opened(Arc::new(open));
    Call::of(async move { tagwarden_bind::ledger_requirements(&opened).await })
}

struct Opened(Arc<Py<PyAny>>);

#[async_trait]
impl LedgerHarness for Opened {
    async fn open(&self) -> tagwarden::Result<Arc<dyn ledger::Ledger>> {
        let open = Arc::clone(&self.0);
        let opened = move || {
            Python::try_attach(|py| {
                let opened = open.call0(py)?;
                let ledger = opened.bind(py).cast::<Ledger>()?;
                Ok(Arc::clone(&ledger.get().port))
            })
        };
        let failed = |why: String| Err(Error::new(ErrorKind::LedgerUnavailable, why));
        match tokio::task::spawn_blocking(opened).await {
            Ok(Some(Ok(ledger))) => Ok(ledger),
            Ok(Some(Err(error))) => failed(format!("open raised {}", PyErr::to_string(&error))),
            Ok(None) | Err(_) => failed(ENDED.to_owned()),
        }
    }
}
