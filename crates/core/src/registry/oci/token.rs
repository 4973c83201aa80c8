//! Fetches one token from a token server (distribution specification, *Token authentication* and *OAuth 2*).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::answer::{Answer, Origin};
use super::attempts::Attempts;
use super::backoff;
use super::clients::{body, send};
use super::credentials::Credentials;
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
    /// The token server's URL, which has been checked.
    pub(super) realm: Url,
    pub(super) service: Option<&'a str>,
    pub(super) scope: &'a str,
    pub(super) credentials: &'a Credentials,
}

/// A registry token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) secret: Secret,
    pub(super) life: Duration,
}

/// Asks until there is a token, the server refuses, or there are no more retries or no more time.
///
/// REGISTRY_DENIED if the server refuses the credentials, REGISTRY_BUSY if it requests a longer wait than is allowed,
/// REGISTRY_UNAVAILABLE for everything else.
pub(super) async fn fetch(
    clients: &Clients,
    options: &OciOptions,
    ask: &Ask<'_>,
    secrets: &[Secret],
    deadline: Instant,
) -> Result<Token> {
    let mut failed = 0;
    let mut attempts = Attempts::default();
    loop {
        let (error, asked) = match once(clients, ask).await {
            Ok(answer) if answer.status == StatusCode::OK => return token_of(&answer),
            Ok(answer) => {
                let again = answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS;
                let error = refused(&answer, ask, secrets);
                if !again {
                    return Err(error);
                }
                (error, answer.asked_wait())
            }
            Err(why) => (at(ask, ErrorKind::RegistryUnavailable, &show(&why, secrets)), None),
        };
        failed += 1;
        backoff::retry(options, attempts.failed(error), asked, failed, deadline).await?;
    }
}

async fn once(clients: &Clients, ask: &Ask<'_>) -> Result<Answer, String> {
    let mut headers = HeaderMap::new();
    let mut url = ask.realm.clone();
    let method = match ask.credentials {
        Credentials::IdentityToken(_) => Method::POST,
        _ => Method::GET,
    };
    let sent = match ask.credentials {
        Credentials::IdentityToken(token) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            let form = form(ask, token);
            send(clients, method.clone(), &url, headers, Some(form)).await
        }
        credentials => {
            if let Credentials::Password { user, password } = credentials {
                headers.insert(AUTHORIZATION, basic(user, password).map_err(|e| e.to_string())?.header);
            }
            let service = ask.service.map(|service| ("service", service));
            url.query_pairs_mut().extend_pairs(service.into_iter().chain([("scope", ask.scope)]));
            send(clients, method.clone(), &url, headers, None).await
        }
    };
    let response = sent.map_err(|lost| lost.why().to_owned())?;
    if response.status() != StatusCode::OK {
        return Ok(Answer::error_of(&method, response, Origin::Registry, &mut None).await);
    }
    let head = Answer::head(&method, &response, Origin::Registry);
    let body = body(response, MAX_ANSWER).await.map_err(|why| format!("its answer cannot be read: {why}"))?;
    Ok(Answer { body, ..head })
}

/// The form of a refresh request (RFC 6749, section 6).
fn form(ask: &Ask<'_>, token: &Secret) -> Bytes {
    let mut form = ask.realm.clone();
    form.set_query(None);
    form.query_pairs_mut()
        .append_pair("grant_type", "refresh_token")
        .append_pair("service", ask.service.unwrap_or_default())
        .append_pair("client_id", "tagwarden")
        .append_pair("scope", ask.scope)
        .append_pair("refresh_token", token.reveal());
    Bytes::copy_from_slice(form.query().unwrap_or_default().as_bytes())
}

fn token_of(answer: &Answer) -> Result<Token> {
    #[derive(Deserialize)]
    struct Grant {
        token: Option<String>,
        access_token: Option<String>,
        expires_in: Option<f64>,
    }
    let unusable = |why: &str| Error::new(ErrorKind::RegistryUnavailable, format!("the token server's answer {why}"));
    // The parser's own error is not used, because it would quote the answer.
    let grant: Grant = serde_json::from_slice(&answer.body).map_err(|_| unusable("is not JSON of a token"))?;
    let token = grant.token.filter(|token| !token.is_empty()).or(grant.access_token).unwrap_or_default();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable("holds no token that a header can carry"));
    }
    let life = match grant.expires_in {
        Some(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(DEFAULT_LIFE),
        None => DEFAULT_LIFE,
    };
    Ok(Token { secret: token.into(), life })
}

fn refused(answer: &Answer, ask: &Ask<'_>, secrets: &[Secret]) -> Error {
    let kind = match answer.status {
        status if status.is_redirection() => ErrorKind::RegistryUnavailable,
        // OAuth 2 refuses credentials with 400 (RFC 6749, section 5.2).
        StatusCode::BAD_REQUEST if matches!(ask.credentials, Credentials::IdentityToken(_)) => {
            ErrorKind::RegistryDenied
        }
        _ => answer.unusable(secrets).kind(),
    };
    let words = answer.words(secrets);
    at(ask, kind, &format!("it answered {}{words}", answer.status.as_u16()))
        .with_context("status", answer.status.as_u16())
}

fn at(ask: &Ask<'_>, kind: ErrorKind, why: &str) -> Error {
    let realm = host_and_port(&ask.realm);
    Error::new(kind, format!("no token from {realm} for {}: {why}", ask.scope)).with_context("realm", realm)
}

/// An `Authorization` header, and the part of it that must never be shown.
#[derive(Clone, Debug)]
pub(super) struct Authorization {
    pub(super) header: HeaderValue,
    pub(super) secret: Secret,
}

/// The header of a user and a password (RFC 7617). CONFIG_INVALID if the user contains a ':'.
pub(super) fn basic(user: &str, password: &Secret) -> Result<Authorization> {
    if user.contains(':') {
        return Err(Error::new(ErrorKind::ConfigInvalid, "a user name with ':' cannot be sent"));
    }
    authorization("Basic", STANDARD.encode(format!("{user}:{}", password.reveal())).into())
}

/// The header of a registry token (RFC 6750).
pub(super) fn bearer(token: &Secret) -> Result<Authorization> {
    authorization("Bearer", token.clone())
}

fn authorization(scheme: &str, secret: Secret) -> Result<Authorization> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {}", secret.reveal()))
        .map_err(|_| Error::new(ErrorKind::ConfigInvalid, "the token has characters that a header cannot carry"))?;
    header.set_sensitive(true);
    Ok(Authorization { header, secret })
}
