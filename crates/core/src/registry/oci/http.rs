//! Reads: one GET or HEAD, with authentication, redirects, retries and limits.

use std::sync::Arc;

use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::attempts::Attempts;
use super::auth::{Authenticator, Login};
use super::clients::{Unread, clients, describe, request};
use super::endpoint::{Endpoint, host_and_port};
use super::options::{OciOptions, TokenScope};
use super::outside;
use super::words::show;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Clients;

/// The largest number of redirects that one read follows.
const MAX_REDIRECTS: usize = 5;

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
    /// The method of the next request; after the read, that of the answer.
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
    pub(super) async fn read(&self, read: &mut Read<'_>, deadline: Instant) -> Result<Answer> {
        let mut attempts = Attempts::new(&self.options, deadline);
        let answer = timeout_at(deadline, self.read_until(read, &mut attempts)).await;
        answer.unwrap_or_else(|_| {
            let late = format!("no whole answer within {} s", self.options.total_timeout.as_secs_f64());
            Err(match attempts.arriving {
                Some(arriving) => Answer { cut: Some(late), ..arriving }.unusable(&self.auth.secrets()),
                None => attempts.last.unwrap_or_else(|| Error::new(ErrorKind::RegistryUnavailable, late)),
            })
        })
    }

    async fn read_until(&self, read: &mut Read<'_>, attempts: &mut Attempts<'_>) -> Result<Answer> {
        let mut login = self.auth.login(read.endpoint, TokenScope::Pull, attempts.deadline).await?;
        loop {
            let mut answer = self.once(read, &login, attempts).await;
            if let Ok(answer) = &mut answer
                && login.renew(answer).await?
            {
                continue;
            }
            let is_head_error = read.method == Method::HEAD && answer.as_ref().is_ok_and(|a| !a.status.is_success());
            if is_head_error {
                read.method = Method::GET;
            }
            let (error, asked) = match answer {
                Ok(answer) if is_passing(&answer) => (answer.unusable(&self.auth.secrets()), answer.asked_wait()),
                Ok(_) if is_head_error => continue,
                Ok(answer) => return Ok(answer),
                Err(Failed::Again(error)) => (error, None),
                Err(Failed::Final(error)) => return Err(attempts.note(error)),
            };
            match is_head_error {
                // The GET is the second part of the same attempt.
                true => attempts.wait(error, asked, attempts.failed).await?,
                false => attempts.retry(error, asked).await?,
            }
        }
    }

    /// Makes one attempt, including redirects.
    async fn once(&self, read: &Read<'_>, login: &Login<'_>, attempts: &mut Attempts<'_>) -> Result<Answer, Failed> {
        let mut url = read.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = request(&self.clients, read.method.clone(), &url);
            if let Some(accept) = read.accept {
                request = request.header(ACCEPT, accept);
            }
            let sent = login.send(request, read.endpoint.origin(&url)).await;
            let response = sent.map_err(|e| Failed::Again(self.unavailable(&url, &describe(e))))?;
            match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 => {
                    url = self.follow(read.endpoint, &url, &response).await.map_err(Failed::Final)?;
                }
                _ => return self.answer(read, &url, response, attempts).await,
            }
        }
        Err(Failed::Final(self.unavailable(&url, &format!("more than {MAX_REDIRECTS} redirects"))))
    }

    /// The target of a redirect, if it may be followed.
    async fn follow(&self, endpoint: &Endpoint, url: &Url, response: &Response) -> Result<Url> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let next = location.and_then(|location| url.join(location).ok());
        let next = next.ok_or_else(|| self.unavailable(url, "a redirect without a place to go to"))?;
        self.allowed(endpoint, url, next).await
    }

    /// The URL `to`, which an answer names, if it may be requested: never from https to http, never further inside a
    /// network.
    pub(super) async fn allowed(&self, endpoint: &Endpoint, from: &Url, to: Url) -> Result<Url> {
        let refused = |why: String| {
            let (from, to) = (host_and_port(from), host_and_port(&to));
            Error::new(ErrorKind::RegistryUnavailable, format!("{from} points at {to}, which is not asked: {why}"))
        };
        outside::redirect(from, &to).map_err(refused)?;
        outside::addresses(&endpoint.base, &to).await.map_err(refused)?;
        Ok(to)
    }

    async fn answer(
        &self,
        read: &Read<'_>,
        url: &Url,
        response: Response,
        attempts: &mut Attempts<'_>,
    ) -> Result<Answer, Failed> {
        let from = read.endpoint.origin(url);
        if !response.status().is_success() {
            let answer = Answer::error_of(response, from, &mut attempts.arriving).await;
            return match (answer.status, &answer.cut) {
                // The missing part of the body may contain the code that proves an absence.
                (StatusCode::NOT_FOUND, Some(_)) => Err(Failed::Again(answer.unusable(&self.auth.secrets()))),
                _ => Ok(answer),
            };
        }
        let Some(limit) = read.limit.filter(|_| read.method != Method::HEAD) else {
            return Ok(Answer::head(&response, from));
        };
        match Answer::whole(response, from, limit).await {
            Ok(answer) => Ok(answer),
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

/// True if another attempt may get a different answer.
fn is_passing(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 408 | 429 | 500 | 502..=599)
}
