//! The registries for tests: their faults and their access, and the requirements of a backend.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tagwarden::registry::{Manifest, Registry};
use tagwarden::{Digest, Error, ErrorKind, Repository, Result};
use tagwarden_testing::conformance::registry::RegistryHarness;
use tagwarden_testing::{
    AuthMode, Bearer, Call, ErrorAnswer, HttpFault, InjectedFault, Login, MemoryRegistry, ReadFault, RegistryServer,
    RetryAfter, TestImage, Vendor,
};
use uuid::Uuid;

use crate::args::{Unit, duration, parse, wrong};

/// A fault as a caller gives it: its name, and the fields that it needs. A field that it does not need is an error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// The name, such as `after`.
    pub fault: String,
    /// A time in milliseconds.
    pub time: Option<f64>,
    /// A code of a registry.
    pub code: Option<String>,
    /// An HTTP status.
    pub status: Option<u16>,
    /// The message of a registry.
    pub message: Option<String>,
    /// A number of reads.
    pub reads: Option<u32>,
    /// A number of changes.
    pub changes: Option<u32>,
    /// A number of seconds to wait.
    pub seconds: Option<u32>,
    /// The address of a redirect.
    pub location: Option<String>,
    /// The digest of a manifest.
    pub digest: Option<String>,
    /// The bytes of a foreign manifest, and its media type.
    pub manifest: Option<(Vec<u8>, String)>,
}

impl Fault {
    /// A fault of a put.
    pub fn put(mut self) -> Result<InjectedFault> {
        let fault = match self.fault.as_str() {
            "pass" => InjectedFault::Pass,
            "before" => InjectedFault::Before,
            "after" => InjectedFault::After,
            "refused" => {
                let (code, status, message) = (self.code.take(), self.status.take(), self.message.take());
                InjectedFault::Refused(error_answer(code, status, message)?)
            }
            "denied" => InjectedFault::Denied,
            "late" => InjectedFault::Late(self.time()?),
            "twice" => InjectedFault::Twice(self.time()?),
            "slow" => InjectedFault::Slow(self.time()?),
            "stale" => InjectedFault::Stale(needed("reads", self.reads.take())?),
            "gone" => InjectedFault::Gone,
            "ignored" => InjectedFault::Ignored,
            "foreign_before" => InjectedFault::ForeignBefore(self.manifest()?),
            "foreign_after" => InjectedFault::ForeignAfter(self.manifest()?),
            _ => return Err(self.unknown("a put")),
        };
        self.end(fault)
    }

    /// A fault of a read.
    pub fn read(mut self) -> Result<ReadFault> {
        let fault = match self.fault.as_str() {
            "pass" => ReadFault::Pass,
            "unavailable" => ReadFault::Unavailable,
            "busy" => ReadFault::Busy,
            "denied" => ReadFault::Denied,
            "digest_mismatch" => ReadFault::DigestMismatch,
            "slow" => ReadFault::Slow(self.time()?),
            "stale" => ReadFault::Stale,
            "past" => ReadFault::Past(usize::try_from(needed("changes", self.changes.take())?).unwrap_or(usize::MAX)),
            "lag" => ReadFault::Lag(self.time()?),
            "foreign_before" => ReadFault::ForeignBefore(self.manifest()?),
            "foreign_after" => ReadFault::ForeignAfter(self.manifest()?),
            "deleted_after" => ReadFault::DeletedAfter(self.digest()?),
            _ => return Err(self.unknown("a read")),
        };
        self.end(fault)
    }

    /// A fault of a request on the wire.
    pub fn http(mut self) -> Result<HttpFault> {
        let fault = match self.fault.as_str() {
            "pass" => HttpFault::Pass,
            "status" => HttpFault::Status(self.status()?),
            "status_after" => HttpFault::StatusAfter(self.status()?),
            "busy" => {
                let seconds = self.seconds.take().map(u64::from);
                HttpFault::Busy(seconds.map_or(RetryAfter::Unsaid, RetryAfter::Seconds))
            }
            "html" => HttpFault::html(self.status()?),
            "redirect" => HttpFault::Redirect(self.status()?, needed("location", self.location.take())?),
            "cut_body" => HttpFault::CutBody,
            "trickle" => HttpFault::Trickle(self.time()?),
            "closed" => HttpFault::Closed,
            "closed_after" => HttpFault::ClosedAfter,
            "silent" => HttpFault::Silent,
            "silent_after" => HttpFault::SilentAfter,
            "slow" => HttpFault::Slow(self.time()?),
            "wrong_digest" => HttpFault::wrong_digest(),
            "no_digest" => HttpFault::no_digest(),
            _ => return Err(self.unknown("a request")),
        };
        self.end(fault)
    }

