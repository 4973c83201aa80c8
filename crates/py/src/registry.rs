//! Registries: the core's, and their methods.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tagwarden::Times;
use tagwarden::registry::{self, oci};
use tagwarden_bind::args::{self, set};
use tagwarden_bind::foreign::RegistryPort;

use crate::args::{Seconds, Text, duration, text};
use crate::config::Config;
use crate::error::Raises;
use crate::foreign::{Backend, native, timeout};
use crate::host::List;
use crate::records::{CredentialSource, TokenScope};
use crate::run::{Home, at_once, block};
use crate::value::{Digest, Reference, Repository, Tag};

/// A manifest, byte- and type-exact: ``data``, at most 4 MiB, and ``media_type``, with which it is served.
#[pyclass(frozen, eq, hash, from_py_object, module = "tagwarden")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Manifest {
    pub(crate) data: Vec<u8>,
    /// The media type with which it is served.
    #[pyo3(get)]
    pub(crate) media_type: String,
}

impl Manifest {
    pub(crate) fn of(core: &registry::Manifest) -> Manifest {
        Manifest { data: core.bytes().to_vec(), media_type: core.media_type().to_string() }
    }

    pub(crate) fn core(&self) -> tagwarden::Result<registry::Manifest> {
        registry::Manifest::new(self.data.clone(), &self.media_type)
    }
}

#[pymethods]
impl Manifest {
    #[new]
    fn new(data: &[u8], media_type: Text) -> Manifest {
        Manifest { data: data.to_vec(), media_type: media_type.0 }
    }

    /// Its bytes.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.data)
    }

    /// The SHA-256 of its bytes.
    #[getter]
    fn digest(&self) -> Digest {
        Digest(tagwarden::Digest::of(&self.data))
    }

    fn __repr__(&self) -> String {
        format!("Manifest({} bytes, {:?})", self.data.len(), self.media_type)
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, String) {
        (self.data(py), self.media_type.clone())
    }
}

/// A registry of the core. Its methods are those of ``Registry``, for one of your own that delegates to it.
///
/// They block without the GIL. Each raises a RegistryError: REGISTRY_UNAVAILABLE, REGISTRY_BUSY, REGISTRY_DENIED,
/// REGISTRY_DIGEST_MISMATCH or REGISTRY_UNSUPPORTED, and for a manifest MANIFEST_INVALID, MANIFEST_AMBIGUOUS,
/// MANIFEST_UNSUPPORTED or MANIFEST_TOO_LARGE; InvalidValueError VALUE_INVALID for an invalid argument. A promoter
/// calls them in Rust, unless a subclass overrides one.
#[pyclass(frozen, subclass, dict, weakref, module = "tagwarden")]
pub(crate) struct NativeRegistry {
    port: Arc<dyn registry::Registry>,
    home: Home,
}

impl NativeRegistry {
    pub(crate) fn over(port: impl registry::Registry) -> NativeRegistry {
        NativeRegistry { port: Arc::new(port), home: Home::here() }
    }

    /// CONFIG_INVALID in a child of a fork.
    pub(crate) fn check(&self) -> tagwarden::Result<()> {
        self.home.check("registry")
    }
}

#[pymethods]
impl NativeRegistry {
    /// The digest that a tag points at, or None if it is proven absent.
    fn resolve(&self, py: Python<'_>, repository: Repository, tag: Tag) -> Raises<Option<Digest>> {
        self.check()?;
        Ok(block(py, self.port.resolve(&repository.0, &tag.0))?.map(Digest))
    }

    /// The manifest of a reference, hashed and checked, or None if it is proven absent.
    fn fetch(&self, py: Python<'_>, reference: Reference) -> Raises<Option<Manifest>> {
        self.check()?;
        Ok(block(py, self.port.fetch(&reference.0))?.as_ref().map(Manifest::of))
    }

    /// Points the tag at a manifest. The registry's acceptance is no proof: read the tag back.
    ///
    /// - ``timeout``: how long it may take, in seconds or as a timedelta; 15 s by default.
    ///
    /// RegistryError REGISTRY_REFUSED or REGISTRY_DENIED: nothing was moved, and nothing will land later. After any
    /// other RegistryError the result is unknown: the put may still land.
    ///
    /// This bypasses every ledger: move a channel with a ``Promoter``.
    #[pyo3(signature = (repository, tag, manifest, timeout = None))]
    fn put(
        &self,
        py: Python<'_>,
        repository: Repository,
        tag: Tag,
        manifest: &Bound<'_, Manifest>,
        timeout: Option<Seconds>,
    ) -> Raises<()> {
        let (manifest, timeout) = (manifest.get().core()?, duration("timeout", timeout)?);
        self.check()?;
        let timeout = timeout.unwrap_or(Times::default().put());
        block(py, async { args::applied(self.port.put(&repository.0, &tag.0, &manifest, timeout).await) })
    }

