//! Registries that the core implements, and their manifests.

use std::collections::HashMap;
use std::time::Duration;

use napi::bindgen_prelude::{Buffer, Unknown, within_runtime_if_available};
use napi_derive::napi;
use serde::de::IgnoredAny;
use tagwarden::config::Config;
use tagwarden::registry::{self, Registry as _, oci};
use tagwarden::{Digest, Reference, Repository, Result, Tag, Times};
use tagwarden_bind::args::{applied, credentials, set};
use tagwarden_bind::convert::{FromCore, to};

use crate::args::{Options, options_of};
use crate::call::{Promise, constructed, run, sync};
use crate::config::own_config;
use crate::given::{Many, Millis, Text, Uint8Array};
use crate::host::{List, Nullable};
use crate::records::{CredentialSource, Scheme, TokenScope};

options! {
    /// A manifest: its exact bytes and the media type that it is served with.
    pub struct Manifest {
        /// Its bytes.
        pub bytes: Uint8Array,
        /// Its media type.
        pub media_type: String,
        /// Not read: the digest is that of the bytes.
        #[napi(ts_type = "string")]
        pub digest: Option<IgnoredAny>,
    }
}

impl Manifest {
    pub fn core(self) -> Result<registry::Manifest> {
        registry::Manifest::new(self.bytes.0, &self.media_type)
    }
}

/// A manifest that the core gives.
#[napi(object, object_from_js = false)]
pub struct GivenManifest {
    /// The SHA-256 of its bytes.
    pub digest: String,
    /// Its bytes.
    pub bytes: Buffer,
    /// The media type that it is served with.
    pub media_type: String,
}

impl FromCore<registry::Manifest> for GivenManifest {
    fn from_core(manifest: registry::Manifest) -> GivenManifest {
        let (digest, media_type) = (to(manifest.digest()), to(manifest.media_type().clone()));
        GivenManifest { digest, bytes: manifest.bytes().to_vec().into(), media_type }
    }
}

options! {
    /// The options of a put.
    #[derive(Default)]
    pub struct PutOptions {
        /// The longest that it may take, in milliseconds. 15,000 by default.
        pub timeout_ms: Option<Millis>,
    }
}

/// The port of a registry, as methods of its class.
macro_rules! port {
    ($class:ident) => {
        #[napi]
        impl $class {
            /// The digest that a tag points at; null if the tag is proven absent.
            #[napi(catch_unwind)]
            pub fn resolve(
                &self,
                repository: Text<Repository>,
                tag: Text<Tag>,
                options: Option<Options>,
            ) -> Promise<Nullable<String>> {
                let core = self.core.clone();
                run(options.unwrap_or_default().abort, async move { Ok(to(core.resolve(&repository, &tag).await?)) })
            }

            /// The manifest of `repository:tag` or `repository@digest`; null if it is proven absent.
            #[napi(catch_unwind)]
            pub fn fetch(
                &self,
                reference: Text<Reference>,
                options: Option<Options>,
            ) -> Promise<Nullable<GivenManifest>> {
                let core = self.core.clone();
                run(options.unwrap_or_default().abort, async move { Ok(to(core.fetch(&reference).await?)) })
            }

            /// Points a tag at a manifest. After REGISTRY_REFUSED and REGISTRY_DENIED nothing was moved, and nothing
            /// will land later; after any other error it is unknown whether the put was applied.
            #[napi(catch_unwind, ts_return_type = "Promise<void>")]
            pub fn put(
                &self,
                repository: Text<Repository>,
                tag: Text<Tag>,
                manifest: Manifest,
                options: Option<Options<PutOptions>>,
            ) -> napi::Result<Promise<()>> {
                let (core, manifest) = (self.core.clone(), sync(manifest.core())?);
                let Options { rest: PutOptions { timeout_ms }, abort } = options.unwrap_or_default();
                let timeout = timeout_ms.map_or(Times::default().put(), |Millis(timeout)| timeout);
                Ok(run(abort, async move { Ok(applied(core.put(&repository, &tag, &manifest, timeout).await)?) }))
            }

            /// All tags of a repository, in no order.
            #[napi(catch_unwind)]
            pub fn tags(&self, repository: Text<Repository>, options: Option<Options>) -> Promise<List<String>> {
                let core = self.core.clone();
                run(options.unwrap_or_default().abort, async move { Ok(to(core.tags(&repository).await?)) })
            }

            /// True if the blob exists, false if it is proven absent.
            #[napi(catch_unwind)]
            pub fn has_blob(
                &self,
                repository: Text<Repository>,
                digest: Text<Digest>,
                options: Option<Options>,
            ) -> Promise<bool> {
                let core = self.core.clone();
                run(options.unwrap_or_default().abort, async move { Ok(core.has_blob(&repository, &digest).await?) })
            }
        }
    };
}
pub(crate) use port;

options! {
    /// A login for a registry: a user and a password, an identity token or a registry token; `{}` is no login. No error
    /// shows it.
    pub struct Credentials {
        /// The user.
        pub user: Option<String>,
        /// The user's password.
        pub password: Option<String>,
        /// An identity token, which is exchanged for tokens of the registry.
        pub identity_token: Option<String>,
        /// A token of the registry.
        pub registry_token: Option<String>,
    }
}

