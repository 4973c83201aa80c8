//! The sources of credentials: the caller, the environment, and the configuration that `docker login` writes.

use std::fs::File;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use reqwest::header::HeaderValue;

use super::secret::Secret;
use crate::error::{Error, ErrorKind, Result};

/// The credentials for a registry that asks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// No login. A token server may still issue a token for public repositories.
    Anonymous,
    /// A user and a password (or an access token instead of the password).
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// An identity token, which a token server exchanges for a registry token (OAuth 2 `refresh_token`).
    IdentityToken(Secret),
    /// A registry token, which is sent unchanged.
    RegistryToken(Secret),
}

impl Credentials {
    /// A user and a password.
    pub fn password(user: impl Into<String>, password: impl Into<Secret>) -> Credentials {
        Credentials::Password { user: user.into(), password: password.into() }
    }

    /// The texts that must never be shown: the secret, and the form in which a password is sent.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Credentials::Anonymous => Vec::new(),
            Credentials::Password { user, password } => vec![password.clone(), encoded(user, password)],
            Credentials::IdentityToken(secret) | Credentials::RegistryToken(secret) => vec![secret.clone()],
        }
    }
}

fn encoded(user: &str, password: &Secret) -> Secret {
    STANDARD.encode(format!("{user}:{}", password.reveal())).into()
}

/// The `Authorization` header of a user and a password (RFC 7617). CONFIG_INVALID if the user contains a ':'.
pub(super) fn basic(user: &str, password: &Secret) -> Result<HeaderValue> {
    if user.contains(':') {
        return Err(invalid("a user name with ':' cannot be sent"));
    }
    authorization("Basic", &encoded(user, password))
}

/// The `Authorization` header of a scheme (RFC 6750 for `Bearer`).
pub(super) fn authorization(scheme: &str, secret: &Secret) -> Result<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {}", secret.reveal()))
        .map_err(|_| invalid("the token has characters that a header cannot carry"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The places in which credentials are looked up for a registry that asks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// No place: credentials are not looked up.
    Nowhere,
    /// The environment: `TAGWARDEN_USERNAME` and `TAGWARDEN_PASSWORD`, or `TAGWARDEN_IDENTITY_TOKEN`. They are for the
    /// registry that `TAGWARDEN_REGISTRY` names (`host[:port]`), or for every registry if that is not set.
    Environment,
    /// Docker's configuration, including credential helpers.
    Docker,
    /// The environment, and then docker's configuration if the environment has none for the registry.
    EnvironmentThenDocker,
}

impl CredentialSource {
    /// The credentials of `registry`; [`Credentials::Anonymous`] if there are none. The call blocks: it reads files and
    /// may run a credential helper. CONFIG_INVALID if the credentials cannot be used; the error contains no text of a
    /// file or helper.
    pub(super) fn find(self, registry: &str, docker_config: Option<&Path>) -> Result<Credentials> {
        let mut found = None;
        if matches!(self, CredentialSource::Environment | CredentialSource::EnvironmentThenDocker) {
            found = of_environment(registry, |name| std::env::var(name).ok())?;
        }
        if found.is_none() && matches!(self, CredentialSource::Docker | CredentialSource::EnvironmentThenDocker) {
            found = of_docker(registry, docker_config)?;
        }
        Ok(found.unwrap_or(Credentials::Anonymous))
    }
}

fn of_environment(registry: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Credentials>> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    if variable("TAGWARDEN_REGISTRY").is_some_and(|only| only != registry) {
        return Ok(None);
    }
    match (variable("TAGWARDEN_USERNAME"), variable("TAGWARDEN_PASSWORD"), variable("TAGWARDEN_IDENTITY_TOKEN")) {
        (None, None, None) => Ok(None),
        (Some(user), Some(password), None) => Ok(Some(Credentials::password(user, password))),
        (None, None, Some(token)) => Ok(Some(Credentials::IdentityToken(token.into()))),
        (_, _, Some(_)) => Err(invalid(
            "TAGWARDEN_IDENTITY_TOKEN is set together with TAGWARDEN_USERNAME or TAGWARDEN_PASSWORD: set one login only",
        )),
        _ => Err(invalid("TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD are set together or not at all")),
    }
}

fn of_docker(registry: &str, file: Option<&Path>) -> Result<Option<Credentials>> {
    let Some(path) = file.map(Path::to_owned).or_else(default_file) else { return Ok(None) };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == IoErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(invalid(format!("docker's configuration {} cannot be read: {e}", path.display()))),
    };
    // `docker login` without a host writes this key.
    let key = match registry {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => "https://index.docker.io/v1/",
        registry => registry,
    };
    match docker_credential::get_credential_from_reader(std::io::BufReader::new(file), key) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some(Credentials::password(user, password))),
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credentials::IdentityToken(token.into()))),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        // Docker's own helpers answer this if they have no credentials for the registry.
        Err(CredentialRetrievalError::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => {
            Ok(None)
        }
        Err(error) => Err(invalid(format!("docker's credentials for {registry}: {}", without_output(&error)))),
    }
}

