//! `Answer`: the answer of a registry, and its meaning.

use std::time::Duration;

use bytes::BytesMut;
use jiff::SignedDuration;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{AsHeaderName, CONTENT_ENCODING, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::http::describe;
use super::words::{Said, text_of};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Secret, redact, redact_end, show};
use crate::value::{Clock, Digest, SystemClock, Timestamp, joined};

/// The answer to one request.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body; that of an error has at most 64 KiB.
    pub(super) body: BytesMut,
    /// The reason why the body is incomplete; none if it is complete.
    pub(super) cut: Option<Unread>,
    /// The reason why there was no other login for a second attempt; none if no other login was needed. If there is a
    /// reason, a 404 does not prove an absence: the registry may hide a private repository.
    pub(super) no_login: Option<String>,
    /// The place of a login that was refused, or the places in which no login was found; none for another answer, or if
    /// no login was looked for.
    pub(super) login: Option<String>,
    /// The host that answered.
    pub(super) from: Origin,
}

/// The reason why a body could not be read to its end.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error("it has more than {0} bytes")]
    TooLong(usize),
    #[error("it is compressed, which was not asked for")]
    Compressed,
    #[error("{0}")]
    Cut(String),
}

/// The host that answered a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The registry itself.
    Registry,
    /// A host to which the registry redirected. Its answers never prove absence, and it gets no credentials.
    Elsewhere,
}

impl Answer {
    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The digest that the registry claims: VALUE_INVALID if it is malformed, REGISTRY_UNSUPPORTED if it is of another
    /// algorithm.
    pub(super) fn digest(&self) -> Result<Option<Digest>> {
        let Some(value) = self.headers.get("docker-content-digest") else { return Ok(None) };
        let text = value.to_str().unwrap_or("not text");
        text.parse::<Digest>().map(Some).map_err(|error| {
            let kind = match text.split_once(':') {
                None | Some(("sha256" | "sha512", _)) => ErrorKind::ValueInvalid,
                Some(_) => ErrorKind::RegistryUnsupported,
            };
            Error::new(kind, format!("Docker-Content-Digest: {error}"))
        })
    }

    /// The wait that the answer requests: `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3), or the
    /// `retry-after: 44.5ms` in the message of GHCR.
    pub(super) fn asked_wait(&self) -> Option<Duration> {
        let in_header = self.header(RETRY_AFTER).and_then(|value| wait_of_header(value.trim(), SystemClock.now()));
        in_header.or_else(|| Said::all(&self.body).iter().find_map(|said| wait_of_message(&said.message)))
    }

    /// True if the registry itself answered, with a 404 and one of these codes, that the requested thing does not
    /// exist.
    pub(super) fn proves_absence(&self, codes: &[&str]) -> bool {
        self.is_whole_404() && Said::all(&self.body).iter().any(|said| codes.contains(&said.code.as_str()))
    }

    /// True if the registry itself answered 404 without a code. The specification allows that, but a gateway in front
    /// of the registry answers the same, so it is no proof.
    pub(super) fn is_404_without_code(&self) -> bool {
        self.is_whole_404() && Said::all(&self.body).iter().all(|said| said.code.is_empty())
    }

    fn is_whole_404(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
            && self.from == Origin::Registry
            && self.cut.is_none()
            && self.no_login.is_none()
    }

    /// The error of an answer that a read cannot use. It says nothing about the existence of the requested thing.
    pub(super) fn unusable(&self, secrets: &[Secret]) -> Error {
        self.error(self.kind_of_error(), secrets)
    }

    /// The kind of the error of an answer that a read cannot use.
    pub(super) fn kind_of_error(&self) -> ErrorKind {
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::RegistryDenied,
            StatusCode::TOO_MANY_REQUESTS => ErrorKind::RegistryBusy,
            _ => ErrorKind::RegistryUnavailable,
        }
    }

    /// An error of `kind` with the status and the registry's words.
    pub(super) fn error(&self, kind: ErrorKind, secrets: &[Secret]) -> Error {
        let shown = self.words(secrets);
        let error = Error::new(kind, format!("the registry answered {}{shown}", self.status.as_u16()))
            .with_context("status", self.status.as_u16());
        match Said::all(&self.body).iter().find(|said| !said.code.is_empty()) {
            Some(said) => error.with_context("registry_code", show(&said.code, secrets)),
            None => error,
        }
    }

    /// The text after the status: the code, message and detail of every error, or the text of the body, redacted and
    /// escaped, and then the reasons for a missing body or login.
    pub(super) fn words(&self, secrets: &[Secret]) -> String {
        let mut said = Said::all(&self.body);
        if said.is_empty() {
            said.extend(Said::alone(&self.body));
        }
        let words = match said.first() {
            Some(first) => {
                format!("{}{}", if first.code.is_empty() { ": " } else { " " }, joined(&said, "; "))
            }
            None => {
                // Redact before tags are removed, because a tag may split a secret, as the end of the text may.
                let text = redact(&String::from_utf8_lossy(&self.body), secrets);
                let text = if self.cut.is_some() { redact_end(&text, secrets) } else { text };
                let text = text_of(&text);
                if text.is_empty() { text } else { format!(": {text}") }
            }
        };
        let reason =
            |what, why: Option<String>| why.map_or_else(String::new, |why| format!(" ({what}{})", show(&why, secrets)));
        let cut = reason("the body is cut: ", self.cut.as_ref().map(Unread::to_string));
        let no_login = reason("no other login: ", self.no_login.clone());
        show(&words, secrets) + &cut + &no_login + &reason("", self.login.clone())
    }
}

