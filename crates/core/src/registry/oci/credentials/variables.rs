//! `Variables`: the environment variables, and the logins in them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::login::{Credentials, invalid};
use crate::error::{Error, Result};

/// The variable that names the registry of the login in the other variables.
pub(super) const REGISTRY: &str = "TAGWARDEN_REGISTRY";

/// The names of the variables with the login.
const LOGIN: &str = "TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD";
const USERNAME: &str = "TAGWARDEN_USERNAME";
const PASSWORD: &str = "TAGWARDEN_PASSWORD";
const TOKEN: &str = "TAGWARDEN_IDENTITY_TOKEN";

/// Environment variables. They have no `Debug`, because they contain passwords.
#[derive(Clone)]
pub(super) struct Variables(BTreeMap<OsString, OsString>);

impl Variables {
    /// The variables of this process.
    pub(super) fn of_process() -> Variables {
        Variables(std::env::vars_os().collect())
    }

    #[cfg(test)]
    pub(super) fn new(all: impl IntoIterator<Item = (OsString, OsString)>) -> Variables {
        Variables(all.into_iter().collect())
    }

    /// All of them, for a child process.
    pub(super) fn all(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    /// The value of a variable. An empty variable, and one that is not UTF-8, count as not set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&OsString::from(name))?.to_str().filter(|value| !value.is_empty())
    }

    /// The value of a variable as a path.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(&OsString::from(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The login in the variables of tagwarden, with their names. CONFIG_INVALID if one is missing, or if there are two
    /// logins.
    pub(super) fn login(&self) -> Result<Option<(&'static str, Credentials)>> {
        match (self.get(USERNAME), self.get(PASSWORD), self.get(TOKEN)) {
            (None, None, None) => Ok(None),
            (Some(user), Some(password), None) => Ok(Some((LOGIN, Credentials::password(user, password)))),
            (None, None, Some(token)) => Ok(Some((TOKEN, Credentials::IdentityToken(token.into())))),
            (_, _, Some(_)) => {
                let both = format!("{TOKEN} is set together with {USERNAME} or {PASSWORD}: set one login only");
                Err(invalid(both))
            }
            _ => Err(invalid(format!("{LOGIN} must be set together"))),
        }
    }

    /// The login in the two variables that the configuration names for a registry; none if neither is set.
    /// CONFIG_INVALID if one is missing.
    pub(super) fn login_in(&self, registry: &str, user: &str, password: &str) -> Result<Option<Credentials>> {
        match (self.get(user), self.get(password)) {
            (Some(user), Some(password)) => Ok(Some(Credentials::password(user, password))),
            (None, None) => Ok(None),
            _ => Err(invalid(format!("the login of {registry}: {user} and {password} must be set together"))),
        }
    }
}

/// The names of the variables of tagwarden, for a text about a login that is not set.
pub(super) const NOT_SET: &str = "TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD (not set)";

/// CONFIG_INVALID: it is not known which registry the login of the environment is for.
pub(super) fn for_which(names: &str, registries: &str) -> Error {
    let verb = if names == TOKEN { "is" } else { "are" };
    invalid(format!("{names} {verb} for one registry, and {registries}: set {REGISTRY} to its host"))
}
