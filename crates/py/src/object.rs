//! The core's objects. Each has `call(method, request)`, or functions that return such an object.

use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use tagwarden::ledger::MemoryLedger;
use tagwarden::registry::oci::OciRegistry;
use tagwarden::{ledger, registry};
use tagwarden_bind::{Fields, Guard, HostLedger, HostRegistry, Style};

use crate::backend::Backend;
use crate::call::{Call, Ended, Gives, at_once};
use crate::runtime::{Home, runtime};

pub(crate) fn fields(call: &str, request: &str) -> tagwarden::Result<Fields> {
    Fields::parse(Style::Snake, call, request)
}

/// A registry that a promoter can use.
#[pyclass(frozen)]
#[derive(Clone)]
pub(crate) struct Registry {
    pub(crate) port: Arc<dyn registry::Registry>,
    oci: Option<OciRegistry>,
    home: Home,
}

impl Registry {
    fn of(port: impl registry::Registry) -> Registry {
        Registry { port: Arc::new(port), oci: None, home: Home::here() }
    }
}

#[pymethods]
impl Registry {
    /// One that is written in Python.
    #[staticmethod]
    fn written<'py>(py: Python<'py>, object: &Bound<'_, PyAny>) -> PyResult<Ended<'py>> {
        let port = Backend::port(object)?;
        at_once(py, || port.map(|port| Gives::Registry(Registry::of(HostRegistry(port)))))
    }

    fn call(&self, method: String, request: String) -> Call {
        let this = self.clone();
        Call::of(async move {
            this.home.check("registry")?;
            tagwarden_bind::registry(&*this.port, &method, fields(&method, &request)?).await
        })
    }
}

/// Every OCI registry, with these options.
#[pyfunction]
pub(crate) fn oci_registry<'py>(py: Python<'py>, options: &str) -> PyResult<Ended<'py>> {
    at_once(py, || {
        let oci = tagwarden_bind::oci(fields("OciRegistry", options)?)?;
        Ok::<_, tagwarden::Error>(Gives::Registry(Registry { oci: Some(oci.clone()), ..Registry::of(oci) }))
    })
}

/// A registry in memory.
#[pyclass(frozen)]
pub(crate) struct MemoryRegistry {
    core: tagwarden_testing::MemoryRegistry,
}

#[pymethods]
impl MemoryRegistry {
    #[new]
    fn new() -> MemoryRegistry {
        MemoryRegistry { core: tagwarden_testing::MemoryRegistry::new() }
    }

    fn port(&self) -> Registry {
        Registry::of(self.core.clone())
    }

    fn set<'py>(&self, py: Python<'py>, method: &str, request: &str) -> PyResult<Ended<'py>> {
        at_once(py, || {
            // The registry uses the runtime's clock, so enter the runtime.
            let runtime = runtime()?;
            let _entered = runtime.enter();
            tagwarden_bind::memory(&self.core, method, fields(method, request)?)
        })
    }
}

/// A registry over HTTP on loopback, in this process.
#[pyclass(frozen)]
pub(crate) struct Server {
    core: Arc<tagwarden_bind::Server>,
    home: Home,
}

impl Server {
    pub(crate) fn of(server: tagwarden_bind::Server) -> Server {
        Server { core: Arc::new(server), home: Home::here() }
    }
}

#[pymethods]
impl Server {
    fn host(&self) -> &str {
        self.core.host()
    }

    fn memory(&self) -> MemoryRegistry {
        MemoryRegistry { core: self.core.memory().clone() }
    }

    fn set<'py>(&self, py: Python<'py>, method: &str, request: &str) -> PyResult<Ended<'py>> {
        at_once(py, || {
            self.home.check("test registry")?;
            self.core.set(method, fields(method, request)?)
        })
    }

    fn stop(&self) -> Call {
        let (core, home) = (Arc::clone(&self.core), self.home);
        Call::of(async move {
            home.check("test registry")?;
            core.stop().await
        })
    }
}

/// Starts one.
#[pyfunction]
pub(crate) fn start_server() -> Call {
    Call::of(async move { tagwarden_bind::Server::start().await.map(Gives::Server) })
}

/// A ledger that a promoter can use.
#[pyclass(frozen)]
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) port: Arc<dyn ledger::Ledger>,
    home: Home,
}

impl Ledger {
    fn of(port: Arc<dyn ledger::Ledger>) -> Ledger {
        Ledger { port, home: Home::here() }
    }
}

#[pymethods]
impl Ledger {
    /// One that is written in Python.
    #[staticmethod]
    fn written<'py>(py: Python<'py>, object: &Bound<'_, PyAny>) -> PyResult<Ended<'py>> {
        let port = Backend::port(object)?;
        at_once(py, || port.map(|port| Gives::Ledger(Ledger::of(Arc::new(HostLedger(port))))))
    }

