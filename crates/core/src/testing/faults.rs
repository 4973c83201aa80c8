//! Faults on the wire.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use super::answer::Answer;
use super::http_answer::HttpAnswer;
use super::log::Seen;
use crate::value::Digest;

/// What happens to a request and its answer on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpFault {
    /// Nothing. It stands for its place in the order.
    Pass,
    /// Nothing is done, and this status is answered with an error body; 401 comes with the server's challenge.
    Status(u16),
    /// It is done, and this status is answered all the same.
    StatusAfter(u16),
    /// Nothing is done, and 429 TOOMANYREQUESTS is answered.
    Busy(RetryAfter),
    /// Nothing is done, and this is answered.
    Answer(HttpAnswer),
    /// It is done, and this is answered all the same.
    AnswerAfter(HttpAnswer),
    /// Nothing is done, and the client is sent to this address with this status.
    Redirect(u16, String),
    /// It is done, and the connection is cut in the middle of the answer's body.
    CutBody,
    /// It is done, and each byte of the answer's body comes after this time.
    Trickle(Duration),
    /// Nothing is done, and the connection is closed without an answer.
    Closed,
    /// It is done, and the connection is closed without an answer.
    ClosedAfter,
    /// Nothing is done and nothing is answered; the connection stays open.
    Silent,
    /// It is done and nothing is answered; the connection stays open.
    SilentAfter,
    /// Nothing happens for this long.
    Slow(Duration),
    /// It is done, and the answer's body is this many bytes of spaces, without a length.
    Oversized(usize),
    /// It is done, and the answer has this value of this header.
    Header(&'static str, String),
    /// It is done, and the answer lacks this header.
    NoHeader(&'static str),
    /// It is done, and the answer's body is this one.
    Body(Bytes),
}

/// How a 429 says when to come again (RFC 9110, section 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// `Retry-After` in whole seconds.
    Seconds(u64),
    /// `Retry-After` as a date: this long from now, cut to the second.
    Date(Duration),
    /// No header, but milliseconds in the message, as GHCR does.
    Message(u64),
    /// Not at all.
    Unsaid,
}

impl HttpFault {
    /// The digest header names other bytes.
    pub fn wrong_digest() -> HttpFault {
        HttpFault::Header("docker-content-digest", Digest::of(b"other bytes").to_string())
    }

    /// The digest header is missing.
    pub fn no_digest() -> HttpFault {
        HttpFault::NoHeader("docker-content-digest")
    }

    /// A list of tags says `"tags":null`, as distribution 3.1.1 may.
    pub fn tags_null() -> HttpFault {
        HttpFault::Body(json!({ "name": "any", "tags": null }).to_string().into())
    }

    /// Nothing is done, and a page of HTML is answered with this status.
    pub fn html(status: u16) -> HttpFault {
        let page = "<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>";
        HttpFault::Answer(HttpAnswer::new(status).with_body("text/html; charset=utf-8", page))
    }

    /// The next page of a list is said to be at `target`: itself, another host, anything.
    pub fn link(target: &str) -> HttpFault {
        HttpFault::Header("link", format!("<{target}>; rel=\"next\""))
    }

    /// What is answered instead of doing anything.
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

    /// What becomes of an answer to what was done.
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

/// A body of these bytes and then a cut, late enough for the bytes to be sent.
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
        _ => Answer::error(status_code(status), code, "as it was told to"),
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

/// The moment so many milliseconds from now (before now if negative) as an HTTP date (RFC 9110, section 5.6.7,
/// IMF-fixdate), cut to the second: `Mon, 23 Nov 2026 06:12:31 GMT`.
pub(super) fn http_date(later_ms: i64) -> String {
    let at_ms = jiff::Timestamp::now().as_millisecond().saturating_add(later_ms);
    let (first, last) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    let at_ms = at_ms.clamp(first.as_millisecond(), last.as_millisecond());
    // Between the first and the last timestamp each millisecond is one.
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(last);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Which requests a fault waits for.
enum When {
    Any,
    Matches(Box<dyn Fn(&Seen) -> bool + Send>),
}

/// The faults to come, and those that stay.
#[derive(Default)]
pub(super) struct WireScript {
    next: VecDeque<(When, HttpFault)>,
    always: Vec<(When, HttpFault)>,
}

impl WireScript {
    pub(super) fn push(&mut self, fault: HttpFault) {
        self.next.push_back((When::Any, fault));
    }

    pub(super) fn push_when(&mut self, when: Box<dyn Fn(&Seen) -> bool + Send>, fault: HttpFault) {
        self.next.push_back((When::Matches(when), fault));
    }

    pub(super) fn push_always(&mut self, when: Box<dyn Fn(&Seen) -> bool + Send>, fault: HttpFault) {
        self.always.push((When::Matches(when), fault));
    }

    pub(super) fn take(&mut self, seen: &Seen) -> HttpFault {
        let takes = |when: &When| match when {
            When::Any => true,
            When::Matches(predicate) => predicate(seen),
        };
        let next = self.next.iter().position(|(when, _)| takes(when)).and_then(|at| self.next.remove(at));
        match next {
            Some((_, fault)) => fault,
            None => self.always.iter().find(|(when, _)| takes(when)).map_or(HttpFault::Pass, |(_, f)| f.clone()),
        }
    }

    pub(super) fn clear(&mut self) {
        *self = WireScript::default();
    }

    pub(super) fn left(&self) -> usize {
        self.next.len()
    }
}

impl fmt::Debug for WireScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.next.iter().chain(&self.always).map(|(_, fault)| fault)).finish()
    }
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
