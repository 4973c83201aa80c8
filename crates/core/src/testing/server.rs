//! `RegistryServer`: an OCI registry over HTTP on loopback, in this process.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, Response, StatusCode, header};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::access::{Access, Tokens};
use super::answer::Answer;
use super::faults::{HttpFault, WireScript};
use super::log::{AuthKind, Seen, TokenSeen};
use super::route::{Pairs, Route};
use super::wire::{Loopback, Peer};
use super::{blobs, manifests, referrers, tags, token, uploads};
use crate::registry::MemoryRegistry;
use crate::value::Repository;

/// The largest body of a request: 256 MiB.
const MAX_BODY: usize = 256 * 1024 * 1024;

/// An OCI registry on loopback: pull, push (whole and in parts, mounts), lists in pages, deletes and referrers as the
/// OCI distribution specification 1.1 says. It ends when it is dropped.
///
/// What the specification leaves open it does as distribution does: a manifest that no `Accept` fits is 404
/// MANIFEST_UNKNOWN, a wrong `If-Match` on a put is ignored and the tag moves.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use tagwarden::registry::Fault;
/// use tagwarden::testing::{HttpFault, RegistryServer};
/// let server = RegistryServer::start().await?;
/// let (repository, prod) = (server.repository("acme/shop"), "prod".parse().unwrap());
/// server.memory().push_image(&repository, &prod, 1);
/// server.memory().script([Fault::After]);           // the next put is applied, and answered 500
/// server.script([HttpFault::Status(503)]);          // but before that, a request meets a 503
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RegistryServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: Option<JoinHandle<std::io::Result<()>>>,
}

impl RegistryServer {
    /// Starts a server that holds nothing, on a free port of 127.0.0.1, in the current tokio runtime.
    pub async fn start() -> std::io::Result<RegistryServer> {
        RegistryServer::start_on(0, MemoryRegistry::new()).await
    }

    /// Starts a server on this port of 127.0.0.1 (0 takes a free one) that serves what `memory` holds, such as what
    /// another server held on the same port before it was stopped.
    pub async fn start_on(port: u16, memory: MemoryRegistry) -> std::io::Result<RegistryServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let host = address.to_string();
        let shared = Arc::new(Shared { memory, host, stopped: stopped.clone(), inner: Mutex::default() });
        let app = Router::new().fallback(handle).with_state(shared.clone());
        let app = app.into_make_service_with_connect_info::<Peer>();
        let serve = axum::serve(Loopback(listener), app).with_graceful_shutdown(until_true(stopped));
        let serving = Some(tokio::spawn(async move { serve.await }));
        Ok(RegistryServer { shared, address, stop, serving })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `127.0.0.1:PORT`, the host of its repositories.
    pub fn host(&self) -> &str {
        &self.shared.host
    }

    /// The repository `name` of this server.
    ///
    /// # Panics
    /// If the name does not follow the grammar.
    #[allow(clippy::panic, reason = "a wrong name is a mistake in the test that wrote it")]
    pub fn repository(&self, name: &str) -> Repository {
        match format!("{}/{name}", self.shared.host).parse() {
            Ok(repository) => repository,
            Err(error) => panic!("{error}"),
        }
    }

    /// What it serves. Its scripted faults come through: a put's lost answer is a 500, a read's is a 503.
    pub fn memory(&self) -> &MemoryRegistry {
        &self.shared.memory
    }

    /// Asks this of every request from now on. Tokens given before stay good.
    pub fn access(&self, access: Access) {
        self.shared.inner().access = access;
    }

    /// Ends every token that was given.
    pub fn end_tokens(&self) {
        self.shared.inner().tokens.end();
    }

    /// Each request waits this long before anything is done with it; 0 at first.
    pub fn latency(&self, latency: Duration) {
        self.shared.inner().latency = latency;
    }

    /// The next requests meet these faults, in order, one each.
    pub fn script(&self, faults: impl IntoIterator<Item = HttpFault>) {
        let mut inner = self.shared.inner();
        faults.into_iter().for_each(|fault| inner.script.push(fault));
    }

    /// The next requests for which `when` is true meet these faults, in order, one each.
    ///
    /// ```
    /// # async fn example(server: tagwarden::testing::RegistryServer) {
    /// use tagwarden::testing::HttpFault;
    /// server.script_when(|seen| seen.is("PUT", "/manifests/prod"), [HttpFault::StatusAfter(500)]);
    /// # }
    /// ```
    pub fn script_when<W>(&self, when: W, faults: impl IntoIterator<Item = HttpFault>)
    where
        W: Fn(&Seen) -> bool + Clone + Send + 'static,
    {
        let mut inner = self.shared.inner();
        faults.into_iter().for_each(|fault| inner.script.push_when(Box::new(when.clone()), fault));
    }

    /// Every request for which `when` is true, and that no other fault waits for, meets this one.
    pub fn always(&self, when: impl Fn(&Seen) -> bool + Send + 'static, fault: HttpFault) {
        self.shared.inner().script.push_always(Box::new(when), fault);
    }

    /// Forgets the faults on the wire that are still to come.
    pub fn calm(&self) {
        self.shared.inner().script.clear();
    }

    /// How many faults on the wire no request has met yet, those of [`always`](Self::always) not counted.
    pub fn faults_left(&self) -> usize {
        self.shared.inner().script.left()
    }

