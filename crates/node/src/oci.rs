//! `OciRegistry`: real registries, with the options of the core's `OciOptions`.

use napi_derive::napi;
use tagwarden::registry::oci::{self, Access, Credentials, Lookup, OciOptions, Scheme};
use tagwarden::{Error, ErrorKind, Result};

use crate::error::thrown;
use crate::fields::Fields;
use crate::registry::Registry;

/// Every OCI registry.
#[napi]
pub struct OciRegistry {
    core: oci::OciRegistry,
}

#[napi]
impl OciRegistry {
    #[napi(constructor, catch_unwind)]
    pub fn new(options: String) -> napi::Result<OciRegistry> {
        let core = read(&options).and_then(oci::OciRegistry::new);
        core.map(|core| OciRegistry { core }).map_err(|error| thrown(&error))
    }

    #[napi(catch_unwind)]
    pub fn port(&self) -> Registry {
        Registry::of(self.core.clone())
    }
}

impl OciRegistry {
    pub(crate) fn core(&self) -> oci::OciRegistry {
        self.core.clone()
    }
}

fn read(options: &str) -> Result<OciOptions> {
    let mut asked = Fields::parse("OciRegistry", options)?;
    let mut options = OciOptions::new();
    if let Some(mut of_hosts) = asked.inner("credentials")? {
        for host in of_hosts.names() {
            if let Some(given) = of_hosts.inner(&host)? {
                options = options.credentials(host, credentials(given)?);
            }
        }
    }
    let words = [
        ("nowhere", Lookup::Nowhere),
        ("environment", Lookup::Environment),
        ("docker", Lookup::Docker),
        ("environmentThenDocker", Lookup::EnvironmentThenDocker),
    ];
    if let Some(lookup) = asked.word("lookup", &words)? {
        options = options.lookup(lookup);
    }
    if let Some(file) = asked.take::<String>("dockerConfig")? {
        options = options.docker_config(file);
    }
    if let Some(pem) = asked.take::<String>("caPem")? {
        options = options.ca_pem(pem);
    }
    if let Some(mut schemes) = asked.inner("schemes")? {
        for host in schemes.names() {
            if let Some(scheme) = schemes.word(&host, &[("http", Scheme::Http), ("https", Scheme::Https)])? {
                options = options.scheme(host, scheme);
            }
        }
    }
    for host in asked.take::<Vec<String>>("realms")?.unwrap_or_default() {
        options = options.allow_realm(host);
    }
    if let Some(access) = asked.word("access", &[("pull", Access::Pull), ("pullPush", Access::PullPush)])? {
        options = options.access(access);
    }
    if let Some(time_out) = asked.ms("connectTimeOut")? {
        options = options.connect_time_out(time_out);
    }
    if let Some(time_out) = asked.ms("idleTimeOut")? {
        options = options.idle_time_out(time_out);
    }
    if let Some(time_out) = asked.ms("totalTimeOut")? {
        options = options.total_time_out(time_out);
    }
    if let Some(time_out) = asked.ms("uploadTimeOut")? {
        options = options.upload_time_out(time_out);
    }
    if let Some(retries) = asked.take("retries")? {
        options = options.retries(retries);
    }
    if let Some(wait) = asked.ms("maxRetryAfter")? {
        options = options.max_retry_after(wait);
    }
    asked.end()?;
    Ok(options)
}

/// `{}` for nobody, `{user, password}`, `{identityToken}` or `{registryToken}`.
fn credentials(mut given: Fields) -> Result<Credentials> {
    let (user, password) = (given.secret("user")?, given.secret("password")?);
    let (identity, registry) = (given.secret("identityToken")?, given.secret("registryToken")?);
    given.end()?;
    match (user, password, identity, registry) {
        (None, None, None, None) => Ok(Credentials::Anonymous),
        (Some(user), Some(password), None, None) => Ok(Credentials::password(user, password)),
        (None, None, Some(token), None) => Ok(Credentials::IdentityToken(token.into())),
        (None, None, None, Some(token)) => Ok(Credentials::RegistryToken(token.into())),
        _ => {
            let message = "OciRegistry: credentials: give user and password, identityToken, registryToken, or nothing";
            Err(Error::new(ErrorKind::ConfigInvalid, message))
        }
    }
}
