//! `Known`: the results of earlier look-ups for one registry.

use std::collections::BTreeMap;
use std::fmt;

use tokio::time::Instant;

use super::login::Credentials;

/// The result of a look-up.
#[derive(Clone, Debug)]
pub(in super::super) struct Found {
    pub(in super::super) credentials: Credentials,
    /// The place of the login; empty if there was none.
    pub(super) place: String,
    /// The places that were looked at, if there was no login.
    pub(super) looked: Vec<String>,
    /// True if the result is the same for every repository of the registry.
    pub(super) whole: bool,
}

impl Found {
    /// A login that was found at this place.
    pub(super) fn at(place: impl fmt::Display, credentials: Credentials, whole: bool) -> Found {
        Found { credentials, place: place.to_string(), looked: Vec::new(), whole }
    }

    /// Credentials that the caller gave for a registry.
    pub(in super::super) fn given(credentials: Credentials) -> Found {
        Found::at("the caller (--username)", credentials, true)
    }
}

/// The greatest number of repositories of one registry whose look-ups are kept.
const MAX_PATHS: usize = 1_000;

/// The results of earlier look-ups for one registry, each with its time.
#[derive(Debug, Default)]
pub(in super::super) struct Known {
    whole: Option<(Found, Instant)>,
    paths: BTreeMap<String, (Found, Instant)>,
}

impl Known {
    /// The credentials for the repository `path`, and the time at which they were looked up.
    pub(in super::super) fn get(&self, path: &str) -> Option<(Credentials, Instant)> {
        let (found, since) = self.found(path)?;
        Some((found.credentials.clone(), *since))
    }

    /// Remembers a look-up for the repository `path`.
    pub(in super::super) fn learn(&mut self, path: &str, found: Found) -> (Credentials, Instant) {
        let (credentials, now) = (found.credentials.clone(), Instant::now());
        if found.whole || self.paths.len() >= MAX_PATHS {
            self.paths.clear();
        }
        match found.whole {
            true => self.whole = Some((found, now)),
            false => {
                self.whole = None;
                self.paths.insert(path.to_owned(), (found, now));
            }
        }
        (credentials, now)
    }

    /// The places that were looked at for the repository `path` of a registry, for an error about an anonymous request;
    /// none if there was a login or no look-up.
    pub(in super::super) fn looked(&self, registry: &str, path: &str) -> Option<String> {
        match &self.found(path)?.0 {
            Found { credentials: Credentials::Anonymous, looked, .. } if !looked.is_empty() => {
                let looked = looked.join(", ");
                Some(format!("the request was anonymous: there is no login of {registry} in {looked}"))
            }
            _ => None,
        }
    }

    /// The place of the login for the repository `path`, for an error about a login that was refused; none if there was
    /// none.
    pub(in super::super) fn place(&self, path: &str) -> Option<String> {
        let Found { place, .. } = &self.found(path)?.0;
        (!place.is_empty()).then(|| format!("the login is from {place}"))
    }

    fn found(&self, path: &str) -> Option<&(Found, Instant)> {
        self.whole.as_ref().or_else(|| self.paths.get(path))
    }
}
