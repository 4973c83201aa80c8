//! `OciRegistry`: real registries, with the options of the core's `OciOptions`.

use tagwarden::registry::oci::{CredentialSource, Credentials, OciOptions, OciRegistry, Scheme, TokenScope};
use tagwarden::{Error, ErrorKind, Result};

use crate::fields::Fields;

/// A registry client with these options. Missing options have their defaults.
pub fn oci(mut asked: Fields) -> Result<OciRegistry> {
    let mut options = OciOptions::new();
    for (host, given) in asked.keyed("credentials")? {
        let given = asked.at("credentials", given)?;
        options = options.credentials(host, credentials(given)?);
    }
    let words = [
        ("nowhere", CredentialSource::Nowhere),
        ("environment", CredentialSource::Environment),
        ("docker", CredentialSource::Docker),
        ("environment_then_docker", CredentialSource::EnvironmentThenDocker),
    ];
    if let Some(lookup) = asked.word("lookup", &words)? {
        options = options.lookup(lookup);
    }
    if let Some(file) = asked.take::<String>("docker_config")? {
        options = options.docker_config(file);
    }
    if let Some(pem) = asked.take::<String>("ca_pem")? {
        options = options.ca_pem(pem);
    }
    for (host, scheme) in asked.keyed("schemes")? {
        options = match scheme.as_str() {
            Some("http") => options.scheme(host, Scheme::Http),
            Some("https") => options.scheme(host, Scheme::Https),
            _ => return Err(asked.wrong("schemes", format!("{host}: neither http nor https"))),
        };
    }
    for host in asked.take::<Vec<String>>("realms")?.unwrap_or_default() {
        options = options.allow_realm(host);
    }
    if let Some(access) = asked.word("access", &[("pull", TokenScope::Pull), ("pull_push", TokenScope::PullPush)])? {
        options = options.access(access);
    }
    if let Some(timeout) = asked.ms("connect_timeout")? {
        options = options.connect_timeout(timeout);
    }
    if let Some(timeout) = asked.ms("idle_timeout")? {
        options = options.idle_timeout(timeout);
    }
    if let Some(timeout) = asked.ms("total_timeout")? {
        options = options.total_timeout(timeout);
    }
    if let Some(timeout) = asked.ms("upload_timeout")? {
        options = options.upload_timeout(timeout);
    }
    if let Some(retries) = asked.take("retries")? {
        options = options.retries(retries);
    }
    if let Some(wait) = asked.ms("max_retry_after")? {
        options = options.max_retry_after(wait);
    }
    asked.end()?;
    OciRegistry::new(options)
}

/// Parses `{}` (no login), `{user, password}`, `{identity_token}` or `{registry_token}`.
fn credentials(mut given: Fields) -> Result<Credentials> {
    let (user, password) = (given.secret("user")?, given.secret("password")?);
    let (identity, registry) = (given.secret("identity_token")?, given.secret("registry_token")?);
    given.end()?;
    match (user, password, identity, registry) {
        (None, None, None, None) => Ok(Credentials::Anonymous),
        (Some(user), Some(password), None, None) => Ok(Credentials::password(user, password)),
        (None, None, Some(token), None) => Ok(Credentials::IdentityToken(token.into())),
        (None, None, None, Some(token)) => Ok(Credentials::RegistryToken(token.into())),
        _ => {
            let message = "credentials: give user and password, an identity token, a registry token, or nothing";
            Err(Error::new(ErrorKind::ConfigInvalid, message))
        }
    }
}
