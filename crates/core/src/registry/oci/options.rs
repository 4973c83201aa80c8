//! `OciOptions`: the options of an `OciRegistry`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::credentials::{CredentialSource, Credentials, Lookup, same_host};
use super::observer::RetryObserver;
use crate::error::Result;

/// The options of an [`OciRegistry`](super::OciRegistry). Every option has a default; `new` sets all defaults.
#[derive(Clone, Debug)]
#[must_use]
pub struct OciOptions {
    pub(super) credentials: BTreeMap<String, Credentials>,
    /// The environment variables that have the user and the password of a registry.
    pub(super) login_variables: BTreeMap<String, (String, String)>,
    /// The registry of the login in the environment, if `TAGWARDEN_REGISTRY` does not name one.
    pub(super) login_registry: Option<String>,
    pub(super) lookup: CredentialSource,
    pub(super) docker_config: Option<PathBuf>,
    pub(super) ca_pem: Vec<u8>,
    pub(super) ca_files: Vec<PathBuf>,
    pub(super) ca_files_on: BTreeMap<String, PathBuf>,
    /// The files of the client certificate and of its key.
    pub(super) client_files_on: BTreeMap<String, (PathBuf, PathBuf)>,
    pub(super) certs_dir: Option<PathBuf>,
    pub(super) schemes: BTreeMap<String, Scheme>,
    /// The token servers, each with its registry; none for every registry.
    pub(super) token_servers: Vec<(Option<String>, String)>,
    pub(super) access: TokenScope,
    pub(super) connect_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) total_timeout: Duration,
    pub(super) upload_timeout: Duration,
    pub(super) retry_for: Option<Duration>,
    pub(super) retry_for_on: BTreeMap<String, Duration>,
    pub(super) retry_observer: Option<Arc<dyn RetryObserver>>,
}

/// The protocol of the connection to a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP: the network can read everything, including the credentials.
    Http,
    /// HTTP over TLS.
    Https,
}

/// The access that tokens are requested for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenScope {
    /// `pull`: enough to read.
    Pull,
    /// `pull,push`: all that a move needs, in one token. If it is refused, the reads of the move request `pull` alone.
    /// Some registries create an absent repository when `push` is requested.
    PullPush,
}

impl Default for OciOptions {
    fn default() -> Self {
        OciOptions {
            credentials: BTreeMap::new(),
            login_variables: BTreeMap::new(),
            login_registry: None,
            lookup: CredentialSource::EnvironmentThenDocker,
            docker_config: None,
            ca_pem: Vec::new(),
            ca_files: Vec::new(),
            ca_files_on: BTreeMap::new(),
            client_files_on: BTreeMap::new(),
            certs_dir: None,
            schemes: BTreeMap::new(),
            token_servers: Vec::new(),
            access: TokenScope::Pull,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_secs(300),
            retry_for: None,
            retry_for_on: BTreeMap::new(),
            retry_observer: None,
        }
    }
}

impl OciOptions {
    /// Options with every default.
    pub fn new() -> OciOptions {
        OciOptions::default()
    }

    /// Sets the credentials of one registry, `host[:port]` as in a [`Repository`](crate::Repository). They are used
    /// before credentials that are looked up. None by default.
    pub fn credentials(mut self, registry: impl Into<String>, credentials: Credentials) -> Self {
        self.credentials.insert(registry.into(), credentials);
        self
    }

    /// Sets the environment variables that have the user and the password of one registry, `host[:port]`.
    #[cfg(feature = "config")]
    pub(crate) fn login_variables(mut self, registry: &str, user: &str, password: &str) -> Self {
        self.login_variables.insert(registry.to_owned(), (user.to_owned(), password.to_owned()));
        self
    }

    /// Sets the places in which credentials are looked up when a registry asks for them. By default the environment,
    /// then the stored logins, then the token of the CI.
    pub fn lookup(self, lookup: CredentialSource) -> Self {
        OciOptions { lookup, ..self }
    }

