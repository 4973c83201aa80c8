//! `Behaviour`: the refusals, redirects and faults that a test asks for, and the requests so far.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};

use super::Seen;

/// The behaviour that a test asked for, and the requests so far.
#[derive(Debug, Default)]
pub(super) struct Behaviour {
    pub(super) seen: Vec<Seen>,
    /// The answer that the next requests get.
    pub(super) status: Option<Status>,
    /// The value of the only `Authorization` header that is accepted.
    pub(super) login: Option<String>,
    /// The server to which every request is redirected.
    pub(super) redirect: Option<String>,
    pub(super) protocol_0: bool,
    /// The status with which the next update of a branch, and every request after it, is answered.
    pub(super) after_update: Option<u16>,
}

/// An answer without the repository.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) status: u16,
    pub(super) words: String,
    /// The text in the path of the requests that get this answer.
    pub(super) requests: &'static str,
    /// The number of requests that still get it.
    pub(super) left: usize,
}

impl Behaviour {
    /// The answer instead of that of the repository; none if the request is served.
    pub(super) fn refuse(&mut self, request: &Seen, target: &str) -> Option<Response<Body>> {
        let text = |status: StatusCode, words: &str| {
            let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "text/plain");
            answer.body(Body::from(words.to_owned())).expect("an answer")
        };
        if let Some(server) = &self.redirect {
            let answer = Response::builder().status(302).header(header::LOCATION, format!("{server}{target}"));
            return Some(answer.body(Body::empty()).expect("an answer"));
        }
        if let Some(answer) = self.status.as_mut().filter(|answer| answer.left > 0 && target.contains(answer.requests))
        {
            answer.left -= 1;
            let status = StatusCode::from_u16(answer.status).expect("a status");
            let answer = text(status, &answer.words);
            return Some(if status == StatusCode::UNAUTHORIZED { unauthorized(answer) } else { answer });
        }
        let login = self.login.as_deref()?;
        let [sent] = request.authorization.as_slice() else {
            // A request with two logins is refused like one without a login.
            return Some(unauthorized(text(StatusCode::UNAUTHORIZED, "log in\n")));
        };
        let same = |a: &str, b: &str| {
            let (a, b) = (a.split_once(' ').unwrap_or_default(), b.split_once(' ').unwrap_or_default());
            a.0.eq_ignore_ascii_case(b.0) && a.1 == b.1
        };
        (!same(sent, login)).then(|| unauthorized(text(StatusCode::UNAUTHORIZED, "not accepted\n")))
    }
}

fn unauthorized(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Basic realm=\"git\""));
    answer
}
