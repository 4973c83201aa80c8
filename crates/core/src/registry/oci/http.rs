//! `Http`: the clients of registries, and what is known of each registry.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url};
use tokio::time::Instant;

use super::host::{Hosts, hosts};
use super::options::{OciOptions, TokenScope};
use super::token_servers::TokenServers;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Clients};
use crate::secret::{Secret, show};
use crate::tls::{self, Trust};

/// The number of secrets that are remembered for redaction.
const MAX_SECRETS: usize = 64;

/// An idle connection is kept for this long for the next request.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// The HTTP clients, their options, and the challenges, credentials and tokens of registries. Clones share all of it.
#[derive(Clone, Debug)]
pub(super) struct Http {
    pub(super) options: Arc<OciOptions>,
    /// The access that tokens are requested for.
    pub(super) access: TokenScope,
    pub(super) token_servers: Arc<TokenServers>,
    pub(super) clients: Clients,
    /// The clients for uploads, during which a registry may send nothing for a longer time.
    pub(super) uploads: Clients,
    pub(super) hosts: Arc<Mutex<Hosts>>,
    secrets: Arc<Mutex<Vec<Secret>>>,
}

impl Http {
    pub(super) fn new(options: OciOptions) -> Result<Http> {
        let (uploads, clients) = (clients(&options, options.upload_timeout)?, clients(&options, options.idle_timeout)?);
        let (access, token_servers) = (options.access, Arc::new(TokenServers::new(&options.token_servers)?));
        let (options, hosts) = (Arc::new(options), Arc::new(Mutex::new(hosts())));
        Ok(Http { options, access, token_servers, clients, uploads, hosts, secrets: Arc::default() })
    }

    /// The same, with tokens for all that a move needs from the first request on.
    pub(super) fn moving(&self) -> Http {
        Http { access: TokenScope::PullPush, ..self.clone() }
    }

    /// Every secret that was used, for redaction.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        lock(&self.secrets).clone()
    }

    /// Remembers secrets that will be used. The ones that were used last are kept.
    pub(super) fn keep(&self, used: Vec<Secret>) {
        let mut secrets = lock(&self.secrets);
        secrets.retain(|known| !used.contains(known));
        secrets.extend(used);
        let over = secrets.len().saturating_sub(MAX_SECRETS);
        secrets.drain(..over);
    }

    /// The latest end of a read that begins now.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.options.total_timeout
    }

    pub(super) fn unavailable(&self, url: &Url, why: &str) -> Error {
        let message = format!("{}: {}", host_and_port(url), show(why, &self.secrets()));
        Error::new(ErrorKind::RegistryUnavailable, message)
    }
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

/// The text of reqwest's error and of its causes, without the URL, which may contain a signature.
pub(super) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    causes.map(ToString::to_string).fold(error.to_string(), |text, more| match text.ends_with(&more) {
        true => text,
        false => format!("{text}: {more}"),
    })
}

/// `host` or `host:port`.
pub(super) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The values behind a poisoned lock are replaced as a whole, so they are still valid.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
