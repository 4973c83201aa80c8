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
    /// This status, without a body. Below 100 and over 999 it is 500.
    pub fn new(status: u16) -> HttpAnswer {
        HttpAnswer { status, content: None, is_cut: false }
    }

    /// With this body. A HEAD is answered with its length alone.
    #[must_use]
    pub fn with_body(self, content_type: impl Into<String>, body: impl Into<Bytes>) -> HttpAnswer {
        HttpAnswer { content: Some((content_type.into(), body.into())), ..self }
    }

    /// The connection is cut in the middle of the body.
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
