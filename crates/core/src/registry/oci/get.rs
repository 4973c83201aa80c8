//! `Read`: one GET or HEAD, with authentication, redirects, retries and limits.

use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{Method, Url};
use tokio::time::timeout_at;

use super::answer::{Answer, Unread};
use super::attempts::{Attempts, CallTime, Failure};
use super::auth::Login;
use super::endpoint::Endpoint;
use super::fault::{lacks_reason, unanswered, wants_tls};
use super::http::request;
use super::options::TokenScope;
use crate::error::{Error, ErrorKind, Result};

/// The largest number of redirects that one read follows.
const MAX_REDIRECTS: usize = 5;

/// One read.
#[derive(Debug)]
pub(super) struct Read<'a> {
    pub(super) endpoint: &'a Endpoint<'a>,
    /// The method of the next request; after the read, that of the answer.
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: &'static str,
    /// The greatest length of a successful answer's body; none if only the status and the headers matter.
    pub(super) limit: Option<usize>,
}

impl Read<'_> {
    /// The last answer, except a 429, a redirect or a 5xx.
    ///
    /// A HEAD that is an error is repeated as a GET, because only a GET has a body, with the registry's words or the
    /// code that proves an absence. Some registries do not support HEAD (405).
    pub(super) async fn answer(&mut self, time: CallTime) -> Result<Answer> {
        let http = self.endpoint.http;
        let mut attempts = Attempts::of_a_read(time, self.endpoint.watch());
        let answer = timeout_at(time.end, self.until(&mut attempts)).await;
        answer.unwrap_or_else(|_| {
            let late = format!("no whole answer within {} s", time.seconds());
            Err(match attempts.arriving.filter(|arriving| !arriving.status.is_success()) {
                Some(arriving) => Answer { cut: Some(Unread::Cut(late)), ..arriving }.unusable(&http.secrets()),
                None => attempts.last.unwrap_or_else(|| Error::new(ErrorKind::RegistryUnavailable, late)),
            })
        })
    }

    async fn until(&mut self, attempts: &mut Attempts) -> Result<Answer> {
        loop {
            // A login per attempt, because a token may expire during the pauses.
            let mut login = Login::new(self.endpoint, TokenScope::Pull, attempts).await?;
            match self.attempt(&mut login).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => attempts.retry(failure).await?,
                Err(error) => return Err(attempts.note(error)),
            }
        }
    }

    /// Makes one attempt: a HEAD that is an error, and the GET after it, are one.
    async fn attempt(&mut self, login: &mut Login<'_>) -> Result<Result<Answer, Failure>> {
        let http = self.endpoint.http;
        let passing = |answer: Answer| match is_passing(&answer) {
            true => Err(Failure::of(answer.unusable(&http.secrets()), &answer)),
            false => Ok(answer),
        };
        let answered = self.once(login).await?;
        let is_head_error = self.method == Method::HEAD && answered.as_ref().is_ok_and(|a| !a.status.is_success());
        if !is_head_error {
            return Ok(answered.and_then(passing));
        }
        self.method = Method::GET;
        match answered.and_then(passing) {
            // The registry asks for a pause, so the GET waits, too.
            Err(failure) if failure.asked.is_some() => return Ok(Err(failure)),
            Err(failure) => drop(login.attempts.note(failure.error)),
            Ok(_) => {}
        }
        Ok(self.once(login).await?.and_then(passing))
    }

    /// Makes one request, including redirects.
    async fn once(&self, login: &mut Login<'_>) -> Result<Result<Answer, Failure>> {
        let http = self.endpoint.http;
        let limit = self.limit.filter(|_| self.method != Method::HEAD);
        let mut url = self.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let unavailable = |why: &str| http.unavailable(&url, why);
            let (origin, clients) = (self.endpoint.origin(&url), &self.endpoint.clients);
            let build = |clients| request(clients, self.method.clone(), &url).header(ACCEPT, self.accept);
            let mut answer = login.exchange(origin, limit, || build(&clients.requests)).await?;
            if answer.as_ref().is_err_and(|error| lacks_reason(error, &url)) {
                answer = login.exchange(origin, limit, || build(&clients.requests_of_http1)).await?;
            }
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => return Ok(Err(unanswered(http, &url, error))),
            };
            if let Some(error) = wants_tls(http, &url, &answer) {
                return Err(error);
            }
            match (answer.status.as_u16(), &answer.cut) {
                (301 | 302 | 303 | 307 | 308, _) => {
                    let next = answer.header(LOCATION).and_then(|location| url.join(location).ok());
                    let next = next.ok_or_else(|| unavailable("a redirect without a usable Location"))?;
                    url = self.endpoint.allowed(&url, next).await?;
                }
                // The missing part of the body may contain the code that proves an absence.
                (404, Some(_)) => return Ok(Err(Failure::of(answer.unusable(&http.secrets()), &answer))),
                (200..=299, Some(Unread::Cut(why))) => {
                    return Ok(Err(Failure::of(unavailable(&format!("the body is cut: {why}")), &answer)));
                }
                (200..=299, Some(Unread::TooLong(limit))) => {
                    let message = format!("the answer has more than {limit} bytes");
                    return Err(Error::new(ErrorKind::ManifestTooLarge, message));
                }
                (200..=299, Some(why)) => return Err(unavailable(&format!("the body: {why}"))),
                _ => return Ok(Ok(answer)),
            }
        }
        Err(http.unavailable(&url, &format!("more than {MAX_REDIRECTS} redirects")))
    }
}

/// True if another attempt may get a different answer.
pub(super) fn is_passing(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 408 | 429 | 500 | 502..=599)
}
