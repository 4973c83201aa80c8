//! The core's objects: each has `call(method, request)`, or what else it takes to get at one.

use std::sync::Arc;

use pyo3::prelude::*;
use tagwarden::judge::Guardrail;
use tagwarden::ledger::MemoryLedger;
use tagwarden::registry::oci::OciRegistry;
use tagwarden::{ledger, registry};
use tagwarden_bind::{Fields, Given, Guard, HostLedger, HostRegistry, Style};

use crate::backend::Backend;
use crate::call::{Call, Gives, at_once};
use crate::runtime::Home;

type Ended<'py> = (Option<Bound<'py, PyAny>>, Option<String>, Option<Bound<'py, PyAny>>);

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
    fn written(object: &Bound<'_, PyAny>) -> PyResult<Registry> {
        Ok(Registry::of(HostRegistry(Backend::of(object)?)))
    }

    fn call(&self, method: String, request: String) -> PyResult<Call> {
        let this = self.clone();
        Call::start(async move {
            this.home.check("registry")?;
            tagwarden_bind::registry(&*this.port, &method, fields(&method, &request)?).await
        })
    }
}

/// Every OCI registry, with these options.
#[pyfunction]
pub(crate) fn oci_registry(py: Python<'_>, options: &str) -> PyResult<(Option<Registry>, Option<String>)> {
    match fields("OciRegistry", options).and_then(tagwarden_bind::oci) {
        Ok(oci) => Ok((Some(Registry { oci: Some(oci.clone()), ..Registry::of(oci) }), None)),
        Err(error) => Ok((None, Some(crate::call::failed(py, &error).0))),
    }
}

/// A registry in memory.
#[pyclass(frozen)]
pub(crate) struct MemoryRegistry {
    core: registry::MemoryRegistry,
}

#[pymethods]
impl MemoryRegistry {
    #[new]
    fn new() -> MemoryRegistry {
        MemoryRegistry { core: registry::MemoryRegistry::new() }
    }

    fn port(&self) -> Registry {
        Registry::of(self.core.clone())
    }

    fn set<'py>(&self, py: Python<'py>, method: &str, request: &str) -> PyResult<Ended<'py>> {
        // Its clock is the runtime's.
        let runtime = crate::runtime::runtime();
        at_once(py, || {
            let runtime = runtime?;
            let _entered = runtime.enter();
            tagwarden_bind::memory(&self.core, method, fields(method, request)?)
        })
    }
}

/// A registry over HTTP on loopback, in this process.
#[pyclass(frozen)]
pub(crate) struct Server {
    core: Arc<tagwarden_bind::Server>,
}

