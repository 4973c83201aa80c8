//! Points a tag at a manifest: the put is applied, refused or unknown.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Origin};
use super::attempts::Attempts;
use super::auth::Need;
use super::backoff::{self, BACKOFF};
use super::clients::{Lost, send};
use super::endpoint::Endpoint;
use super::http::{Http, headers, wants_renewal};
use super::options::TokenScope;
use super::read::DIGEST_HEADER;
use super::words::show;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Manifest, Put};
use crate::value::{Digest, Repository, Tag};

/// Puts once. The request is sent again only if it certainly was not carried out: after a failed connection, after a
/// 401 or 403 that another login may change, and after a 429.
pub(super) async fn put(
    http: &Http,
    repository: &Repository,
    tag: &Tag,
    manifest: &Manifest,
    timeout: Duration,
) -> Put {
    let deadline = Instant::now() + timeout;
    let mut flight = Flight::Landed;
    let mut attempts = Attempts::default();
    let put = put_until(http, repository, tag, manifest, deadline, (&mut flight, &mut attempts));
    match timeout_at(deadline, put).await {
        Ok(put) => put.unwrap_or_else(Put::Refused),
        Err(_) => {
            let time = timeout.as_secs_f64();
            match (attempts.arriving.take(), flight) {
                // The status decides without the rest of the body.
                (Some(arriving), _) => {
                    verdict(http, &arriving.cut(format!("no whole answer within {time} s")), manifest)
                }
                (None, Flight::Landed) => Put::Refused(attempts.failed(Error::new(
                    ErrorKind::RegistryUnavailable,
                    format!("the put was not sent within {time} s"),
                ))),
                (None, Flight::Open) => Put::Unknown(ambiguous(format!("no answer within {time} s"))),
            }
        }
    }
}

/// The state of a put.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flight {
    /// The put may be applied, now or later.
    Open,
    /// No put was sent, or every put that was sent was refused.
    Landed,
}

/// The end of the put. An error means that it was refused.
async fn put_until(
    http: &Http,
    repository: &Repository,
    tag: &Tag,
    manifest: &Manifest,
    deadline: Instant,
    (flight, attempts): (&mut Flight, &mut Attempts),
) -> Result<Put> {
    let endpoint = Endpoint::of(repository, &http.options)?;
    let url = endpoint.url(&format!("manifests/{tag}"))?;
    let media_type = HeaderValue::from_str(manifest.media_type().as_str())
        .map_err(|_| Error::new(ErrorKind::ManifestUnsupported, "the media type cannot be sent in a header"))?;
    let need = Need { endpoint: &endpoint, access: TokenScope::PullPush, deadline };
    let mut pass = http.auth.known(need).await?;
    let mut renewed = false;
    let (mut failed, mut busy) = (0, 0);
    loop {
        let mut headers = headers(None, pass.as_ref());
        headers.insert(CONTENT_TYPE, media_type.clone());
        *flight = Flight::Open;
        let sent = send(&http.clients, Method::PUT, &url, headers, Some(manifest.bytes().clone())).await;
        let response = match sent {
            Ok(response) => response,
            Err(lost @ Lost::Unclear(_)) => {
                return Ok(Put::Unknown(ambiguous(show(lost.why(), &http.auth.secrets()))));
            }
            Err(Lost::NotSent(why)) => {
                *flight = Flight::Landed;
                let error = attempts.failed(http.unavailable(&url, &why));
                failed += 1;
                backoff::retry(&http.options, error, None, failed, deadline).await?;
                continue;
            }
        };
        let mut answer = if response.status().is_success() {
            Answer::head(&Method::PUT, &response, Origin::Registry)
        } else {
            Answer::error_of(&Method::PUT, response, Origin::Registry, &mut attempts.arriving).await
        };
        if !renewed && wants_renewal(&answer, pass.as_ref()) {
            *flight = Flight::Landed;
            renewed = true;
            let new = http.renew(need, &mut answer, pass.as_ref()).await?;
            if new.is_some() {
                pass = new;
                continue;
            }
        }
        match verdict(http, &answer, manifest) {
            Put::Refused(error) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                *flight = Flight::Landed;
                busy += 1;
                // Some registries answer "at once" every time, so wait at least the back-off.
                let asked = answer.asked_wait().map(|asked| asked.max(BACKOFF.pause(busy)));
                backoff::wait(&http.options, attempts.failed(error), asked, busy, deadline).await?;
            }
            verdict => return Ok(verdict),
        }
    }
}

/// Classifies an answer by its status only. Vendors answer a put to an immutable tag with 400, 403, 405, 409 or 412,
/// with their own codes, HTML pages or no body, and all of these mean that the put was not carried out.
fn verdict(http: &Http, answer: &Answer, manifest: &Manifest) -> Put {
    let refused = |kind| Put::Refused(answer.error(kind, &http.auth.secrets()));
    match answer.status.as_u16() {
        // Accept 200 and 202 as well as 201, because the tag is read back in any case.
        200..=299 => match echo(answer, manifest) {
            Ok(()) => Put::Applied,
            Err(error) => Put::Unknown(error),
        },
        // The redirect came before the put was carried out. 303 would mean that the server has acted, so it is not
        // listed here.
        301 | 302 | 307 | 308 => refused(ErrorKind::RegistryRefused),
        // A proxy sends these if it stopped waiting or would not risk a replay, but it may have passed the request on.
        408 | 425 => Put::Unknown(answer.error(ErrorKind::RegistryAmbiguous, &http.auth.secrets())),
        401 | 403 => refused(ErrorKind::RegistryDenied),
        405 => refused(ErrorKind::RegistryUnsupported),
        413 => refused(ErrorKind::ManifestTooLarge),
        429 => refused(ErrorKind::RegistryBusy),
        400..=499 => refused(ErrorKind::RegistryRefused),
        _ => Put::Unknown(answer.error(ErrorKind::RegistryAmbiguous, &http.auth.secrets())),
    }
}

/// Compares the digest in a 2xx, if there is one, with the bytes that were sent.
fn echo(answer: &Answer, manifest: &Manifest) -> Result<()> {
    let Some(value) = answer.headers.get(DIGEST_HEADER) else { return Ok(()) };
    let echoed = value.to_str().ok().and_then(|text| text.parse::<Digest>().ok());
    match echoed {
        Some(digest) if digest.verify(manifest.bytes()) => Ok(()),
        Some(digest) => {
            let message = format!("the registry took {} and answered {digest}", manifest.digest());
            Err(Error::new(ErrorKind::RegistryDigestMismatch, message))
        }
        None => Err(ambiguous(format!("the registry took {} and answered with what is no digest", manifest.digest()))),
    }
}

fn ambiguous(why: String) -> Error {
    Error::new(ErrorKind::RegistryAmbiguous, format!("it is not known whether the put was applied: {why}"))
}