fn default_file() -> Option<PathBuf> {
    let named = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let directory = named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")));
    Some(directory?.join("config.json"))
}

/// The error in our own words, because the crate's text prints the helper's output, which may contain passwords.
fn without_output(error: &CredentialRetrievalError) -> &'static str {
    match error {
        CredentialRetrievalError::HelperCommunicationError => "the credential helper could not be run",
        CredentialRetrievalError::MalformedHelperResponse => "the credential helper's answer is not understood",
        CredentialRetrievalError::HelperFailure { .. } => "the credential helper failed; its output is not shown",
        CredentialRetrievalError::CredentialDecodingError => "an \"auth\" is not base64 of user:password",
        CredentialRetrievalError::CredentialMismatchError => "\"auth\" differs from \"username\" and \"password\"",
        CredentialRetrievalError::ConfigReadError => "docker's configuration is not valid JSON",
        CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound => "there are none",
    }
}

fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::ConfigInvalid, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-9d41";

    fn environment(pairs: &[(&str, &str)]) -> Result<Option<Credentials>> {
        of_environment("reg.io", |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn the_environment_gives_both_or_none_and_only_to_the_registry_it_names() {
        let both = [("TAGWARDEN_USERNAME", "ci"), ("TAGWARDEN_PASSWORD", CANARY)];
        let want = Some(Credentials::password("ci", CANARY));
        assert_eq!(environment(&both).unwrap(), want);
        assert_eq!(environment(&[both[0], both[1], ("TAGWARDEN_REGISTRY", "reg.io")]).unwrap(), want);
        assert_eq!(environment(&[both[0], both[1], ("TAGWARDEN_REGISTRY", "other.io")]).unwrap(), None);
        assert_eq!(environment(&[("TAGWARDEN_USERNAME", "")]).unwrap(), None);
        let half = environment(&both[1..]).unwrap_err();
        assert_eq!(half.to_string(), "TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD are set together or not at all");
        let three = environment(&[both[0], both[1], ("TAGWARDEN_IDENTITY_TOKEN", CANARY)]).unwrap_err();
        assert!(!format!("{three:?}").contains(CANARY));
    }

    fn docker(json: &str) -> Result<Option<Credentials>> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.json");
        std::fs::write(&file, json).unwrap();
        of_docker("reg.io:5000", Some(&file))
    }

    #[test]
    fn docker_login_is_read() {
        let password = docker(r#"{"auths":{"reg.io:5000":{"auth":"Y2k6cHc6MQ=="}}}"#).unwrap();
        assert_eq!(password, Some(Credentials::password("ci", "pw:1")));
        let token = docker(r#"{"auths":{"https://reg.io:5000":{"identitytoken":"t"}}}"#).unwrap();
        assert_eq!(token, Some(Credentials::IdentityToken("t".into())));
        assert_eq!(docker(r#"{"auths":{"other.io":{"auth":"Y2k6cHc="}}}"#).unwrap(), None);
        assert_eq!(of_docker("reg.io", Some(Path::new("/nowhere/config.json"))).unwrap(), None);
    }

    #[test]
    fn a_broken_configuration_is_an_error_that_shows_nothing_of_it() {
        for json in [
            r#"{"auths":{"reg.io:5000":{"auth":"canary-9d41"}}}"#,
            r#"{"auths":{"reg.io:5000":{"auth":"Y2k6cHc=","username":"ci","password":"canary-9d41"}}}"#,
            "canary-9d41",
            r#"{"credHelpers":{"reg.io:5000":"no-such-helper-canary"}}"#,
        ] {
            let error = docker(json).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{json}");
            assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
        }
        let failed = CredentialRetrievalError::HelperFailure {
            helper: CANARY.into(),
            stdout: CANARY.into(),
            stderr: CANARY.into(),
        };
        assert_eq!(without_output(&failed), "the credential helper failed; its output is not shown");
    }

    #[test]
    fn credentials_debug_without_their_secrets() {
        let all = [
            Credentials::password("ci", CANARY),
            Credentials::IdentityToken(CANARY.into()),
            Credentials::RegistryToken(CANARY.into()),
        ];
        assert!(!format!("{all:?}").contains(CANARY));
    }
}
