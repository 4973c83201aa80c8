//! URLs of pages for people.

use super::url::{public, split};
use super::{Line, invalid};
use crate::error::Result;

/// The URL of a page for people, without credentials. VALUE_INVALID if it is no `http` or `https` URL; the error shows
/// no part of it.
pub(crate) fn public_page(url: &Line) -> Result<Line> {
    let public = public(url.as_str());
    let (scheme, rest) = public.split_once("://").unwrap_or_default();
    let (host, _) = split(rest, &['/', '?', '#']);
    let (name, port) = host.rsplit_once(':').filter(|_| !host.ends_with(']')).unwrap_or((host, ""));
    // Text after a colon that is no port may be a part of a password.
    let is_host = port.bytes().all(|byte| byte.is_ascii_digit()) && (name.starts_with('[') || !name.contains(':'));
    let is_web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    let fits = is_web && is_host && !name.is_empty() && !public.contains(' ');
    if fits { public.parse() } else { Err(invalid("url", "it is no http:// or https:// URL", None)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_a_web_page_and_an_error_does_not_show_it() {
        let page = |url: &str| public_page(&Line::lossy(url));
        assert_eq!(page("HTTPS://u:c4n4ry@[::1]:8443/7?a=1").unwrap().as_str(), "HTTPS://[::1]:8443/7?a=1");
        assert_eq!(page("http://issues.example.com").unwrap().as_str(), "http://issues.example.com");
        for url in [
            "notaurl",
            "javascript:alert(1)",
            "ftp://u:c4n4ry@h/x",
            "https://",
            "https://u:c4n4ry@",
            "https://:80/x",
            "https://u:c4n4ry/c4n4ry@h/x",
            "https://a c4n4ry",
        ] {
            let error = page(url).unwrap_err();
            assert_eq!(format!("{error:?}"), "VALUE_INVALID: url: it is no http:// or https:// URL");
        }
    }
}
