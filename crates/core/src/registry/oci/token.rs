//! Fetches one token from a token server (distribution specification, *Token authentication* and *OAuth 2*).

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::answer::{Answer, Origin};
use super::attempts::Attempts;
use super::clients::{describe, request};
use super::credentials::{Credentials, basic};
use super::endpoint::host_and_port;
use super::http::Http;
use super::secret::Secret;
use super::words::show;
use crate::error::{Error, ErrorKind, Result};

/// The longest answer of a token server that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// The life of a token if its server does not name one (distribution specification).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// Asks the token server at `realm`, a URL that has been checked, until there is a token, the server refuses, or there
/// are no more retries or no more time. Returns the token and its life.
///
/// REGISTRY_DENIED if the server refuses the credentials, REGISTRY_BUSY if it requests a longer wait than is allowed,
/// CONFIG_INVALID if the user cannot be sent, REGISTRY_UNAVAILABLE for everything else.
pub(super) async fn fetch(
    http: &Http,
    realm: &Url,
    service: Option<&str>,
    scope: &str,
    credentials: &Credentials,
    deadline: Instant,
) -> Result<(Secret, Duration)> {
    let (host, secrets) = (host_and_port(realm), http.secrets());
    let failed = |kind, why: &str| {
        Error::new(kind, format!("no token from {host} for {scope}: {why}")).with_context("realm", &host)
    };
    let mut attempts = Attempts::new(&http.options, deadline);
    loop {
        let sent = request_for(http, realm, service, scope, credentials)?.send().await;
        let answer = match sent {
            Ok(response) => Ok(Answer::of(response, Origin::Registry, Some(MAX_ANSWER), &mut None).await),
            Err(error) => Err(describe(error)),
        };
        let (error, asked) = match answer {
            Ok(Answer { status: StatusCode::OK, cut: None, body, .. }) => return token_of(&body),
            Ok(Answer { status: StatusCode::OK, cut: Some(why), .. }) => {
                (failed(ErrorKind::RegistryUnavailable, &format!("its answer cannot be read: {why}")), None)
            }
            Ok(answer) => {
                let kind = match (answer.status, credentials) {
                    // OAuth 2 refuses credentials with 400 (RFC 6749, section 5.2).
                    (StatusCode::BAD_REQUEST, Credentials::IdentityToken(_)) => ErrorKind::RegistryDenied,
                    _ => answer.kind_of_error(),
                };
                let (status, words) = (answer.status.as_u16(), answer.words(&secrets));
                let error = failed(kind, &format!("it answered {status}{words}")).with_context("status", status);
                if status != 429 && !answer.status.is_server_error() {
                    return Err(error);
                }
                (error, answer.asked_wait())
            }
            Err(why) => (failed(ErrorKind::RegistryUnavailable, &show(&why, &secrets)), None),
        };
        attempts.retry(error, asked).await?;
    }
}

/// The request for a token. CONFIG_INVALID if the user cannot be sent.
fn request_for(
    http: &Http,
    realm: &Url,
    service: Option<&str>,
    scope: &str,
    credentials: &Credentials,
) -> Result<RequestBuilder> {
    let mut url = realm.clone();
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
        return Ok(request(&http.clients, Method::POST, realm)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(url.query().unwrap_or_default().to_owned()));
    }
    url.query_pairs_mut()
        .extend_pairs(service.map(|service| ("service", service)).into_iter().chain([("scope", scope)]));
    let request = request(&http.clients, Method::GET, &url);
    match credentials {
        Credentials::Password { user, password } => Ok(request.header(AUTHORIZATION, basic(user, password)?)),
        _ => Ok(request),
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
