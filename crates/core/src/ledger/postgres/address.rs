//! `Address`: the address of the database, from a URL, libpq's environment and the password file.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::pgpass;
use crate::error::{Error, ErrorKind, Result};
use crate::tls::{self, Trust};

/// The longest time to open a connection: name lookup, socket, TLS and authentication.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// The idle time of a connection before TCP keepalive checks that the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The default schema.
const SCHEMA: &str = "tagwarden";

/// The protection of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// No TLS.
    Disable,
    /// Encrypted, without verification of the server.
    Require,
    /// Encrypted, and the server's certificate is verified for the host: with the platform's roots, or with only the
    /// roots in this file.
    VerifyFull(Option<PathBuf>),
}

impl Tls {
    /// The servers that the connection trusts; none without TLS. CONFIG_INVALID if the file of roots cannot be used.
    pub(super) fn trust(&self) -> Result<Option<Trust>> {
        Ok(match self {
            Tls::Disable => None,
            Tls::Require => Some(Trust::Everyone),
            Tls::VerifyFull(None) => Some(Trust::Platform(Vec::new())),
            Tls::VerifyFull(Some(file)) => {
                let what = format!("the sslrootcert {}", file.display());
                let pem = std::fs::read(file).map_err(|e| invalid(format!("{what} cannot be used: {e}")));
                let roots = pem.and_then(|pem| tls::certificates(&what, &pem));
                Some(Trust::Only(roots.map_err(|e| e.with_context("file", file.display()))?))
            }
        })
    }
}

/// The address of a ledger, with the connection settings.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// Lower-case letters, digits and `_`, so that it needs no quotes in SQL.
    pub(super) schema: String,
    /// For people: hosts, database and schema, without user and password.
    pub(super) place: String,
}

/// The parts of a URL. Errors show no part of a URL before it is known which part is the password.
#[derive(Default)]
struct Parts {
    user: Option<String>,
    password: Option<String>,
    hosts: Vec<(String, u16)>,
    database: Option<String>,
    ssl_mode: Option<String>,
    ssl_root_cert: Option<String>,
    schema: Option<String>,
}

impl Address {
    /// Parses `url`, and takes the parts that it leaves out from `environment`. CONFIG_INVALID if that gives no
    /// address.
    pub(super) fn parse(url: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Address> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let mut parts = Parts::of(url)?;
        if parts.hosts.is_empty() {
            let hosts = set("PGHOST")
                .ok_or_else(|| invalid("the PostgreSQL URL names no host, and PGHOST is not set".to_owned()))?;
            let port = set("PGPORT").unwrap_or_else(|| "5432".to_owned());
            for host in hosts.split(',') {
                parts.hosts.push((host.to_owned(), self::port(&port)?));
            }
        }
        let user = parts.user.or_else(|| set("PGUSER"));
        let database = parts.database.or_else(|| set("PGDATABASE")).or_else(|| user.clone());
        let Some(database) = database else {
            return Err(invalid("the PostgreSQL URL names no database, and PGDATABASE is not set".to_owned()));
        };
        let schema = parts.schema.unwrap_or_else(|| SCHEMA.to_owned());
        check_schema(&schema)?;
        let mode = parts.ssl_mode.or_else(|| set("PGSSLMODE"));
        let tls = tls_mode(mode.as_deref(), parts.ssl_root_cert.or_else(|| set("PGSSLROOTCERT")), &parts.hosts)?;
        let password = parts.password.or_else(|| set("PGPASSWORD")).or_else(|| {
            let (host, port) = parts.hosts.first()?;
            let file = set("PGPASSFILE").or_else(|| Some(format!("{}/.pgpass", set("HOME")?)))?;
            pgpass::find(file.as_ref(), [host, &port.to_string(), &database, user.as_deref()?])
        });

        let mut config = Config::new();
        config.dbname(&database).application_name("tagwarden").connect_timeout(CONNECT);
        config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE / 3).keepalives_retries(3);
        config.ssl_mode(if tls == Tls::Disable { SslMode::Disable } else { SslMode::Require });
        for (host, port) in &parts.hosts {
            config.host(host).port(*port);
        }
        if let Some(user) = user {
            config.user(user);
        }
        if let Some(password) = password {
            config.password(password);
        }
        let hosts: Vec<String> = parts.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        let place = format!("postgres://{}/{database} (schema {schema})", hosts.join(","));
        Ok(Address { config, tls, schema, place })
    }
}

