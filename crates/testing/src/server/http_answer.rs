//! `HttpAnswer`: an answer that a test writes itself.

use axum::http::StatusCode;
use bytes::Bytes;

use super::answer::Answer;

/// An answer in place of the server's own, for [`HttpFault::Answer`](super::HttpFault::Answer) and
/// [`HttpFault::AnswerAfter`](super::HttpFault::AnswerAfter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    status: u16,
    content: Option<(String, Bytes)>,
    pub(super) is_cut: bool,
}

impl HttpAnswer {
    /// An answer with this status and no body. A status below 100 or over 999 becomes 500.
    pub fn new(status: u16) -> HttpAnswer {
        HttpAnswer { status, content: None, is_cut: false }
    }

    /// Adds this body. The answer to a HEAD has the length of the body only.
    #[must_use]
    pub fn with_body(self, content_type: impl Into<String>, body: impl Into<Bytes>) -> HttpAnswer {
        HttpAnswer { content: Some((content_type.into(), body.into())), ..self }
    }

    /// Cuts the connection in the middle of the body.
    #[must_use]
    pub fn cut(self) -> HttpAnswer {
        HttpAnswer { is_cut: true, ..self }
    }

    pub(super) fn answer(&self) -> Answer {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match &self.content {
            Some((content_type, body)) => Answer::body(status, content_type, body.clone()),
            None => Answer::new(status),
        }
    }
}
