//! Reads: authentication, redirects, retries and limits around one GET or HEAD.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Origin, show};
use super::auth::{Authenticator, Pass};
use super::clients::{Clients, Unread, body};
use super::endpoint::{Endpoint, host_and_port};
use super::options::{Access, OciOptions};
use super::{backoff, outside};
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Clock, SystemClock};

/// The most redirects that one read follows.
const MAX_REDIRECTS: usize = 5;
/// The longest error body that is read, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// ECR answers an expired login with 403. One that is younger than this has not expired, so a 403 to it is meant.
const MAY_HAVE_EXPIRED: Duration = Duration::from_secs(60);

/// The clients, what they may do, and what they have learned.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) options: Arc<OciOptions>,
    pub(super) clients: Arc<Clients>,
    pub(super) auth: Authenticator,
}

/// One read.
#[derive(Debug)]
pub(super) struct Read<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: Option<&'static str>,
    pub(super) body: Body,
}

/// What of a good answer's body is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// Nothing: that there is one is all that is asked.
    Unread,
    /// All of it, if it has at most this many bytes.
    UpTo(usize),
}

/// Why one attempt did not end in an answer.
enum Failed {
    /// Another attempt may do better.
    Again(Error),
    Final(Error),
}

impl Http {
    pub(super) fn new(options: OciOptions) -> Result<Http> {
        let clients = Arc::new(Clients::new(&options)?);
        let options = Arc::new(options);
        let auth = Authenticator::new(options.clone(), clients.clone());
        Ok(Http { options, clients, auth })
    }

