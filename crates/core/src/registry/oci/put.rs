//! Pointing a tag at a manifest: applied, refused or unknown.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Origin, show};
use super::clients::{Lost, body};
use super::endpoint::Endpoint;
use super::http::{Http, asked_wait, headers, wants_renewal};
use super::options::Access;
use super::read::DIGEST_HEADER;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Manifest, Put};
use crate::value::{Digest, Repository, Tag};

/// The longest refusal that is read, in bytes.
const MAX_REFUSAL: usize = 64 * 1024;

/// Puts once. It is sent again only when it is certain that the registry did not look at it: no connection, a 401 that
/// another pass may change, a 429.
pub(super) async fn put(
    http: &Http,
    repository: &Repository,
    tag: &Tag,
    manifest: &Manifest,
    timeout: Duration,
) -> Put {
    let deadline = Instant::now() + timeout;
    let mut flight = Flight::Landed;
    match timeout_at(deadline, put_until(http, repository, tag, manifest, deadline, &mut flight)).await {
        Ok(put) => put,
        Err(_) => {
            let time = timeout.as_secs_f64();
            match flight {
                Flight::Landed => Put::Refused(Error::new(
                    ErrorKind::RegistryUnavailable,
                    format!("the put was not sent within {time} s"),
                )),
                Flight::Open => Put::Unknown(ambiguous(format!("no answer within {time} s"))),
            }
        }
    }
}

/// Whether a put is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flight {
    /// It may be applied, now or later.
    Open,
    /// None was sent, or what was sent has been turned away.
    Landed,
}

async fn put_until(
    http: &Http,
    repository: &Repository,
    tag: &Tag,
    manifest: &Manifest,
    deadline: Instant,
    flight: &mut Flight,
) -> Put {
    let prepared = async {
        let endpoint = Endpoint::of(repository, &http.options)?;
        let url = endpoint.url(&format!("manifests/{tag}"))?;
        let media_type = HeaderValue::from_str(manifest.media_type().as_str())
            .map_err(|_| Error::new(ErrorKind::ManifestUnsupported, "the media type cannot be sent in a header"))?;
        let pass = http.auth.known(&endpoint, Access::PullPush, deadline).await?;
        Ok((endpoint, url, media_type, pass))
    };
    let (endpoint, url, media_type, mut pass) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => return Put::Refused(error),
    };
    let mut renewed = false;
    let mut failed = 0;
    loop {
        let mut headers = headers(None, pass.as_ref());
        headers.insert(CONTENT_TYPE, media_type.clone());
        *flight = Flight::Open;
        let sent = http.clients.send(Method::PUT, &url, headers, Some(manifest.bytes().clone())).await;
        let (error, asked) = match sent {
            Err(lost @ Lost::Unclear(_)) => {
                return Put::Unknown(ambiguous(show(lost.why(), &http.auth.secrets())));
            }
            Err(Lost::NotSent(why)) => {
                *flight = Flight::Landed;
                (http.unavailable(&url, &why), None)
            }
            Ok(response) => {
                let answer = whole(response).await;
                if !renewed && wants_renewal(&answer, pass.as_ref()) {
                    *flight = Flight::Landed;
                    renewed = true;
                    match http.renew(&endpoint, Access::PullPush, &answer, pass.as_ref(), deadline).await {
                        Ok(new) => pass = Some(new),
                        // The first answer was a refusal already; a 403's own words say more than a missing challenge.
                        Err(_) if answer.status == StatusCode::FORBIDDEN => return verdict(http, &answer, manifest),
                        Err(error) => return Put::Refused(error),
                    }
                    continue;
                }
                match verdict(http, &answer, manifest) {
                    Put::Refused(error) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                        *flight = Flight::Landed;
                        (error, asked_wait(&answer))
                    }
                    verdict => return verdict,
                }
            }
        };
        failed += 1;
        match http.wait(error, asked, failed, deadline) {
            Ok(wait) => tokio::time::sleep(wait.time).await,
            Err(error) => return Put::Refused(error),
        }
    }
}

/// The answer with its body. A body that cannot be read is left out: it names no code then, so nothing is taken for a
/// refusal because of it.
async fn whole(response: Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = match status {
        StatusCode::CREATED => bytes::Bytes::new(),
        _ => body(response, MAX_REFUSAL).await.unwrap_or_default(),
    };
    Answer { status, headers, body, from: Origin::Registry }
}

/// What an answer says about the put.
fn verdict(http: &Http, answer: &Answer, manifest: &Manifest) -> Put {
    let secrets = http.auth.secrets();
    match answer.status.as_u16() {
        201 => match echo(answer, manifest) {
            Ok(()) => Put::Applied,
            Err(error) => Put::Unknown(error),
        },
        // Sent elsewhere before anything was done. 303 is what a server says after it has done something.
        301 | 302 | 307 | 308 => Put::Refused(answer.error(ErrorKind::RegistryRefused, &secrets)),
        // Statuses that speak about the request as it came in, whoever in front of the registry says them.
        401 => Put::Refused(answer.error(ErrorKind::RegistryDenied, &secrets)),
        413 => Put::Refused(answer.error(ErrorKind::ManifestTooLarge, &secrets)),
        429 => Put::Refused(answer.error(ErrorKind::RegistryBusy, &secrets)),
        400..=499 => match answer.said().iter().find_map(|said| refusal(&said.code)) {
            Some(kind) => Put::Refused(answer.error(kind, &secrets)),
            None => Put::Unknown(answer.error(ErrorKind::RegistryAmbiguous, &secrets)),
        },
        _ => Put::Unknown(answer.error(ErrorKind::RegistryAmbiguous, &secrets)),
    }
}

/// The kind of a refusal that a registry gives with this code, or none if the code is not known: then it is not clear
/// what the registry did. The status says nothing: Harbor answers 412 for an immutable tag, and 412 is also what a
/// failed condition would be.
fn refusal(code: &str) -> Option<ErrorKind> {
    match code {
        // OCI distribution specification, *Error codes*.
        "BLOB_UNKNOWN"
        | "BLOB_UPLOAD_INVALID"
        | "BLOB_UPLOAD_UNKNOWN"
        | "DIGEST_INVALID"
        | "MANIFEST_BLOB_UNKNOWN"
        | "MANIFEST_INVALID"
        | "MANIFEST_UNKNOWN"
        | "MANIFEST_UNVERIFIED"
        | "NAME_INVALID"
        | "NAME_UNKNOWN"
        | "SIZE_INVALID"
        | "TAG_INVALID" => Some(ErrorKind::RegistryRefused),
        "UNAUTHORIZED" | "DENIED" => Some(ErrorKind::RegistryDenied),
        "UNSUPPORTED" => Some(ErrorKind::RegistryUnsupported),
        "TOOMANYREQUESTS" => Some(ErrorKind::RegistryBusy),
        // Harbor; PRECONDITION is an immutable tag.
        "PRECONDITION" | "PROJECTPOLICYVIOLATION" | "CONFLICT" | "BAD_REQUEST" | "NOT_FOUND" => {
            Some(ErrorKind::RegistryRefused)
        }
        "FORBIDDEN" => Some(ErrorKind::RegistryDenied),
        "METHOD_NOT_ALLOWED" => Some(ErrorKind::RegistryUnsupported),
        // Quay.
        "TAG_IMMUTABLE" | "TAG_ALREADY_EXISTS" | "QUOTA_EXCEEDED" => Some(ErrorKind::RegistryRefused),
        _ => None,
    }
}

/// Holds the digest that a 201 names, if it names one, against the bytes that were sent.
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
