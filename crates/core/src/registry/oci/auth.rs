//! `Login`: the `Authorization` header of a request.
//!
//! Nothing is requested in advance: the first request of a host goes directly to its resource, and a 401 names the
//! authentication that the host requires. This is remembered for the host, so that later requests, also for other
//! repositories, have the header from the start.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, StatusCode};
use tokio::time::Instant;

use super::answer::{Answer, Origin};
use super::attempts::Attempts;
use super::challenge::Challenge;
use super::credentials::{Credentials, Found, basic};
use super::endpoint::Endpoint;
use super::host::{Host, LONGEST_LIFE, Pass};
use super::http::lock;
use super::options::TokenScope;
use super::words::and;
use crate::error::{Error, ErrorKind, Result};

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
    /// None if the host has not sent a challenge yet.
    pass: Option<Pass>,
    renewed: bool,
}

impl<'a> Login<'a> {
    /// The login of a request that needs this access.
    pub(super) async fn new(endpoint: &'a Endpoint<'a>, scope: TokenScope, attempts: &'a mut Attempts) -> Result<Self> {
        let host = lock(&endpoint.http.hosts).entry(endpoint.repository.registry().to_owned()).or_default().clone();
        let challenge = lock(&host.challenge).clone();
        let mut login = Login { endpoint, access: scope, attempts, host, pass: None, renewed: false };
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
                    answer.anonymous = self.looked().await.filter(|_| to == Origin::Registry);
                }
                return Ok(Ok(answer));
            }
        }
    }

    /// True if the request is to be sent again, because there is another pass after a 401, or after a 403 to a pass
    /// that may have expired.
    ///
    /// If there is no other pass, then a 403 is the registry's answer to the request itself, and its `no_login` gets
    /// the reason. A 401 is then an error, which includes the registry's words: REGISTRY_DENIED if there are no (other)
    /// credentials.
    async fn renew(&mut self, answer: &mut Answer) -> Result<bool> {
        let is_old = self.pass.as_ref().is_some_and(|pass| pass.since.elapsed() > MAY_HAVE_EXPIRED);
        let may_help = answer.status == StatusCode::UNAUTHORIZED || (answer.status == StatusCode::FORBIDDEN && is_old);
        if !may_help || answer.from != Origin::Registry || std::mem::replace(&mut self.renewed, true) {
            return Ok(false);
        }
        match self.new_pass(answer).await {
            Ok(pass) => {
                self.pass = Some(pass);
                Ok(true)
            }
            Err(error) if answer.status == StatusCode::FORBIDDEN => {
                answer.no_login = Some(error.to_string());
                Ok(false)
            }
            Err(error) => Err(match answer.words(&self.endpoint.http.secrets()) {
                words if words.is_empty() => error,
                words => and(error.kind(), &error, &format!("the registry answered 401{words}")),
            }),
        }
    }

    async fn new_pass(&self, answer: &Answer) -> Result<Pass> {
        let challenges: Vec<&str> =
            answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
        let known = lock(&self.host.challenge).clone();
        let challenge = match known {
            _ if !challenges.is_empty() => Challenge::select(challenges)?,
            Some(known) => known,
            None => return Err(self.denied("it refuses the request and does not say how to authenticate")),
        };
        *lock(&self.host.challenge) = Some(challenge.clone());
        match self.answer(&challenge).await? {
            Some(pass) => Ok(pass),
            None => {
                let denied = self.denied("it wants a user and a password, and there are none for it");
                Err(self.anonymous(denied).await)
            }
        }
    }

    /// The pass for a challenge; none if it asks for a user and a password, and there are none.
    async fn answer(&self, challenge: &Challenge) -> Result<Option<Pass>> {
        match challenge {
            Challenge::Basic => match self.credentials().await? {
                (Credentials::Anonymous, _) => Ok(None),
                (Credentials::Password { user, password }, since) => {
                    Ok(Some(Pass::new(basic(&user, &password)?, TokenScope::PullPush, since, LONGEST_LIFE)))
                }
                _ => Err(self.denied("it wants a user and a password, and there is only a token")),
            },
            Challenge::Bearer(bearer) => {
                let path = self.endpoint.repository.path().to_owned();
                let slot = lock(&self.host.tokens).entry(path).or_default().clone();
                let mut held = slot.lock().await;
                let rejected = self.pass.as_ref().map(|pass| pass.since);
                let good = |pass: &&Pass| {
                    Some(pass.since) != rejected && pass.access >= self.access && Instant::now() < pass.until
                };
                if held.as_ref().filter(good).is_none() {
                    *held = match self.token(bearer).await {
                        Ok(token) => Some(token),
                        Err(error) => return Err(self.anonymous(error).await),
                    };
                }
                Ok(held.clone())
            }
        }
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

    /// The places in which no login was found; none if the request had a login, or no login was looked for.
    async fn looked(&self) -> Option<String> {
        let repository = self.endpoint.repository;
        self.host.credentials.lock().await.looked(repository.registry(), repository.path())
    }

    /// The error of a refusal. If the request was anonymous, it says so, and where a login was looked for.
    async fn anonymous(&self, error: Error) -> Error {
        match self.looked().await.filter(|_| error.kind() == ErrorKind::RegistryDenied) {
            Some(looked) => and(error.kind(), &error, &format!("the request was anonymous: {looked}")),
            None => error,
        }
    }

    fn denied(&self, why: &str) -> Error {
        let registry = self.endpoint.repository.registry();
        Error::new(ErrorKind::RegistryDenied, format!("{registry} gives no access: {why}"))
    }
}
