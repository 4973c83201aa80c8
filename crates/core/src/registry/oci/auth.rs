//! `Login`: the `Authorization` header of a request.
//!
//! Nothing is requested in advance: the first request of a host goes directly to its resource, and a 401 names the
//! authentication that the host requires. This is remembered for the host, so that later requests, also for other
//! repositories, have the header from the start.
//!
//! A registry that hides its private repositories answers 403 or 404 instead. If there are credentials for the
//! registry, a request to `/v2/` gets the challenge, and the first request is sent again with the login.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{Method, RequestBuilder, StatusCode};
use tokio::time::Instant;

use super::answer::{Answer, Origin};
use super::attempts::{Attempts, Failure};
use super::challenge::Challenge;
use super::credentials::{Credentials, Found, TOKEN_USER, basic};
use super::endpoint::Endpoint;
use super::fault::unanswered;
use super::host::{Host, LONGEST_LIFE, Pass, RepositoryLogin};
use super::http::request;
use super::options::TokenScope;
use super::words::and;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;

/// ECR answers an expired login with 403. A login younger than this has not expired, so a 403 to it is a real refusal.
const MAY_HAVE_EXPIRED: Duration = Duration::from_secs(60);

/// The login of one request. It may be renewed once.
#[derive(Debug)]
pub(super) struct Login<'a> {
    pub(super) endpoint: &'a Endpoint<'a>,
    /// The access that the request needs.
    pub(super) access: TokenScope,
    pub(super) attempts: &'a mut Attempts,
    host: Arc<Host>,
    repository: Arc<RepositoryLogin>,
    /// None if the host has not sent a challenge yet.
    pass: Option<Pass>,
    renewed: bool,
    /// The reason why there is no other pass, after one was looked for.
    no_login: Option<String>,
}

impl<'a> Login<'a> {
    /// The login of a request that needs this access.
    pub(super) async fn new(endpoint: &'a Endpoint<'a>, scope: TokenScope, attempts: &'a mut Attempts) -> Result<Self> {
        let host = lock(&endpoint.http.hosts).get(endpoint.repository.registry());
        let repository = host.repository(endpoint.repository.path());
        let challenge = host.challenge(&repository);
        let mut login =
            Login { endpoint, access: scope, attempts, host, repository, pass: None, renewed: false, no_login: None };
        if let Some(challenge) = challenge {
            login.pass = login.answer(&challenge).await?;
        }
        Ok(login)
    }

    /// The answer to a request, which is sent once more if another login may change the answer. Only the registry
    /// itself gets the login. The inner error is that of a request without an answer.
    pub(super) async fn exchange(
        &mut self,
        to: Origin,
        limit: Option<usize>,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<reqwest::Result<Answer>> {
        loop {
            let pass = self.pass.iter().filter(|_| to == Origin::Registry);
            let request = pass.fold(request(), |request, pass| request.header(AUTHORIZATION, pass.header.clone()));
            let sent = self.attempts.send(request, to, limit).await;
            let Ok(mut answer) = sent else { return Ok(sent) };
            if !self.renew(&mut answer).await? {
                if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                    answer.login = self.login_words().await.filter(|_| to == Origin::Registry);
                }
                return Ok(Ok(answer));
            }
        }
    }

    /// True if the request must be sent again with another pass. A pass is looked for after a 401, after a 403 to a
    /// pass that may have expired, and after a 403 or a 404 to an anonymous request.
    ///
    /// If there is no other pass, a 401 is an error with the registry's words: REGISTRY_DENIED if there are no (other)
    /// credentials. A 403 or a 404 is then the answer to the request itself; its `no_login` gets the reason, unless the
    /// registry wants no login.
    async fn renew(&mut self, answer: &mut Answer) -> Result<bool> {
        let may_help = match (answer.status, &self.pass) {
            (StatusCode::UNAUTHORIZED, _) | (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, None) => true,
            (StatusCode::FORBIDDEN, Some(pass)) => pass.since.elapsed() > MAY_HAVE_EXPIRED,
            _ => false,
        };
        if !may_help || answer.from != Origin::Registry {
            return Ok(false);
        }
        if std::mem::replace(&mut self.renewed, true) {
            answer.no_login.clone_from(&self.no_login);
            return Ok(false);
        }
        let is_refused = answer.status == StatusCode::UNAUTHORIZED;
        match self.new_pass(answer).await {
            Ok(pass) => {
                let is_new = pass.is_some();
                self.pass = pass.or(self.pass.take());
                Ok(is_new)
            }
            // A broken configuration is an error of its own.
            Err(error) if !is_refused && error.kind() != ErrorKind::ConfigInvalid => {
                self.no_login = Some(error.to_string());
                answer.no_login.clone_from(&self.no_login);
                Ok(false)
            }
            Err(error) => Err(match answer.words(&self.endpoint.http.secrets()) {
                words if words.is_empty() => error,
                words => {
                    let status = answer.status.as_u16();
                    and(error.kind(), &error, &format!("the registry answered {status}{words}"))
                }
            }),
        }
    }