impl Server {
    pub(crate) fn of(server: tagwarden_bind::Server) -> Server {
        Server { core: Arc::new(server) }
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

    fn call(&self, method: String, request: String) -> PyResult<Call> {
        let core = Arc::clone(&self.core);
        Call::start(async move { core.call(&method, fields(&method, &request)?).await })
    }
}

/// Starts one.
#[pyfunction]
pub(crate) fn start_server() -> PyResult<Call> {
    Call::start(async move { tagwarden_bind::Server::start().await.map(Gives::Server) })
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
    fn written(object: &Bound<'_, PyAny>) -> PyResult<Ledger> {
        Ok(Ledger::of(Arc::new(HostLedger(Backend::of(object)?))))
    }

    fn call(&self, method: String, request: String) -> PyResult<Call> {
        let this = self.clone();
        Call::start(async move {
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
pub(crate) fn open_ledger(request: String) -> PyResult<Call> {
    Call::start(async move {
        let port = tagwarden_bind::open_ledger(fields("open_ledger", &request)?).await?;
        Ok(Gives::Ledger(Ledger::of(port)))
    })
}

#[pyfunction]
pub(crate) fn init_ledger(request: String) -> PyResult<Call> {
    Call::start(async move { tagwarden_bind::init_ledger(fields("init_ledger", &request)?).await })
}

/// The facade.
#[pyclass(frozen)]
pub(crate) struct Promoter {
    core: tagwarden::Promoter,
    home: Home,
}

#[pymethods]
impl Promoter {
    /// `guardrails`: objects with `name`, `settings` (JSON text) and `ask`.
    #[staticmethod]
    fn over(
        py: Python<'_>,
        registry: &Registry,
        ledger: &Ledger,
        options: &str,
        guardrails: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<(Option<Promoter>, Option<String>)> {
        let mut rules: Vec<Arc<dyn Guardrail>> = Vec::new();
        for object in guardrails {
            let settings: String = object.getattr("settings")?.extract()?;
            let settings = serde_json::from_str(&settings).map_err(|e| {
                pyo3::exceptions::PyValueError::new_err(format!("the settings of a guardrail are no JSON: {e}"))
            })?;
            let judge = Python::attach(|_| Backend::of(&object))?;
            rules.push(Arc::new(Guard { name: object.getattr("name")?.extract()?, settings, judge: Judged(judge) }));
        }
        let core = tagwarden::Promoter::new(Arc::clone(&registry.port), Arc::clone(&ledger.port));
        let made = registry.home.check("registry").and_then(|()| ledger.home.check("ledger"));
        match made.and_then(|()| tagwarden_bind::with_options(core, fields("Promoter", options)?, rules)) {
            Ok(core) => Ok((Some(Promoter { core, home: Home::here() }), None)),
            Err(error) => Ok((None, Some(crate::call::failed(py, &error).0))),
        }
    }

    fn call(&self, method: String, request: String) -> PyResult<Call> {
        let (core, home) = (self.core.clone(), self.home);
        Call::start(async move {
            home.check("promoter")?;
            tagwarden_bind::promoter(core, &method, fields(&method, &request)?).await
        })
    }

    fn execute(&self, approved: &Approved) -> PyResult<Call> {
        let (core, home, approved) = (self.core.clone(), self.home, approved.plan.take());
        Call::start(async move {
            home.check("promoter")?;
            Given::json(&core.execute(approved?).await?)
        })
    }
}

#[derive(Debug)]
struct Judged(Arc<Backend>);

impl tagwarden_bind::Judge for Judged {
    fn judge(&self, facts: serde_json::Value) -> Result<serde_json::Value, tagwarden_bind::HostError> {
        self.0.judge(facts)
    }
}

/// A plan. Approving it uses it up.
#[pyclass(frozen)]
pub(crate) struct Plan {
    plan: tagwarden_bind::Plan,
}

impl Plan {
    pub(crate) fn of(plan: tagwarden_bind::Plan) -> Plan {
        Plan { plan }
    }
}

#[pymethods]
impl Plan {
    fn says<'py>(&self, py: Python<'py>) -> PyResult<Ended<'py>> {
        at_once(py, || Given::json(&self.plan.says()?))
    }

    fn approve(&self, py: Python<'_>) -> (Option<Approved>, Option<String>) {
        match self.plan.approve() {
            Ok(plan) => (Some(Approved { plan }), None),
            Err(error) => (None, Some(crate::call::failed(py, &error).0)),
        }
    }
}

/// An approved plan. Executing it uses it up.
#[pyclass(frozen)]
pub(crate) struct Approved {
    plan: tagwarden_bind::Approved,
}

/// A packed Flux artifact.
#[pyclass(frozen)]
pub(crate) struct Artifact {
    core: Arc<tagwarden::flux::Artifact>,
}

#[pymethods]
impl Artifact {
    fn digest(&self) -> String {
        self.core.manifest().digest().to_string()
    }

    fn push(&self, registry: &Registry, request: String) -> PyResult<Call> {
        let (core, oci) = (Arc::clone(&self.core), registry.oci.clone());
        let Some(oci) = oci else {
            return Err(pyo3::exceptions::PyTypeError::new_err("an artifact is pushed to an OciRegistry"));
        };
        Call::start(async move { tagwarden_bind::push(&core, &oci, fields("push_artifact", &request)?).await })
    }
}

#[pyfunction]
pub(crate) fn pack(py: Python<'_>, request: String) -> (Option<Artifact>, Option<String>) {
    match py.detach(|| tagwarden_bind::pack(fields("pack_artifact", &request)?)) {
        Ok(core) => (Some(Artifact { core: Arc::new(core) }), None),
        Err(error) => (None, Some(crate::call::failed(py, &error).0)),
    }
}
