//! A ledger's URL: the store, the prefix in it, and the connection settings. It never has a credential.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use object_store::path::Path;

use crate::error::{Error, ErrorKind, Result};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Address {
    pub(super) store: Store,
    /// Empty for a directory.
    pub(super) prefix: Path,
    pub(super) settings: Settings,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Store {
    /// A directory of this host.
    File(PathBuf),
    Cloud(Cloud),
}

/// A bucket or container of a cloud.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cloud {
    pub(super) kind: CloudKind,
    pub(super) bucket: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloudKind {
    S3,
    Gcs,
    Azure,
}

/// The settings after the `?`. A setting that is absent comes from the environment, or has its default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) account: Option<String>,
    pub(super) path_style: Option<bool>,
    pub(super) allow_http: Option<bool>,
    pub(super) timeout: Option<Duration>,
}

const KEYS: &str = "account, allow-http, endpoint, path-style, region, timeout-ms";

impl FromStr for Address {
    type Err = Error;

    fn from_str(url: &str) -> Result<Address> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| invalid("a ledger's URL begins with s3://, gs://, az:// or file://"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let settings = Settings::parse(query)?;
        let kind = match scheme {
            "file" => return Address::file(place, settings, query),
            "s3" => CloudKind::S3,
            "gs" => CloudKind::Gcs,
            "az" => CloudKind::Azure,
            _ => return Err(invalid("a ledger's URL begins with s3://, gs://, az:// or file://")),
        };
        let (bucket, path) = place.split_once('/').unwrap_or((place, ""));
        if bucket.contains('@') {
            let message = format!("{scheme}://…: a URL holds no credentials: they are found in the environment");
            return Err(Error::new(ErrorKind::ConfigInvalid, message));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(plain) {
            let message = format!("{scheme}://{bucket}: no bucket has that name");
            return Err(Error::new(ErrorKind::ConfigInvalid, message));
        }
        if settings.account.is_some() && kind != CloudKind::Azure {
            return Err(invalid("account is a setting of az:// only"));
        }
        if (settings.region.is_some() || settings.path_style.is_some()) && kind != CloudKind::S3 {
            return Err(invalid("region and path-style are settings of s3:// only"));
        }
        Ok(Address { store: Store::Cloud(Cloud { kind, bucket: bucket.to_owned() }), prefix: prefix(path)?, settings })
    }
}

impl Address {
    fn file(place: &str, settings: Settings, query: &str) -> Result<Address> {
        let only_timeout = Settings { timeout: settings.timeout, ..Settings::default() };
        if settings != only_timeout {
            return Err(invalid(&format!("{}: file:// has one setting, timeout-ms", names(query))));
        }
        let path =
            decoded(place).ok_or_else(|| invalid("file://: an escape in the path is not % and two hex digits"))?;
        if !path.starts_with('/') {
            return Err(invalid("file:// is followed by an absolute path, as in file:///srv/ledger"));
        }
        Ok(Address { store: Store::File(PathBuf::from(path)), prefix: Path::default(), settings })
    }

    /// The address in a form for people.
    pub(super) fn place(&self) -> String {
        match &self.store {
            Store::File(dir) => format!("file://{}", dir.display()),
            Store::Cloud(cloud) => format!("{cloud}/{}", self.prefix).trim_end_matches('/').to_owned(),
        }
    }
}

impl Settings {
    fn parse(query: &str) -> Result<Settings> {
        let mut settings = Settings::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // The value may be a secret, so errors show only the name, without characters that no name has.
            let value =
                decoded(value).ok_or_else(|| invalid(&format!("{name}: an escape is not % and two hex digits")))?;
            match name {
                "endpoint" => settings.endpoint = Some(endpoint(value)?),
                "region" => settings.region = Some(value),
                "account" => settings.account = Some(value),
                "path-style" => settings.path_style = Some(switch(name, &value)?),
                "allow-http" => settings.allow_http = Some(switch(name, &value)?),
                "timeout-ms" => {
                    let ms = value.parse().ok().filter(|ms| (1..=600_000).contains(ms));
                    let ms = ms.ok_or_else(|| invalid("timeout-ms is a number of milliseconds from 1 to 600000"))?;
                    settings.timeout = Some(Duration::from_millis(ms));
                }
                _ => {
                    let message = format!("{}: not a setting of a ledger's URL; those are {KEYS}", names(name));
                    return Err(invalid(&message));
                }
            }
        }
        Ok(settings)
    }
}

/// Checks an endpoint: a scheme, a host, an optional port and path, and nothing that could be a credential.
fn endpoint(text: String) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/' | '[' | ']');
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(plain)) {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => {
            Err(invalid("endpoint is http:// or https://, a host and perhaps a port and a path, without user or query"))
        }
    }
}

