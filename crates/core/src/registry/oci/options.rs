//! `OciOptions`: what an `OciRegistry` may be told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::credentials::{Credentials, Lookup};

/// How an [`OciRegistry`](super::OciRegistry) speaks to registries. Every value has a default; `new` is all of them.
#[derive(Clone, Debug)]
#[must_use]
pub struct OciOptions {
    pub(super) credentials: BTreeMap<String, Credentials>,
    pub(super) lookup: Lookup,
    pub(super) docker_config: Option<PathBuf>,
    pub(super) ca_pem: Vec<u8>,
    pub(super) schemes: BTreeMap<String, Scheme>,
    pub(super) realms: BTreeSet<String>,
    pub(super) access: Access,
    pub(super) connect_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) total_timeout: Duration,
    pub(super) upload_timeout: Duration,
    pub(super) retries: u32,
    pub(super) max_retry_after: Duration,
}

/// Whether a registry is spoken to over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP: nothing is hidden, the credentials included.
    Http,
    /// HTTP over TLS.
    Https,
}

/// What tokens are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// `pull`: enough to audit.
    Pull,
    /// `pull,push`: all that a move needs, in one token. Where a read is refused it, `pull` alone is asked for.
    PullPush,
}

impl Default for OciOptions {
    fn default() -> Self {
        OciOptions {
            credentials: BTreeMap::new(),
            lookup: Lookup::EnvironmentThenDocker,
            docker_config: None,
            ca_pem: Vec::new(),
            schemes: BTreeMap::new(),
            realms: BTreeSet::new(),
            access: Access::PullPush,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_secs(300),
            retries: 5,
            max_retry_after: Duration::from_secs(10),
        }
    }
}

impl OciOptions {
    /// Every default.
    pub fn new() -> OciOptions {
        OciOptions::default()
    }

    /// The credentials of one registry, `host[:port]` as in a [`Repository`](crate::Repository); they go before those
    /// that are looked up. None by default.
    pub fn credentials(mut self, registry: impl Into<String>, credentials: Credentials) -> Self {
        self.credentials.insert(registry.into(), credentials);
        self
    }

    /// Where credentials are looked up when a registry asks for them. Environment, then docker, by default.
    pub fn lookup(mut self, lookup: Lookup) -> Self {
        self.lookup = lookup;
        self
    }

    /// The docker configuration file to read. By default `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
    pub fn docker_config(mut self, file: impl Into<PathBuf>) -> Self {
        self.docker_config = Some(file.into());
        self
    }

    /// Roots to trust besides the platform's own: the text of a PEM file. None by default.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem = pem.into();
        self
    }

    /// How to speak to one registry, `host[:port]`. By default loopback hosts (127.0.0.0/8, `localhost`) are spoken to
    /// over plain HTTP and all others over TLS.
    pub fn scheme(mut self, registry: impl Into<String>, scheme: Scheme) -> Self {
        self.schemes.insert(registry.into(), scheme);
        self
    }

    /// Speaks plain HTTP to this registry, `host[:port]`: short for [`OciOptions::scheme`].
    pub fn insecure(self, registry: impl Into<String>) -> Self {
        self.scheme(registry, Scheme::Http)
    }

    /// Lets registries name a token server on this host, `host[:port]`, whatever it is. By default a token server must
    /// be on the registry's own site (see [`OciRegistry`](super::OciRegistry), *Token servers*).
    pub fn allow_realm(mut self, host: impl Into<String>) -> Self {
        self.realms.insert(host.into());
        self
    }

    /// What tokens are asked for. [`Access::PullPush`] by default.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The longest that a connection may take to open, TLS included. 5 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest that a registry may send nothing while an answer is awaited, that to a put included: no shorter than
    /// a put's timeout. 15 s by default.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// The longest that a read may take with everything: token, retries, body; of a tag list, each page. 30 s by
    /// default. A put has its own timeout as an argument.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = timeout;
        self
    }

    /// The longest that the upload of one blob may take. 300 s by default.
    pub fn upload_timeout(mut self, timeout: Duration) -> Self {
        self.upload_timeout = timeout;
        self
    }

    /// How often a read is tried again after a 5xx, a 429, a lost connection or a cut body. 5 by default. A HEAD that is
    /// an error and the GET after it are one attempt. A put is tried again as often without a connection, and after a
    /// 429 until its timeout is over (see [`OciRegistry`](super::OciRegistry), *Puts*).
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The longest `Retry-After` that is waited for; a longer one is REGISTRY_BUSY. 10 s by default.
    pub fn max_retry_after(mut self, wait: Duration) -> Self {
        self.max_retry_after = wait;
        self
    }
}