    /// All tags of a repository, pins included, in any order. An absent repository has none.
    fn tags(&self, py: Python<'_>, repository: Repository) -> Raises<Vec<Tag>> {
        self.check()?;
        Ok(block(py, self.port.tags(&repository.0))?.into_iter().map(Tag).collect())
    }

    /// True if the blob exists, False if it is proven absent.
    fn has_blob(&self, py: Python<'_>, repository: Repository, digest: Digest) -> Raises<bool> {
        self.check()?;
        block(py, self.port.has_blob(&repository.0, &digest.0))
    }
}

/// The port of a registry, and true if it is one that is written in Python.
pub(crate) fn port(
    registry: &Bound<'_, PyAny>,
    event_loop: Option<&Bound<'_, PyAny>>,
) -> Raises<(Arc<dyn registry::Registry>, bool)> {
    let methods = ["resolve", "fetch", "put", "tags", "has_blob"];
    if let Some(native) = native::<NativeRegistry>(registry, "a Registry", &methods)? {
        native.get().check()?;
        return Ok((Arc::clone(&native.get().port), false));
    }
    let port = RegistryPort::new(Backend::of(registry, event_loop)?, timeout(registry)?)?;
    Ok((Arc::new(port), true))
}

/// A login; ``repr`` shows only the user. ``Credentials()`` is no login.
///
/// - ``user`` and ``password`` (or an access token in its place), together;
/// - ``identity_token``: a token server exchanges it for a registry token;
/// - ``registry_token``: it is sent unchanged.
///
/// ``OciRegistry`` raises InvalidValueError CONFIG_INVALID for a mixture.
#[pyclass(frozen, get_all, eq, hash, from_py_object, module = "tagwarden")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Credentials {
    /// The user.
    pub(crate) user: Option<String>,
    /// The password.
    pub(crate) password: Option<String>,
    /// The identity token.
    identity_token: Option<String>,
    /// The registry token.
    registry_token: Option<String>,
}

#[pymethods]
impl Credentials {
    #[new]
    #[pyo3(signature = (user = None, password = None, identity_token = None, registry_token = None))]
    fn new(
        user: Option<Text>,
        password: Option<Text>,
        identity_token: Option<Text>,
        registry_token: Option<Text>,
    ) -> Credentials {
        let (identity_token, registry_token) = (text(identity_token), text(registry_token));
        Credentials { user: text(user), password: text(password), identity_token, registry_token }
    }

    fn __repr__(&self) -> String {
        format!("Credentials(user={:?})", self.user.as_deref().unwrap_or_default())
    }

    fn __getnewargs__(&self) -> (Option<String>, Option<String>, Option<String>, Option<String>) {
        let Credentials { user, password, identity_token, registry_token } = self.clone();
        (user, password, identity_token, registry_token)
    }
}

/// Every OCI registry, each reached by the host in a repository. Nothing is sent before the first call.
///
/// Hosts are ``host`` or ``host:port``, as in a repository; times are seconds or timedelta; None is the default.
///
/// - ``credentials``: by host; they take precedence over those that are looked up. None by default.
/// - ``config``: a ``tagwarden.toml``, for its ``[registry]`` settings: the variables with a login, and the token servers.
///   The other arguments take precedence. None by default.
/// - ``lookup``: where credentials are looked up when a registry asks for them: ``nowhere``, ``environment``
///   (``TAGWARDEN_USERNAME`` and ``TAGWARDEN_PASSWORD``, or ``TAGWARDEN_IDENTITY_TOKEN``, for the host that
///   ``TAGWARDEN_REGISTRY`` names, else for ``login_registry``; then the CI's token: ``GITHUB_TOKEN`` for ghcr.io,
///   ``CI_JOB_TOKEN`` for GitLab's registry), ``docker`` (what docker, podman, skopeo, buildah and helm stored, helpers
///   included) or ``environment_then_docker``, the default, in which the CI's token is the last.
/// - ``login_registry``: the host that the login of the environment is for, where ``TAGWARDEN_REGISTRY`` names none. None
///   by default: then such a login is CONFIG_INVALID when a registry asks for one.
/// - ``docker_config``: the only file with stored logins to read. By default all that these tools write are read, and
///   ``DOCKER_AUTH_CONFIG``.
/// - ``ca_pem``: roots to trust besides the platform's own, the text of a PEM file. None by default. A server certificate
///   that is itself in it is accepted, too.
/// - ``ca_file``: the same, from a file.
/// - ``certs_dir``: the directory that has, in ``HOST[:PORT]/``, the certificates of each registry: roots in ``*.crt``, a
///   client certificate in ``*.cert`` and its key in ``*.key``. By default the first of ``~/.config/containers/certs.d``,
///   ``~/.config/docker/certs.d``, ``/etc/containers/certs.d`` and ``/etc/docker/certs.d`` that has the registry.
/// - ``schemes``: by host, ``http`` or ``https``. By default HTTP for loopback hosts without a certificate of theirs (or
///   ``ca_pem``, ``ca_file``), and HTTPS for all others.
/// - ``token_servers``: hosts of token servers that registries may name though they are on another site. By default a
///   token server must be on the registry's own site.
/// - ``access``: the access of tokens where no tag moves: ``pull``, the default, or ``pull_push``, as moves and pushes
///   ask for in any case.
/// - ``connect_timeout``: the longest that a connection may take to open, TLS included. 5 s by default.
/// - ``idle_timeout``: the longest that a registry may send nothing while an answer is awaited, that to a put
///   included: no shorter than a put's timeout (``Times.put``). 15 s by default.
/// - ``total_timeout``: the longest that a read may take, with token, retries and body; for a tag list, each page. 30 s
///   by default.
/// - ``upload_timeout``: the longest that the upload of one blob may take. 300 s by default.
/// - ``retry_for``: how long a request is tried again after a 5xx, a 429, a lost connection or a cut body, with a pause that
///   grows to 2 s, or as long as ``Retry-After`` says; a wait that is longer than what is left is REGISTRY_BUSY. 0 means one
///   attempt. By default the time of the call: ``total_timeout``, ``upload_timeout`` or that of a put. A longer time extends
///   a read or an upload, never a put. A put is tried again only if the registry certainly did not process it. One
///   request for a tag, a manifest, a token or the existence of a blob takes no longer than this time, or than 1 s; with
///   0, than by default.
///
/// InvalidValueError CONFIG_INVALID for credentials that are a mixture and CA certificates that cannot be used;
/// VALUE_INVALID for another invalid value. No error and no ``repr`` shows a credential.
#[pyclass(frozen, subclass, extends = NativeRegistry, module = "tagwarden")]
pub(crate) struct OciRegistry(pub(crate) oci::OciRegistry);

