//! The connection settings of a store: the options of a ledger's URL. None of them is a credential. A setting that is
//! absent comes from the environment, or has its default.

use std::time::Duration;

use object_store::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::LedgerUrl;
use crate::ledger::url::place::STORE_OPTIONS;

/// CONFIG_INVALID if an option is unknown, has a wrong value, or is not one of this kind of store.
pub(super) fn check(url: &LedgerUrl) -> Result<()> {
    for (name, value) in &url.options {
        let why = match name.as_str() {
            "endpoint" if !is_endpoint(value) => {
                "endpoint is http:// or https://, a host and perhaps a port and a path, without user or query"
                    .to_owned()
            }
            "path-style" | "allow-http" if value.parse::<bool>().is_err() => format!("{name} is true or false"),
            "timeout-ms" if timeout(value).is_none() => {
                "timeout-ms is a number of milliseconds from 1 to 600000".to_owned()
            }
            "account" if url.scheme != "az" => "account is a setting of az:// only".to_owned(),
            "region" | "path-style" if url.scheme != "s3" => {
                "region and path-style are settings of s3:// only".to_owned()
            }
            name if STORE_OPTIONS.contains(&name) => continue,
            _ => {
                // The value may be a secret, so only the name is shown, without characters that no name has.
                let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                let name: String = name.chars().filter(plain).take(40).collect();
                format!("{name}: not a setting of a ledger's URL; those are {}", STORE_OPTIONS.join(", "))
            }
        };
        return Err(Error::new(ErrorKind::ConfigInvalid, why));
    }
    Ok(())
}

/// True for a scheme, a host, an optional port and path, and nothing that could be a credential.
fn is_endpoint(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/' | '[' | ']');
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(plain))
}

/// The longest time of one request.
pub(super) fn timeout(ms: &str) -> Option<Duration> {
    ms.parse().ok().filter(|ms| (1..=600_000).contains(ms)).map(Duration::from_millis)
}

/// Parses a prefix: names separated by single `/`, none of them `.` or `..`.
pub(super) fn prefix(text: &str) -> Result<Path> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '=' | '+');
    let name = |name: &str| !name.is_empty() && name != "." && name != ".." && name.chars().all(plain);
    if text.is_empty() || text.split('/').all(name) {
        return Ok(Path::from(text));
    }
    let why = "the prefix is names of letters, digits and . - _ = + with single / between them";
    Err(Error::new(ErrorKind::ConfigInvalid, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> LedgerUrl {
        let url = url.parse().unwrap();
        check(&url).unwrap();
        url
    }

    fn error(url: &str) -> String {
        let error = check(&url.parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        error.to_string()
    }

    #[test]
    fn options_of_a_url_are_the_settings_of_its_store() {
        let s3 = parsed("s3://releases/team?endpoint=http%3A%2F%2F127.0.0.1:9000/&region=eu-1&path-style=true");
        assert_eq!(s3.option("endpoint"), Some("http://127.0.0.1:9000/"));
        assert_eq!((s3.option("region"), s3.option("path-style")), (Some("eu-1"), Some("true")));
        assert_eq!(parsed("az://c/p/?account=acme").option("account"), Some("acme"));
        assert_eq!(
            parsed("file:///srv?timeout-ms=500").option("timeout-ms").and_then(timeout),
            Some(Duration::from_millis(500))
        );
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
