//! The HTTP clients of registries, and sending one request.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use reqwest::{Method, Response, Url};

use super::options::OciOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Clients};
use crate::tls::{self, Trust};

/// The longest error body that is read, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// An idle connection is kept for this long for the next request.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// A request without an answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// No connection was made: the registry has not seen the request.
    NotSent(String),
    /// The registry may have seen it.
    Unclear(String),
}

impl Lost {
    pub(super) fn why(&self) -> &str {
        match self {
            Lost::NotSent(why) | Lost::Unclear(why) => why,
        }
    }
}

/// The reason why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error("it has more than {0} bytes")]
    TooLong(usize),
    #[error("it is compressed, which was not asked for")]
    Compressed,
    #[error("{0}")]
    Cut(String),
}

/// The clients with these options. A registry may send nothing for `idle`.
pub(super) fn clients(options: &OciOptions, idle: Duration) -> Result<Clients> {
    let roots =
        if options.ca_pem.is_empty() { Vec::new() } else { tls::certificates("the CA certificates", &options.ca_pem)? };
    let clients = Clients::new(http::tls(Trust::Platform(roots))?, |builder| {
        builder
            .connect_timeout(options.connect_timeout)
            .read_timeout(idle)
            // Shorter than servers keep idle connections, so that a put does not use a connection that the server is
            // closing.
            .pool_idle_timeout(IDLE_CONNECTION)
    });
    clients
        .map_err(|e| Error::new(ErrorKind::ConfigInvalid, format!("the HTTP client cannot be set up: {}", describe(e))))
}

/// Sends one request and waits for the head of its answer.
pub(super) async fn send(
    clients: &Clients,
    method: Method,
    url: &Url,
    headers: HeaderMap,
    body: Option<Bytes>,
) -> Result<Response, Lost> {
    let mut request = clients.to(url.host_str()).request(method, url.clone()).headers(headers);
    if let Some(body) = body {
        request = request.body(body);
    }
    request.send().await.map_err(|error| {
        if error.is_connect() { Lost::NotSent(describe(error)) } else { Lost::Unclear(describe(error)) }
    })
}

/// The body of a successful answer, of at most `limit` bytes.
pub(super) async fn body(response: Response, limit: usize) -> Result<Bytes, Unread> {
    // A false length is detected below; if the length is too large, do not wait for the body.
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(Unread::TooLong(limit));
    }
    let mut body = BytesMut::new();
    read(response, limit, &mut body).await?;
    Ok(body.freeze())
}

/// Reads the body of an error into `body`, at most [`MAX_ERROR_BODY`] bytes. If the body is not complete, returns the
/// reason; the part that was read contains the registry's words.
pub(super) async fn error_body(response: Response, body: &mut BytesMut) -> Option<String> {
    read(response, MAX_ERROR_BODY, body).await.err().map(|unread| unread.to_string())
}

async fn read(mut response: Response, limit: usize, body: &mut BytesMut) -> Result<(), Unread> {
    if response.headers().get(CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        return Err(Unread::Compressed);
    }
    while let Some(chunk) = response.chunk().await.map_err(|e| Unread::Cut(describe(e)))? {
        let left = limit - body.len();
        body.extend_from_slice(chunk.get(..left).unwrap_or(&chunk));
        if chunk.len() > left {
            return Err(Unread::TooLong(limit));
        }
    }
    Ok(())
}

/// The text of reqwest's error and of its causes, without the URL, which may contain a signature.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = inner.source();
    }
    text
}
