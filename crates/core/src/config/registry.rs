//! `RegistryConfig`: the settings of one registry, `[registry."HOST[:PORT]"]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys;
use super::source::{Item, Name, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::promotion::Times;
use crate::value::Repository;

/// The settings of one registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistryConfig {
    /// The time for which it may answer an older value of a tag.
    pub settle: Option<Duration>,
    /// The environment variable that has the user of its login; set if and only if `password_env` is.
    pub user_env: Option<String>,
    /// The environment variable that has the password of its login.
    pub password_env: Option<String>,
    /// The token servers, `host[:port]`, that it may name though they are on another site.
    pub token_servers: BTreeSet<String>,
    /// The file of certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// The file of the client certificate; set if and only if `client_key` is.
    pub client_cert: Option<PathBuf>,
    /// The file of the client certificate's key.
    pub client_key: Option<PathBuf>,
    /// The time for which a failed request is tried again.
    pub retry_for: Option<Duration>,
    /// True for TLS, false for plain HTTP.
    pub tls: Option<bool>,
}

impl RegistryConfig {
    /// Reads the table `[registry]`: the settings by `host[:port]`. Paths begin at `home`.
    pub(super) fn all(item: Item<'_>, home: &Path) -> Result<BTreeMap<String, RegistryConfig>> {
        let read = |(name, item): (Name<'_>, Item<'_>)| Ok((host(name)?, RegistryConfig::read(name, item, home)?));
        item.named()?.into_iter().map(read).collect()
    }

    fn read(name: Name<'_>, item: Item<'_>, home: &Path) -> Result<RegistryConfig> {
        let table = item.table(&keys::registry())?;
        let settle = match table.get("settle") {
            Some(item) => {
                let settle = item.duration()?;
                item.with(Times::default().with_settle_on(name.text(), settle))?;
                Some(settle)
            }
            None => None,
        };
        let variable = |key| table.get(key).map(variable).transpose();
        let (user_env, password_env) = (variable("user-env")?, variable("password-env")?);
        check_pair(table, "user-env", "password-env")?;
        let token_servers =
            table.get("token-servers").map_or_else(|| Ok(BTreeSet::new()), |item| item.set(token_server))?;
        let file = |key| table.get(key).map(|item| Ok::<_, Error>(home.join(item.text()?))).transpose();
        let (client_cert, client_key) = (file("client-cert")?, file("client-key")?);
        check_pair(table, "client-cert", "client-key")?;
        let tls = table.get("tls").map(Item::truth).transpose()?;
        let ca_file = file("ca-file")?;
        if let (Some(false), Some(given)) = (tls, table.get("ca-file").or(table.get("client-cert"))) {
            return Err(given.bad("a certificate needs TLS, and `tls` is false"));
        }
        Ok(RegistryConfig {
            settle,
            user_env,
            password_env,
            token_servers,
            ca_file,
            client_cert,
            client_key,
            retry_for: table.get("retry-for").map(Item::duration).transpose()?,
            tls,
        })
    }
}

/// Checks that the table has both keys or neither.
fn check_pair(table: Table<'_>, one: &str, other: &str) -> Result<()> {
    match (table.get(one), table.get(other)) {
        (Some(lone), None) => Err(lone.bad(format!("`{one}` needs `{other}`"))),
        (None, Some(lone)) => Err(lone.bad(format!("`{other}` needs `{one}`"))),
        _ => Ok(()),
    }
}

/// The host of a registry, `host[:port]`.
fn host(name: Name<'_>) -> Result<String> {
    host_of(name.text(), "registry").map_err(|error| name.bad(error.message()))
}

/// The host of a token server, `host[:port]`.
fn token_server(item: Item<'_>) -> Result<String> {
    item.with(host_of(item.text()?, "token server"))
}

fn host_of(text: &str, what: &str) -> Result<String> {
    // A host is checked as a part of a repository.
    match format!("{text}/path").parse::<Repository>()?.registry() {
        host if host == text => Ok(host.to_owned()),
        _ => Err(Error::new(ErrorKind::ConfigInvalid, format!("a {what} is named by its host, without a path"))),
    }
}

/// The name of an environment variable. Anything else is not shown: it may be the password itself.
fn variable(item: Item<'_>) -> Result<String> {
    let name = item.text()?;
    let is_name =
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.starts_with(|c: char| !c.is_ascii_digit());
    match is_name {
        true => Ok(name.to_owned()),
        false => Err(item.bad("expected the name of an environment variable, not its value")),
    }
}
