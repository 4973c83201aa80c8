//! `Address`: the connection settings of a database, from a ledger's URL, libpq's environment and the password file.

use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::pgpass;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::LedgerUrl;
use crate::ledger::url::Place;
use crate::tls::{self, Trust};

/// The longest time to open a connection: name lookup, socket, TLS and authentication.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// The idle time of a connection before TCP keepalive checks that the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The default schema.
const SCHEMA: &str = "tagwarden";

/// The options of a URL.
const OPTIONS: [&str; 4] = ["host", "schema", "sslmode", "sslrootcert"];

/// The address of a ledger, with the connection settings.
pub(super) struct Address {
    pub(super) config: Config,
    /// The servers that the connection trusts; none without TLS.
    pub(super) trust: Option<Trust>,
    /// Lower-case letters, digits and `_`, so that it needs no quotes in SQL.
    pub(super) schema: String,
    /// For people: hosts, database and schema, without user and password.
    pub(super) place: String,
}

impl Address {
    /// Takes the parts that `url` leaves out from `environment`. CONFIG_INVALID if that gives no address.
    pub(super) fn of(url: &LedgerUrl, environment: &dyn Fn(&str) -> Option<String>) -> Result<Address> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let Place::Postgres(database) = &url.place else {
            return Err(invalid("a PostgreSQL URL begins with postgres:// or postgresql://"));
        };
        if let Some((name, _)) = url.options.iter().find(|(name, _)| !OPTIONS.contains(&name.as_str())) {
            let known = "host, schema, sslmode and sslrootcert";
            return Err(invalid(format!("the PostgreSQL URL has the key `{name}`; known are {known}")));
        }
        let option = |name: &str| url.option(name).map(str::to_owned);
        let mut hosts = database.hosts.clone();
        if let Some(host) = option("host") {
            hosts = vec![(host, hosts.first().map_or(5432, |(_, port)| *port))];
        }
        if hosts.is_empty() {
            let names =
                set("PGHOST").ok_or_else(|| invalid("the PostgreSQL URL names no host, and PGHOST is not set"))?;
            let port = set("PGPORT").map_or(Some(5432), |port| port.parse().ok().filter(|port| *port > 0));
            let port = port.ok_or_else(|| invalid("PGPORT is not a number from 1 to 65535"))?;
            hosts = names.split(',').map(|host| (host.to_owned(), port)).collect();
        }
        let user = database.user.clone().or_else(|| set("PGUSER"));
        let name = database.name.clone().or_else(|| set("PGDATABASE")).or_else(|| user.clone());
        let name = name.ok_or_else(|| invalid("the PostgreSQL URL names no database, and PGDATABASE is not set"))?;
        let schema = option("schema").unwrap_or_else(|| SCHEMA.to_owned());
        check_schema(&schema)?;
        let mode = option("sslmode").or_else(|| set("PGSSLMODE"));
        let trust = trust(mode.as_deref(), option("sslrootcert").or_else(|| set("PGSSLROOTCERT")), &hosts)?;
        let password = database.password.clone().or_else(|| set("PGPASSWORD")).or_else(|| {
            let (host, port) = hosts.first()?;
            let file = set("PGPASSFILE").or_else(|| Some(format!("{}/.pgpass", set("HOME")?)))?;
            pgpass::find(file.as_ref(), [host, &port.to_string(), &name, user.as_deref()?])
        });

        let mut config = Config::new();
        config.dbname(&name).application_name("tagwarden").connect_timeout(CONNECT);
        config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE / 3).keepalives_retries(3);
        config.ssl_mode(if trust.is_none() { SslMode::Disable } else { SslMode::Require });
        for (host, port) in &hosts {
            config.host(host).port(*port);
        }
        if let Some(user) = user {
            config.user(user);
        }
        if let Some(password) = password {
            config.password(password);
        }
        let hosts: Vec<String> = hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        let place = format!("postgres://{}/{name} (schema {schema})", hosts.join(","));
        Ok(Address { config, trust, schema, place })
    }
}

/// The servers to trust. No TLS only if every host is this host or `sslmode=disable` is set; the server cannot turn TLS
/// off. CONFIG_INVALID if the file of roots cannot be used.
fn trust(mode: Option<&str>, roots: Option<String>, hosts: &[(String, u16)]) -> Result<Option<Trust>> {
    match (mode, roots.as_deref()) {
        (None, None) if hosts.iter().all(|(host, _)| is_this_host(host)) => Ok(None),
        (None | Some("verify-full"), None | Some("system")) => Ok(Some(Trust::Platform(Vec::new()))),
        (None | Some("verify-full"), Some(file)) => {
            let what = format!("the sslrootcert {file}");
            let pem = std::fs::read(file).map_err(|e| invalid(format!("{what} cannot be used: {e}")));
            let roots = pem.and_then(|pem| tls::certificates(&what, &pem));
            Ok(Some(Trust::Only(roots.map_err(|e| e.with_context("file", file))?)))
        }
        (Some("disable"), None) => Ok(None),
        (Some("require"), None) => Ok(Some(Trust::Everyone)),
        (Some("disable" | "require"), Some(_)) => {
            Err(invalid("sslrootcert says whom to trust, so the sslmode must be verify-full"))
        }
        (Some(mode), _) => Err(invalid(format!(
            "the sslmode `{mode}` is not supported; use verify-full, or disable where the wire is yours alone, or \
             require where the server's certificate cannot be verified"
        ))),
    }
}

fn is_this_host(host: &str) -> bool {
    host.starts_with('/') || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn check_schema(schema: &str) -> Result<()> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let good = schema.chars().all(letters) && (1..=63).contains(&schema.len());
    if good && !schema.starts_with(|c: char| c.is_ascii_digit()) && !schema.starts_with("pg_") {
        return Ok(());
    }
    Err(invalid(format!(
        "the schema `{schema}` cannot be used: 1 to 63 of a-z, 0-9 and _, not beginning with a digit or pg_"
    )))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::ConfigInvalid, message)
}

#[cfg(test)]
mod tests;
