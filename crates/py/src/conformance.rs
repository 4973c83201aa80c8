//! The laws of the ports, run on backends that are written in Python.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use tagwarden::conformance::{Violation, ledger as ledger_law, registry as registry_law};
use tagwarden::registry::Sample;
use tagwarden::{Error, ErrorKind, Repository, ledger, registry};
use tagwarden_bind::Given;
use uuid::Uuid;

use crate::call::Call;
use crate::object::{Ledger, Registry};

/// Every law of a registry: what was broken, as `[[law, seen], …]`.
#[pyfunction]
pub(crate) fn registry_laws(
    registry: &Registry,
    broken: &Registry,
    host: String,
    store: Py<PyAny>,
    lag: f64,
) -> PyResult<Call> {
    let lag =
        Duration::try_from_secs_f64(lag).map_err(|e| pyo3::exceptions::PyValueError::new_err(format!("lag: {e}")))?;
    let fixture = Fixture { port: Arc::clone(&registry.port), broken: Arc::clone(&broken.port), host, store, lag };
    Call::start(async move {
        // A name that is wrong is said before a law meets it.
        named(&fixture.host)?;
        Given::json(&registry_law::all(&fixture).await.iter().map(pair).collect::<Vec<_>>())
    })
}

/// Every law of a ledger, until the first that is broken. `open` gives the ledger, opened anew.
#[pyfunction]
pub(crate) fn ledger_laws(open: Py<PyAny>) -> PyResult<Call> {
    Call::start(async move {
        let broken = ledger_law::all(&Opened(open)).await.err();
        Given::json(&broken.iter().map(pair).collect::<Vec<_>>())
    })
}

fn pair(violation: &Violation) -> (&'static str, String) {
    (violation.law, violation.seen.clone())
}

fn named(host: &str) -> tagwarden::Result<Repository> {
    format!("{host}/conformance/{}", Uuid::now_v7()).parse()
}

struct Fixture {
    port: Arc<dyn registry::Registry>,
    broken: Arc<dyn registry::Registry>,
    host: String,
    store: Py<PyAny>,
    lag: Duration,
}

#[async_trait]
impl registry_law::Fixture for Fixture {
    fn registry(&self) -> Arc<dyn registry::Registry> {
        Arc::clone(&self.port)
    }

    #[allow(clippy::expect_used, reason = "the host was tried when the laws began")]
    async fn repository(&self) -> Repository {
        named(&self.host).expect("a repository of a host that was tried")
    }

    async fn store_parts(&self, repository: &Repository, sample: &Sample) -> tagwarden::Result<()> {
        let stored = Python::try_attach(|py| {
            let blobs = PyList::empty(py);
            parts(sample, &mut |bytes| blobs.append(PyBytes::new(py, bytes)))?;
            let manifests = PyList::empty(py);
            for child in &sample.children {
                let manifest = &child.manifest;
                manifests.append((PyBytes::new(py, manifest.bytes()), manifest.media_type().as_str()))?;
            }
            self.store.call1(py, (repository.to_string(), blobs, manifests)).map(drop)
        });
        done(stored)
    }

    async fn broken(&self) -> (Arc<dyn registry::Registry>, Repository) {
        (Arc::clone(&self.broken), self.repository().await)
    }

    fn lag(&self) -> Duration {
        self.lag
    }
}

/// Every blob below a sample.
fn parts(sample: &Sample, take: &mut impl FnMut(&[u8]) -> PyResult<()>) -> PyResult<()> {
    sample.blobs.iter().try_for_each(|blob| take(blob))?;
    sample.children.iter().try_for_each(|child| parts(child, take))
}

fn done<T>(result: Option<PyResult<T>>) -> tagwarden::Result<T> {
    match result {
        Some(Ok(value)) => Ok(value),
        Some(Err(e)) => Err(Error::new(ErrorKind::InternalFault, format!("the fixture raised {e}"))),
        None => Err(Error::new(ErrorKind::InternalFault, "the Python interpreter is ending")),
    }
}

struct Opened(Py<PyAny>);

#[async_trait]
impl ledger_law::Store for Opened {
    async fn open(&self) -> tagwarden::Result<Arc<dyn ledger::Ledger>> {
        done(Python::try_attach(|py| {
            let opened = self.0.call0(py)?;
            let ledger = opened.bind(py).cast::<Ledger>()?;
            Ok(Arc::clone(&ledger.get().port))
        }))
    }
}
