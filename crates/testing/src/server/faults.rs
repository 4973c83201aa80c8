//! Faults on the wire.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use super::answer::Answer;
use super::http_answer::HttpAnswer;
use tagwarden::Digest;

/// A fault of one request and its answer on the wire. *Handled* means that the server does what the request asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpFault {
    /// No fault. It takes one place in the order of scripted faults.
    Pass,
    /// Not handled. Answers this status with an error body; a 401 has the server's challenge.
    Status(u16),
    /// Handled, but answered with this status.
    StatusAfter(u16),
    /// Not handled. Answers 429 TOOMANYREQUESTS.
    Busy(RetryAfter),
    /// Not handled. Sends this answer.
    Answer(HttpAnswer),
    /// Handled, but answered with this answer.
    AnswerAfter(HttpAnswer),
    /// Not handled. Redirects the client to this address with this status.
    Redirect(u16, String),
    /// Handled. The connection is cut in the middle of the answer's body.
    CutBody,
    /// Handled. Each byte of the answer's body is sent after this pause.
    Trickle(Duration),
    /// Not handled. The connection is closed without an answer.
    Closed,
    /// Handled. The connection is closed without an answer.
    ClosedAfter,
    /// Not handled and not answered. The connection stays open.
    Silent,
    /// Handled, but not answered. The connection stays open.
    SilentAfter,
    /// Handled after this delay.
    Slow(Duration),
    /// Handled. The answer's body is this many spaces, without a length header.
    Oversized(usize),
    /// Handled. The answer has this header with this value.
    Header(&'static str, String),
    /// Handled. The answer lacks this header.
    NoHeader(&'static str),
    /// Handled. The answer has this body.
    Body(Bytes),
}

/// The way a 429 tells the client when to retry (RFC 9110, section 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// `Retry-After` in whole seconds.
    Seconds(u64),
    /// `Retry-After` as a date: now plus this time, truncated to the second.
    Date(Duration),
    /// A number of milliseconds in the message, as GHCR does, and no header.
    Message(u64),
    /// No retry time.
    Unsaid,
}

impl HttpFault {
    /// The digest header has the digest of other bytes.
    pub fn wrong_digest() -> HttpFault {
        HttpFault::Header("docker-content-digest", Digest::of(b"other bytes").to_string())
    }

    /// The digest header is missing.
    pub fn no_digest() -> HttpFault {
        HttpFault::NoHeader("docker-content-digest")
    }

    /// A list of tags has `"tags":null`, as distribution 3.1.1 may answer.
    pub fn tags_null() -> HttpFault {
        HttpFault::Body(json!({ "name": "any", "tags": null }).to_string().into())
    }

    /// Not handled. Answers an HTML page with this status.
    pub fn html(status: u16) -> HttpFault {
        let page = "<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>";
        HttpFault::Answer(HttpAnswer::new(status).with_body("text/html; charset=utf-8", page))
    }

    /// The `Link` header names `target` as the next page of a list: the same page, another host, any text.
    pub fn link(target: &str) -> HttpFault {
        HttpFault::Header("link", format!("<{target}>; rel=\"next\""))
    }

    /// The answer of a fault that prevents the request from being handled.
    pub(super) fn instead(&self) -> Option<Answer> {
        match self {
            HttpFault::Status(status) => Some(of_status(*status)),
            HttpFault::Closed => Some(Answer::new(StatusCode::OK)),
            HttpFault::Busy(again) => Some(busy(*again)),
            HttpFault::Answer(answer) => Some(answer.answer()),
            HttpFault::Redirect(status, to) => Some(Answer::new(status_code(*status)).with(header::LOCATION, to)),
            _ => None,
        }
    }

    /// Changes the answer to a handled request.
    pub(super) fn after(&self, mut answer: Answer) -> Answer {
        match self {
            HttpFault::StatusAfter(status) => of_status(*status),
            HttpFault::AnswerAfter(given) => given.answer(),
            HttpFault::Header(name, value) => answer.with(HeaderName::from_static(name), value),
            HttpFault::NoHeader(name) => {
                answer.headers.remove(*name);
                answer
            }
            HttpFault::Body(body) => Answer { body: body.clone(), ..answer },
            HttpFault::Oversized(bytes) => Answer { body: vec![b' '; *bytes].into(), ..answer },
            _ => answer,
        }
    }