    /// Every request so far, in the order they arrived.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.inner().requests.clone()
    }

    /// Every request for a token so far.
    pub fn token_requests(&self) -> Vec<TokenSeen> {
        self.shared.inner().token_requests.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        let mut inner = self.shared.inner();
        inner.requests.clear();
        inner.token_requests.clear();
    }

    /// Stops: answers what is under way, closes every connection, frees the port.
    pub async fn stop(mut self) -> std::io::Result<()> {
        self.stop.send_replace(true);
        match self.serving.take() {
            Some(serving) => serving.await.map_err(std::io::Error::other)?,
            None => Ok(()),
        }
    }
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// What every request sees.
pub(super) struct Shared {
    pub(super) memory: MemoryRegistry,
    pub(super) host: String,
    stopped: watch::Receiver<bool>,
    inner: Mutex<Inner>,
}

/// What changes while it runs, other than what it holds.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) access: Access,
    pub(super) tokens: Tokens,
    pub(super) uploads: BTreeMap<String, uploads::Upload>,
    pub(super) token_requests: Vec<TokenSeen>,
    requests: Vec<Seen>,
    script: WireScript,
    latency: Duration,
}

impl Default for Inner {
    fn default() -> Inner {
        Inner {
            access: Access::Open,
            tokens: Tokens::default(),
            uploads: BTreeMap::new(),
            token_requests: Vec::new(),
            requests: Vec::new(),
            script: WireScript::default(),
            latency: Duration::ZERO,
        }
    }
}

impl Shared {
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere (a test's own predicate) leaves it whole: no change of it takes two steps.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("host", &self.host).finish_non_exhaustive()
    }
}

/// A request that is let in.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Pairs,
    pub(super) headers: axum::http::HeaderMap,
    pub(super) body: Bytes,
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response<Body> {
    let (number, fault, latency) = arrive(&shared, &request, peer.address);
    let is_head = request.method() == Method::HEAD;
    let slow = if let HttpFault::Slow(longer) = fault { longer } else { Duration::ZERO };
    if !(latency + slow).is_zero() {
        tokio::time::sleep(latency + slow).await;
    }
    if fault == HttpFault::Silent {
        until_true(shared.stopped.clone()).await;
    }
    let mut answer = match fault.instead() {
        Some(answer) => answer,
        None => fault.after(answer(&shared, request).await),
    };
    match fault {
        HttpFault::SilentAfter => until_true(shared.stopped.clone()).await,
        HttpFault::Closed | HttpFault::ClosedAfter => peer.cut(),
        _ => {}
    }
    let mut inner = shared.inner();
    if answer.status == StatusCode::UNAUTHORIZED
        && !answer.headers.contains_key(header::WWW_AUTHENTICATE)
        && let Some(challenge) = inner.access.challenge(&shared.host, None, Some("invalid_token"))
    {
        answer = answer.with(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(seen) = inner.requests.get_mut(number) {
        seen.status = Some(answer.status.as_u16());
    }
    fault.send(answer, is_head)
}

/// Notes a request. Says its number, its fault and how long it has to wait.
fn arrive(shared: &Shared, request: &Request, peer: SocketAddr) -> (usize, HttpFault, Duration) {
    let joined = |name| {
        let values: Vec<_> = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    let seen = Seen {
        method: request.method().to_string(),
        path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        auth: AuthKind::of(request.headers()),
        accept: joined(header::ACCEPT),
        content_type: joined(header::CONTENT_TYPE),
        port: peer.port(),
        status: None,
    };
    let mut inner = shared.inner();
    let fault = inner.script.take(&seen);
    inner.requests.push(seen);
    (inner.requests.len() - 1, fault, inner.latency)
}

async fn answer(shared: &Shared, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = Pairs::parse(parts.uri.query().unwrap_or(""));
    let route = match Route::parse(&shared.host, &path) {
        Ok(route) => route,
        Err(answer) => return answer,
    };
    if route != Route::Token {
        let inner = shared.inner();
        let asked = (&parts.method, &route, &query, &parts.headers);
        if let Err(answer) = inner.access.check(&inner.tokens, &shared.host, asked) {
            return answer;
        }
    }
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return Answer::error(StatusCode::BAD_REQUEST, "SIZE_INVALID", "the body was cut, or has more than 256 MiB");
    };
    let asked = Asked { method: parts.method, path, query, headers: parts.headers, body };
    match route {
        Route::Root => Answer::json(StatusCode::OK, &serde_json::json!({})),
        Route::Token => token::token(&mut shared.inner(), &asked.method, &asked.query, &asked.headers, &asked.body),
        Route::Manifest(repository, target) => manifests::answer(shared, &asked, &repository, &target).await,
        Route::Blob(repository, digest) => blobs::answer(shared, &asked, &repository, &digest).await,
        Route::Uploads(repository) => uploads::begin(shared, &asked, &repository),
        Route::Upload(repository, id) => uploads::go_on(shared, &asked, &repository, &id),
        Route::Tags(repository) => tags::answer(shared, &asked, &repository).await,
        Route::Referrers(repository, digest) => referrers::answer(shared, &asked, &repository, &digest),
    }
}

/// The answer to a method that this end does not have.
pub(super) fn not_allowed() -> Answer {
    Answer::error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "the method is not supported here")
}

async fn until_true(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
