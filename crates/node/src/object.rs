//! The core's objects. Each has `call(method, request)`, or functions that return such an object.

use std::sync::Arc;

use napi::bindgen_prelude::{ClassInstance, Reference};
use napi_derive::napi;
use serde_json::Value;
use tagwarden::ledger::MemoryLedger;
use tagwarden::{Error, ErrorKind, ledger, registry};
use tagwarden_bind::{Fields, Guard, HostLedger, HostRegistry, Port, Style};

use crate::call::{Call, at_once, text};
use crate::host::{Ask, port};

pub(crate) fn fields(call: &str, request: &str) -> tagwarden::Result<Fields> {
    Fields::parse(Style::Camel, call, request)
}

/// A registry for a promoter.
#[napi]
pub struct Registry {
    pub(crate) port: Arc<dyn registry::Registry>,
    oci: Option<registry::oci::OciRegistry>,
}

impl Registry {
    fn of(port: impl registry::Registry) -> Registry {
        Registry { port: Arc::new(port), oci: None }
    }
}

#[napi]
impl Registry {
    /// A registry written in JavaScript.
    #[napi(factory, catch_unwind)]
    pub fn written(name: String, ask: Ask, timeout: Option<f64>) -> napi::Result<Registry> {
        Ok(Registry::of(HostRegistry(port(name, ask, timeout)?)))
    }

    /// A client of any OCI registry, with these options.
    #[napi(factory, catch_unwind)]
    pub fn oci(options: String) -> napi::Result<Registry> {
        let oci = at_once(|| tagwarden_bind::oci(fields("OciRegistry", &options)?))?;
        Ok(Registry { oci: Some(oci.clone()), ..Registry::of(oci) })
    }

    #[napi(catch_unwind)]
    pub fn call(&self, method: String, request: String) -> Call {
        let port = Arc::clone(&self.port);
        Call::of(async move { tagwarden_bind::registry(&*port, &method, fields(&method, &request)?).await })
    }
}

/// A registry in memory.
#[napi]
pub struct MemoryRegistry {
    core: tagwarden_testing::MemoryRegistry,
}

#[napi]
impl MemoryRegistry {
    #[napi(constructor, catch_unwind)]
    pub fn new() -> MemoryRegistry {
        MemoryRegistry { core: tagwarden_testing::MemoryRegistry::new() }
    }

    #[napi(catch_unwind)]
    pub fn port(&self) -> Registry {
        Registry::of(self.core.clone())
    }

    #[napi(catch_unwind)]
    pub fn set(&self, method: String, request: String) -> napi::Result<String> {
        at_once(|| text(tagwarden_bind::memory(&self.core, &method, fields(&method, &request)?)?))
    }
}

/// A registry over HTTP on loopback, in this process.
#[napi]
pub struct Server {
    core: Arc<tagwarden_bind::Server>,
}

/// Starts a server.
#[napi(catch_unwind)]
pub fn start_server() -> Call {
    Call::of(async { tagwarden_bind::Server::start().await.map(|core| Server { core: Arc::new(core) }) })
}

#[napi]
impl Server {
    #[napi(catch_unwind)]
    pub fn host(&self) -> String {
        self.core.host().to_owned()
    }

    #[napi(catch_unwind)]
    pub fn memory(&self) -> MemoryRegistry {
        MemoryRegistry { core: self.core.memory().clone() }
    }

    #[napi(catch_unwind)]
    pub fn set(&self, method: String, request: String) -> napi::Result<String> {
        at_once(|| text(self.core.set(&method, fields(&method, &request)?)?))
    }

    #[napi(catch_unwind)]
    pub fn stop(&self) -> Call {
        let core = Arc::clone(&self.core);
        Call::of(async move { core.stop().await })
    }
}

/// A ledger for a promoter.
#[napi]
pub struct Ledger {
    pub(crate) port: Arc<dyn ledger::Ledger>,
}

#[napi]
impl Ledger {
    /// A ledger written in JavaScript.
    #[napi(factory, catch_unwind)]
    pub fn written(name: String, ask: Ask, timeout: Option<f64>) -> napi::Result<Ledger> {
        Ok(Ledger { port: Arc::new(HostLedger(port(name, ask, timeout)?)) })
    }

    /// A ledger in memory.
    #[napi(factory, catch_unwind)]
    pub fn memory() -> Ledger {
        Ledger { port: Arc::new(MemoryLedger::new()) }
    }

    #[napi(catch_unwind)]
    pub fn call(&self, method: String, request: String) -> Call {
        let port = Arc::clone(&self.port);
        Call::of(async move { tagwarden_bind::ledger(&*port, &method, fields(&method, &request)?).await })
    }
}

