//! `Authenticator`: chooses the `Authorization` header of a request.
//!
//! Nothing is requested in advance: the first request of a host goes directly to its resource, and a 401 names the
//! authentication that the host requires. This is remembered for the host, so that later requests, also for other
//! repositories, have the header from the start.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::time::Instant;

use super::challenge::{Bearer, Challenge};
use super::credentials::Credentials;
use super::endpoint::Endpoint;
use super::options::{OciOptions, TokenScope};
use super::outside;
use super::secret::Secret;
use super::token::{self, Ask, Authorization};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Clients;

/// The number of secrets that are remembered for redaction.
const MAX_SECRETS: usize = 64;
/// The longest time that a token is kept, even if its server names a longer one.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Answers the challenges of registries, and keeps the credentials and tokens.
#[derive(Debug)]
pub(super) struct Authenticator {
    options: Arc<OciOptions>,
    clients: Arc<Clients>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    secrets: Mutex<VecDeque<Secret>>,
    serial: AtomicU64,
}

#[derive(Debug, Default)]
struct Host {
    challenge: Mutex<Option<Challenge>>,
    /// The credentials, and the time at which they were looked up.
    credentials: tokio::sync::Mutex<Option<(Credentials, Instant)>>,
    tokens: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Held>>>>>,
}

/// A token of one repository. Its lock is held while a new token is fetched, so that requests that begin together share
/// one token.
#[derive(Debug)]
struct Held {
    pass: Pass,
    access: TokenScope,
    until: Instant,
}

/// The access that a request needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) access: TokenScope,
    /// The time at which the request ends.
    pub(super) deadline: Instant,
}

/// The authentication of a request.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    /// The `Authorization` header.
    pub(super) header: HeaderValue,
    /// The number of the pass; a renewed pass has another number.
    pub(super) serial: u64,
    /// The time at which the token was issued, or the password was looked up.
    pub(super) since: Instant,
}

impl Authenticator {
    pub(super) fn new(options: Arc<OciOptions>, clients: Arc<Clients>) -> Authenticator {
        Authenticator {
            options,
            clients,
            hosts: Mutex::default(),
            secrets: Mutex::default(),
            serial: AtomicU64::new(1),
        }
    }