    /// The pass that may change this answer; none if the registry gave it to an anonymous request, and there are no
    /// credentials or the registry wants none.
    async fn new_pass(&self, answer: &Answer) -> Result<Option<Pass>> {
        let is_hidden = answer.status != StatusCode::UNAUTHORIZED && self.pass.is_none();
        if is_hidden {
            match self.credentials().await {
                Ok((Credentials::Anonymous, _)) => return Ok(None),
                // A registry without logins needs no credentials: do not fail because the look-up of credentials fails.
                Err(error) => return if self.root().await?.is_some() { Err(error) } else { Ok(None) },
                Ok(_) => {}
            }
        }
        let known = || self.host.challenge(&self.repository);
        let challenge = match Challenge::of(&answer.headers)?.or_else(known) {
            Some(challenge) => challenge,
            None => match self.root().await? {
                Some(challenge) => challenge,
                None if is_hidden => return Ok(None),
                None => {
                    return Err(self.denied("its answer has no challenge, so it is not known how to log in"));
                }
            },
        };
        self.host.learn(&self.repository, self.endpoint.repository.path(), &challenge);
        match self.answer(&challenge).await? {
            Some(pass) => Ok(Some(pass)),
            None => {
                let denied = self.denied("it wants a user and a password, and there are none for it");
                Err(self.with_login(denied).await)
            }
        }
    }

    /// The challenge of `/v2/`, which a registry with logins answers with 401; none if it has no challenge. It is asked
    /// once for each host, anonymously.
    async fn root(&self) -> Result<Option<Challenge>> {
        let ask = || async {
            let http = self.endpoint.http;
            let url = self.endpoint.root("v2/")?;
            let mut attempts = self.attempts.of_another();
            loop {
                let sent = attempts
                    .send(request(&self.endpoint.clients.requests, Method::GET, &url), Origin::Registry, None)
                    .await;
                let failure = match sent {
                    Ok(answer) if matches!(answer.status.as_u16(), 429 | 500..=599) => {
                        Failure::of(answer.unusable(&http.secrets()), &answer)
                    }
                    Ok(answer) => return Challenge::of(&answer.headers),
                    Err(error) => unanswered(http, &url, error),
                };
                attempts.retry(failure).await?;
            }
        };
        self.host.root.get_or_try_init(ask).await.cloned()
    }

    /// The pass for a challenge; none if it asks for a user and a password, and there are none.
    async fn answer(&self, challenge: &Challenge) -> Result<Option<Pass>> {
        match challenge {
            Challenge::Basic => match self.credentials().await? {
                (Credentials::Anonymous, _) => Ok(None),
                (Credentials::Password { user, password }, since) => {
                    Ok(Some(Pass::new(basic(&user, &password)?, TokenScope::PullPush, since, LONGEST_LIFE)))
                }
                (Credentials::IdentityToken(token), since) => {
                    Ok(Some(Pass::new(basic(TOKEN_USER, &token)?, TokenScope::PullPush, since, LONGEST_LIFE)))
                }
                _ => Err(self.denied("it wants a user and a password, and there is only a token")),
            },
            Challenge::Bearer(bearer) => {
                let mut held = self.repository.token.lock().await;
                let (rejected, most) = (self.pass.as_ref().map(|pass| pass.since), self.most());
                let good = |pass: &&Pass| {
                    Some(pass.since) != rejected
                        && pass.access >= self.access
                        && pass.asked >= most
                        && Instant::now() < pass.until
                };
                if held.as_ref().filter(good).is_none() {
                    *held = match self.token(bearer).await {
                        Ok(token) => Some(token),
                        Err(error) => return Err(self.with_login(error).await),
                    };
                }
                Ok(held.clone())
            }
        }
    }

    /// The access that a token is requested for: in a move all that the move needs.
    pub(super) fn most(&self) -> TokenScope {
        self.endpoint.http.access.max(self.access)
    }

    /// The credentials for the repository. They are looked up once, and again after a pass made from them was rejected,
    /// because a helper may have a new password by then.
    pub(super) async fn credentials(&self) -> Result<(Credentials, Instant)> {
        let repository = self.endpoint.repository;
        let (registry, path) = (repository.registry(), repository.path());
        let mut known = self.host.credentials.lock().await;
        if let (Some(known), None) = (known.get(path), &self.pass) {
            return Ok(known);
        }
        let options = &self.endpoint.http.options;
        let found = match options.given(registry) {
            Some(given) => Found::given(given.clone()),
            None => {
                let (lookup, path) = (options.lookup_of(registry), path.to_owned());
                tokio::task::spawn_blocking(move || lookup.find(&path))
                    .await
                    .map_err(|_| Error::new(ErrorKind::InternalFault, "the look-up of credentials did not end"))??
            }
        };
        self.endpoint.http.keep(found.credentials.secrets());
        Ok(known.learn(path, found))
    }

    /// The place of the login, or the places in which none was found; none if no login was looked for.
    async fn login_words(&self) -> Option<String> {
        let (registry, path) = (self.endpoint.repository.registry(), self.endpoint.repository.path());
        let known = self.host.credentials.lock().await;
        known.looked(registry, path).or_else(|| known.place(path))
    }

    /// The error of a refusal, with where a login was looked for, or with the place of the login that was refused.
    async fn with_login(&self, error: Error) -> Error {
        let (registry, path) = (self.endpoint.repository.registry(), self.endpoint.repository.path());
        let known = self.host.credentials.lock().await;
        let is_answer = error.context().any(|(name, _)| name == "status");
        let words = known.looked(registry, path).or_else(|| known.place(path).filter(|_| is_answer));
        match words.filter(|_| error.kind() == ErrorKind::RegistryDenied) {
            Some(words) => and(error.kind(), &error, &words),
            None => error,
        }
    }

    fn denied(&self, why: &str) -> Error {
        let registry = self.endpoint.repository.registry();
        Error::new(ErrorKind::RegistryDenied, format!("{registry} gives no access: {why}"))
    }
}
