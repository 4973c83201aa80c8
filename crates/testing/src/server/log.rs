//! The log of requests: the kind of each credential, never the credential itself.

use std::fmt;

use axum::http::{HeaderMap, header};

/// The kind of the credential of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthKind {
    /// No credential.
    None,
    /// `Authorization: Basic`.
    Basic,
    /// `Authorization: Bearer`.
    Bearer,
    /// An `Authorization` of another kind.
    Other,
}

impl AuthKind {
    pub(super) fn of(headers: &HeaderMap) -> AuthKind {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return AuthKind::None };
        let scheme = value.to_str().unwrap_or("").split(' ').next().unwrap_or("").to_ascii_lowercase();
        match scheme.as_str() {
            "basic" => AuthKind::Basic,
            "bearer" => AuthKind::Bearer,
            _ => AuthKind::Other,
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `GET`, `PUT`, …
    pub method: String,
    /// Path and query as they were sent.
    pub path: String,
    /// The host and port that the client sent it to.
    pub host: String,
    /// The kind of its credential.
    pub auth: AuthKind,
    /// `Accept`, all values of it joined by `, `.
    pub accept: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// The client's port, which identifies the connection.
    pub port: u16,
    /// The status of the answer; none before the answer.
    pub status: Option<u16>,
    /// The number of sequential round trips up to this request, itself included: one more than the highest round of the
    /// requests that were answered before it arrived.
    pub round: usize,
}

impl Seen {
    /// True if the method is this one and the path (without its query) ends in `end`.
    pub fn is(&self, method: &str, end: &str) -> bool {
        self.method == method && self.path.split('?').next().is_some_and(|path| path.ends_with(end))
    }
}

impl fmt::Display for Seen {
    /// `GET /v2/acme/shop/manifests/prod`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// One request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSeen {
    /// The host and port that the client sent it to.
    pub host: String,
    /// The `service` parameter.
    pub service: Option<String>,
    /// Each `scope`, such as `repository:acme/shop:pull,push`.
    pub scopes: Vec<String>,
    /// The kind of its credential in the headers; form fields do not count.
    pub auth: AuthKind,
    /// The `grant_type` of a form: `password` or `refresh_token`.
    pub grant_type: Option<String>,
    /// The status of the answer.
    pub status: u16,
}

/// The `Host` of a request; empty if there is none.
pub(super) fn host_of(headers: &HeaderMap) -> String {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned()
}
