//! What the server was asked: never a credential, only its kind.

use std::fmt;

use axum::http::{HeaderMap, header};

/// How a request showed who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthKind {
    /// Not at all.
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
    /// How it showed who sent it.
    pub auth: AuthKind,
    /// `Accept`, all values of it joined by `, `.
    pub accept: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// The client's port: one for each connection.
    pub port: u16,
    /// The status of the answer; none while there is none.
    pub status: Option<u16>,
    /// How many round trips had to be made for it, itself included: one more than the highest round of the requests
    /// that were answered before it arrived.
    pub round: usize,
}

impl Seen {
    /// True for this method and a path (without its query) that ends in `end`.
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
    /// `service`.
    pub service: Option<String>,
    /// Each `scope`, such as `repository:acme/shop:pull,push`.
    pub scopes: Vec<String>,
    /// How it showed who sent it; the fields of a form are not in here.
    pub auth: AuthKind,
    /// `grant_type` of a form: `password` or `refresh_token`.
    pub grant_type: Option<String>,
    /// The status of the answer.
    pub status: u16,
}
