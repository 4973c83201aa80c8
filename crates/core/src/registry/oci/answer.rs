//! `Answer`: the answer of a registry, and its meaning.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AsHeaderName, HeaderMap, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};

use super::backoff;
use super::clients::error_body;
use super::secret::{Secret, redact, redact_end};
use super::words::{Said, show, text_of};
use crate::error::{Error, ErrorKind};
use crate::value::{Clock, SystemClock};

/// The answer to one request.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The method of the request.
    pub(super) method: Method,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body; that of an error has at most 64 KiB.
    pub(super) body: Bytes,
    /// The reason why the body is incomplete; none if it is complete.
    pub(super) cut: Option<String>,
    /// The reason why there was no other login for a second attempt; none if no other login was needed.
    pub(super) no_login: Option<String>,
    /// The host that answered.
    pub(super) from: Origin,
}

/// The host that answered a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The registry itself.
    Registry,
    /// A host to which the registry redirected. Its answers never prove absence, and it gets no credentials.
    Elsewhere,
}

/// An answer whose body is being read.
#[derive(Debug)]
pub(super) struct Arriving {
    head: Answer,
    body: BytesMut,
}

impl Arriving {
    /// The answer with the part of the body that was read.
    pub(super) fn cut(self, why: String) -> Answer {
        Answer { body: self.body.freeze(), cut: Some(why), ..self.head }
    }
}

impl Answer {
    /// The answer without its body.
    pub(super) fn head(method: &Method, response: &Response, from: Origin) -> Answer {
        let (status, headers) = (response.status(), response.headers().clone());
        let (body, cut, no_login) = (Bytes::new(), None, None);
        Answer { method: method.clone(), status, headers, body, cut, no_login, from }
    }

    /// Reads an error with as much of its body as arrives. `arriving` contains the answer while it is read.
    pub(super) async fn error_of(
        method: &Method,
        response: Response,
        from: Origin,
        arriving: &mut Option<Arriving>,
    ) -> Answer {
        let head = Answer::head(method, &response, from);
        let part = arriving.insert(Arriving { head: head.clone(), body: BytesMut::new() });
        let cut = error_body(response, &mut part.body).await;
        let body = std::mem::take(&mut part.body).freeze();
        *arriving = None;
        Answer { body, cut, ..head }
    }

    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The errors in the body; empty if the body is not the registry's JSON.
    pub(super) fn said(&self) -> Vec<Said> {
        Said::all(&self.body)
    }

    /// The wait that the answer requests.
    pub(super) fn asked_wait(&self) -> Option<Duration> {
        let messages: Vec<_> = self.said().into_iter().map(|said| said.message).collect();
        backoff::asked(self.header(RETRY_AFTER), &messages.join("\n"), SystemClock.now())
    }

    /// True if the registry itself answered, with a 404 and one of these codes, that the requested thing does not
    /// exist.
    pub(super) fn proves_absence(&self, codes: &[&str]) -> bool {
        self.is_whole_404() && self.said().iter().any(|said| codes.contains(&said.code.as_str()))
    }

    /// True if the registry itself answered 404 without a code. The specification allows that, but a gateway in front
    /// of the registry answers the same, so it is no proof.
    pub(super) fn is_404_without_code(&self) -> bool {
        self.is_whole_404() && self.said().iter().all(|said| said.code.is_empty())
    }

    fn is_whole_404(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.from == Origin::Registry && self.cut.is_none()
    }

    /// The error of an answer that a read cannot use. It says nothing about the existence of the requested thing.
    pub(super) fn unusable(&self, secrets: &[Secret]) -> Error {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::RegistryDenied,
            StatusCode::TOO_MANY_REQUESTS => ErrorKind::RegistryBusy,
            _ => ErrorKind::RegistryUnavailable,
        };
        self.error(kind, secrets)
    }

    /// An error of `kind` with the status and the registry's words.
    pub(super) fn error(&self, kind: ErrorKind, secrets: &[Secret]) -> Error {
        let shown = self.words(secrets);
        let error = Error::new(kind, format!("the registry answered {}{shown}", self.status.as_u16()))
            .with_context("status", self.status.as_u16());
        match self.said().iter().find(|said| !said.code.is_empty()) {
            Some(said) => error.with_context("registry_code", show(&said.code, secrets)),
            None => error,
        }
    }

    /// The text after the status: the code, message and detail of every error, or the text of the body, redacted and
    /// escaped, and then the reasons for a missing body or login.
    pub(super) fn words(&self, secrets: &[Secret]) -> String {
        let said = self.said();
        let words = match said.first() {
            Some(first) => {
                let all: Vec<_> = said.iter().map(Said::to_string).collect();
                format!("{}{}", if first.code.is_empty() { ": " } else { " " }, all.join("; "))
            }
            None => {
                // Redact before tags are removed, because a tag may split a secret, as the end of the text may.
                let text = redact(&String::from_utf8_lossy(&self.body), secrets);
                let text = if self.cut.is_some() { redact_end(&text, secrets) } else { text };
                let text = text_of(&text);
                if text.is_empty() { text } else { format!(": {text}") }
            }
        };
        let mut shown = show(&words, secrets);
        let notes = [("the body is cut", &self.cut), ("no other login", &self.no_login)];
        for (what, why) in notes.into_iter().filter_map(|(what, why)| why.as_ref().map(|why| (what, why))) {
            shown.push_str(&format!(" ({what}: {})", show(why, secrets)));
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            method: Method::GET,
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            cut: None,
            no_login: None,
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
        assert!(!Answer { cut: Some("x".to_owned()), ..answer(404, json) }.proves_absence(&codes));
    }

    #[test]
    fn a_404_without_a_code_is_told_from_one_with_another_code() {
        for body in ["", "404 page not found", "<html>", r#"{"errors":[{"message":"no"}]}"#, r#"{"errors":[]}"#] {
            assert!(answer(404, body).is_404_without_code(), "{body}");
            assert!(!answer(403, body).is_404_without_code(), "{body}");
            assert!(!Answer { cut: Some("x".to_owned()), ..answer(404, body) }.is_404_without_code(), "{body}");
            assert!(!Answer { from: Origin::Elsewhere, ..answer(404, body) }.is_404_without_code(), "{body}");
        }
        assert!(!answer(404, r#"{"errors":[{"message":"no"},{"code":"DENIED"}]}"#).is_404_without_code());
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
    fn every_word_that_came_is_shown() {
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
        let cut = Answer { cut: Some("reset".to_owned()), ..answer(403, "{\"token\":\"hunte") };
        assert_eq!(cut.words(&secrets), ": {\"token\":\"*** (the body is cut: reset)");
        let no_login = Answer { no_login: Some("hunter2".to_owned()), ..answer(403, "") };
        assert_eq!(no_login.words(&secrets), " (no other login: ***)");
    }
}