    /// Every secret that was used, for redaction.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        lock(&self.secrets).iter().cloned().collect()
    }

    /// The pass for a first attempt; none if the host has not sent a challenge yet.
    pub(super) async fn known(&self, need: Need<'_>) -> Result<Option<Pass>> {
        let host = self.host(need.endpoint);
        let challenge = lock(&host.challenge).clone();
        match challenge {
            None => Ok(None),
            Some(challenge) => self.answer(&host, need, &challenge, None).await,
        }
    }

    /// The pass after a 401, or after a 403 to a pass that may have expired. `used` is the pass that was rejected.
    ///
    /// REGISTRY_DENIED if there are no (other) credentials.
    pub(super) async fn renew(&self, need: Need<'_>, challenges: &[&str], used: Option<&Pass>) -> Result<Pass> {
        let endpoint = need.endpoint;
        let host = self.host(endpoint);
        let challenge = if challenges.is_empty() {
            let known = lock(&host.challenge).clone();
            known.ok_or_else(|| denied(endpoint, "it refuses the request and does not say how to authenticate"))?
        } else {
            Challenge::select(challenges.iter().copied())?
        };
        *lock(&host.challenge) = Some(challenge.clone());
        let pass = self.answer(&host, need, &challenge, used).await?;
        pass.ok_or_else(|| denied(endpoint, "it wants a user and a password, and there are none for it"))
    }

    async fn answer(
        &self,
        host: &Host,
        need: Need<'_>,
        challenge: &Challenge,
        used: Option<&Pass>,
    ) -> Result<Option<Pass>> {
        let endpoint = need.endpoint;
        match challenge {
            Challenge::Basic => match self.credentials(host, endpoint, used).await? {
                (Credentials::Anonymous, _) => Ok(None),
                (Credentials::Password { user, password }, since) => {
                    Ok(Some(self.pass(token::basic(&user, &password)?, since)))
                }
                (Credentials::IdentityToken(_) | Credentials::RegistryToken(_), _) => {
                    Err(denied(endpoint, "it wants a user and a password, and there is only a token"))
                }
            },
            Challenge::Bearer(bearer) => {
                let slot = lock(&host.tokens).entry(endpoint.path.clone()).or_default().clone();
                let mut held = slot.lock().await;
                let good = |held: &&Held| {
                    Some(held.pass.serial) != used.map(|pass| pass.serial)
                        && held.access >= need.access
                        && Instant::now() < held.until
                };
                if let Some(held) = held.as_ref().filter(good) {
                    return Ok(Some(held.pass.clone()));
                }
                let new = self.token(host, need, bearer, used).await?;
                let pass = new.pass.clone();
                *held = Some(new);
                Ok(Some(pass))
            }
        }
    }

    /// Fetches a new token. It requests all access that a move needs at once; if that is refused and the request is a
    /// read, it requests only `pull`.
    async fn token(&self, host: &Host, need: Need<'_>, asked: &Bearer, used: Option<&Pass>) -> Result<Held> {
        let Need { endpoint, access: least, deadline } = need;
        let (credentials, _) = self.credentials(host, endpoint, used).await?;
        if let Credentials::RegistryToken(token) = &credentials {
            return self.held(token.clone(), TokenScope::PullPush, LONGEST_LIFE);
        }
        let realm = self.realm(endpoint, &asked.realm).await?;
        let most = self.options.access.max(least);
        let mut refused = None;
        for access in if least < most { vec![most, least] } else { vec![most] } {
            let scope = asked.scope_of(&endpoint.path, access);
            let ask = Ask {
                realm: realm.clone(),
                service: asked.service.as_deref(),
                scope: &scope,
                credentials: &credentials,
            };
            match token::fetch(&self.clients, &self.options, &ask, &self.secrets(), deadline).await {
                Ok(token) => return self.held(token.secret, access, token.life),
                Err(error) if error.kind() == ErrorKind::RegistryDenied => refused = refused.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| denied(endpoint, "it gives no token")))
    }

    fn held(&self, token: Secret, access: TokenScope, life: Duration) -> Result<Held> {
        // A token that expires during a request costs a round trip, so a token with a long life is replaced a little
        // before its end.
        let life = life.min(LONGEST_LIFE);
        let since = Instant::now();
        let until = since + life.saturating_sub((life / 10).min(Duration::from_secs(5)));
        Ok(Held { pass: self.pass(token::bearer(&token)?, since), access, until })
    }

    async fn realm(&self, endpoint: &Endpoint, realm: &str) -> Result<reqwest::Url> {
        let named = |host: &str| self.options.realms.contains(host);
        let refused = |why: String| {
            let host = reqwest::Url::parse(realm).ok().map(|url| super::endpoint::host_and_port(&url));
            let host = host.unwrap_or_default();
            let message = format!("the token server \"{host}\" is not asked: {why}; if it is right, allow it by name");
            Error::new(ErrorKind::RegistryDenied, message).with_context("realm", host)
        };
        let url = outside::realm(&endpoint.base, realm, named).map_err(refused)?;
        let by_name = url.host_str().is_some_and(named) || named(&super::endpoint::host_and_port(&url));
        if !by_name {
            outside::addresses(&endpoint.base, &url).await.map_err(refused)?;
        }
        Ok(url)
    }

    /// The credentials of a registry. They are looked up once, and again after a pass made from them was rejected,
    /// because a helper may have a new password by then.
    async fn credentials(
        &self,
        host: &Host,
        endpoint: &Endpoint,
        used: Option<&Pass>,
    ) -> Result<(Credentials, Instant)> {
        let mut known = host.credentials.lock().await;
        if let (Some(known), None) = (known.as_ref(), used) {
            return Ok(known.clone());
        }
        let found = match self.options.credentials.get(&endpoint.registry) {
            Some(given) => given.clone(),
            None => {
                let (options, registry) = (self.options.clone(), endpoint.registry.clone());
                tokio::task::spawn_blocking(move || options.lookup.find(&registry, options.docker_config.as_deref()))
                    .await
                    .map_err(|_| Error::new(ErrorKind::InternalFault, "the look-up of credentials did not end"))??
            }
        };
        match &found {
            Credentials::Anonymous => {}
            Credentials::Password { password: secret, .. }
            | Credentials::IdentityToken(secret)
            | Credentials::RegistryToken(secret) => self.keep(secret.clone()),
        }
        let found = (found, Instant::now());
        *known = Some(found.clone());
        Ok(found)
    }

    fn pass(&self, authorization: Authorization, since: Instant) -> Pass {
        self.keep(authorization.secret);
        Pass { header: authorization.header, serial: self.serial.fetch_add(1, Ordering::Relaxed), since }
    }

    fn keep(&self, secret: Secret) {
        let mut secrets = lock(&self.secrets);
        if !secrets.contains(&secret) {
            secrets.push_back(secret);
            if secrets.len() > MAX_SECRETS {
                secrets.pop_front();
            }
        }
    }

    fn host(&self, endpoint: &Endpoint) -> Arc<Host> {
        lock(&self.hosts).entry(endpoint.registry.clone()).or_default().clone()
    }
}

fn denied(endpoint: &Endpoint, why: &str) -> Error {
    Error::new(ErrorKind::RegistryDenied, format!("{} gives no access: {why}", endpoint.registry))
}

/// The values behind a poisoned lock are replaced as a whole, so they are still valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