    fn cuts(&self) -> bool {
        match self {
            HttpFault::CutBody => true,
            HttpFault::Answer(answer) | HttpFault::AnswerAfter(answer) => answer.is_cut,
            _ => false,
        }
    }

    /// Sends an answer.
    pub(super) fn send(&self, answer: Answer, is_head: bool) -> Response<Body> {
        let Answer { status, headers, body } = answer;
        let length = body.len();
        let body = match self {
            _ if is_head => Body::empty(),
            _ if self.cuts() => cut(body.slice(..length / 2)),
            HttpFault::Trickle(each) => {
                let each = *each;
                Body::from_stream(stream::unfold(body, move |mut rest| async move {
                    if rest.is_empty() {
                        return None;
                    }
                    tokio::time::sleep(each).await;
                    Some((Ok::<_, Infallible>(rest.split_to(1)), rest))
                }))
            }
            HttpFault::Oversized(_) => Body::from_stream(stream::iter([Ok::<_, Infallible>(body)])),
            _ => Body::from(body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        let has_length = !matches!(self, HttpFault::Oversized(_))
            && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if has_length {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

/// A body of these bytes, followed by a cut. The cut is late enough for the bytes to be sent.
fn cut(bytes: Bytes) -> Body {
    Body::from_stream(stream::unfold(Some(bytes), |bytes| async move {
        match bytes? {
            sent if sent.is_empty() => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Err(std::io::Error::other("cut")), None))
            }
            bytes => Some((Ok(bytes), Some(Bytes::new()))),
        }
    }))
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn of_status(status: u16) -> Answer {
    let code = match status {
        401 => "UNAUTHORIZED",
        403 => "DENIED",
        404 => "MANIFEST_UNKNOWN",
        405 => "UNSUPPORTED",
        413 => "SIZE_INVALID",
        429 => "TOOMANYREQUESTS",
        _ => "UNKNOWN",
    };
    match status {
        200..=399 => Answer::new(status_code(status)),
        _ => Answer::error(status_code(status), code, "scripted by the test"),
    }
}

fn busy(again: RetryAfter) -> Answer {
    let status = StatusCode::TOO_MANY_REQUESTS;
    let answer = Answer::error(status, "TOOMANYREQUESTS", "slow down");
    match again {
        RetryAfter::Seconds(seconds) => answer.with(header::RETRY_AFTER, seconds.to_string()),
        RetryAfter::Date(later) => {
            let ms = i64::try_from(later.as_millis()).unwrap_or(i64::MAX);
            answer.with(header::RETRY_AFTER, http_date(ms))
        }
        RetryAfter::Message(ms) => {
            let message = format!("retry-after: {ms}ms, allowed: 44000/minute");
            Answer::error(status, "TOOMANYREQUESTS", &message)
        }
        RetryAfter::Unsaid => answer,
    }
}

/// The time that is this many milliseconds from now (in the past if negative) as an HTTP date (RFC 9110, section 5.6.7,
/// IMF-fixdate), truncated to the second: `Mon, 23 Nov 2026 06:12:31 GMT`.
pub(super) fn http_date(later_ms: i64) -> String {
    let at_ms = jiff::Timestamp::now().as_millisecond().saturating_add(later_ms);
    let (first, last) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    let at_ms = at_ms.clamp(first.as_millisecond(), last.as_millisecond());
    // Every millisecond between the first and the last timestamp is valid.
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(last);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_date_is_one() {
        for later_ms in [0, 60_000, -3_600_000, i64::MAX] {
            let date = http_date(later_ms);
            assert_eq!((date.len(), &date[25..]), (29, " GMT"), "{date}");
        }
        assert!(http_date(i64::MIN).ends_with(" GMT"));
    }
}
