//! Reads: one GET or HEAD, with authentication, redirects, retries and limits.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Origin};
use super::attempts::Attempts;
use super::auth::{Authenticator, Need, Pass};
use super::clients::{Unread, body, clients, send};
use super::endpoint::{Endpoint, host_and_port};
use super::options::{OciOptions, TokenScope};
use super::words::{and, show};
use super::{backoff, outside};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Clients;

/// The largest number of redirects that one read follows.
const MAX_REDIRECTS: usize = 5;
/// ECR answers an expired login with 403. A login younger than this has not expired, so a 403 to it is a real refusal.
const MAY_HAVE_EXPIRED: Duration = Duration::from_secs(60);

/// The HTTP clients, their options and their logins.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) options: Arc<OciOptions>,
    pub(super) clients: Arc<Clients>,
    /// The clients for uploads, during which a registry may send nothing for a longer time.
    pub(super) uploads: Clients,
    pub(super) auth: Authenticator,
}

/// One read.
#[derive(Debug)]
pub(super) struct Read<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: Option<&'static str>,
    /// The greatest length of a successful answer's body; none if only the head matters.
    pub(super) limit: Option<usize>,
}

/// The reason why one attempt gave no answer.
enum Failed {
    /// Another attempt may succeed.
    Again(Error),
    Final(Error),
}

impl Http {
    pub(super) fn new(options: OciOptions) -> Result<Http> {
        let uploads = clients(&options, options.upload_timeout)?;
        let clients = Arc::new(clients(&options, options.idle_timeout)?);
        let options = Arc::new(options);
        let auth = Authenticator::new(options.clone(), clients.clone());
        Ok(Http { options, clients, uploads, auth })
    }