#[pymethods]
impl OciRegistry {
    #[new]
    #[pyo3(signature = (
        *, credentials = None, config = None, lookup = None, login_registry = None, docker_config = None, ca_pem = None,
        ca_file = None, certs_dir = None, schemes = None, token_servers = None, access = None, connect_timeout = None,
        idle_timeout = None, total_timeout = None, upload_timeout = None, retry_for = None,
    ))]
    #[allow(clippy::too_many_arguments, reason = "each is an option")]
    fn new(
        credentials: Option<HashMap<String, Credentials>>,
        config: Option<Config>,
        lookup: Option<CredentialSource>,
        login_registry: Option<Text>,
        docker_config: Option<Text>,
        ca_pem: Option<Text>,
        ca_file: Option<Text>,
        certs_dir: Option<Text>,
        schemes: Option<HashMap<String, Text>>,
        token_servers: Option<List<Text>>,
        access: Option<TokenScope>,
        connect_timeout: Option<Seconds>,
        idle_timeout: Option<Seconds>,
        total_timeout: Option<Seconds>,
        upload_timeout: Option<Seconds>,
        retry_for: Option<Seconds>,
    ) -> Raises<PyClassInitializer<OciRegistry>> {
        let mut options = match config {
            Some(Config(config)) => config.oci_options()?,
            None => oci::OciOptions::new(),
        };
        for (host, login) in credentials.unwrap_or_default() {
            let Credentials { user, password, identity_token, registry_token } = login;
            options = options.credentials(host, args::credentials(user, password, identity_token, registry_token)?);
        }
        options = set(options, lookup.map(Into::into), oci::OciOptions::lookup);
        options = set(options, text(login_registry), oci::OciOptions::login_registry);
        options = set(options, text(docker_config), oci::OciOptions::docker_config);
        options = set(options, text(ca_pem), oci::OciOptions::ca_pem);
        options = set(options, text(ca_file), oci::OciOptions::ca_file);
        options = set(options, text(certs_dir), oci::OciOptions::certs_dir);
        for (host, scheme) in schemes.unwrap_or_default() {
            let scheme = match scheme.0.as_str() {
                "http" => oci::Scheme::Http,
                "https" => oci::Scheme::Https,
                _ => return Err(args::wrong("schemes", format!("{host}: neither http nor https")).into()),
            };
            options = options.scheme(host, scheme);
        }
        for host in token_servers.into_iter().flat_map(List::texts) {
            options = options.token_server(host);
        }
        options = set(options, access.map(Into::into), oci::OciOptions::access);
        options = set(options, duration("connect_timeout", connect_timeout)?, oci::OciOptions::connect_timeout);
        options = set(options, duration("idle_timeout", idle_timeout)?, oci::OciOptions::idle_timeout);
        options = set(options, duration("total_timeout", total_timeout)?, oci::OciOptions::total_timeout);
        options = set(options, duration("upload_timeout", upload_timeout)?, oci::OciOptions::upload_timeout);
        options = set(options, duration("retry_for", retry_for)?, oci::OciOptions::retry_for);
        let core = at_once(|| oci::OciRegistry::new(options))?;
        Ok(PyClassInitializer::from(NativeRegistry::over(core.clone())).add_subclass(OciRegistry(core)))
    }
}
