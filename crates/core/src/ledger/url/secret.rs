//! The part of a URL after `://`, and the same part without its secrets.

use super::bad;
use crate::error::Result;

/// Options whose values may be shown. Every other option is left out: it may be a key or a signature.
const HARMLESS: [&str; 14] = [
    "account",
    "allow-http",
    "dbname",
    "endpoint",
    "host",
    "hostaddr",
    "path-style",
    "port",
    "region",
    "schema",
    "sslmode",
    "sslrootcert",
    "timeout-ms",
    "user",
];

/// Options that are a part of the ledger's address.
const WHERE: [&str; 7] = ["account=", "dbname=", "endpoint=", "host=", "hostaddr=", "port=", "schema="];

/// Parses `/its/path` of a `file://` URL.
pub(super) fn file(rest: &str) -> Result<(String, String)> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(bad(format!("file://{rest}: a file URL names a whole path: file:///its/path")));
    }
    if path.contains(['?', '#']) {
        return Err(bad(format!("file://{rest}: write ? as %3F and # as %23")));
    }
    match decodes(path) {
        true => Ok((path.to_owned(), path.to_owned())),
        false => Err(bad(format!("file://{rest}: a % without two hex digits, or not UTF-8"))),
    }
}

/// Parses `bucket/prefix?options` of an object store.
pub(super) fn bucket(scheme: &str, rest: &str) -> Result<(String, String)> {
    let Parts { authority, path, query } = parts(scheme, rest)?;
    if authority.contains(['@', ':']) {
        return Err(bad(format!(
            "{scheme}://: credentials and ports do not stand in it: it is {scheme}://bucket/prefix, and what {scheme} \
             asks for is found where the cloud's own tools find it"
        )));
    }
    if authority.is_empty() {
        return Err(bad(format!("{scheme}://: no bucket; it is {scheme}://bucket/prefix")));
    }
    Ok((rest.to_owned(), format!("{authority}{path}{}", harmless(query))))
}

/// Parses `user:password@host/database?options` of a server.
pub(super) fn server(rest: &str) -> Result<(String, String)> {
    let Parts { authority, path, query } = parts("postgres", rest)?;
    let shown = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':').map_or(user, |(name, _)| name) {
            "" => host.to_owned(),
            name => format!("{name}@{host}"),
        },
        None => authority.to_owned(),
    };
    Ok((rest.to_owned(), format!("{shown}{path}{}", harmless(query))))
}

/// The keywords with which a libpq connection string can begin (PostgreSQL 15, *Parameter Key Words*).
const LIBPQ: [&str; 10] = [
    "application_name",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "port",
    "service",
    "sslmode",
    "user",
];

/// True for a connection string of PostgreSQL's own tools, such as `host=db dbname=audit user=ci`, and for any text
/// with a password option.
pub(super) fn is_dsn(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let set = |at: usize| text.get(at..).is_some_and(|rest| rest.trim_start().starts_with('='));
    let first = text.trim_start().split(|char: char| char == '=' || char.is_whitespace()).next().unwrap_or_default();
    let start = text.len() - text.trim_start().len();
    (LIBPQ.contains(&first) && set(start + first.len()))
        || text.match_indices("password").any(|(at, word)| set(at + word.len()))
}

/// The address in a URL, in one spelling, so that two URLs can be compared.
pub(super) fn address(shown: &str) -> String {
    let (scheme, rest) = shown.split_once("://").unwrap_or(("", shown));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    let host = host.strip_suffix(":5432").unwrap_or(&host).replace("localhost", "127.0.0.1");
    let mut options: Vec<&str> =
        query.split('&').filter(|option| WHERE.iter().any(|name| option.starts_with(name))).collect();
    options.sort_unstable();
    format!("{scheme}://{host}{}?{}", path.trim_end_matches('/'), options.join("&"))
}

#[derive(Debug)]
struct Parts<'a> {
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

fn parts<'a>(scheme: &str, rest: &'a str) -> Result<Parts<'a>> {
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // A `/` in a password would end the host too early, and the rest of the password would be shown.
    if after.contains(['@', '#']) {
        return Err(bad(format!(
            "{scheme}://: an @ or a # after the host; in a password or a path write @ as %40, # as %23, / as %2F, ? as %3F"
        )));
    }
    if !decodes(rest) {
        return Err(bad(format!("{scheme}://: a % without two hex digits, or not UTF-8; write % as %25")));
    }
    Ok(match after.split_once('?') {
        Some((path, query)) => Parts { authority, path, query: Some(query) },
        None => Parts { authority, path: after, query: None },
    })
}

/// The options whose values may be shown, with a leading `?`.
fn harmless(query: Option<&str>) -> String {
    let shown: Vec<&str> = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter(|option| match option.split_once('=') {
            // The value of an endpoint can contain a password.
            Some((name, value)) => HARMLESS.contains(&name) && !value.contains('@') && !value.contains("%40"),
            None => false,
        })
        .collect();
    match shown.is_empty() {
        true => String::new(),
        false => format!("?{}", shown.join("&")),
    }
}

/// True if percent-decoding (RFC 3986, section 2.1) gives UTF-8 text.
fn decodes(text: &str) -> bool {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
        match digits {
            [Some(high), Some(low)] => bytes.push((high * 16 + low) as u8),
            _ => return false,
        }
    }
    String::from_utf8(bytes).is_ok()
}