impl Parts {
    fn of(url: &str) -> Result<Parts> {
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or_else(|| invalid("a PostgreSQL URL begins with postgres:// or postgresql://".to_owned()))?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = address.split_once('/').unwrap_or((address, ""));
        let mut parts = Parts::default();
        let hosts = match authority.rsplit_once('@') {
            Some((who, hosts)) => {
                let (user, password) = match who.split_once(':') {
                    Some((user, password)) => (user, Some(decode(password)?)),
                    None => (who, None),
                };
                parts.user = Some(decode(user)?).filter(|user| !user.is_empty());
                parts.password = password;
                hosts
            }
            None => authority,
        };
        // If a password has a `/` or `?` that is not encoded, the text after it is a part of the password and must not
        // be shown.
        if path.contains(['@', '/']) || query.contains('@') {
            let message = "the PostgreSQL URL has a `@` or `/` where none may be: in a user name, password or value, \
                           write `@` as %40, `/` as %2F, `?` as %3F and `:` as %3A";
            return Err(invalid(message.to_owned()));
        }
        for host in hosts.split(',').filter(|host| !host.is_empty()) {
            // An IPv6 address is in brackets.
            let (name, digits) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((name, "")) => (name, None),
                Some((name, rest)) => (name, Some(rest.strip_prefix(':').unwrap_or(rest))),
                None => host.split_once(':').map_or((host, None), |(name, digits)| (name, Some(digits))),
            };
            parts.hosts.push((decode(name)?, digits.map_or(Ok(5432), port)?));
        }
        parts.database = Some(decode(path)?).filter(|database| !database.is_empty());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value)?;
            match key {
                "sslmode" => parts.ssl_mode = Some(value),
                "sslrootcert" => parts.ssl_root_cert = Some(value),
                "schema" => parts.schema = Some(value),
                "host" => parts.hosts = vec![(value, parts.hosts.first().map_or(5432, |(_, port)| *port))],
                _ => {
                    let known = "host, schema, sslmode and sslrootcert";
                    return Err(invalid(format!("the PostgreSQL URL has the key `{key}`; known are {known}")));
                }
            }
        }
        Ok(parts)
    }
}

/// The TLS mode. No TLS only if every host is this host or `sslmode=disable` is set; the server cannot turn TLS off.
fn tls_mode(mode: Option<&str>, root_cert: Option<String>, hosts: &[(String, u16)]) -> Result<Tls> {
    let verify =
        |root_cert: Option<String>| Tls::VerifyFull(root_cert.filter(|file| file != "system").map(PathBuf::from));
    match (mode, root_cert) {
        (None, None) if hosts.iter().all(|(host, _)| is_this_host(host)) => Ok(Tls::Disable),
        (None | Some("verify-full"), root_cert) => Ok(verify(root_cert)),
        (Some("disable"), None) => Ok(Tls::Disable),
        (Some("require"), None) => Ok(Tls::Require),
        (Some("disable" | "require"), Some(_)) => {
            Err(invalid("sslrootcert says whom to trust, so the sslmode must be verify-full".to_owned()))
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
    match good && !schema.starts_with(|c: char| c.is_ascii_digit()) && !schema.starts_with("pg_") {
        true => Ok(()),
        false => Err(invalid(format!(
            "the schema `{schema}` cannot be used: 1 to 63 of a-z, 0-9 and _, not beginning with a digit or pg_"
        ))),
    }
}

fn port(digits: &str) -> Result<u16> {
    // Do not show the digits: they may be a part of a password.
    let message = "the port is not a number from 1 to 65535 (`:`, `/`, `?` and `@` in a password are written as %3A, \
                   %2F, %3F and %40)";
    digits.parse().ok().filter(|port| *port > 0).ok_or_else(|| invalid(message.to_owned()))
}

/// Decodes percent-escapes: `%41` is `A`. Errors do not show the text, because it may be a password.
fn decode(text: &str) -> Result<String> {
    let bad =
        || invalid("the PostgreSQL URL has a `%` that is not followed by two hex digits of UTF-8 text".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low).ok_or_else(bad)?);
                after
            }
            (b'%', _) => return Err(bad()),
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or_else(bad)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::ConfigInvalid, message)
}

#[cfg(test)]
mod tests;