options! {
    /// The options of an `OciRegistry`. Times are in milliseconds.
    #[derive(Default)]
    pub struct OciOptions {
        /// By `host[:port]`; they take precedence over those that are looked up.
        pub credentials: Option<HashMap<String, Credentials>>,
        /// A `tagwarden.toml`, for its `[registry]` settings: the variables with a login, and the token servers. The
        /// other options take precedence.
        #[napi(ts_type = "Config")]
        #[expect(dead_code, reason = "it is of a class, which is read from the object")]
        pub config: Option<IgnoredAny>,
        /// Where credentials are looked up when a registry asks for them. `environment_then_docker` by default: the
        /// environment, then what docker, podman, skopeo, buildah and helm stored, then the token of the CI.
        pub lookup: Option<CredentialSource>,
        /// The host that the login of `TAGWARDEN_USERNAME` and `TAGWARDEN_PASSWORD` is for, where `TAGWARDEN_REGISTRY`
        /// names none. Without it such a login is CONFIG_INVALID when a registry asks for one.
        pub login_registry: Option<String>,
        /// The only file with stored logins that is read. By default all that these tools write are read, and
        /// `DOCKER_AUTH_CONFIG`.
        pub docker_config: Option<String>,
        /// Roots to trust besides the platform's own: the text of a PEM file. A server certificate that is itself in it is
        /// accepted, too.
        pub ca_pem: Option<String>,
        /// The same, from a file.
        pub ca_file: Option<String>,
        /// The directory that has, in `HOST[:PORT]/`, the certificates of each registry: roots in `*.crt`, a client certificate
        /// in `*.cert` and its key in `*.key`. By default those of podman and docker.
        pub certs_dir: Option<String>,
        /// By `host[:port]`. By default HTTP for loopback hosts without a certificate of theirs, and HTTPS for all others.
        pub schemes: Option<HashMap<String, Scheme>>,
        /// Token servers that registries may name though they are on another site, `host[:port]`.
        pub token_servers: Option<Many<String>>,
        /// The access of tokens where no tag moves: `pull` by default. Moves and pushes ask for `pull_push` in any case.
        pub access: Option<TokenScope>,
        /// 5,000 by default.
        pub connect_timeout_ms: Option<Millis>,
        /// 15,000 by default.
        pub idle_timeout_ms: Option<Millis>,
        /// The longest that a read may take, with token, retries and body. 30,000 by default.
        pub total_timeout_ms: Option<Millis>,
        /// 300,000 by default.
        pub upload_timeout_ms: Option<Millis>,
        /// How long a request is tried again after a 5xx, a 429 (as `Retry-After` says), a lost connection or a cut body; 0
        /// means one attempt. By default the time of the call, which a longer time extends; a put is never extended. One
        /// request for a tag, a manifest or a token takes no longer than this either, or than a second; with 0, than by default.
        pub retry_for_ms: Option<Millis>,
    }
}

impl OciOptions {
    fn core(self, config: Option<&Config>) -> Result<oci::OciOptions> {
        let mut options = config.map_or_else(|| Ok(oci::OciOptions::new()), Config::oci_options)?;
        for (host, Credentials { user, password, identity_token, registry_token }) in
            self.credentials.unwrap_or_default()
        {
            options = options.credentials(host, credentials(user, password, identity_token, registry_token)?);
        }
        for (host, scheme) in self.schemes.unwrap_or_default() {
            options = options.scheme(host, scheme.into());
        }
        for host in self.token_servers.into_iter().flatten() {
            options = options.token_server(host);
        }
        options = set(options, self.lookup.map(Into::into), oci::OciOptions::lookup);
        options = set(options, self.login_registry, oci::OciOptions::login_registry);
        options = set(options, self.docker_config, oci::OciOptions::docker_config);
        options = set(options, self.ca_pem, oci::OciOptions::ca_pem);
        options = set(options, self.ca_file, oci::OciOptions::ca_file);
        options = set(options, self.certs_dir, oci::OciOptions::certs_dir);
        options = set(options, self.access.map(Into::into), oci::OciOptions::access);
        options = set(options, duration(self.connect_timeout_ms), oci::OciOptions::connect_timeout);
        options = set(options, duration(self.idle_timeout_ms), oci::OciOptions::idle_timeout);
        options = set(options, duration(self.total_timeout_ms), oci::OciOptions::total_timeout);
        options = set(options, duration(self.upload_timeout_ms), oci::OciOptions::upload_timeout);
        Ok(set(options, duration(self.retry_for_ms), oci::OciOptions::retry_for))
    }
}

fn duration(ms: Option<Millis>) -> Option<Duration> {
    ms.map(|Millis(duration)| duration)
}

/// Every OCI registry, each reached by the host in a repository.
#[napi]
pub struct OciRegistry {
    pub(crate) core: oci::OciRegistry,
}

#[napi]
impl OciRegistry {
    /// CONFIG_INVALID for options that contradict each other.
    #[napi(constructor, catch_unwind)]
    pub fn new(#[napi(ts_arg_type = "OciOptions")] options: Option<Unknown<'_>>) -> napi::Result<OciRegistry> {
        let config = options.as_ref().map(own_config).transpose()?.flatten();
        let options: OciOptions = options_of("OciRegistry", options)?;
        let core = within_runtime_if_available(|| oci::OciRegistry::new(options.core(config.as_ref())?));
        Ok(OciRegistry { core: constructed("OciRegistry", core)? })
    }

    /// True: an artifact is pushed to a real registry.
    #[napi(getter, catch_unwind, ts_return_type = "true")]
    pub fn oci(&self) -> bool {
        true
    }
}

port!(OciRegistry);
