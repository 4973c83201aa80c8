//! `LoginFile`: the logins that docker, podman, skopeo, buildah and helm store, in the one format that they share.

use std::collections::BTreeMap;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::helper::{Helper, Kept};
use super::key::{Key, names};
use super::login::{Credentials, invalid};
use super::variables::Variables;
use crate::error::{Error, ErrorKind, Result};

/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The content of a file of logins. It has no `Debug`, because it contains passwords.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginFile {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, Option<String>>>,
}

/// One login. An empty field counts as missing.
#[derive(Default, Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// The login that a file has for a repository.
pub(super) enum Stored {
    Login(Credentials),
    Nothing,
    /// A helper keeps the login, and that helper is not installed.
    NoHelper(Helper),
}

impl LoginFile {
    /// The logins in the text of a file. CONFIG_INVALID, with line and column, if the text is broken; the error shows
    /// nothing of the text. An empty file has no logins, as for docker.
    pub(super) fn parse(text: &[u8]) -> Result<LoginFile> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if text.trim_ascii().is_empty() {
            return Ok(LoginFile::default());
        }
        serde_json::from_slice(text).map_err(|e| {
            invalid(format!("line {}, column {}: this is not the JSON of a docker login", e.line(), e.column()))
        })
    }

    /// True if the file has a key for a part of the registry with this host.
    pub(super) fn has_paths(&self, host: &str) -> bool {
        let keys = self.auths.iter().flatten().map(|(key, _)| key);
        let helpers = self.cred_helpers.iter().flatten().map(|(key, _)| key);
        keys.chain(helpers).map(|key| Key::of(key)).any(|key| key.is_of(host) && key.has_path())
    }

    /// The login for the repository `path` of a registry, whose host is `host` in the form of [`Key`]. A helper wins
    /// over an entry, as in docker. CONFIG_INVALID if the helper fails, or if the entry is broken.
    pub(super) fn find(&self, registry: &str, host: &str, path: &str, variables: &Variables) -> Result<Stored> {
        let mut missing = None;
        if let Some((key, name)) = self.helper(host, path) {
            let helper = Helper::new(name)?;
            let part = key.filter(|key| Key::of(key).has_path()).map(str::to_owned);
            for server in part.into_iter().chain(names(registry)) {
                match helper.ask(&server, variables)? {
                    Kept::Login(login) => return Ok(Stored::Login(login)),
                    Kept::Nothing => {}
                    Kept::NoProgram => {
                        missing = Some(helper);
                        break;
                    }
                }
            }
        }
        for (key, entry) in ranked(self.auths.iter().flatten(), host, path) {
            let login = entry.as_ref().map(Entry::login).transpose();
            if let Some(login) = login.map_err(|error| of_key(key, &error))?.flatten() {
                return Ok(Stored::Login(login));
            }
        }
        Ok(missing.map_or(Stored::Nothing, Stored::NoHelper))
    }

    /// The helper for a repository: its key in `credHelpers`, and its name. The helper for every registry
    /// (`credsStore`) has no key. An empty name in `credHelpers` means that no helper is asked.
    fn helper(&self, host: &str, path: &str) -> Option<(Option<&str>, &str)> {
        let own = ranked(self.cred_helpers.iter().flatten(), host, path).into_iter().next();
        let named = match own {
            Some((key, name)) => (Some(key), name.as_deref()),
            None => (None, self.creds_store.as_deref()),
        };
        let (key, name) = (named.0, named.1?.trim());
        (!name.is_empty()).then_some((key, name))
    }

    /// Checks the entries of a registry without asking a helper. CONFIG_INVALID if one is broken.
    pub(super) fn check(&self, host: &str) -> Result<()> {
        let own = self.auths.iter().flatten().filter(|(key, _)| Key::of(key).is_of(host));
        for (key, entry) in own.filter_map(|(key, entry)| Some((key, entry.as_ref()?))) {
            entry.login().map_err(|error| of_key(key, &error))?;
        }
        Ok(())
    }
}

/// The keys for the repository `path` of the registry with this host: the longest path first.
fn ranked<'f, T>(all: impl Iterator<Item = (&'f String, &'f T)>, host: &str, path: &str) -> Vec<(&'f str, &'f T)> {
    let mut ranked: Vec<_> =
        all.filter_map(|(key, value)| Some((Key::of(key).rank(host, path)?, key.as_str(), value))).collect();
    ranked.sort_by_key(|(rank, ..)| *rank);
    ranked.into_iter().map(|(_, key, value)| (key, value)).collect()
}

fn of_key(key: &str, error: &Error) -> Error {
    Error::new(ErrorKind::ConfigInvalid, format!("the login of \"{key}\": {error}"))
}

impl Entry {
    /// The login; none if every field is empty. `auth` wins over `username` and `password`, as in docker.
    fn login(&self) -> Result<Option<Credentials>> {
        let field = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        if let Some(token) = field(&self.registrytoken) {
            return Ok(Some(Credentials::RegistryToken(token.into())));
        }
        if let Some(token) = field(&self.identitytoken) {
            return Ok(Some(Credentials::IdentityToken(token.into())));
        }
        let (user, password) = match field(&self.auth) {
            Some(auth) => decode(&auth)?,
            None => (field(&self.username).unwrap_or_default(), field(&self.password).unwrap_or_default()),
        };
        let empty = user.is_empty() && password.is_empty();
        Ok((!empty).then(|| Credentials::password(user, password)))
    }
}

/// The user and the password of an `auth`.
fn decode(auth: &str) -> Result<(String, String)> {
    // Some tools break the base64 into lines. Docker's decoder accepts that, too.
    let auth: String = auth.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let text = BASE64.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let decoded = text.split_once(':').ok_or_else(|| invalid("its \"auth\" is not base64 of user:password"));
    let (user, password) = decoded?;
    // Old versions of docker filled the end with zero bytes.
    Ok((user.to_owned(), password.trim_matches('\0').to_owned()))
}
