//! `Place`: the place that a ledger's URL names, and the parts of a URL.

use std::path::{Path, PathBuf};

use super::branch::GitBranch;
use super::text::{bad, decode};
use crate::error::Result;
use crate::value::public;

/// The place of a ledger. Names are percent-decoded, except the prefix in a bucket, which has no escapes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::ledger) enum Place {
    /// A directory of this host, one file for each log.
    Directory(PathBuf),
    /// The layout of an object store in a directory of this host.
    File(PathBuf),
    Bucket(Bucket),
    Postgres(Database),
    Git(GitBranch),
}

/// A bucket or container, and the prefix of the ledger in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::ledger) struct Bucket {
    pub(in crate::ledger) name: String,
    pub(in crate::ledger) prefix: String,
}

/// A database. What the URL leaves out is none.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::ledger) struct Database {
    pub(in crate::ledger) user: Option<String>,
    pub(in crate::ledger) password: Option<String>,
    pub(in crate::ledger) hosts: Vec<(String, u16)>,
    pub(in crate::ledger) name: Option<String>,
}

/// The schemes, and the Cargo feature that each one needs.
pub(super) const SCHEMES: [(&str, &str); 9] = [
    ("file", "object-store"),
    ("s3", "s3"),
    ("gs", "gcs"),
    ("az", "azure"),
    ("postgres", "postgres"),
    ("git+https", "git"),
    ("git+http", "git"),
    ("git+ssh", "git"),
    ("git+file", "git"),
];

/// The options of an object store.
pub(in crate::ledger) const STORE_OPTIONS: [&str; 6] =
    ["account", "allow-http", "endpoint", "path-style", "region", "timeout-ms"];

/// The options of a database whose values may be shown.
const DATABASE_OPTIONS: [&str; 8] = ["dbname", "host", "hostaddr", "port", "schema", "sslmode", "sslrootcert", "user"];

impl Place {
    /// The same text for the same place, for any user. Places of different schemes may have the same text.
    pub(super) fn key(&self) -> String {
        match self {
            Place::Directory(dir) => whole(dir).as_ref().unwrap_or(dir).display().to_string(),
            Place::File(dir) => dir.display().to_string(),
            Place::Bucket(bucket) => {
                format!("{}/{}", bucket.name.to_ascii_lowercase(), bucket.prefix.trim_end_matches('/'))
            }
            Place::Postgres(database) => {
                let host = |(name, port): &(String, u16)| {
                    format!("{}:{port}", name.to_ascii_lowercase().replace("localhost", "127.0.0.1"))
                };
                let hosts: Vec<String> = database.hosts.iter().map(host).collect();
                format!("{}/{:?}", hosts.join(","), database.name)
            }
            Place::Git(branch) => branch.key(),
        }
    }
}

/// The path and the option of a `file://` URL.
pub(super) fn file(rest: &str) -> Result<(&str, &str, &str)> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        // The text before the path may be a user and a password.
        let shown = if rest.contains(['@', ':']) { "" } else { rest };
        return Err(bad(format!("file://{shown}: a file URL names a whole path: file:///its/path")));
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_timeout = query.strip_prefix("timeout-ms=").is_some_and(|ms| !ms.contains(['?', '&']));
    if rest.contains('#') || !(query.is_empty() || is_timeout) {
        return Err(bad(format!("file://{}: write ? as %3F and # as %23", public(rest))));
    }
    if decode("file", path).is_err() {
        return Err(bad(format!("file://{rest}: a % without two hex digits, or not UTF-8")));
    }
    Ok(("", path, query))
}

pub(super) fn bucket(scheme: &str, name: &str, path: &str) -> Result<Bucket> {
    if name.contains(['@', ':']) {
        return Err(bad(format!(
            "{scheme}://: it has no credentials and no port: write {scheme}://bucket/prefix; credentials are read from \
             where the cloud's own tools read them"
        )));
    }
    if name.is_empty() {
        return Err(bad(format!("{scheme}://: no bucket; it is {scheme}://bucket/prefix")));
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')) {
        return Err(bad(format!("{scheme}://: no bucket has that name: it has letters, digits and . - _ only")));
    }
    Ok(Bucket { name: name.to_owned(), prefix: path.strip_prefix('/').unwrap_or(path).to_owned() })
}

pub(super) fn database(user: &str, hosts: &str, path: &str) -> Result<Database> {
    let decoded = |text: &str| decode("postgres", text);
    let given = |text: &str| decoded(text).map(|text| Some(text).filter(|text| !text.is_empty()));
    let (user, password) = match user.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password)?)),
        None => (user, None),
    };
    let port = |digits: &str| {
        // Do not show the digits: they may be a part of a password.
        let why = "postgres://: the port is not a number from 1 to 65535 (`:`, `/`, `?` and `@` in a password are \
                   written as %3A, %2F, %3F and %40)";
        digits.parse().ok().filter(|port| *port > 0).ok_or_else(|| bad(why.to_owned()))
    };
    let mut found = Vec::new();
    for host in hosts.split(',').filter(|host| !host.is_empty()) {
        // An IPv6 address is in brackets.
        let (name, digits) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, "")) => (name, None),
            Some((name, rest)) => (name, Some(rest.strip_prefix(':').unwrap_or(rest))),
            None => host.split_once(':').map_or((host, None), |(name, digits)| (name, Some(digits))),
        };
        found.push((decoded(name)?, digits.map_or(Ok(5432), port)?));
    }
    let name = path.strip_prefix('/').unwrap_or(path);
    if name.contains('/') {
        return Err(bad("postgres://: a / in the database's name; write / as %2F".to_owned()));
    }
    Ok(Database { user: given(user)?, password, hosts: found, name: given(name)? })
}

/// The options whose values may be shown, with a leading `?`. Every other option is left out: it may be a key or a
/// signature.
pub(super) fn harmless(options: &[(&str, &str)]) -> String {
    let shown: Vec<String> = (options.iter())
        .filter(|(name, _)| STORE_OPTIONS.contains(name) || DATABASE_OPTIONS.contains(name))
        // The value of an endpoint can contain a password.
        .filter(|(_, value)| !value.contains('@') && !value.contains("%40"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if shown.is_empty() { String::new() } else { format!("?{}", shown.join("&")) }
}

/// True for a connection string of PostgreSQL's own tools, such as `host=db dbname=audit user=ci`, and for any text
/// with a password option.
pub(super) fn is_dsn(text: &str) -> bool {
    // The keywords with which it can begin (PostgreSQL 15, *Parameter Key Words*).
    const OTHERS: [&str; 4] = ["application_name", "connect_timeout", "options", "service"];
    const WORDS: [&str; 6] = ["dbname", "host", "hostaddr", "port", "sslmode", "user"];
    let text = text.to_ascii_lowercase();
    let first = text.split_once('=').map_or("", |(first, _)| first.trim());
    OTHERS.contains(&first)
        || WORDS.contains(&first)
        || text.split("password").skip(1).any(|rest| rest.trim_start().starts_with('='))
}

/// The absolute path of a directory.
pub(super) fn whole(dir: &Path) -> Result<PathBuf> {
    let found = dir.canonicalize().or_else(|_| std::path::absolute(dir));
    found.map_err(|e| bad(format!("{}: {e}", dir.display())).with_source(e))
}
