//! Fetches one token from a token server (distribution specification, *Token authentication* and *OAuth 2*).

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::Deserialize;

use super::answer::{Answer, Origin};
use super::attempts::{Again, Failure};
use super::auth::Login;
use super::challenge::Bearer;
use super::credentials::{Credentials, basic};
use super::fault::unanswered;
use super::host::{LONGEST_LIFE, Pass};
use super::http::{host_and_port, request};
use super::options::TokenScope;
use super::outside;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Secret, show};

/// The longest answer of a token server that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// The life of a token if its server does not name one (distribution specification).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

impl Login<'_> {
    /// A new token. In a move, all access that the move needs is requested at once. If that is refused and the request
    /// is a read, a token for `pull` alone is requested.
    pub(super) async fn token(&self, asked: &Bearer) -> Result<Pass> {
        let (credentials, _) = self.credentials().await?;
        if let Credentials::RegistryToken(token) = &credentials {
            return Pass::bearer(token, TokenScope::PullPush, LONGEST_LIFE);
        }
        let most = self.most();
        match self.ask(asked, &credentials, most).await {
            Err(refused) if refused.kind() == ErrorKind::RegistryDenied && self.access < most => {
                match self.ask(asked, &credentials, self.access).await {
                    Ok(less) => Ok(Pass { asked: most, ..less }),
                    Err(error) => Err(if error.kind() == refused.kind() { refused } else { error }),
                }
            }
            answer => answer,
        }
    }

    /// Asks the token server until there is a token, the server refuses, or there are no more retries or no more time.
    ///
    /// REGISTRY_DENIED if the server refuses the credentials or must not be asked, REGISTRY_BUSY if it requests a
    /// longer wait than is allowed, CONFIG_INVALID if the user cannot be sent, REGISTRY_UNAVAILABLE for everything
    /// else.
    async fn ask(&self, asked: &Bearer, credentials: &Credentials, access: TokenScope) -> Result<Pass> {
        let (http, realm) = (self.endpoint.http, self.realm(&asked.realm).await?);
        let scope = asked.scope_of(self.endpoint.repository.path(), access);
        let (host, secrets) = (host_and_port(&realm), http.secrets());
        let failed = |kind, why: &str| {
            Error::new(kind, format!("no token from {host} for {scope}: {why}")).with_context("realm", &host)
        };
        let mut attempts = self.attempts.of_another();
        loop {
            let request = self.request(&realm, asked, &scope, credentials)?;
            let failure = match attempts.send(request, Origin::Registry, Some(MAX_ANSWER)).await {
                Ok(Answer { status: StatusCode::OK, cut: None, body, .. }) => {
                    let (token, life) = token_of(&body)?;
                    http.keep(vec![token.clone()]);
                    return Pass::bearer(&token, access, life);
                }
                Ok(Answer { status: StatusCode::OK, cut: Some(why), .. }) => {
                    let error = failed(ErrorKind::RegistryUnavailable, &format!("its answer cannot be read: {why}"));
                    Failure { error, asked: None, again: Again::InTime }
                }
                Ok(answer) => {
                    let kind = match (answer.status, credentials) {
                        // OAuth 2 refuses credentials with 400 (RFC 6749, section 5.2).
                        (StatusCode::BAD_REQUEST, Credentials::IdentityToken(_)) => ErrorKind::RegistryDenied,
                        _ => answer.kind_of_error(),
                    };
                    let (status, words) = (answer.status.as_u16(), answer.words(&secrets));
                    let words = match answer.status.is_redirection() {
                        true => "; the redirect is not followed: its target would get the credentials".to_owned(),
                        false => words,
                    };
                    let error = failed(kind, &format!("it answered {status}{words}")).with_context("status", status);
                    if !matches!(status, 429 | 500..=599) {
                        return Err(error);
                    }
                    Failure::of(error, &answer)
                }
                Err(error) => {
                    let failure = unanswered(http, &realm, error);
                    failure.map(|error| failed(error.kind(), error.message()).with_retry(error.retry()))
                }
            };
            attempts.retry(failure).await?;
        }
    }

    fn request(&self, realm: &Url, asked: &Bearer, scope: &str, credentials: &Credentials) -> Result<RequestBuilder> {
        let (clients, service, mut url) = (&self.endpoint.clients.requests, asked.service.as_deref(), realm.clone());
        if let Credentials::IdentityToken(token) = credentials {
            // The form of a refresh request (RFC 6749, section 6).
            url.set_query(None);
            url.query_pairs_mut().extend_pairs([
                ("grant_type", "refresh_token"),
                ("service", service.unwrap_or_default()),
                ("client_id", "tagwarden"),
                ("scope", scope),
                ("refresh_token", token.reveal()),
            ]);
            let request = request(clients, Method::POST, realm).body(url.query().unwrap_or_default().to_owned());
            return Ok(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded"));
        }
        let service = service.map(|service| ("service", service));
        url.query_pairs_mut().extend_pairs(service.into_iter().chain([("scope", scope)]));
        let request = request(clients, Method::GET, &url);
        match credentials {
            Credentials::Password { user, password } => Ok(request.header(AUTHORIZATION, basic(user, password)?)),
            _ => Ok(request),
        }
    }

    /// The URL of the token server, if it may be asked.
    async fn realm(&self, realm: &str) -> Result<Url> {
        let (base, registry) = (&self.endpoint.base, self.endpoint.repository.registry());
        let refused = |host: &str, why: String| {
            let message = format!("the token server \"{host}\" of {registry} is not asked: {why}");
            Error::new(ErrorKind::RegistryDenied, message).with_context("realm", host)
        };
        let url = outside::realm(base, realm).map_err(|why| {
            let given = || show(realm, &self.endpoint.http.secrets());
            refused(&Url::parse(realm).map_or_else(|_| given(), |url| host_and_port(&url)), why)
        })?;
        let host = host_and_port(&url);
        if self.endpoint.http.token_servers.allow(registry, &url) {
            outside::named(&url).await.map_err(|why| refused(&host, why))?;
            return Ok(url);
        }
        let near = async {
            outside::same_site(base, &url)?;
            outside::addresses(base, &url).await
        };
        near.await.map_err(|why| {
            let allow = format!(
                "if it is right, allow it with `--token-server {host}`, or in tagwarden.toml, in [registry.\"{registry}\"], \
                 with `token-servers = [\"{host}\"]`"
            );
            refused(&host, format!("{why}; {allow}")).with_context("token_server", &host)
        })?;
        Ok(url)
    }
}

/// The token in a body, and its life.
fn token_of(body: &[u8]) -> Result<(Secret, Duration)> {
    #[derive(Deserialize)]
    struct Grant {
        token: Option<String>,
        access_token: Option<String>,
        expires_in: Option<f64>,
    }
    let unusable = |why: &str| Error::new(ErrorKind::RegistryUnavailable, format!("the token server's answer {why}"));
    // The parser's own error is not used, because it would quote the answer.
    let grant: Grant = serde_json::from_slice(body).map_err(|_| unusable("is not JSON of a token"))?;
    let token = grant.token.filter(|token| !token.is_empty()).or(grant.access_token).unwrap_or_default();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable("has no token that can be sent in a header"));
    }
    let life = grant.expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok((token.into(), life.unwrap_or(DEFAULT_LIFE)))
}
