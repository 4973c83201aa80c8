//! `TestRegistry`, and the requirements of the ports for backends that are written in Python.

use std::sync::Arc;

use async_trait::async_trait;
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyTuple};
use tagwarden::{Error, ErrorKind};
use tagwarden_bind::testing::{Fault, PartStore, RegistryUnderTest, Server, access, memory};
use tagwarden_testing::conformance::ledger::LedgerHarness;
use tagwarden_testing::{RegistryServer, conformance};

use crate::args::{Seconds, Text, text};
use crate::error::Raises;
use crate::foreign::Backend;
use crate::host::{Json, from_dict};
use crate::memory::MemoryRegistry;
use crate::registry::{Credentials, Manifest};
use crate::run::{Home, block};
use crate::value::Repository;

/// A registry server on loopback, in this process. It starts when it is created, and stops with ``close`` or at the end
/// of ``with``.
///
/// ``vendor`` is that of ``MemoryRegistry``.
///
/// >>> from tagwarden.testing import TestRegistry
/// >>> with TestRegistry() as registry:
/// ...     digest = registry.memory.push_image(registry.repository("acme/shop"), "1.0", 1).digest
#[pyclass(frozen, weakref, module = "tagwarden.testing")]
pub(crate) struct TestRegistry {
    server: Arc<Server>,
    memory: Py<MemoryRegistry>,
    home: Home,
}

impl TestRegistry {
    fn with<T>(&self, act: impl FnOnce(&RegistryServer) -> T) -> Raises<T> {
        self.home.check("test registry")?;
        Ok(self.server.with(act)?)
    }
}

#[pymethods]
impl TestRegistry {
    /// pytest does not collect it.
    #[classattr]
    #[allow(non_upper_case_globals, reason = "Python gives the name")]
    const __test__: bool = false;

    #[new]
    #[pyo3(signature = (vendor = None))]
    fn new(py: Python<'_>, vendor: Option<Text>) -> Raises<TestRegistry> {
        let served = memory(text(vendor).as_deref())?;
        let server = Arc::new(block(py, Server::start(served))?);
        let memory = Py::new(py, MemoryRegistry::over(server.memory().clone()))?;
        Ok(TestRegistry { server, memory, home: Home::here() })
    }

    /// The registry that it serves, with its scripted faults.
    #[getter]
    fn memory(&self, py: Python<'_>) -> Py<MemoryRegistry> {
        self.memory.clone_ref(py)
    }

    /// ``127.0.0.1:PORT``, the host of its repositories.
    #[getter]
    fn host(&self) -> &str {
        self.server.host()
    }

    /// A repository of it.
    fn repository(&self, path: Text) -> Raises<Repository> {
        Ok(Repository(format!("{}/{}", self.server.host(), path.0).parse()?))
    }

    /// Demands this user and password from now on, as Basic authentication or for a token; None demands nothing.
    ///
    /// Without ``token`` it is as the vendor does, and Basic without a vendor. ValueError for credentials without a user
    /// and a password; InvalidValueError VALUE_INVALID for a ``token`` without credentials.
    #[pyo3(signature = (credentials, *, token = None))]
    fn demand(&self, credentials: Option<Credentials>, token: Option<bool>) -> Raises<()> {
        let (user, password) = match credentials {
            Some(Credentials { user: Some(user), password: Some(password), .. }) => (Some(user), Some(password)),
            None => (None, None),
            Some(_) => {
                let why = "a test registry asks for a user and a password, and for nothing else";
                return Err(PyValueError::new_err(why).into());
            }
        };
        let access = access(user, password, token, self.server.memory().vendor())?;
        self.with(|server| server.access(access))
    }

    /// The next requests meet these faults, in order, one each: only of this ``method``, if given, and only if their
    /// path ends with ``path``, if given.
    ///
    /// A fault is ``{"fault": "status", "status": 503}``. There are ``pass``, ``status`` and ``status_after``, ``busy``
    /// (``seconds``), ``html`` (``status``), ``redirect`` (``status``, ``location``), ``cut_body``, ``trickle`` and
    /// ``slow`` (``time`` in ms), ``closed``, ``closed_after``, ``silent``, ``silent_after``, ``wrong_digest`` and
    /// ``no_digest``.
    #[pyo3(signature = (*faults: "dict[str, object]", method = None, path = None))]
    fn script_http(&self, faults: &Bound<'_, PyTuple>, method: Option<Text>, path: Option<Text>) -> Raises<()> {
        let http =
            |fault: Bound<'_, PyAny>| -> Raises<_> { Ok(from_dict::<Fault>(fault.py(), fault.extract()?)?.http()?) };
        let faults = faults.iter().map(http).collect::<Raises<Vec<_>>>()?;
        self.home.check("test registry")?;
        Ok(self.server.script(faults, text(method), text(path))?)
    }

    /// Delays each request by this long from now on.
    fn latency(&self, latency: Seconds) -> Raises<()> {
        let latency = latency.get("latency")?;
        self.with(|server| server.latency(latency))
    }

