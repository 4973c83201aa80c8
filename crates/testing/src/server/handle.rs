//! Handles one request: logs, delays, authorises and answers it, and applies its fault.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use bytes::Bytes;
use tokio::sync::watch;

use super::access::{Anonymous, AuthMode, Tokens};
use super::answer::Answer;
use super::challenge::Challenges;
use super::faults::{HttpFault, http_date};
use super::log::{AuthKind, Seen, TokenSeen, host_of};
use super::route::{Pairs, Route};
use super::wire::Peer;
use super::{blobs, manifests, referrers, tags, token, uploads};
use crate::script::Script;
use crate::{MemoryRegistry, Vendor};

/// The largest body of a request: 256 MiB.
const MAX_BODY: usize = 256 * 1024 * 1024;

/// The state that all requests share.
pub(super) struct Shared {
    pub(super) memory: MemoryRegistry,
    pub(super) host: String,
    pub(super) challenges: Challenges,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) inner: Mutex<Inner>,
}

/// The part of the server's state that changes, except the content of the registry.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) access: AuthMode,
    pub(super) anonymous: Anonymous,
    pub(super) tokens: Tokens,
    pub(super) uploads: BTreeMap<String, uploads::Upload>,
    pub(super) token_requests: Vec<TokenSeen>,
    pub(super) requests: Vec<Seen>,
    pub(super) script: Script<Seen, HttpFault>,
    pub(super) latency: Duration,
    /// The `Date` of answers minus this machine's clock, in milliseconds.
    pub(super) date_offset_ms: i64,
    /// The highest round of an answered request.
    pub(super) answered: usize,
}

impl Default for Inner {
    fn default() -> Inner {
        Inner {
            access: AuthMode::Open,
            anonymous: Anonymous::default(),
            tokens: Tokens::default(),
            uploads: BTreeMap::new(),
            token_requests: Vec::new(),
            requests: Vec::new(),
            script: Script::default(),
            latency: Duration::ZERO,
            date_offset_ms: 0,
            answered: 0,
        }
    }
}

impl Shared {
    /// True if the registry lists the manifests that refer to another.
    pub(super) fn has_referrers(&self) -> bool {
        self.memory.vendor().is_none_or(Vendor::has_referrers)
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        // The state is valid even after a panic elsewhere (in a test's own predicate): every change of it is one step.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("host", &self.host).finish_non_exhaustive()
    }
}

/// A request that passed the access check.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Pairs,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

pub(super) async fn handle(
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
    let dated = |answer: Answer| answer.with(header::DATE, http_date(shared.inner().date_offset_ms));
    let mut answer = match fault.instead() {
        Some(answer) => dated(answer),
        // A fault may change the date too, so set the date first.
        None => fault.after(dated(answer(&shared, request).await)),
    };
    match fault {
        HttpFault::SilentAfter => until_true(shared.stopped.clone()).await,
        HttpFault::Closed | HttpFault::ClosedAfter => peer.cut(),
        _ => {}
    }
    let mut inner = shared.inner();
    if answer.status == StatusCode::UNAUTHORIZED
        && fault != HttpFault::NoHeader("www-authenticate")
        && !answer.headers.contains_key(header::WWW_AUTHENTICATE)
        && let Some(challenge) = inner.access.challenge(&shared.challenges, None, Some("invalid_token"))
    {
        answer = answer.with(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(seen) = inner.requests.get_mut(number) {
        seen.status = Some(answer.status.as_u16());
        let round = seen.round;
        inner.answered = inner.answered.max(round);
    }
    fault.send(answer, is_head)
}

/// Logs a request. Returns its number, its fault and the delay before it is handled.
fn arrive(shared: &Shared, request: &Request, peer: SocketAddr) -> (usize, HttpFault, Duration) {
    let joined = |name| {
        let values: Vec<_> = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    let mut seen = Seen {
        method: request.method().to_string(),
        path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        host: host_of(request.headers()),
        auth: AuthKind::of(request.headers()),
        accept: joined(header::ACCEPT),
        content_type: joined(header::CONTENT_TYPE),
        port: peer.port(),
        status: None,
        round: 0,
    };
    let mut inner = shared.inner();
    seen.round = inner.answered + 1;
    let fault = inner.script.take(&seen).unwrap_or(HttpFault::Pass);
    inner.requests.push(seen);
    (inner.requests.len() - 1, fault, inner.latency)
}

async fn answer(shared: &Shared, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = Pairs::parse(parts.uri.query().unwrap_or(""));
    let gives_tokens =
        |path: &str| path == shared.challenges.token_path() || shared.inner().access.gives_tokens_at(path);
    let route = match Route::parse(&shared.host, gives_tokens, &path) {
        Ok(route) => route,
        Err(answer) => return answer,
    };
    if route != Route::Token {
        let inner = shared.inner();
        let asked = (&parts.method, &route, &query, &parts.headers);
        let checked = inner.access.check(&inner.tokens, &shared.challenges, asked);
        let asked = (&parts.method, &route, &parts.headers);
        if let Err(answer) = checked.or_else(|refusal| inner.anonymous.check(asked, refusal)) {
            return answer;
        }
    }
    if !matches!(parts.method, Method::GET | Method::HEAD)
        && let Some(refusal) = route.repository().and_then(|repository| shared.memory.unknown_repository(repository))
    {
        return Answer::said(&refusal);
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

/// The answer to a method that this endpoint does not support.
pub(super) fn not_allowed() -> Answer {
    Answer::error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "the method is not supported here")
}

pub(super) async fn until_true(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender was dropped, which is a stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
