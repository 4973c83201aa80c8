//! `Answer`: what a registry said, and what it means.

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{AsHeaderName, HeaderMap};
use serde::Deserialize;

use super::secret::{Secret, redact};
use crate::error::{Error, ErrorKind};

/// The longest text of a registry that an error shows, in bytes.
const MAX_SHOWN: usize = 1024;

/// The whole answer to one request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body; of an error at most 64 KiB, and empty if it was longer.
    pub(super) body: Bytes,
    /// Who answered.
    pub(super) from: Origin,
}

/// Who answered a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The registry itself.
    Registry,
    /// A host that it redirected to: nothing it says is proof of absence, and it gets no credentials.
    Elsewhere,
}

/// One error of the registry's own (OCI distribution specification, *Error codes*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: String,
    pub(super) message: String,
}

impl Answer {
    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The errors that the body names; none if it is not the registry's JSON.
    pub(super) fn said(&self) -> Vec<Said> {
        #[derive(Deserialize)]
        struct Envelope {
            errors: Vec<Item>,
        }
        #[derive(Deserialize)]
        struct Item {
            #[serde(default)]
            code: serde_json::Value,
            #[serde(default)]
            message: serde_json::Value,
        }
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        match serde_json::from_slice::<Envelope>(&self.body) {
            Ok(envelope) => envelope
                .errors
                .iter()
                .map(|item| Said { code: text(&item.code), message: text(&item.message) })
                .filter(|said| !said.code.is_empty())
                .collect(),
            Err(_) => Vec::new(),
        }
    }

    /// True if the registry itself said, with a 404 and one of these codes, that the thing is not there.
    pub(super) fn proves_absence(&self, codes: &[&str]) -> bool {
        self.status == StatusCode::NOT_FOUND
            && self.from == Origin::Registry
            && self.said().iter().any(|said| codes.contains(&said.code.as_str()))
    }

    /// The error of an answer that a read cannot use. What it says about existence is: nothing.
    pub(super) fn unusable(&self, secrets: &[Secret]) -> Error {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::RegistryDenied,
            StatusCode::TOO_MANY_REQUESTS => ErrorKind::RegistryBusy,
            _ => ErrorKind::RegistryUnavailable,
        };
        self.error(kind, secrets)
    }

    /// An error of `kind` that shows the status, the code and the registry's words, redacted and escaped.
    pub(super) fn error(&self, kind: ErrorKind, secrets: &[Secret]) -> Error {
        let said = self.said();
        let shown = match said.first() {
            Some(said) => format!(" {}: {}", said.code, said.message),
            None if self.body.is_empty() => String::new(),
            None => format!(": {}", String::from_utf8_lossy(&self.body)),
        };
        let shown = show(&shown, secrets);
        let mut error = Error::new(kind, format!("the registry answered {}{shown}", self.status.as_u16()))
            .with("status", self.status.as_u16());
        if let Some(said) = said.first() {
            error = error.with("registry_code", show(&said.code, secrets));
        }
        error
    }
}

/// A registry's words as an error may show them: without secrets, on one line, at most 1 KiB.
pub(super) fn show(text: &str, secrets: &[Secret]) -> String {
    let mut shown = String::new();
    // Redacted first: a secret that is cut in half is no longer found.
    for char in redact(text.trim_end(), secrets).chars() {
        let before = shown.len();
        match char {
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(char.escape_unicode());
            }
            _ if char.is_control() => shown.extend(char.escape_default()),
            _ => shown.push(char),
        }
        if shown.len() > MAX_SHOWN {
            shown.truncate(before);
            shown.push('…');
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            from: Origin::Registry,
        }
    }

    #[test]
    fn absence_needs_the_status_the_code_and_the_registry_itself() {
        let codes = ["MANIFEST_UNKNOWN"];
        let json = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no","detail":{"Tag":"x"}}]}"#;
        assert!(answer(404, json).proves_absence(&codes));
        assert!(!answer(400, json).proves_absence(&codes));
        assert!(!answer(404, "<html>MANIFEST_UNKNOWN</html>").proves_absence(&codes));
        assert!(!answer(404, r#"{"errors":[{"code":"DENIED"}]}"#).proves_absence(&codes));
        assert!(!answer(404, r#"{"errors":[{"code":7,"message":null}]}"#).proves_absence(&codes));
        assert!(!answer(404, r#"{"errors":null}"#).proves_absence(&codes));
        assert!(!Answer { from: Origin::Elsewhere, ..answer(404, json) }.proves_absence(&codes));
    }

    #[test]
    fn errors_show_the_registrys_words_redacted_escaped_and_short() {
        let error = answer(403, r#"{"errors":[{"code":"DENIED","message":"no\u001b[31m hunter2\u202e"}]}"#)
            .unusable(&[Secret::new("hunter2")]);
        assert_eq!(error.kind(), ErrorKind::RegistryDenied);
        assert_eq!(error.to_string(), r"the registry answered 403 DENIED: no\u{1b}[31m ***\u{202e}");
        let context: Vec<_> = error.context().collect();
        assert_eq!(context, [("status", "403"), ("registry_code", "DENIED")]);

        let long = answer(502, &"é".repeat(4000)).unusable(&[]);
        assert_eq!(long.kind(), ErrorKind::RegistryUnavailable);
        assert!(long.to_string().len() < 1100, "{}", long.to_string().len());
        assert_eq!(answer(500, "").unusable(&[]).to_string(), "the registry answered 500");
    }
}