    fn time(&mut self) -> Result<Duration> {
        duration("time", needed("time", self.time.take())?, Unit::Milliseconds)
    }

    fn status(&mut self) -> Result<u16> {
        needed("status", self.status.take())
    }

    fn digest(&mut self) -> Result<Digest> {
        parse("digest", &needed("digest", self.digest.take())?)
    }

    fn manifest(&mut self) -> Result<Manifest> {
        let (bytes, media_type) = needed("manifest", self.manifest.take())?;
        Manifest::new(bytes, &media_type)
    }

    fn unknown(&self, of: &str) -> Error {
        wrong("fault", format!("{:?} is no fault of {of}", self.fault))
    }

    /// The fault, if no other field was given.
    fn end<T>(mut self, fault: T) -> Result<T> {
        let name = std::mem::take(&mut self.fault);
        match self == Fault::default() {
            true => Ok(fault),
            false => Err(wrong("fault", format!("{name:?} does not take all of these fields"))),
        }
    }
}

fn needed<T>(name: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| wrong(name, "it is missing"))
}

/// The error answer of a registry: a code, a status from 400 to 499, or both, and an optional message.
pub fn error_answer(code: Option<String>, status: Option<u16>, message: Option<String>) -> Result<ErrorAnswer> {
    let mut answer = match (code, status) {
        (None, None) => return Err(wrong("code", "it is missing, and there is no status either")),
        (Some(code), None) => ErrorAnswer::of_code(code),
        (code, Some(status)) => ErrorAnswer { status, ..ErrorAnswer::of_code(code.unwrap_or_default()) },
    };
    if !(400..=499).contains(&answer.status) {
        return Err(wrong("status", format!("{} is not from 400 to 499", answer.status)));
    }
    answer.message = message.unwrap_or(answer.message);
    Ok(answer)
}

/// A call of the port of a memory registry.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PortCall {
    /// The method: `resolve`, `fetch`, `put`, `tags` or `has_blob`.
    pub call: &'static str,
    /// The reference of a fetch.
    pub reference: Option<String>,
    /// The repository of every other call.
    pub repository: Option<String>,
    /// The tag of a resolve and a put.
    pub tag: Option<String>,
    /// The digest of a put and a query for a blob.
    pub digest: Option<String>,
}

impl PortCall {
    /// The call with its arguments as text.
    pub fn of(call: Call) -> PortCall {
        let (name, repository, tag, digest) = match call {
            Call::Resolve { repository, tag } => ("resolve", repository, Some(tag), None),
            Call::Put { repository, tag, digest } => ("put", repository, Some(tag), Some(digest)),
            Call::Tags { repository } => ("tags", repository, None, None),
            Call::HasBlob { repository, digest } => ("has_blob", repository, None, Some(digest)),
            Call::Fetch { reference } => {
                return PortCall { call: "fetch", reference: Some(reference.to_string()), ..PortCall::default() };
            }
        };
        let (tag, digest) = (tag.map(|tag| tag.to_string()), digest.map(|digest| digest.to_string()));
        PortCall { call: name, reference: None, repository: Some(repository.to_string()), tag, digest }
    }
}

/// An empty registry in memory, that imitates the vendor of this name if there is one.
pub fn memory(vendor: Option<&str>) -> Result<MemoryRegistry> {
    Ok(match vendor {
        Some(vendor) => MemoryRegistry::of_vendor(vendor.parse()?),
        None => MemoryRegistry::new(),
    })
}

/// The access control of a server: open without a user, else Basic, or bearer tokens; by default as the vendor does, and
/// Basic without one. Tokens without a user are refused: the server would be open by mistake.
pub fn access(
    user: Option<String>,
    password: Option<String>,
    token: Option<bool>,
    vendor: Option<Vendor>,
) -> Result<AuthMode> {
    let of_vendor = || vendor.is_some_and(Vendor::gives_tokens);
    match (user, password) {
        (None, None) if token != Some(true) => Ok(AuthMode::Open),
        (Some(user), Some(password)) => {
            let login = Login::new(user, password);
            let tokens = token.unwrap_or_else(of_vendor);
            Ok(if tokens { AuthMode::Bearer(Bearer::new(login)) } else { AuthMode::Basic(login) })
        }
        _ => Err(wrong("user", "give a user and a password; nothing at all opens it to all")),
    }
}