    fn call(&self, method: String, request: String) -> Call {
        let this = self.clone();
        Call::of(async move {
            this.home.check("ledger")?;
            tagwarden_bind::ledger(&*this.port, &method, fields(&method, &request)?).await
        })
    }
}

#[pyfunction]
pub(crate) fn memory_ledger() -> Ledger {
    Ledger::of(Arc::new(MemoryLedger::new()))
}

#[pyfunction]
pub(crate) fn open_ledger(request: String) -> Call {
    Call::of(async move {
        let port = tagwarden_bind::open_ledger(fields("open_ledger", &request)?).await?;
        Ok::<_, tagwarden::Error>(Gives::Ledger(Ledger::of(port)))
    })
}

#[pyfunction]
pub(crate) fn init_ledger(request: String) -> Call {
    Call::of(async move { tagwarden_bind::init_ledger(fields("init_ledger", &request)?).await })
}

/// The facade.
#[pyclass(frozen)]
pub(crate) struct Promoter {
    core: tagwarden_bind::Promoter,
    home: Home,
}

#[pymethods]
impl Promoter {
    /// `guardrails`: objects with `name`, `settings` (JSON text) and `ask`.
    #[staticmethod]
    fn over<'py>(
        py: Python<'py>,
        registry: &Registry,
        ledger: &Ledger,
        options: &str,
        guardrails: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<Ended<'py>> {
        let mut guards = Vec::new();
        for object in &guardrails {
            let settings: String = object.getattr("settings")?.extract()?;
            let no_json = |e| PyValueError::new_err(format!("the settings of a guardrail are no JSON: {e}"));
            let settings = serde_json::from_str(&settings).map_err(no_json)?;
            guards.push((object.getattr("name")?.extract()?, settings, Backend::port(object)?));
        }
        at_once(py, || {
            registry.home.check("registry")?;
            ledger.home.check("ledger")?;
            let guards = guards.into_iter().map(|(name, settings, port)| Ok(Guard::new(name, settings, port?)));
            let guards = guards.collect::<tagwarden::Result<_>>()?;
            let (registry, ledger) = (Arc::clone(&registry.port), Arc::clone(&ledger.port));
            let core = tagwarden_bind::Promoter::over(registry, ledger, fields("Promoter", options)?, guards)?;
            Ok::<_, tagwarden::Error>(Gives::Promoter(Promoter { core, home: Home::here() }))
        })
    }

    fn call(&self, method: String, request: String) -> Call {
        let (core, home) = (self.core.clone(), self.home);
        Call::of(async move {
            home.check("promoter")?;
            core.call(&method, fields(&method, &request)?).await
        })
    }

    fn execute(&self, approved: Py<ApprovedPlan>) -> Call {
        let (core, home) = (self.core.clone(), self.home);
        Call::of(async move {
            home.check("promoter")?;
            core.execute(&approved.get().plan).await
        })
    }
}

/// A plan. Approving it uses it up.
#[pyclass(frozen)]
pub(crate) struct Plan {
    pub(crate) plan: tagwarden_bind::Plan,
}

#[pymethods]
impl Plan {
    fn says<'py>(&self, py: Python<'py>) -> PyResult<Ended<'py>> {
        at_once(py, || self.plan.says())
    }

    fn approve<'py>(&self, py: Python<'py>) -> PyResult<Ended<'py>> {
        at_once(py, || self.plan.approve().map(|plan| Gives::ApprovedPlan(Box::new(plan))))
    }
}

/// An approved plan. Executing it uses it up.
#[pyclass(frozen)]
pub(crate) struct ApprovedPlan {
    pub(crate) plan: tagwarden_bind::ApprovedPlan,
}

/// A packed Flux artifact.
#[pyclass(frozen)]
#[derive(Clone)]
pub(crate) struct Artifact {
    core: Arc<tagwarden_bind::Packed>,
}

#[pymethods]
impl Artifact {
    /// `{manifest, blobs, left_out, warnings}`.
    fn packed<'py>(&self, py: Python<'py>) -> PyResult<Ended<'py>> {
        at_once(py, || tagwarden_bind::packed(&self.core))
    }

    fn push(&self, registry: &Registry, request: String) -> PyResult<Call> {
        let (core, oci, home) = (Arc::clone(&self.core), registry.oci.clone(), registry.home);
        let Some(oci) = oci else {
            return Err(PyTypeError::new_err("an artifact is pushed to an OciRegistry"));
        };
        Ok(Call::of(async move {
            home.check("registry")?;
            tagwarden_bind::push(&core, &oci, fields("push_artifact", &request)?).await
        }))
    }
}

#[pyfunction]
pub(crate) fn pack(request: String) -> Call {
    Call::of(async move {
        let core = tagwarden_bind::pack(fields("pack_artifact", &request)?).await?;
        Ok::<_, tagwarden::Error>(Gives::Artifact(Artifact { core: Arc::new(core) }))
    })
}
