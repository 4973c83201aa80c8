//! The meaning of a store's error, and the part of its text that may be shown: errors of the library contain URLs and
//! bodies.

use object_store::Error as StoreError;

use crate::error::{Error, ErrorKind};

/// The greatest length of a store's text that is shown, in characters.
const MAX_SHOWN: usize = 300;

/// The reason why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no object under that key.
    NoObject,
    /// There is no such bucket or container.
    NoBucket(String),
    /// The credentials are missing or wrong, or do not allow the request.
    Denied(String),
    /// The store says that there is an object under the key already, or that another writer is changing it.
    Taken,
    /// The store does not support the request.
    Unsupported(String),
    /// The request had no effect and will have none: it was not sent, or it was refused.
    Refused(String),
    /// The request may have had its effect, or may still have it.
    Unclear(String),
}

impl Fault {
    pub(super) fn of(error: &StoreError) -> Fault {
        let raw = error.to_string();
        let text = shown(&raw);
        match error {
            StoreError::NotFound { .. } if raw.contains("NoSuchBucket") || raw.contains("ContainerNotFound") => {
                Fault::NoBucket(text)
            }
            StoreError::NotFound { .. } => Fault::NoObject,
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => Fault::Denied(text),
            StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } | StoreError::NotModified { .. } => {
                Fault::Taken
            }
            StoreError::NotImplemented { .. } | StoreError::NotSupported { .. } => Fault::Unsupported(text),
            StoreError::InvalidPath { .. } | StoreError::UnknownConfigurationKey { .. } => Fault::Refused(text),
            // After a file system has reported an error, the operation has no later effect.
            StoreError::Generic { store: "LocalFileSystem", .. } => Fault::Refused(text),
            _ if not_sent(error) => Fault::Refused(text),
            _ => match status(&raw) {
                // Errors of listings have only the status.
                Some(401 | 403) => Fault::Denied(text),
                Some(404) => Fault::NoBucket(text),
                Some(501) => Fault::Unsupported(text),
                Some(300..=499) => Fault::Refused(text),
                _ => Fault::Unclear(text),
            },
        }
    }

    /// The store gave no answer in time.
    pub(super) fn late(seconds: f64) -> Fault {
        Fault::Unclear(format!("no answer within {seconds} s"))
    }

    /// True if sending the request again may succeed.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Fault::Refused(_) | Fault::Unclear(_))
    }

    /// The error of the operation `what` at `place`, which had no effect.
    pub(super) fn error(self, place: &str, what: &str) -> Error {
        let error = |kind, why: &str| Error::new(kind, format!("{place}: cannot {what}: {why}"));
        match self {
            Fault::NoBucket(why) => {
                let why = format!("{why}; make the bucket or container first, tagwarden never does");
                error(ErrorKind::LedgerAbsent, &why)
            }
            Fault::Denied(why) => error(ErrorKind::LedgerDenied, &why),
            Fault::Unsupported(why) => error(ErrorKind::LedgerUnsupported, &why),
            Fault::Refused(why) | Fault::Unclear(why) => error(ErrorKind::LedgerUnavailable, &why),
            Fault::Taken => {
                error(ErrorKind::LedgerUnavailable, "the store says that it is taken, and shows nothing there")
            }
            Fault::NoObject => error(ErrorKind::LedgerUnavailable, "it is not there any more"),
        }
    }
}

/// True if no connection was made: the store has not received the request.
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn not_sent(error: &StoreError) -> bool {
    use object_store::client::{HttpError, HttpErrorKind};
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(http) = inner.downcast_ref::<HttpError>() {
            return http.kind() == HttpErrorKind::Connect;
        }
        source = inner.source();
    }
    false
}

#[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
fn not_sent(_: &StoreError) -> bool {
    false
}

/// The HTTP status in an error text of the `object_store` crate.
fn status(text: &str) -> Option<u16> {
    text.split("status code: ").nth(1)?.get(..3)?.parse().ok()
}

/// The part of a store's text that may be shown: no query of a URL, and of a body only the code and message of an error
/// document.
fn shown(raw: &str) -> String {
    let text = match raw.split_once("status code: ") {
        Some((_, answer)) => {
            let status = answer.split(['<', '{']).next().unwrap_or_default().trim_end_matches([':', ' ']);
            let part = |name: &str| {
                let (_, rest) = answer.split_once(&format!("<{name}>"))?;
                rest.split(['<', '\n']).next()
            };
            let status: String = status.chars().take(40).collect();
            [Some(status.as_str()), part("Code"), part("Message")].into_iter().flatten().collect::<Vec<_>>().join(": ")
        }
        None => raw.split_inclusive(char::is_whitespace).map(without_query).collect(),
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = text.chars().map(plain).take(MAX_SHOWN).collect();
    short.trim().to_owned()
}

/// A word without the text after a `?`, and without a user before an `@`.
fn without_query(word: &str) -> String {
    let space = if word.ends_with(char::is_whitespace) { " " } else { "" };
    let word = word.trim_end();
    let word = match word.split_once('?') {
        Some((before, _)) => format!("{before}?***"),
        None => word.to_owned(),
    };
    let word = match (word.split_once("://"), word.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, after))) => format!("{scheme}://***@{after}"),
        _ => word,
    };
    word + space
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-7f3a91";

    fn generic(text: &str) -> StoreError {
        StoreError::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn an_answer_is_shown_by_its_status_code_and_message_alone() {
        let body = format!(
            "Error performing GET https://b.example/k?X-Amz-Signature={CANARY} in 2ms - Server returned non-2xx status \
             code: 403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code><Message>The key {{0}} is wrong</Message>\
             <StringToSign>{CANARY}</StringToSign></Error>"
        );
        assert_eq!(shown(&body), "403 Forbidden: SignatureDoesNotMatch: The key {0} is wrong");
        let json = format!("Server returned non-2xx status code: 400 Bad Request: {{\"assertion\":\"{CANARY}\"}}");
        assert_eq!(shown(&json), "400 Bad Request");
        assert_eq!(Fault::of(&generic(&json)), Fault::Refused("400 Bad Request".to_owned()));
    }

    #[test]
    fn a_url_is_shown_without_its_query_and_its_user() {
        let text =
            format!("error sending request for https://me:{CANARY}@b.example/k?sig={CANARY} (timed out)\u{1b}[31m");
        let text = shown(&text);
        assert_eq!(text, "error sending request for https://***@b.example/k?*** (timed out) [31m");
        assert_eq!(shown(&"x".repeat(1000)).len(), MAX_SHOWN);
    }

    #[test]
    fn what_may_have_had_its_effect_is_unclear() {
        for (text, fault) in [
            ("status code: 503 Service Unavailable: ", Fault::Unclear("503 Service Unavailable".to_owned())),
            ("status code: 301 Moved Permanently", Fault::Refused("301 Moved Permanently".to_owned())),
            ("status code: 403 Forbidden", Fault::Denied("403 Forbidden".to_owned())),
            ("status code: 501 Not Implemented: x", Fault::Unsupported("501 Not Implemented: x".to_owned())),
            ("connection reset", Fault::Unclear("Generic S3 error: connection reset".to_owned())),
        ] {
            assert_eq!(Fault::of(&generic(text)), fault);
        }
    }
}
