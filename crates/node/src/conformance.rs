//! The requirements of the ports, run on backends that are objects of JavaScript.

use std::sync::Arc;

use async_trait::async_trait;
use napi::JsValue as _;
use napi::bindgen_prelude::{Buffer, FnArgs, JsObjectValue as _, Object, Unknown};
use napi_derive::napi;
use serde::de::IgnoredAny;
use tagwarden::registry::Manifest;
use tagwarden::{Error, ErrorKind, Repository, Result, ledger};
use tagwarden_bind::convert::to;
use tagwarden_bind::records;
use tagwarden_bind::testing::{PartStore, RegistryUnderTest};
use tagwarden_testing::conformance::{self, ledger::LedgerHarness};

use crate::args::{Options, Wrong};
use crate::backend::{FromAnswer, Host, Method, TYPE, ledger_port, registry_port};
use crate::call::{Promise, env, run, sync};
use crate::given::{Millis, Text};
use crate::host::List;
use crate::registry::GivenManifest;

records! {
    /// A requirement that a backend broke.
    pub struct Failure = conformance::Failure {
        /// The name of the requirement; the core's documentation says what each demands.
        pub requirement: String,
        /// The wrong behaviour, and the right one.
        pub seen: String,
    }
}

/// The parts of an image that manifests name.
#[napi(object, object_from_js = false)]
pub struct Parts {
    pub blobs: List<Buffer>,
    pub manifests: List<GivenManifest>,
}

options! {
    /// A registry under test, prepared for the requirements.
    pub struct RegistryHarness {
        /// The same adapter, but every call of it fails.
        #[napi(ts_type = "Registry")]
        #[expect(dead_code, reason = "it has functions, which are read from the object")]
        pub broken: IgnoredAny,
        /// Where the requirements may write: each takes a new repository below it.
        pub repository: Text<Repository>,
        /// Stores blobs and manifests by digest, around the port, which cannot store blobs.
        #[napi(ts_type = "(repository: string, parts: Parts) => Promise<void> | void")]
        #[expect(dead_code, reason = "it is a function, which is read from the object")]
        pub store: IgnoredAny,
        /// How many milliseconds after a change a read may still answer the old value of a tag. 0 by default.
        pub lag_ms: Option<Millis>,
    }
}

struct Store(Method<FnArgs<(String, Parts)>, ()>);

#[async_trait]
impl PartStore for Store {
    async fn store(&self, repository: &Repository, blobs: Vec<Vec<u8>>, manifests: Vec<Manifest>) -> Result<()> {
        let blobs = blobs.into_iter().map(Into::into).collect();
        let manifests = to(manifests);
        let stored = self.0.ask((repository.to_string(), Parts { blobs, manifests }).into()).await;
        let failed =
            |raised| Error::new(ErrorKind::RegistryUnavailable, "the parts were not stored").with_source(raised);
        stored.map_err(failed)
    }
}

/// Every requirement that the registry broke; empty if it meets all of them.
#[napi(catch_unwind, namespace = "conformance", js_name = "registry")]
pub fn registry_requirements(
    #[napi(ts_arg_type = "Registry")] registry: Unknown<'_>,
    #[napi(ts_arg_type = "Options<RegistryHarness>")] fixture: Unknown<'_>,
) -> napi::Result<Promise<List<Failure>>> {
    let Options { rest: RegistryHarness { repository: Text(below), lag_ms, .. }, abort } = Options::read(fixture)?;
    let broken = registry_port(fixture.coerce_to_object()?.get_named_property("broken")?)?;
    let store = Store(Host::of("the fixture", &fixture, &["store"])?.method("store", TYPE)?);
    let lag = lag_ms.map(|Millis(lag)| lag).unwrap_or_default();
    let harness = sync(RegistryUnderTest::new(registry_port(registry)?, broken, store, below, lag))?;
    Ok(run(abort, async move { Ok(to(conformance::registry::all(&harness).await)) }))
}

struct Open(Method<(), Opened>);

/// The ledger that `open` returned, as a port.
struct Opened(Arc<dyn ledger::Ledger>);

impl FromAnswer for Opened {
    fn from_answer(ledger: Unknown<'_>) -> std::result::Result<Opened, Wrong> {
        Ok(Opened(ledger_port(ledger)?))
    }
}

#[async_trait]
impl LedgerHarness for Open {
    async fn open(&self) -> Result<Arc<dyn ledger::Ledger>> {
        match self.0.ask(()).await {
            Ok(Opened(ledger)) => Ok(ledger),
            Err(raised) => {
                let message = format!("open failed: {raised}");
                Err(Error::new(ErrorKind::LedgerUnavailable, message).with_source(raised))
            }
        }
    }
}

/// The first requirement that the ledger broke; empty if it meets all of them. `open` opens it as a new process does; for a
/// ledger in memory it returns the same object again.
#[napi(catch_unwind, namespace = "conformance", js_name = "ledger")]
pub fn ledger_requirements(
    #[napi(ts_arg_type = "() => Promise<Ledger> | Ledger")] open: Unknown<'_>,
    options: Option<Options>,
) -> napi::Result<Promise<List<Failure>>> {
    let mut fixture = Object::new(&env()?)?;
    fixture.set("open", open)?;
    let open = Open(Host::of("the fixture", &fixture.to_unknown(), &["open"])?.method("open", TYPE)?);
    Ok(run(options.unwrap_or_default().abort, async move {
        Ok(conformance::ledger::all(&open).await.err().into_iter().map(to).collect())
    }))
}
