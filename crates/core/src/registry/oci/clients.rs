//! The HTTP clients of registries, and reading the body of one answer.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::header::CONTENT_ENCODING;
use reqwest::{Method, RequestBuilder, Response, Url};

use super::options::OciOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Clients};
use crate::tls::{self, Trust};

/// An idle connection is kept for this long for the next request.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

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

/// A request to `url`, by the client for its host.
pub(super) fn request(clients: &Clients, method: Method, url: &Url) -> RequestBuilder {
    clients.to(url.host_str()).request(method, url.clone())
}

/// Reads a body into `body`, at most `limit` bytes. After an error, `body` has the part that was read.
pub(super) async fn read(mut response: Response, limit: usize, body: &mut BytesMut) -> Result<(), Unread> {
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
pub(super) fn describe(error: reqwest::Error) -> String {
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