    /// When a read that begins now must have ended.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.options.total_timeout
    }

    /// The answer to a read: whatever the registry said at last, except a 401, a 429, a redirect or a 5xx.
    pub(super) async fn read(&self, read: &Read<'_>, deadline: Instant) -> Result<Answer> {
        let mut last = None;
        match timeout_at(deadline, self.read_until(read, deadline, &mut last)).await {
            Ok(answer) => answer,
            Err(_) => Err(last.unwrap_or_else(|| {
                let time = self.options.total_timeout.as_secs_f64();
                Error::new(ErrorKind::RegistryUnavailable, format!("no whole answer within {time} s"))
            })),
        }
    }

    async fn read_until(&self, read: &Read<'_>, deadline: Instant, last: &mut Option<Error>) -> Result<Answer> {
        let mut pass = self.auth.known(read.endpoint, Access::Pull, deadline).await?;
        let mut renewed = false;
        let mut failed = 0;
        loop {
            let (error, asked) = match self.once(read, pass.as_ref()).await {
                Ok(answer) if !renewed && wants_renewal(&answer, pass.as_ref()) => {
                    renewed = true;
                    pass = Some(self.renew(read.endpoint, Access::Pull, &answer, pass.as_ref(), deadline).await?);
                    continue;
                }
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
                    return Err(answer.unusable(&self.auth.secrets()));
                }
                Ok(answer) if is_passing(answer.status) => {
                    let asked = asked_wait(&answer);
                    (answer.unusable(&self.auth.secrets()), asked)
                }
                Ok(answer) => return Ok(answer),
                Err(Failed::Again(error)) => (error, None),
                Err(Failed::Final(error)) => return Err(error),
            };
            failed += 1;
            let wait = self.wait(error, asked, failed, deadline)?;
            *last = Some(wait.because);
            tokio::time::sleep(wait.time).await;
        }
    }

    /// How long to wait before the next attempt, or the error if there is to be none.
    pub(super) fn wait(&self, error: Error, asked: Option<Duration>, failed: u32, deadline: Instant) -> Result<Wait> {
        if failed > self.options.retries {
            return Err(error);
        }
        let time = asked.unwrap_or_else(|| backoff::pause(failed));
        let left = deadline.saturating_duration_since(Instant::now());
        match (time < left && time <= self.options.max_retry_after, asked) {
            (true, _) => Ok(Wait { time, because: error }),
            (false, None) => Err(error),
            (false, Some(asked)) => {
                let most = left.min(self.options.max_retry_after).as_secs_f64();
                let message =
                    format!("{error}; it asks to wait for {} s, {most:.1} s may be waited", asked.as_secs_f64());
                Err(error
                    .context()
                    .fold(Error::new(ErrorKind::RegistryBusy, message), |new, (name, value)| new.with(name, value)))
            }
        }
    }

    pub(super) async fn renew(
        &self,
        endpoint: &Endpoint,
        need: Access,
        answer: &Answer,
        used: Option<&Pass>,
        deadline: Instant,
    ) -> Result<Pass> {
        let challenges: Vec<&str> =
            answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
        self.auth.renew(endpoint, need, &challenges, used, deadline).await
    }

    /// One attempt, redirects included.
    async fn once(&self, read: &Read<'_>, pass: Option<&Pass>) -> Result<Answer, Failed> {
        let mut url = read.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let from = if read.endpoint.owns(&url) { Origin::Registry } else { Origin::Elsewhere };
            let headers = headers(read.accept, pass.filter(|_| from == Origin::Registry));
            let sent = self.clients.send(read.method.clone(), &url, headers, None).await;
            let response = sent.map_err(|lost| Failed::Again(self.unavailable(&url, lost.why())))?;
            match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 => url = self.follow(read.endpoint, &url, &response).await?,
                _ => return self.answer(read, &url, from, response).await,
            }
        }
        Err(Failed::Final(self.unavailable(&url, &format!("more than {MAX_REDIRECTS} redirects"))))
    }

    /// Where a redirect leads, if it may be followed.
    async fn follow(&self, endpoint: &Endpoint, url: &Url, response: &Response) -> Result<Url, Failed> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let next = location.and_then(|location| url.join(location).ok());
        let Some(next) = next else {
            return Err(Failed::Final(self.unavailable(url, "a redirect without a place to go to")));
        };
        self.may_go(endpoint, url, &next).await.map_err(Failed::Final)?;
        Ok(next)
    }

    /// Whether what the registry points at may be asked: never from https to http, never further inside a network.
    pub(super) async fn may_go(&self, endpoint: &Endpoint, from: &Url, to: &Url) -> Result<()> {
        let refused = |why: String| {
            let message = format!("{} points at {}, which is not asked: {why}", host_and_port(from), host_and_port(to));
            Error::new(ErrorKind::RegistryUnavailable, message)
        };
        outside::redirect(from, to).map_err(refused)?;
        outside::addresses(endpoint.base(), to).await.map_err(refused)
    }

    async fn answer(&self, read: &Read<'_>, url: &Url, from: Origin, response: Response) -> Result<Answer, Failed> {
        let (status, headers) = (response.status(), response.headers().clone());
        let limit = match (status.is_success(), read.body) {
            (true, Body::Unread) => None,
            (true, Body::UpTo(limit)) => Some(limit),
            (false, _) => Some(MAX_ERROR_BODY),
        };
        let whole = match limit {
            Some(limit) if read.method != Method::HEAD => body(response, limit).await,
            _ => Ok(bytes::Bytes::new()),
        };
        let body = match whole {
            Ok(body) => body,
            Err(Unread::Cut(why)) => {
                return Err(Failed::Again(self.unavailable(url, &format!("the body is cut: {why}"))));
            }
            // The status of an error says enough without its body.
            Err(_) if !status.is_success() => bytes::Bytes::new(),
            Err(Unread::TooLong) => {
                let message = format!("the answer has more than {} bytes", limit.unwrap_or_default());
                return Err(Failed::Final(Error::new(ErrorKind::ManifestTooLarge, message)));
            }
            Err(Unread::Compressed) => {
                return Err(Failed::Final(self.unavailable(url, "the body is compressed, which was not asked for")));
            }
        };
        Ok(Answer { status, headers, body, from })
    }

    pub(super) fn unavailable(&self, url: &Url, why: &str) -> Error {
        let message = format!("{}: {}", host_and_port(url), show(why, &self.auth.secrets()));
        Error::new(ErrorKind::RegistryUnavailable, message)
    }
}

/// A pause, and the error that it is made for.
pub(super) struct Wait {
    pub(super) time: Duration,
    pub(super) because: Error,
}

/// The headers of a request to the registry; `pass` is for the registry's own origin only.
pub(super) fn headers(accept: Option<&'static str>, pass: Option<&Pass>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(accept) = accept {
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
    }
    if let Some(pass) = pass {
        headers.insert(AUTHORIZATION, pass.header.clone());
    }
    headers
}

/// True if another pass may change the answer.
pub(super) fn wants_renewal(answer: &Answer, pass: Option<&Pass>) -> bool {
    answer.from == Origin::Registry
        && match answer.status {
            StatusCode::UNAUTHORIZED => true,
            StatusCode::FORBIDDEN => pass.is_some_and(|pass| pass.since.elapsed() > MAY_HAVE_EXPIRED),
            _ => false,
        }
}

/// True for answers that another attempt may not get.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

/// The wait that an answer asks for.
pub(super) fn asked_wait(answer: &Answer) -> Option<Duration> {
    let said = answer.said().into_iter().next();
    let message = said.map(|said| said.message).unwrap_or_default();
    backoff::asked(answer.header(RETRY_AFTER), &message, SystemClock.now())
}
