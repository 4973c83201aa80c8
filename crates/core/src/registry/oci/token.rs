//! Fetches one token from a token server (distribution specification, *Token authentication* and *OAuth 2*).

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::answer::{Answer, Origin};
use super::attempts::Attempts;
use super::clients::{describe, request};
use super::credentials::{Credentials, basic};
use super::endpoint::host_and_port;
use super::options::OciOptions;
use super::secret::Secret;
use super::words::show;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Clients;

/// The longest answer of a token server that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// The life of a token if its server does not name one (distribution specification).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// The request for a token.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) clients: &'a Clients,
    pub(super) options: &'a OciOptions,
    /// The token server's URL, which has been checked.
    pub(super) realm: &'a Url,
    pub(super) service: Option<&'a str>,
    pub(super) scope: String,
    pub(super) credentials: &'a Credentials,
    /// The secrets that no error may show.
    pub(super) secrets: Vec<Secret>,
}

impl Ask<'_> {
    /// Asks until there is a token, the server refuses, or there are no more retries or no more time. Returns the token
    /// and its life.
    ///
    /// REGISTRY_DENIED if the server refuses the credentials, REGISTRY_BUSY if it requests a longer wait than is
    /// allowed, REGISTRY_UNAVAILABLE for everything else.
    pub(super) async fn token(&self, deadline: Instant) -> Result<(Secret, Duration)> {
        let mut attempts = Attempts::new(self.options, deadline);
        loop {
            let (error, asked) = match self.once().await {
                Ok(answer) if answer.status == StatusCode::OK => return token_of(&answer.body),
                Ok(answer) if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS => {
                    (self.refused(&answer), answer.asked_wait())
                }
                Ok(answer) => return Err(self.refused(&answer)),
                Err(why) => (self.error(ErrorKind::RegistryUnavailable, &show(&why, &self.secrets)), None),
            };
            attempts.retry(error, asked).await?;
        }
    }

    async fn once(&self) -> Result<Answer, String> {
        let request = match self.credentials {
            Credentials::IdentityToken(token) => request(self.clients, Method::POST, self.realm)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(self.form(token)),
            credentials => {
                let mut url = self.realm.clone();
                let service = self.service.map(|service| ("service", service));
                url.query_pairs_mut().extend_pairs(service.into_iter().chain([("scope", self.scope.as_str())]));
                let request = request(self.clients, Method::GET, &url);
                match credentials {
                    Credentials::Password { user, password } => {
                        request.header(AUTHORIZATION, basic(user, password).map_err(|e| e.to_string())?)
                    }
                    _ => request,
                }
            }
        };
        let response = request.send().await.map_err(describe)?;
        if response.status() != StatusCode::OK {
            return Ok(Answer::error_of(response, Origin::Registry, &mut None).await);
        }
        let whole = Answer::whole(response, Origin::Registry, MAX_ANSWER).await;
        whole.map_err(|why| format!("its answer cannot be read: {why}"))
    }

    /// The form of a refresh request (RFC 6749, section 6).
    fn form(&self, token: &Secret) -> String {
        let mut form = self.realm.clone();
        form.set_query(None);
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("service", self.service.unwrap_or_default())
            .append_pair("client_id", "tagwarden")
            .append_pair("scope", &self.scope)
            .append_pair("refresh_token", token.reveal());
        form.query().unwrap_or_default().to_owned()
    }

    fn refused(&self, answer: &Answer) -> Error {
        let kind = match (answer.status, self.credentials) {
            // OAuth 2 refuses credentials with 400 (RFC 6749, section 5.2).
            (StatusCode::BAD_REQUEST, Credentials::IdentityToken(_)) => ErrorKind::RegistryDenied,
            _ => answer.kind_of_error(),
        };
        let (status, words) = (answer.status.as_u16(), answer.words(&self.secrets));
        self.error(kind, &format!("it answered {status}{words}")).with_context("status", status)
    }

    fn error(&self, kind: ErrorKind, why: &str) -> Error {
        let realm = host_and_port(self.realm);
        Error::new(kind, format!("no token from {realm} for {}: {why}", self.scope)).with_context("realm", realm)
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
        return Err(unusable("holds no token that a header can carry"));
    }
    let life = grant.expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok((token.into(), life.unwrap_or(DEFAULT_LIFE)))
}