fn switch(name: &str, value: &str) -> Result<bool> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(&format!("{name} is true or false"))),
    }
}

/// The names of a query's settings, without anything that could be a value.
fn names(query: &str) -> String {
    let names = query.split('&').filter_map(|pair| pair.split('=').next());
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    names.map(|name| name.chars().filter(plain).take(40).collect::<String>()).collect::<Vec<_>>().join(", ")
}

/// Parses a prefix: names separated by single `/`, none of them `.` or `..`.
pub(super) fn prefix(text: &str) -> Result<Path> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '=' | '+');
    let name = |name: &str| !name.is_empty() && name != "." && name != ".." && name.chars().all(plain);
    match text.is_empty() || text.split('/').all(name) {
        true => Ok(Path::from(text)),
        false => Err(invalid("the prefix is names of letters, digits and . - _ = + with single / between them")),
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::ConfigInvalid, why)
}

impl Cloud {
    /// The Cargo feature that this cloud needs.
    pub(super) fn feature(&self) -> &'static str {
        match self.kind {
            CloudKind::S3 => "s3",
            CloudKind::Gcs => "gcs",
            CloudKind::Azure => "azure",
        }
    }

    /// CONFIG_INVALID: this build has no support for that cloud.
    #[allow(dead_code, reason = "with every cloud's feature there is nothing to say")]
    pub(super) fn not_built(&self) -> Error {
        let message =
            format!("{self}: this build does not reach it: build tagwarden with the feature `{}`", self.feature());
        Error::new(ErrorKind::ConfigInvalid, message)
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            CloudKind::S3 => "s3",
            CloudKind::Gcs => "gs",
            CloudKind::Azure => "az",
        };
        write!(f, "{scheme}://{}", self.bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Address {
        url.parse().unwrap()
    }

    fn error(url: &str) -> String {
        let error = url.parse::<Address>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        error.to_string()
    }

    #[test]
    fn a_url_says_the_store_and_the_place_in_it() {
        let address =
            parsed("s3://releases/team/ledger?endpoint=http%3A%2F%2F127.0.0.1:9000/&region=eu-1&path-style=true");
        assert_eq!(address.store, Store::Cloud(Cloud { kind: CloudKind::S3, bucket: "releases".to_owned() }));
        assert_eq!(address.prefix.as_ref(), "team/ledger");
        assert_eq!(address.settings.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!((address.settings.region.as_deref(), address.settings.path_style), (Some("eu-1"), Some(true)));
        assert_eq!(address.place(), "s3://releases/team/ledger");
        assert_eq!(parsed("gs://b").place(), "gs://b");
        assert_eq!(parsed("az://c/p/?account=acme").settings.account.as_deref(), Some("acme"));
        let file = parsed("file:///srv/a%20ledger?timeout-ms=500");
        assert_eq!(file.store, Store::File(PathBuf::from("/srv/a ledger")));
        assert_eq!(file.settings.timeout, Some(Duration::from_millis(500)));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name_and_never_by_value() {
        assert_eq!(
            error("s3://b/p?sig=canary-7f3a91"),
            "sig: not a setting of a ledger's URL; those are account, allow-http, endpoint, path-style, region, timeout-ms"
        );
        assert_eq!(
            error("s3://key:canary-7f3a91@b/p"),
            "s3://…: a URL holds no credentials: they are found in the environment"
        );
        assert_eq!(error("s3:///p"), "s3://: no bucket has that name");
        assert_eq!(error("az://c?region=x"), "region and path-style are settings of s3:// only");
        assert_eq!(error("gs://c?account=x"), "account is a setting of az:// only");
        assert_eq!(error("file:///srv?region=x"), "region: file:// has one setting, timeout-ms");
        assert_eq!(error("file://srv"), "file:// is followed by an absolute path, as in file:///srv/ledger");
        assert_eq!(error("s3://b?path-style=yes"), "path-style is true or false");
        assert_eq!(error("s3://b?timeout-ms=0"), "timeout-ms is a number of milliseconds from 1 to 600000");
        for endpoint in
            ["ftp://x", "http://", "http:///x", "http://me:canary-7f3a91@h", "http://h?sig=canary-7f3a91", "h"]
        {
            let said = error(&format!("s3://b?endpoint={endpoint}"));
            assert!(said.starts_with("endpoint is http://") && !said.contains("canary"), "{said}");
        }
        for path in ["a//b", "../b", "a/./b", "a b", "a%2fb", "ä"] {
            assert!(error(&format!("s3://b/{path}")).starts_with("the prefix is names of letters"), "{path}");
        }
        assert_eq!(error("ledger"), "a ledger's URL begins with s3://, gs://, az:// or file://");
        assert_eq!(error("http://b"), "a ledger's URL begins with s3://, gs://, az:// or file://");
    }
}
