//! The HTTP clients of registries.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url};

use super::options::OciOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Clients};
use crate::tls::{self, Trust};

/// An idle connection is kept for this long for the next request.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

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
