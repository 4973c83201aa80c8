//! `Settings`: the connection settings of a store, from the options of a ledger's URL. They never have a credential.

use std::time::Duration;

use object_store::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::LedgerUrl;
use crate::ledger::url::place::{Place, STORE_OPTIONS};

/// The settings of a store. A setting that is absent comes from the environment, or has its default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) account: Option<String>,
    pub(super) path_style: Option<bool>,
    pub(super) allow_http: Option<bool>,
    pub(super) timeout: Option<Duration>,
}

impl Settings {
    pub(super) fn of(url: &LedgerUrl) -> Result<Settings> {
        let mut settings = Settings::default();
        for (name, value) in &url.options {
            match name.as_str() {
                "endpoint" => settings.endpoint = Some(endpoint(value)?),
                "region" => settings.region = Some(value.clone()),
                "account" => settings.account = Some(value.clone()),
                "path-style" => settings.path_style = Some(switch(name, value)?),
                "allow-http" => settings.allow_http = Some(switch(name, value)?),
                "timeout-ms" => {
                    let ms = value.parse().ok().filter(|ms| (1..=600_000).contains(ms));
                    let ms = ms.ok_or_else(|| invalid("timeout-ms is a number of milliseconds from 1 to 600000"))?;
                    settings.timeout = Some(Duration::from_millis(ms));
                }
                _ => {
                    // The value may be a secret, so only the name is shown, without characters that no name has.
                    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                    let name: String = name.chars().filter(plain).take(40).collect();
                    let known = STORE_OPTIONS.join(", ");
                    return Err(invalid(&format!("{name}: not a setting of a ledger's URL; those are {known}")));
                }
            }
        }
        if settings.account.is_some() && !matches!(url.place, Place::Az(_)) {
            return Err(invalid("account is a setting of az:// only"));
        }
        if (settings.region.is_some() || settings.path_style.is_some()) && !matches!(url.place, Place::S3(_)) {
            return Err(invalid("region and path-style are settings of s3:// only"));
        }
        Ok(settings)
    }
}

/// Checks an endpoint: a scheme, a host, an optional port and path, and nothing that could be a credential.
fn endpoint(text: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/' | '[' | ']');
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    if rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(plain)) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(invalid("endpoint is http:// or https://, a host and perhaps a port and a path, without user or query"))
}

fn switch(name: &str, value: &str) -> Result<bool> {
    value.parse().map_err(|_| invalid(&format!("{name} is true or false")))
}

/// Parses a prefix: names separated by single `/`, none of them `.` or `..`.
pub(super) fn prefix(text: &str) -> Result<Path> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '=' | '+');
    let name = |name: &str| !name.is_empty() && name != "." && name != ".." && name.chars().all(plain);
    if text.is_empty() || text.split('/').all(name) {
        return Ok(Path::from(text));
    }
    Err(invalid("the prefix is names of letters, digits and . - _ = + with single / between them"))
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::ConfigInvalid, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Settings {
        Settings::of(&url.parse().unwrap()).unwrap()
    }

    fn error(url: &str) -> String {
        let error = Settings::of(&url.parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        error.to_string()
    }

    #[test]
    fn options_of_a_url_are_the_settings_of_its_store() {
        let s3 = parsed("s3://releases/team?endpoint=http%3A%2F%2F127.0.0.1:9000/&region=eu-1&path-style=true");
        assert_eq!(s3.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!((s3.region.as_deref(), s3.path_style), (Some("eu-1"), Some(true)));
        assert_eq!(parsed("az://c/p/?account=acme").account.as_deref(), Some("acme"));
        assert_eq!(parsed("file:///srv?timeout-ms=500").timeout, Some(Duration::from_millis(500)));
    }

    #[test]
    fn unknown_setting_is_refused_by_name_and_never_by_value() {
        assert_eq!(
            error("s3://b/p?sig=canary-7f3a91"),
            "sig: not a setting of a ledger's URL; those are account, allow-http, endpoint, path-style, region, timeout-ms"
        );
        assert_eq!(error("az://c?region=x"), "region and path-style are settings of s3:// only");
        assert_eq!(error("gs://c?account=x"), "account is a setting of az:// only");
        assert_eq!(error("s3://b?path-style=yes"), "path-style is true or false");
        assert_eq!(error("s3://b?timeout-ms=0"), "timeout-ms is a number of milliseconds from 1 to 600000");
        for endpoint in
            ["ftp://x", "http://", "http:///x", "http://me:canary-7f3a91%40h", "http://h?sig=canary-7f3a91", "h"]
        {
            let said = error(&format!("s3://b?endpoint={endpoint}"));
            assert!(said.starts_with("endpoint is http://") && !said.contains("canary"), "{said}");
        }
    }

    #[test]
    fn prefix_with_odd_names_is_refused() {
        assert_eq!(prefix("team/ledger/").unwrap().as_ref(), "team/ledger");
        for path in ["a//b", "../b", "a/./b", "a b", "a%2fb", "ä"] {
            assert!(prefix(path).unwrap_err().to_string().starts_with("the prefix is names of letters"), "{path}");
        }
    }
}
