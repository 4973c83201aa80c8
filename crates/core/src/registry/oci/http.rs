//! `Http`: the HTTP clients of registries, and the state of each registry.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{ClientBuilder, Method, RequestBuilder, Url};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;

use super::certs::{self, Certificates};
use super::host::{Hosts, hosts};
use super::observer::Watch;
use super::options::{OciOptions, TokenScope};
use super::token_servers::TokenServers;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Clients};
use crate::lock::lock;
use crate::secret::{Secret, show};
use crate::tls::{self, Trust};

/// The number of secrets that are remembered for redaction.
const MAX_SECRETS: usize = 64;

/// The time for which an idle connection is kept.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// The HTTP clients, their options, and the challenges, credentials and tokens of registries. Clones share all of it.
#[derive(Clone, Debug)]
pub(super) struct Http {
    pub(super) options: Arc<OciOptions>,
    /// The access that tokens are requested for.
    pub(super) access: TokenScope,
    pub(super) token_servers: Arc<TokenServers>,
    roots: Arc<Vec<CertificateDer<'static>>>,
    directories: Arc<Vec<PathBuf>>,
    /// The clients of each registry. Registries without certificates of their own share one set; `None` is its key.
    clients: Arc<Mutex<HashMap<Option<String>, Arc<HostClients>>>>,
    pub(super) hosts: Arc<Mutex<Hosts>>,
    secrets: Arc<Mutex<Vec<Secret>>>,
}

/// The HTTP clients for one registry and for the hosts that it sends us to.
#[derive(Debug)]
pub(super) struct HostClients {
    pub(super) requests: Clients,
    /// The same without HTTP/2, whose errors can lack the reason why a server closed the connection.
    pub(super) requests_of_http1: Clients,
    /// The clients for uploads, during which a registry may send nothing for a longer time.
    pub(super) uploads: Clients,
    /// True if certificates were given for the registry, or for every registry.
    pub(super) has_certificates: bool,
}

impl Http {
    /// CONFIG_INVALID if the CA certificates cannot be used.
    pub(super) fn new(options: OciOptions) -> Result<Http> {
        let mut roots = match options.ca_pem.is_empty() {
            true => Vec::new(),
            false => tls::certificates("the CA certificates", &options.ca_pem)?,
        };
        for file in &options.ca_files {
            roots.extend(certs::roots(file)?);
        }
        // Read now, so that a mistake is found before a command begins.
        options.ca_files_on.values().try_for_each(|file| certs::roots(file).map(drop))?;
        options.client_files_on.values().try_for_each(|(chain, key)| certs::identity(chain, key).map(drop))?;
        let directories =
            options.certs_dir.clone().map_or_else(certs::default_directories, |directory| vec![directory]);
        let (access, token_servers) = (options.access, Arc::new(TokenServers::new(&options.token_servers)?));
        let (options, hosts) = (Arc::new(options), Arc::new(Mutex::new(hosts())));
        let (roots, directories) = (Arc::new(roots), Arc::new(directories));
        let (clients, secrets) = Default::default();
        Ok(Http { options, access, token_servers, roots, directories, clients, hosts, secrets })
    }

    /// The same clients. From the first request on, they request tokens with all access that a move needs.
    pub(super) fn moving(&self) -> Http {
        Http { access: TokenScope::PullPush, ..self.clone() }
    }

    /// The clients for a registry. CONFIG_INVALID if its certificates cannot be used.
    pub(super) fn clients(&self, registry: &str) -> Result<Arc<HostClients>> {
        let known = |name: &Option<String>| lock(&self.clients).get(name).cloned();
        let registry_name = Some(registry.to_owned());
        if let Some(clients) = known(&registry_name) {
            return Ok(clients);
        }
        let (file, client) = (self.options.ca_files_on.get(registry), self.options.client_files_on.get(registry));
        let own = Certificates::of(registry, &self.directories)?;
        let common = file.is_none() && client.is_none() && own.is_none();
        let clients = match known(&None).filter(|_| common) {
            Some(clients) => clients,
            None => {
                let mut own = own.unwrap_or_default();
                own.roots.extend(self.roots.iter().cloned());
                if let Some(file) = file {
                    own.roots.extend(certs::roots(file)?);
                }
                if let Some((chain, key)) = client {
                    own.identity = Some(certs::identity(chain, key)?);
                }
                Arc::new(HostClients::new(&self.options, own)?)
            }
        };
        let mut all = lock(&self.clients);
        if common {
            all.entry(None).or_insert_with(|| clients.clone());
        }
        Ok(all.entry(registry_name).or_insert(clients).clone())
    }

    /// The time for which a failed request to a registry is tried again; none for the call's own time.
    pub(super) fn retry_for(&self, registry: &str) -> Option<Duration> {
        self.options.retry_for.or_else(|| self.options.retry_for_on.get(registry).copied())
    }

    /// The observer of the calls to a registry, if there is one.
    pub(super) fn watch(&self, registry: &str) -> Option<Watch> {
        let observer = self.options.retry_observer.clone()?;
        Some(Watch { observer, registry: registry.to_owned() })
    }

    /// Every secret that was used, for redaction.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        lock(&self.secrets).clone()
    }

    /// Remembers secrets that will be used, for redaction. Above the limit, the oldest are dropped.
    pub(super) fn keep(&self, used: Vec<Secret>) {
        let mut secrets = lock(&self.secrets);
        secrets.retain(|known| !used.contains(known));
        secrets.extend(used);
        let over = secrets.len().saturating_sub(MAX_SECRETS);
        secrets.drain(..over);
    }

    pub(super) fn unavailable(&self, url: &Url, why: &str) -> Error {
        let message = format!("{}: {}", host_and_port(url), show(why, &self.secrets()));
        Error::new(ErrorKind::RegistryUnavailable, message)
    }
}

impl HostClients {
    fn new(options: &OciOptions, own: Certificates) -> Result<HostClients> {
        let has_certificates = !own.roots.is_empty() || own.identity.is_some();
        let tls = http::tls(Trust::Platform(own.roots), own.identity.as_ref())?;
        let clients = |tls: &ClientConfig, idle, change: fn(ClientBuilder) -> ClientBuilder| {
            let clients = Clients::new(tls.clone(), |builder| {
                change(builder)
                    .connect_timeout(options.connect_timeout)
                    .read_timeout(idle)
                    // Shorter than servers keep idle connections, so that a put does not use a connection that the
                    // server is closing.
                    .pool_idle_timeout(IDLE_CONNECTION)
            });
            let invalid = |e| {
                let message = format!("the HTTP client cannot be set up: {}", describe(e));
                Error::new(ErrorKind::ConfigInvalid, message)
            };
            clients.map_err(invalid)
        };
        let mut tls_of_http1 = tls.clone();
        tls_of_http1.alpn_protocols.clear();
        Ok(HostClients {
            requests: clients(&tls, options.idle_timeout, |builder| builder)?,
            requests_of_http1: clients(&tls_of_http1, options.idle_timeout, ClientBuilder::http1_only)?,
            uploads: clients(&tls, options.upload_timeout, |builder| builder)?,
            has_certificates,
        })
    }
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
