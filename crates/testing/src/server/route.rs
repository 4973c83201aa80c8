//! Parses the path and the query of a request.

use std::collections::BTreeMap;

use super::answer::Answer;
use axum::http::StatusCode;
use tagwarden::{Digest, Repository, Tag, Target};

/// The endpoints of the OCI distribution specification, and the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Root,
    Token,
    Manifest(Repository, Target),
    Blob(Repository, Digest),
    Uploads(Repository),
    Upload(Repository, String),
    Tags(Repository),
    Referrers(Repository, Digest),
}

impl Route {
    /// Parses a path. Names must be valid; repositories are those of this server. `gives_tokens` is true for the path of a
    /// token endpoint.
    pub(super) fn parse(host: &str, gives_tokens: impl Fn(&str) -> bool, path: &str) -> Result<Route, Answer> {
        match path {
            "/v2" | "/v2/" => return Ok(Route::Root),
            _ if gives_tokens(path) => return Ok(Route::Token),
            _ => {}
        }
        let not_found = || Answer::error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "there is nothing at this path");
        let inner = path.strip_prefix("/v2/").ok_or_else(not_found)?;
        let repository = |name: &str| {
            format!("{host}/{name}")
                .parse::<Repository>()
                .map_err(|error| Answer::error(StatusCode::BAD_REQUEST, "NAME_INVALID", error.message()))
        };
        let digest = |text: &str| {
            let text = decode(text);
            text.parse::<Digest>()
                .map_err(|error| Answer::error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", error.message()))
        };
        if let Some(name) = inner.strip_suffix("/tags/list") {
            return Ok(Route::Tags(repository(name)?));
        }
        if let Some(name) = inner.strip_suffix("/blobs/uploads/").or_else(|| inner.strip_suffix("/blobs/uploads")) {
            return Ok(Route::Uploads(repository(name)?));
        }
        if let Some((name, id)) = inner.rsplit_once("/blobs/uploads/") {
            return Ok(Route::Upload(repository(name)?, id.to_owned()));
        }
        let (rest, last) = inner.rsplit_once('/').ok_or_else(not_found)?;
        match rest.rsplit_once('/') {
            Some((name, "manifests")) if last.contains(':') || last.contains('%') => {
                Ok(Route::Manifest(repository(name)?, Target::Digest(digest(last)?)))
            }
            Some((name, "manifests")) => match last.parse::<Tag>() {
                Ok(tag) => Ok(Route::Manifest(repository(name)?, Target::Tag(tag))),
                Err(error) => Err(Answer::error(StatusCode::BAD_REQUEST, "TAG_INVALID", error.message())),
            },
            Some((name, "blobs")) => Ok(Route::Blob(repository(name)?, digest(last)?)),
            Some((name, "referrers")) => Ok(Route::Referrers(repository(name)?, digest(last)?)),
            _ => Err(not_found()),
        }
    }

    pub(super) fn repository(&self) -> Option<&Repository> {
        match self {
            Route::Root | Route::Token => None,
            Route::Manifest(repository, _)
            | Route::Blob(repository, _)
            | Route::Uploads(repository)
            | Route::Upload(repository, _)
            | Route::Tags(repository)
            | Route::Referrers(repository, _) => Some(repository),
        }
    }
}

/// The pairs of a query or a form, decoded. The values of one name stay in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs(BTreeMap<String, Vec<String>>);

impl Pairs {
    pub(super) fn parse(text: &str) -> Pairs {
        let mut pairs = BTreeMap::<String, Vec<String>>::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.entry(decode(&name.replace('+', " "))).or_default().push(decode(&value.replace('+', " ")));
        }
        Pairs(pairs)
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(String::as_str)
    }
}

/// Percent-decoding (RFC 3986, section 2.1). An incomplete triplet stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        match rest {
            [] => return String::from_utf8_lossy(&bytes).into_owned(),
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.extend(digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low));
                rest = after;
            }
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_many_components_are_told_from_what_follows() {
        let host = "127.0.0.1:5000";
        let repository = |name: &str| format!("{host}/{name}").parse::<Repository>().unwrap();
        let parse = |path: &str| Route::parse(host, |path| path == "/v2/auth", path).unwrap();
        let digest = Digest::of(b"");
        let percent = digest.to_string().replace(':', "%3A");
        assert_eq!((parse("/v2/"), parse("/v2/auth")), (Route::Root, Route::Token));
        assert_eq!(
            parse("/v2/a/manifests/manifests/v1"),
            Route::Manifest(repository("a/manifests"), Target::Tag("v1".parse().unwrap()))
        );
        assert_eq!(
            parse(&format!("/v2/a/b/manifests/{percent}")),
            Route::Manifest(repository("a/b"), Target::Digest(digest))
        );
        assert_eq!(parse(&format!("/v2/a/blobs/{digest}")), Route::Blob(repository("a"), digest));
        assert_eq!(parse("/v2/a/blobs/uploads/"), Route::Uploads(repository("a")));
        assert_eq!(parse("/v2/a/blobs/uploads/7"), Route::Upload(repository("a"), "7".to_owned()));
        assert_eq!(parse("/v2/a/tags/list"), Route::Tags(repository("a")));
        for (path, code) in [
            ("/v2/A/tags/list", "NAME_INVALID"),
            ("/v2/a/manifests/.x", "TAG_INVALID"),
            ("/v2/a/blobs/sha256:../", "NAME_UNKNOWN"),
            ("/v2/a/blobs/sha256:zz", "DIGEST_INVALID"),
            ("/etc/passwd", "NAME_UNKNOWN"),
        ] {
            let answer = Route::parse(host, |_| false, path).unwrap_err();
            assert!(String::from_utf8_lossy(&answer.body).contains(code), "{path}: {:?}", answer.body);
        }
    }

    #[test]
    fn pairs_are_decoded() {
        let pairs = Pairs::parse("scope=a%3Ab&n=5&scope=c+d&bad=%zz&flag");
        assert_eq!(pairs.all("scope").collect::<Vec<_>>(), ["a:b", "c d"]);
        assert_eq!((pairs.first("n"), pairs.first("bad"), pairs.first("flag")), (Some("5"), Some("%zz"), Some("")));
    }
}