    /// The latest end of a read that begins now.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.options.total_timeout
    }

    /// The last answer to a read, except a 429, a redirect or a 5xx.
    ///
    /// A HEAD that is an error is repeated as a GET, because only a GET has a body, with the registry's words or the
    /// code that proves an absence. Some registries do not support HEAD (405).
    pub(super) async fn read(&self, read: &Read<'_>, deadline: Instant) -> Result<Answer> {
        let mut attempts = Attempts::default();
        match timeout_at(deadline, self.read_until(read, deadline, &mut attempts)).await {
            Ok(answer) => answer,
            Err(_) => {
                let late = format!("no whole answer within {} s", self.options.total_timeout.as_secs_f64());
                Err(match attempts.arriving.take() {
                    Some(arriving) => arriving.cut(late).unusable(&self.auth.secrets()),
                    None => attempts.last(|| Error::new(ErrorKind::RegistryUnavailable, late)),
                })
            }
        }
    }

    async fn read_until(&self, read: &Read<'_>, deadline: Instant, attempts: &mut Attempts) -> Result<Answer> {
        let need = Need { endpoint: read.endpoint, access: TokenScope::Pull, deadline };
        let mut pass = self.auth.known(need).await?;
        let mut method = read.method.clone();
        let mut renewed = false;
        let mut failed = 0;
        loop {
            let mut answer = self.once(read, &method, pass.as_ref(), attempts).await;
            if let Ok(answer) = &mut answer
                && !renewed
                && wants_renewal(answer, pass.as_ref())
            {
                renewed = true;
                let new = self.renew(need, answer, pass.as_ref()).await?;
                if new.is_some() {
                    pass = new;
                    continue;
                }
            }
            let is_head_error = method == Method::HEAD && answer.as_ref().is_ok_and(|a| !a.status.is_success());
            let (error, asked) = match answer {
                Ok(answer) if is_passing(&answer) => (answer.unusable(&self.auth.secrets()), answer.asked_wait()),
                Ok(_) if is_head_error => {
                    method = Method::GET;
                    continue;
                }
                Ok(answer) => return Ok(answer),
                Err(Failed::Again(error)) => (error, None),
                Err(Failed::Final(error)) => return Err(attempts.failed(error)),
            };
            let error = attempts.failed(error);
            if is_head_error {
                // The GET is the second part of the same attempt.
                method = Method::GET;
            } else {
                failed += 1;
            }
            backoff::retry(&self.options, error, asked, failed, deadline).await?;
        }
    }

    /// Another pass after this answer. If there is no other pass, then after a 403 the result is none, and `no_login`
    /// of the answer has the reason, because the 403 is the registry's answer to the request itself. After a 401 the
    /// result is an error, which includes the registry's words.
    pub(super) async fn renew(&self, need: Need<'_>, answer: &mut Answer, used: Option<&Pass>) -> Result<Option<Pass>> {
        let challenges: Vec<&str> =
            answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
        match self.auth.renew(need, &challenges, used).await {
            Ok(pass) => Ok(Some(pass)),
            Err(error) if answer.status == StatusCode::FORBIDDEN => {
                answer.no_login = Some(error.to_string());
                Ok(None)
            }
            Err(error) => Err(match answer.words(&self.auth.secrets()) {
                words if words.is_empty() => error,
                words => and(error.kind(), &error, &format!("the registry answered 401{words}")),
            }),
        }
    }

    /// Makes one attempt, including redirects.
    async fn once(
        &self,
        read: &Read<'_>,
        method: &Method,
        pass: Option<&Pass>,
        attempts: &mut Attempts,
    ) -> Result<Answer, Failed> {
        let mut url = read.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let from = if read.endpoint.owns(&url) { Origin::Registry } else { Origin::Elsewhere };
            let headers = headers(read.accept, pass.filter(|_| from == Origin::Registry));
            let sent = send(&self.clients, method.clone(), &url, headers, None).await;
            let response = sent.map_err(|lost| Failed::Again(self.unavailable(&url, lost.why())))?;
            match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 => url = self.follow(read.endpoint, &url, &response).await?,
                _ => return self.answer(read, method, (&url, from), response, attempts).await,
            }
        }
        Err(Failed::Final(self.unavailable(&url, &format!("more than {MAX_REDIRECTS} redirects"))))
    }

    /// The target of a redirect, if it may be followed.
    async fn follow(&self, endpoint: &Endpoint, url: &Url, response: &Response) -> Result<Url, Failed> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let next = location.and_then(|location| url.join(location).ok());
        let Some(next) = next else {
            return Err(Failed::Final(self.unavailable(url, "a redirect without a place to go to")));
        };
        self.may_go(endpoint, url, &next).await.map_err(Failed::Final)?;
        Ok(next)
    }

    /// Checks that a URL from the registry may be requested: never from https to http, never further inside a network.
    pub(super) async fn may_go(&self, endpoint: &Endpoint, from: &Url, to: &Url) -> Result<()> {
        let refused = |why: String| {
            let message = format!("{} points at {}, which is not asked: {why}", host_and_port(from), host_and_port(to));
            Error::new(ErrorKind::RegistryUnavailable, message)
        };
        outside::redirect(from, to).map_err(refused)?;
        outside::addresses(&endpoint.base, to).await.map_err(refused)
    }

    async fn answer(
        &self,
        read: &Read<'_>,
        method: &Method,
        (url, from): (&Url, Origin),
        response: Response,
        attempts: &mut Attempts,
    ) -> Result<Answer, Failed> {
        if !response.status().is_success() {
            let answer = Answer::error_of(method, response, from, &mut attempts.arriving).await;
            return match (answer.status, &answer.cut) {
                // The missing part of the body may contain the code that proves an absence.
                (StatusCode::NOT_FOUND, Some(_)) => Err(Failed::Again(answer.unusable(&self.auth.secrets()))),
                _ => Ok(answer),
            };
        }
        let head = Answer::head(method, &response, from);
        let Some(limit) = read.limit.filter(|_| *method != Method::HEAD) else { return Ok(head) };
        match body(response, limit).await {
            Ok(body) => Ok(Answer { body, ..head }),
            Err(Unread::Cut(why)) => Err(Failed::Again(self.unavailable(url, &format!("the body is cut: {why}")))),
            Err(Unread::TooLong(limit)) => {
                let message = format!("the answer has more than {limit} bytes");
                Err(Failed::Final(Error::new(ErrorKind::ManifestTooLarge, message)))
            }
            Err(why @ Unread::Compressed) => Err(Failed::Final(self.unavailable(url, &format!("the body: {why}")))),
        }
    }

    pub(super) fn unavailable(&self, url: &Url, why: &str) -> Error {
        let message = format!("{}: {}", host_and_port(url), show(why, &self.auth.secrets()));
        Error::new(ErrorKind::RegistryUnavailable, message)
    }
}

/// The headers of a request to the registry. Use `pass` only for the registry's own origin.
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

/// True if another attempt may get a different answer.
fn is_passing(answer: &Answer) -> bool {
    let status = answer.status;
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}