/// A registry over HTTP on loopback. It runs until `stop`.
#[derive(Debug)]
pub struct Server {
    host: String,
    memory: MemoryRegistry,
    running: Mutex<Option<RegistryServer>>,
}

impl Server {
    /// Starts a server of this registry on a free port of 127.0.0.1. The current tokio runtime must keep running.
    pub async fn start(memory: MemoryRegistry) -> Result<Server> {
        let server = RegistryServer::start_on(0, memory).await;
        let server = server.map_err(|e| unavailable("does not start").with_source(e))?;
        let (host, memory) = (server.host().to_owned(), server.memory().clone());
        Ok(Server { host, memory, running: Mutex::new(Some(server)) })
    }

    /// The host of its repositories: `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The memory registry that it serves.
    pub fn memory(&self) -> &MemoryRegistry {
        &self.memory
    }

    /// Does something with the running server. REGISTRY_UNAVAILABLE after `stop`.
    pub fn with<T>(&self, act: impl FnOnce(&RegistryServer) -> T) -> Result<T> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(act).ok_or_else(|| unavailable("was stopped"))
    }

    /// The next requests meet these faults: of this method, if one is given, and whose path ends in `path`.
    pub fn script(&self, faults: Vec<HttpFault>, method: Option<String>, path: Option<String>) -> Result<()> {
        let path = path.unwrap_or_default();
        self.with(|server| {
            server.script_when(move |seen| seen.is(method.as_deref().unwrap_or(&seen.method), &path), faults);
        })
    }

    /// Stops the server. A second call succeeds.
    pub async fn stop(&self) -> Result<()> {
        let server = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        match server {
            Some(server) => server.stop().await.map_err(|e| unavailable("did not stop well").with_source(e)),
            None => Ok(()),
        }
    }
}

fn unavailable(what: &str) -> Error {
    Error::new(ErrorKind::RegistryUnavailable, format!("the test registry {what}"))
}

/// A foreign object that stores the parts of an image in any way: its blobs, and its child manifests.
#[async_trait]
pub trait PartStore: Send + Sync {
    /// Stores the parts.
    async fn store(&self, repository: &Repository, blobs: Vec<Vec<u8>>, manifests: Vec<Manifest>) -> Result<()>;
}

/// A registry under test.
#[derive(Debug)]
pub struct RegistryUnderTest<S> {
    registry: Arc<dyn Registry>,
    broken: Arc<dyn Registry>,
    store: S,
    below: Repository,
    lag: Duration,
}

impl<S: PartStore> RegistryUnderTest<S> {
    /// `broken` is the same adapter, configured so that every request fails. Each requirement uses a repository of its
    /// own below `below`. VALUE_INVALID if its name is too long for that.
    pub fn new(
        registry: Arc<dyn Registry>,
        broken: Arc<dyn Registry>,
        store: S,
        below: Repository,
        lag: Duration,
    ) -> Result<RegistryUnderTest<S>> {
        new_below(&below)?;
        Ok(RegistryUnderTest { registry, broken, store, below, lag })
    }
}

#[async_trait]
impl<S: PartStore> RegistryHarness for RegistryUnderTest<S> {
    fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry)
    }

    #[allow(clippy::expect_used, reason = "names of this length were tried in `new`")]
    async fn repository(&self) -> Repository {
        new_below(&self.below).expect("a repository below one that has room")
    }

    async fn store_parts(&self, repository: &Repository, sample: &TestImage) -> Result<()> {
        let manifests = sample.children.iter().map(|child| child.manifest.clone()).collect();
        self.store.store(repository, blobs(sample), manifests).await
    }

    async fn broken(&self) -> (Arc<dyn Registry>, Repository) {
        (Arc::clone(&self.broken), RegistryHarness::repository(self).await)
    }

    fn lag(&self) -> Duration {
        self.lag
    }
}

/// A repository without content.
fn new_below(repository: &Repository) -> Result<Repository> {
    format!("{repository}/{}", Uuid::now_v7()).parse()
}

/// Every blob of a sample and of its children.
fn blobs(sample: &TestImage) -> Vec<Vec<u8>> {
    let own = sample.blobs.iter().map(|blob| blob.to_vec());
    own.chain(sample.children.iter().flat_map(blobs)).collect()
}
