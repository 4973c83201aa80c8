//! `Credentials`: a login of a registry, and the header in which it is sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// The user of an identity token, as credential helpers spell it.
pub(in super::super) const TOKEN_USER: &str = "<token>";

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
    /// An identity token, which a token server exchanges for a registry token (OAuth 2 `refresh_token`). A registry
    /// that asks for a user and a password gets it as the password of the user `<token>`.
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
    pub(in super::super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Credentials::Anonymous => Vec::new(),
            Credentials::Password { user, password } => vec![password.clone(), encoded(user, password)],
            Credentials::IdentityToken(secret) => vec![secret.clone(), encoded(TOKEN_USER, secret)],
            Credentials::RegistryToken(secret) => vec![secret.clone()],
        }
    }
}

fn encoded(user: &str, password: &Secret) -> Secret {
    STANDARD.encode(format!("{user}:{}", password.reveal())).into()
}

/// The `Authorization` header of a user and a password (RFC 7617). CONFIG_INVALID if the user contains a ':'.
pub(in super::super) fn basic(user: &str, password: &Secret) -> Result<HeaderValue> {
    if user.contains(':') {
        return Err(invalid("a user name with ':' cannot be sent"));
    }
    authorization("Basic", &encoded(user, password))
}

/// The `Authorization` header of a scheme (RFC 6750 for `Bearer`).
pub(in super::super) fn authorization(scheme: &str, secret: &Secret) -> Result<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {}", secret.reveal()))
        .map_err(|_| invalid("the token has characters that cannot be sent in a header"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// CONFIG_INVALID, for a login that cannot be used.
pub(super) fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::ConfigInvalid, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-9d41";

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
