//! The meaning of a store's error, and the part of its text that may be shown: errors of the library contain URLs and
//! bodies.

use object_store::Error as StoreError;

use crate::error::ErrorKind;

/// The greatest length of a store's text that is shown, in characters.
const MAX_SHOWN: usize = 300;

/// The reason why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no object under that key.
    NoObject,
    /// The store says that there is an object under the key already, or that another writer is changing it.
    Taken,
    /// The request had no effect and will have none: it was not sent, or it was refused. With LEDGER_UNAVAILABLE,
    /// sending it again may succeed.
    Refused(ErrorKind, String),
    /// The request may have had its effect, or may still have it.
    Unclear(String),
}

impl Fault {
    pub(super) fn of(error: &StoreError) -> Fault {
        let raw = error.to_string();
        let kind = match error {
            StoreError::NotFound { .. } if raw.contains("NoSuchBucket") || raw.contains("ContainerNotFound") => {
                ErrorKind::LedgerAbsent
            }
            StoreError::NotFound { .. } => return Fault::NoObject,
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => ErrorKind::LedgerDenied,
            StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } | StoreError::NotModified { .. } => {
                return Fault::Taken;
            }
            StoreError::NotImplemented { .. } | StoreError::NotSupported { .. } => ErrorKind::LedgerUnsupported,
            StoreError::InvalidPath { .. } | StoreError::UnknownConfigurationKey { .. } => ErrorKind::LedgerUnavailable,
            // After a file system has reported an error, the operation has no later effect.
            StoreError::Generic { store: "LocalFileSystem", .. } => ErrorKind::LedgerUnavailable,
            #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
            _ if not_sent(error) => ErrorKind::LedgerUnavailable,
            _ => match status(&raw) {
                // Errors of listings have only the status.
                Some(401 | 403) => ErrorKind::LedgerDenied,
                Some(404) => ErrorKind::LedgerAbsent,
                Some(501) => ErrorKind::LedgerUnsupported,
                Some(300..=499) => ErrorKind::LedgerUnavailable,
                _ => return Fault::Unclear(shown(&raw)),
            },
        };
        Fault::Refused(kind, shown(&raw))
    }

    /// True if sending the request again may succeed.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Fault::Refused(ErrorKind::LedgerUnavailable, _) | Fault::Unclear(_))
    }

    /// The kind of the error of an operation that had no effect, and the reason for it.
    pub(super) fn into_error(self) -> (ErrorKind, String) {
        let unavailable = |why: &str| (ErrorKind::LedgerUnavailable, why.to_owned());
        match self {
            Fault::Refused(kind @ ErrorKind::LedgerAbsent, why) => {
                (kind, format!("{why}; make the bucket or container first, tagwarden never does"))
            }
            Fault::Refused(kind, why) => (kind, why),
            Fault::Unclear(why) => unavailable(&why),
            Fault::Taken => unavailable("the store says that it is taken, and shows nothing there"),
            Fault::NoObject => unavailable("it is not there any more"),
        }
    }
}

/// True if no connection was made: the store has not received the request.
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn not_sent(error: &StoreError) -> bool {
    use object_store::client::{HttpError, HttpErrorKind};
    let mut causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    let http = causes.find_map(|cause| cause.downcast_ref::<HttpError>());
    http.is_some_and(|http| http.kind() == HttpErrorKind::Connect)
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
        assert_eq!(
            Fault::of(&generic(&json)),
            Fault::Refused(ErrorKind::LedgerUnavailable, "400 Bad Request".to_owned())
        );
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
        let refused = |kind, why: &str| Fault::Refused(kind, why.to_owned());
        for (text, fault) in [
            ("status code: 503 Service Unavailable: ", Fault::Unclear("503 Service Unavailable".to_owned())),
            ("status code: 301 Moved Permanently", refused(ErrorKind::LedgerUnavailable, "301 Moved Permanently")),
            ("status code: 403 Forbidden", refused(ErrorKind::LedgerDenied, "403 Forbidden")),
            ("status code: 501 Not Implemented: x", refused(ErrorKind::LedgerUnsupported, "501 Not Implemented: x")),
            ("connection reset", Fault::Unclear("Generic S3 error: connection reset".to_owned())),
        ] {
            assert_eq!(Fault::of(&generic(text)), fault);
        }
    }
}