    /// Every request so far: ``method``, ``path`` and ``status``.
    fn requests(&self, py: Python<'_>) -> Raises<Vec<Json>> {
        let requests = self.with(RegistryServer::requests)?;
        let shown = requests.into_iter().map(|seen| {
            let text = |text: String| text.into_py_any(py);
            let status = seen.status.into_py_any(py)?;
            let shown = [("method", text(seen.method)?), ("path", text(seen.path)?), ("status", status)];
            Ok(shown.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        });
        Ok(shown.collect::<PyResult<_>>()?)
    }

    /// Forgets the requests so far.
    fn clear_requests(&self) -> Raises<()> {
        self.with(RegistryServer::clear_requests)
    }

    /// Drops the scripted faults that no request has met.
    fn calm(&self) -> Raises<()> {
        self.with(RegistryServer::calm)
    }

    /// The number of scripted faults that no request has met yet.
    fn faults_left(&self) -> Raises<usize> {
        self.with(RegistryServer::faults_left)
    }

    /// Invalidates the bearer tokens that it issued.
    fn end_tokens(&self) -> Raises<()> {
        self.with(RegistryServer::end_tokens)
    }

    /// Stops it and frees the port. Safe to repeat.
    fn close(&self, py: Python<'_>) -> Raises<()> {
        self.home.check("test registry")?;
        block(py, self.server.stop())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception: "object"))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> Raises<()> {
        self.close(py)
    }
}

/// A requirement that was broken, and the wrong behaviour.
#[pyclass(frozen, get_all, eq, hash, module = "tagwarden.conformance")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Failure {
    /// The name of the requirement.
    requirement: &'static str,
    /// The observed behaviour and the expected behaviour.
    seen: String,
}

#[pymethods]
impl Failure {
    fn __repr__(&self) -> String {
        format!("Failure({}: {})", self.requirement, self.seen)
    }
}

fn failure(conformance::Failure { requirement, seen }: conformance::Failure) -> Failure {
    Failure { requirement, seen }
}

/// Runs every requirement of a registry, each in a new repository below ``repository``.
///
/// ``broken`` is the same adapter, but every call of it fails; ``store`` stores blobs and manifests by digest, around
/// the port: ``store(repository, blobs, manifests)``. ``lag`` is how many seconds after a change a read may still
/// answer the old value of a tag.
#[pyfunction]
#[pyo3(name = "_registry_conformance", signature = (
    registry: "Registry", *, broken: "Registry", repository,
    store: "Callable[[Repository, list[bytes], list[Manifest]], Any]", lag = Seconds(0.0)
))]
pub(crate) fn registry(
    py: Python<'_>,
    registry: &Bound<'_, PyAny>,
    broken: &Bound<'_, PyAny>,
    repository: Repository,
    store: &Bound<'_, PyAny>,
    lag: Seconds,
) -> Raises<Vec<Failure>> {
    let (registry, _) = crate::registry::port(registry, None)?;
    let (broken, _) = crate::registry::port(broken, None)?;
    let (below, lag) = (repository.0, lag.get("lag")?);
    let store = Store(Backend::named(store, "store".to_owned(), None));
    let tested = RegistryUnderTest::new(registry, broken, store, below, lag)?;
    let broken = block(py, async { Ok::<_, Error>(conformance::registry::all(&tested).await) })?;
    Ok(broken.into_iter().map(failure).collect())
}

struct Store(Backend);

#[async_trait]
impl PartStore for Store {
    async fn store(
        &self,
        repository: &tagwarden::Repository,
        blobs: Vec<Vec<u8>>,
        manifests: Vec<tagwarden::registry::Manifest>,
    ) -> tagwarden::Result<()> {
        let blobs: Vec<bytes::Bytes> = blobs.into_iter().map(Into::into).collect();
        let manifests: Vec<_> = manifests.iter().map(Manifest::of).collect();
        let stored = self.0.ask("", (Repository(repository.clone()), blobs, manifests), |_| Ok(())).await;
        stored.map_err(|raised| {
            Error::new(ErrorKind::RegistryUnavailable, format!("store failed: {raised}")).with_source(raised)
        })
    }
}

/// Runs the requirements of a ledger until the first that is broken.
///
/// ``open`` opens it as a new process does. For a ledger in memory it returns the same object again.
#[pyfunction]
#[pyo3(name = "_ledger_conformance", signature = (open: "Callable[[], Ledger]"))]
pub(crate) fn ledger(py: Python<'_>, open: Py<PyAny>) -> Raises<Vec<Failure>> {
    let opened = Opened(Arc::new(open));
    let broken = block(py, async { Ok::<_, Error>(conformance::ledger::all(&opened).await.err()) })?;
    Ok(broken.into_iter().map(failure).collect())
}

struct Opened(Arc<Py<PyAny>>);

#[async_trait]
impl LedgerHarness for Opened {
    async fn open(&self) -> tagwarden::Result<Arc<dyn tagwarden::ledger::Ledger>> {
        let open = Arc::clone(&self.0);
        let opened = move || {
            Python::try_attach(|py| {
                let opened = open.bind(py).call0()?;
                crate::ledger::port(&opened, None).map(|(port, _)| port).map_err(PyErr::from)
            })
        };
        let failed = |why: String| Err(Error::new(ErrorKind::LedgerUnavailable, why));
        match tokio::task::spawn_blocking(opened).await {
            Ok(Some(Ok(ledger))) => Ok(ledger),
            Ok(Some(Err(error))) => failed(format!("open raised {error}")),
            Ok(None) | Err(_) => failed("the Python interpreter is ending".to_owned()),
        }
    }
}
