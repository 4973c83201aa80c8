//! `TestRegistry`: a registry over HTTP on loopback, in this process.

use std::sync::Arc;

use napi::bindgen_prelude::{Either, Null};
use napi_derive::napi;
use tagwarden::Result;
use tagwarden_bind::convert::to;
use tagwarden_bind::testing::{Server, access, memory};
use tagwarden_testing::{AuthMode, Vendor};

use crate::args::Options;
use crate::call::{Promise, run, sync};
use crate::faults::HttpFault;
use crate::given::{Many, Millis};
use crate::host::{Count, List};
use crate::memory::MemoryRegistry;

options! {
    /// A login that a registry demands: by Basic authentication, or with its own tokens if `token` is true; by default as the
    /// vendor does, and Basic without a vendor.
    #[derive(Default)]
    pub struct Demand {
        pub user: Option<String>,
        pub password: Option<String>,
        pub token: Option<bool>,
    }
}

impl Demand {
    fn core(self, vendor: Option<Vendor>) -> Result<AuthMode> {
        access(self.user, self.password, self.token, vendor)
    }
}

options! {
    /// The registry that is imitated, and the login that it demands, as in `demand`.
    #[derive(Default)]
    pub struct StartOptions {
        pub user: Option<String>,
        pub password: Option<String>,
        pub token: Option<bool>,
        /// `ghcr`, `ecr`, `quay`, `harbor` or `acr`; none by default.
        pub vendor: Option<String>,
    }
}

options! {
    /// The requests that meet the faults.
    #[derive(Default)]
    pub struct RequestOptions {
        /// The method; any by default.
        pub method: Option<String>,
        /// The end of the path; any by default.
        pub path: Option<String>,
    }
}

/// A request.
#[napi(object, object_from_js = false)]
pub struct SeenRequest {
    pub method: String,
    pub path: String,
    /// The status of the answer; null if there was none.
    pub status: Either<u16, Null>,
}

/// An OCI registry over HTTP on a free port of 127.0.0.1, in this process, for tests. Call `close`, or use `await using`.
#[napi]
pub struct TestRegistry {
    core: Arc<Server>,
}

#[napi]
impl TestRegistry {
    /// Starts a registry without a login, or with the one of `demand`. VALUE_INVALID for an unknown vendor.
    #[napi(catch_unwind, writable, configurable)]
    pub fn start(options: Option<Options<StartOptions>>) -> napi::Result<Promise<TestRegistry>> {
        let Options { rest: StartOptions { user, password, token, vendor }, abort } = options.unwrap_or_default();
        let served = sync(memory(vendor.as_deref()))?;
        let access = sync(access(user, password, token, served.vendor()))?;
        Ok(run(abort, async move {
            let core = Arc::new(Server::start(served).await?);
            core.with(|server| server.access(access))?;
            Ok(TestRegistry { core })
        }))
    }

    /// `127.0.0.1:PORT`, the host of its repositories.
    #[napi(getter, catch_unwind)]
    pub fn host(&self) -> String {
        self.core.host().to_owned()
    }

    /// The registry that it serves, with its scripted faults.
    #[napi(getter, catch_unwind)]
    pub fn memory(&self) -> MemoryRegistry {
        MemoryRegistry { core: self.core.memory().clone() }
    }

    /// A repository of it.
    #[napi(catch_unwind)]
    pub fn repository(&self, path: String) -> String {
        format!("{}/{path}", self.core.host())
    }

    /// Demands this login from now on, as Basic authentication or for its own tokens; without an argument it demands none.
    #[napi(catch_unwind)]
    pub fn demand(&self, login: Option<Demand>) -> napi::Result<()> {
        let access = sync(login.unwrap_or_default().core(self.core.memory().vendor()))?;
        sync(self.core.with(|server| server.access(access)))
    }

    /// The next requests meet these faults, in order, one each.
    #[napi(catch_unwind)]
    pub fn script_http(&self, faults: Many<HttpFault>, options: Option<RequestOptions>) -> napi::Result<()> {
        let faults = faults.into_iter().map(|HttpFault(fault)| fault).collect();
        let RequestOptions { method, path } = options.unwrap_or_default();
        sync(self.core.script(faults, method, path))
    }

    /// Drops the scripted faults that no request has met.
    #[napi(catch_unwind)]
    pub fn calm(&self) -> napi::Result<()> {
        sync(self.core.with(|server| server.calm()))
    }

    /// The number of scripted faults that no request has met yet.
    #[napi(catch_unwind)]
    pub fn faults_left(&self) -> napi::Result<Count> {
        sync(self.core.with(|server| to(server.faults_left() as u64)))
    }

    /// Delays each request by this many milliseconds from now on.
    #[napi(catch_unwind)]
    pub fn latency(&self, latency_ms: Millis) -> napi::Result<()> {
        sync(self.core.with(|server| server.latency(latency_ms.0)))
    }

    /// Invalidates every token that it issued.
    #[napi(catch_unwind)]
    pub fn end_tokens(&self) -> napi::Result<()> {
        sync(self.core.with(|server| server.end_tokens()))
    }

    /// Every request so far.
    #[napi(catch_unwind)]
    pub fn requests(&self) -> napi::Result<List<SeenRequest>> {
        let requests = sync(self.core.with(|server| server.requests()))?.into_iter().map(|seen| SeenRequest {
            method: seen.method,
            path: seen.path,
            status: seen.status.map_or(Either::B(Null), Either::A),
        });
        Ok(requests.collect())
    }

    /// Forgets the requests so far.
    #[napi(catch_unwind)]
    pub fn clear_requests(&self) -> napi::Result<()> {
        sync(self.core.with(|server| server.clear_requests()))
    }

    /// Stops it and frees the port. Safe to repeat.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn close(&self) -> Promise<()> {
        let core = Arc::clone(&self.core);
        run(None, async move { Ok(core.stop().await?) })
    }
}