    /// Sets the registry, `host[:port]`, that the login in `TAGWARDEN_USERNAME` and `TAGWARDEN_PASSWORD` (or
    /// `TAGWARDEN_IDENTITY_TOKEN`) is for, unless `TAGWARDEN_REGISTRY` names one. None by default: then a login of the
    /// environment without `TAGWARDEN_REGISTRY` is CONFIG_INVALID when a registry asks for one, because it might go to
    /// the wrong registry.
    pub fn login_registry(self, registry: impl Into<String>) -> Self {
        OciOptions { login_registry: Some(registry.into()), ..self }
    }

    /// These options, for a command that uses these registries, `host[:port]`: the login of the environment is for the
    /// only one of them, unless `TAGWARDEN_REGISTRY` names another one.
    ///
    /// CONFIG_INVALID if the environment has a login, there are several registries and `TAGWARDEN_REGISTRY` is not set;
    /// also if the login is incomplete, or a file with stored logins is broken. Nothing is sent, and no credential
    /// helper is run.
    pub fn for_registries<'r>(self, registries: impl IntoIterator<Item = &'r str>) -> Result<Self> {
        let registries: Vec<&str> = registries.into_iter().collect();
        Ok(match Lookup::check(self.lookup, &registries, self.docker_config.clone())? {
            Some(only) => self.login_registry(only),
            None => self,
        })
    }

    /// Sets the only file with stored logins that is read, in the format of docker's `config.json`. By default all of
    /// these are read: `$REGISTRY_AUTH_FILE`; the variable `DOCKER_AUTH_CONFIG`, which has the text itself;
    /// `$XDG_RUNTIME_DIR/containers/auth.json` and `~/.config/containers/auth.json` of podman, skopeo and buildah;
    /// `$DOCKER_CONFIG/config.json`, or else `~/.docker/config.json`; and helm's `registry/config.json`.
    pub fn docker_config(self, file: impl Into<PathBuf>) -> Self {
        OciOptions { docker_config: Some(file.into()), ..self }
    }

    /// Sets root certificates to trust in addition to the platform's own: the text of a PEM file. None by default.
    pub fn ca_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        OciOptions { ca_pem: pem.into(), ..self }
    }

    /// Adds a PEM file of root certificates to trust in addition to the platform's own, for every registry. A server
    /// certificate that is itself in the file is accepted, too. None by default.
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_files.push(file.into());
        self
    }

    /// As [`ca_file`](OciOptions::ca_file), for one registry, `host[:port]`, and the hosts that it sends us to.
    pub fn ca_file_on(mut self, registry: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.ca_files_on.insert(registry.into(), file.into());
        self
    }

    /// Sets the PEM files of the client certificate for one registry, `host[:port]`, and of its key. None by default.
    pub fn client_certificate_on(
        mut self,
        registry: impl Into<String>,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.client_files_on.insert(registry.into(), (certificate.into(), key.into()));
        self
    }

    /// Sets the directory that has, in `<host[:port]>/`, the certificates of each registry: roots in `*.crt`, a client
    /// certificate in `*.cert`, its key in the `*.key` of the same name. By default the first of these that has a
    /// directory for the registry: `~/.config/containers/certs.d`, `~/.config/docker/certs.d`,
    /// `/etc/containers/certs.d` and `/etc/docker/certs.d`.
    pub fn certs_dir(self, directory: impl Into<PathBuf>) -> Self {
        OciOptions { certs_dir: Some(directory.into()), ..self }
    }

    /// Sets the protocol for one registry, `host[:port]`. By default every host uses TLS, except loopback hosts
    /// (127.0.0.0/8, `localhost`) for which no certificate was given: they use plain HTTP.
    pub fn scheme(mut self, registry: impl Into<String>, scheme: Scheme) -> Self {
        self.schemes.insert(registry.into(), scheme);
        self
    }

    /// Uses plain HTTP for this registry, `host[:port]`: short for [`OciOptions::scheme`].
    pub fn insecure(self, registry: impl Into<String>) -> Self {
        self.scheme(registry, Scheme::Http)
    }

    /// Allows registries to name a token server on this host, `host[:port]`, wherever it is; without a port, on any
    /// port. By default a token server must be on the registry's own site (see [`OciRegistry`](super::OciRegistry),
    /// *Token servers*).
    pub fn token_server(mut self, host: impl Into<String>) -> Self {
        self.token_servers.push((None, host.into()));
        self
    }

    /// Allows one registry, `host[:port]`, to name a token server on this host: as [`OciOptions::token_server`].
    pub fn token_server_of(mut self, registry: impl Into<String>, host: impl Into<String>) -> Self {
        self.token_servers.push((Some(registry.into()), host.into()));
        self
    }

    /// Sets the access that tokens are requested for outside of moves and pushes. [`TokenScope::Pull`] by default.
    /// Moves and pushes always request [`TokenScope::PullPush`].
    pub fn access(self, access: TokenScope) -> Self {
        OciOptions { access, ..self }
    }

    /// Sets the longest time to open a connection, including TLS. 5 s by default.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        OciOptions { connect_timeout: timeout, ..self }
    }

    /// Sets the longest time during which a registry may send nothing while an answer is awaited. This also applies to
    /// the answer to a put, so it must not be shorter than a put's timeout. 15 s by default.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        OciOptions { idle_timeout: timeout, ..self }
    }

    /// Sets the longest time of a read, including token, retries and body; in a tag list it applies to each page. 30 s
    /// by default. A put has its own timeout as an argument.
    pub fn total_timeout(self, timeout: Duration) -> Self {
        OciOptions { total_timeout: timeout, ..self }
    }

    /// Sets the longest time of the upload of one blob. 300 s by default.
    pub fn upload_timeout(self, timeout: Duration) -> Self {
        OciOptions { upload_timeout: timeout, ..self }
    }

    /// Sets the time for which a failed request is tried again: after a 5xx, 408, 429, a lost connection or a cut body,
    /// with a pause that grows to 2 s, or as long as `Retry-After` says. By default the call's own time:
    /// [`total_timeout`](OciOptions::total_timeout) for a read, [`upload_timeout`](OciOptions::upload_timeout) for an
    /// upload, its own timeout for a put. A longer time here extends a read and an upload, never a put. One request for a
    /// tag, a manifest, a token or the existence of a blob takes no longer than this time, or than 1 s if that is longer.
    /// Zero means one attempt, with the time that it has by default.
    pub fn retry_for(self, time: Duration) -> Self {
        OciOptions { retry_for: Some(time), ..self }
    }

    /// As [`retry_for`](OciOptions::retry_for), for one registry, `host[:port]`. A time for every registry, given by
    /// `retry_for`, comes first.
    pub fn retry_for_on(mut self, registry: impl Into<String>, time: Duration) -> Self {
        self.retry_for_on.insert(registry.into(), time);
        self
    }

    /// Sets the observer of requests that have no usable answer yet. None by default.
    pub fn retry_observer(mut self, observer: Arc<dyn RetryObserver>) -> Self {
        self.retry_observer = Some(observer);
        self
    }

    /// The credentials that the caller gave for a registry.
    pub(super) fn given(&self, registry: &str) -> Option<&Credentials> {
        of(&self.credentials, registry)
    }

    /// The look-up of credentials for a registry.
    pub(super) fn lookup_of(&self, registry: &str) -> Lookup {
        Lookup {
            source: self.lookup,
            registry: registry.to_owned(),
            login_registry: self.login_registry.clone(),
            variables: of(&self.login_variables, registry).cloned(),
            file: self.docker_config.clone(),
        }
    }
}

/// The value for a registry, whose host may have another spelling.
fn of<'o, T>(all: &'o BTreeMap<String, T>, registry: &str) -> Option<&'o T> {
    all.get(registry).or_else(|| all.iter().find(|(known, _)| same_host(known, registry)).map(|(_, value)| value))
}
