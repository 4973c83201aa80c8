//! `Request`: a request that a proxy recorded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::http::{Message, value};

/// A recorded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method and path with the query: `GET /v2/`.
    pub line: String,
    /// The host and port that the client sent it to.
    pub host: String,
    /// Its credential, as clear text: `Basic USER:PASSWORD`, `Bearer TOKEN`, or, of a form for a token server,
    /// `refresh_token TOKEN`. None if it is anonymous.
    pub credential: Option<String>,
}

impl Request {
    pub(super) fn of(message: &Message) -> Request {
        let head = String::from_utf8_lossy(&message.head);
        let line = head.lines().next().unwrap_or_default();
        let host = value(&message.head, "host").unwrap_or_default();
        let credential = value(&message.head, "authorization").map(clear).or_else(|| refresh_token(&message.body));
        Request { line: line.trim_end_matches(" HTTP/1.1").to_owned(), host, credential }
    }
}

/// An `Authorization` header whose user and password are decoded.
fn clear(header: String) -> String {
    let login = header.strip_prefix("Basic ").and_then(|sent| STANDARD.decode(sent).ok());
    login.map_or(header, |login| format!("Basic {}", String::from_utf8_lossy(&login)))
}

/// The refresh token of a form. Those of the in-process registry need no decoding.
fn refresh_token(form: &[u8]) -> Option<String> {
    let form = String::from_utf8_lossy(form);
    let sent = form.split('&').find_map(|pair| pair.strip_prefix("refresh_token="));
    sent.map(|token| format!("refresh_token {token}"))
}