#[napi(catch_unwind)]
pub fn open_ledger(request: String) -> Call {
    Call::of(async move {
        let port = tagwarden_bind::open_ledger(fields("open_ledger", &request)?).await?;
        Ok::<_, Error>(Ledger { port })
    })
}

#[napi(catch_unwind)]
pub fn init_ledger(request: String) -> Call {
    Call::of(async move { tagwarden_bind::init_ledger(fields("init_ledger", &request)?).await })
}

/// A guardrail written in JavaScript.
#[napi]
pub struct Guardrail {
    name: String,
    settings: Value,
    port: Port,
}

#[napi]
impl Guardrail {
    /// `settings` are JSON text.
    #[napi(factory, catch_unwind)]
    pub fn written(name: String, settings: String, ask: Ask, timeout: Option<f64>) -> napi::Result<Guardrail> {
        let wrong = |e| Error::new(ErrorKind::ValueInvalid, format!("guardrail {name}: settings: {e}"));
        let settings = at_once(|| serde_json::from_str(&settings).map_err(wrong))?;
        Ok(Guardrail { port: port(name.clone(), ask, timeout)?, name, settings })
    }
}

/// The promoter.
#[napi]
pub struct Promoter {
    core: tagwarden_bind::Promoter,
}

#[napi]
impl Promoter {
    /// `options`: `{pipeline?, times?, policy?}`. `guardrails` are evaluated after the built-in ones.
    #[napi(factory, catch_unwind)]
    pub fn over(
        registry: &Registry,
        ledger: &Ledger,
        options: String,
        guardrails: Vec<ClassInstance<Guardrail>>,
    ) -> napi::Result<Promoter> {
        let guards =
            guardrails.iter().map(|rule| Guard::new(rule.name.clone(), rule.settings.clone(), rule.port.clone()));
        let (registry, ledger, guards) = (Arc::clone(&registry.port), Arc::clone(&ledger.port), guards.collect());
        let core = at_once(|| tagwarden_bind::Promoter::over(registry, ledger, fields("Promoter", &options)?, guards))?;
        Ok(Promoter { core })
    }

    #[napi(catch_unwind)]
    pub fn call(&self, method: String, request: String) -> Call {
        let core = self.core.clone();
        Call::of(async move { core.call(&method, fields(&method, &request)?).await })
    }

    #[napi(catch_unwind)]
    pub fn execute(&self, approved: Reference<ApprovedPlan>) -> Call {
        let (core, approved) = (self.core.clone(), Arc::clone(&approved.plan));
        Call::of(async move { core.execute(&approved).await })
    }
}

/// A plan. It can be approved once.
#[napi]
pub struct Plan {
    pub(crate) plan: tagwarden_bind::Plan,
}

#[napi]
impl Plan {
    #[napi(catch_unwind)]
    pub fn says(&self) -> napi::Result<String> {
        at_once(|| text(self.plan.says()?))
    }

    #[napi(catch_unwind)]
    pub fn approve(&self) -> napi::Result<ApprovedPlan> {
        at_once(|| self.plan.approve().map(|plan| ApprovedPlan { plan: Arc::new(plan) }))
    }
}

/// An approved plan. It can be executed once.
#[napi]
pub struct ApprovedPlan {
    plan: Arc<tagwarden_bind::ApprovedPlan>,
}

/// A packed Flux artifact.
#[napi]
pub struct Artifact {
    core: Arc<tagwarden_bind::Packed>,
}

#[napi(catch_unwind)]
pub fn pack(request: String) -> Call {
    Call::of(async move {
        let core = tagwarden_bind::pack(fields("pack_artifact", &request)?).await?;
        Ok::<_, Error>(Artifact { core: Arc::new(core) })
    })
}

#[napi]
impl Artifact {
    /// `{manifest, blobs, left_out, warnings}`.
    #[napi(catch_unwind)]
    pub fn packed(&self) -> napi::Result<String> {
        at_once(|| text(tagwarden_bind::packed(&self.core)?))
    }

    #[napi(catch_unwind)]
    pub fn push(&self, registry: &Registry, request: String) -> Call {
        let (core, oci) = (Arc::clone(&self.core), registry.oci.clone());
        Call::of(async move {
            let no_oci = || Error::new(ErrorKind::ConfigInvalid, "an artifact is pushed to an OciRegistry");
            tagwarden_bind::push(&core, &oci.ok_or_else(no_oci)?, fields("push_artifact", &request)?).await
        })
    }
}