/// Reads a body into `body`, at most `limit` bytes, or not at all without a limit. After an error, `body` has the part
/// that was read.
pub(super) async fn read(mut response: Response, limit: Option<usize>, body: &mut BytesMut) -> Result<(), Unread> {
    let Some(limit) = limit else { return Ok(()) };
    // If the announced length is too large, do not wait for the body, except for the text of an error. A false length
    // is detected below.
    if response.status().is_success() && response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(Unread::TooLong(limit));
    }
    if response.headers().get(CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        return Err(Unread::Compressed);
    }
    while let Some(chunk) = response.chunk().await.map_err(|e| Unread::Cut(describe(e)))? {
        let left = limit - body.len();
        body.extend_from_slice(chunk.get(..left).unwrap_or(&chunk));
        if chunk.len() > left {
            return Err(Unread::TooLong(limit));
        }
    }
    Ok(())
}

fn wait_of_header(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let ms = http_date(value)?.unix_ms().saturating_sub(now.unix_ms());
    Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// The time of a date in a header, by the server's clock (RFC 9110, section 5.6.7).
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    Some(Timestamp::from_unix_ms(date.as_millisecond()))
}

fn wait_of_message(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let (_, after) = lower.split_once("retry-after:")?;
    let duration = after.trim_start().split([' ', ',', ';']).next()?;
    duration.parse::<SignedDuration>().ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().into(),
            cut: None,
            no_login: None,
            login: None,
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
        assert!(!Answer { cut: Some(Unread::Cut("x".to_owned())), ..answer(404, json) }.proves_absence(&codes));
    }

    #[test]
    fn seconds_dates_and_milliseconds_are_read() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        let header = |value| wait_of_header(value, now);
        assert_eq!(header("7"), Some(Duration::from_secs(7)));
        assert_eq!(header("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(header("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(header("soon"), None);
        let message = wait_of_message;
        assert_eq!(message("Retry-After: 44.5ms, allowed: 2000/minute"), Some(Duration::from_micros(44_500)));
        assert_eq!(message("retry-after: 3s"), Some(Duration::from_secs(3)));
        assert_eq!(message("retry-after: 1e999s"), None);
        assert_eq!(message("slow down"), None);
    }

    #[test]
    fn a_404_without_a_code_is_told_from_one_with_another_code() {
        for body in ["", "404 page not found", "<html>", r#"{"errors":[{"message":"no"}]}"#, r#"{"errors":[]}"#] {
            assert!(answer(404, body).is_404_without_code(), "{body}");
            assert!(!answer(403, body).is_404_without_code(), "{body}");
            assert!(
                !Answer { cut: Some(Unread::Cut("x".to_owned())), ..answer(404, body) }.is_404_without_code(),
                "{body}"
            );
            assert!(!Answer { from: Origin::Elsewhere, ..answer(404, body) }.is_404_without_code(), "{body}");
        }
        assert!(!answer(404, r#"{"errors":[{"message":"no"},{"code":"DENIED"}]}"#).is_404_without_code());
    }

    #[test]
    fn error_without_a_list_is_shown_and_proves_no_absence() {
        let json = r#"{"code":"NAME_UNKNOWN","message":"no such repository"}"#;
        let error = answer(404, json).unusable(&[]);
        assert_eq!(error.to_string(), "the registry answered 404 NAME_UNKNOWN: no such repository");
        assert!(!answer(404, json).proves_absence(&["NAME_UNKNOWN"]) && answer(404, json).is_404_without_code());
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

    #[test]
    fn every_error_of_an_answer_is_shown() {
        let shown = |status, body: &str| answer(status, body).unusable(&[]).to_string();
        let two = r#"{"errors":[{"message":"m","detail":{"a":"b"}},{"code":"X","message":"n"}]}"#;
        assert_eq!(shown(400, two), "the registry answered 400: m (a: b); X: n");
        let context: Vec<_> = answer(400, two).unusable(&[]).context().map(|(_, value)| value.to_owned()).collect();
        assert_eq!(context, ["400", "X"], "the first code");
        assert_eq!(shown(403, "<html><b>no</b> way</html>"), "the registry answered 403: no way");
        assert_eq!(shown(403, r#"{"message":"no"}"#), r#"the registry answered 403: {"message":"no"}"#);
    }

    #[test]
    fn a_secret_is_not_shown_where_a_tag_or_the_end_cuts_it() {
        let secrets = [Secret::new("a<b>cdef"), Secret::new("hunter2")];
        assert_eq!(answer(403, "<p>a<b>cdef</p>").words(&secrets), ": ***");
        assert_eq!(answer(403, "<p>a&lt;b&gt;cdef</p>").words(&secrets), ": ***");
        let cut = Answer { cut: Some(Unread::Cut("reset".to_owned())), ..answer(403, "{\"token\":\"hunte") };
        assert_eq!(cut.words(&secrets), ": {\"token\":\"*** (the body is cut: reset)");
        let no_login = Answer { no_login: Some("hunter2".to_owned()), ..answer(403, "") };
        assert_eq!(no_login.words(&secrets), " (no other login: ***)");
    }
}
