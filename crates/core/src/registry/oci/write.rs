//! Points a tag at a manifest, and pushes blobs: a put is applied, refused or unknown.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Origin, Unread};
use super::attempts::{Attempts, BACKOFF};
use super::auth::Login;
use super::endpoint::Endpoint;
use super::http::{Http, describe, request};
use super::options::TokenScope;
use super::read;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Manifest, Put};
use crate::secret::show;
use crate::value::{Digest, Reference, Repository};

/// Puts once. The request is sent again only if it certainly was not carried out: after a failed connection, after a
/// 401 or 403 that another login may change, and after a 429.
pub(super) async fn put(http: &Http, reference: &Reference, manifest: &Manifest, timeout: Duration) -> Put {
    let deadline = Instant::now() + timeout;
    let mut attempts = Attempts::new(&http.options, deadline);
    if let Ok(put) = timeout_at(deadline, put_until(http, reference, manifest, &mut attempts)).await {
        return put.unwrap_or_else(Put::Refused);
    }
    let time = timeout.as_secs_f64();
    match attempts.arriving.take() {
        // The status decides without the rest of the body.
        Some(arriving) => {
            let late = Unread::Cut(format!("no whole answer within {time} s"));
            verdict(http, &Answer { cut: Some(late), ..arriving }, manifest)
        }
        None if attempts.in_flight => Put::Unknown(ambiguous(format!("no answer within {time} s"))),
        None => {
            let why = format!("the put was not sent within {time} s");
            Put::Refused(attempts.note(Error::new(ErrorKind::RegistryUnavailable, why)))
        }
    }
}

/// The end of the put. An error means that it was refused.
async fn put_until(http: &Http, reference: &Reference, manifest: &Manifest, attempts: &mut Attempts) -> Result<Put> {
    let endpoint = Endpoint::of(http, reference.repository())?;
    let url = endpoint.url(&format!("manifests/{}", reference.target()))?;
    let media_type = HeaderValue::from_str(manifest.media_type().as_str())
        .map_err(|_| Error::new(ErrorKind::ManifestUnsupported, "the media type cannot be sent in a header"))?;
    let mut login = Login::new(&endpoint, TokenScope::PullPush, attempts).await?;
    let mut busy = 0;
    loop {
        let build = || {
            let request = request(&http.clients, Method::PUT, &url).header(CONTENT_TYPE, media_type.clone());
            request.body(manifest.bytes().clone())
        };
        let answer = match login.exchange(Origin::Registry, None, build).await? {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => {
                login.attempts.retry(http.unavailable(&url, &describe(error)), None).await?;
                continue;
            }
            Err(error) => return Ok(Put::Unknown(ambiguous(show(&describe(error), &http.secrets())))),
        };
        match verdict(http, &answer, manifest) {
            Put::Refused(error) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                busy += 1;
                // Some registries answer "at once" every time, so wait at least the back-off.
                let asked = answer.asked_wait().map(|asked| asked.max(BACKOFF.pause(busy)));
                login.attempts.wait(error, asked, busy).await?;
            }
            verdict => return Ok(verdict),
        }
    }
}

/// Classifies an answer by its status only. Vendors answer a put to an immutable tag with 400, 403, 405, 409 or 412,
/// with their own codes, HTML pages or no body, and all of these mean that the put was not carried out.
fn verdict(http: &Http, answer: &Answer, manifest: &Manifest) -> Put {
    let error = |kind| answer.error(kind, &http.secrets());
    match answer.status.as_u16() {
        // Accept 200 and 202 as well as 201, because the tag is read back in any case.
        200..=299 => echo(answer, manifest).map_or_else(Put::Unknown, |()| Put::Applied),
        // The redirect came before the put was carried out. 303 would mean that the server has acted, so it is not
        // listed here.
        301 | 302 | 307 | 308 => Put::Refused(error(ErrorKind::RegistryRefused)),
        // A proxy sends these if it stopped waiting or would not risk a replay, but it may have passed the request on.
        408 | 425 => Put::Unknown(error(ErrorKind::RegistryAmbiguous)),
        401 | 403 => Put::Refused(error(ErrorKind::RegistryDenied)),
        405 => Put::Refused(error(ErrorKind::RegistryUnsupported)),
        413 => Put::Refused(error(ErrorKind::ManifestTooLarge)),
        429 => Put::Refused(error(ErrorKind::RegistryBusy)),
        400..=499 => Put::Refused(error(ErrorKind::RegistryRefused)),
        _ => Put::Unknown(error(ErrorKind::RegistryAmbiguous)),
    }
}

/// Compares the digest in a 2xx, if there is one, with the bytes that were sent.
fn echo(answer: &Answer, manifest: &Manifest) -> Result<()> {
    let sent = manifest.digest();
    match answer.digest() {
        Ok(None) => Ok(()),
        Ok(Some(digest)) if digest.verify(manifest.bytes()) => Ok(()),
        Ok(Some(digest)) => {
            let message = format!("the registry took {sent} and answered {digest}");
            Err(Error::new(ErrorKind::RegistryDigestMismatch, message))
        }
        Err(_) => Err(ambiguous(format!("the registry took {sent} and answered with what is no digest"))),
    }
}

fn ambiguous(why: String) -> Error {
    Error::new(ErrorKind::RegistryAmbiguous, format!("it is not known whether the put was applied: {why}"))
}

/// Pushes a blob if it does not exist yet: one request opens the upload, and one sends the blob.
pub(super) async fn push_blob(http: &Http, repository: &Repository, bytes: Bytes) -> Result<Digest> {
    let http = &http.moving();
    let (endpoint, digest) = (Endpoint::of(http, repository)?, Digest::of(&bytes));
    if read::look_for_blob(&endpoint, &digest, None).await?.is_some() {
        return Ok(digest);
    }
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::RegistryUnsupported, "an empty blob cannot be pushed"));
    }
    let timeout = http.options.upload_timeout;
    let deadline = Instant::now() + timeout;
    match timeout_at(deadline, upload(&endpoint, bytes, &digest, deadline)).await {
        Ok(uploaded) => uploaded.map(|()| digest),
        Err(_) => Err(unavailable(&format!("the upload did not end within {} s", timeout.as_secs_f64()))),
    }
}

async fn upload(endpoint: &Endpoint<'_>, bytes: Bytes, digest: &Digest, deadline: Instant) -> Result<()> {
    let mut attempts = Attempts::new(&endpoint.http.options, deadline);
    let mut login = Login::new(endpoint, TokenScope::PullPush, &mut attempts).await?;
    let begin = endpoint.url("blobs/uploads/")?;
    let begun = send(&mut login, Method::POST, &begin, Bytes::new(), StatusCode::ACCEPTED).await?;
    let location =
        begun.header(LOCATION).ok_or_else(|| unavailable("the registry began an upload without a Location"))?;
    let target =
        begin.join(location).map_err(|_| unavailable("the registry's answer to the upload could not be read"))?;
    let mut target = endpoint.allowed(&begin, target).await?;
    target.query_pairs_mut().append_pair("digest", &digest.to_string());
    send(&mut login, Method::PUT, &target, bytes, StatusCode::CREATED).await.map(|_| ())
}

/// The answer to a request of an upload, if it has the wanted status. The request may be sent again with another login:
/// it was refused, and a blob that is sent twice is the same blob.
async fn send(login: &mut Login<'_>, method: Method, url: &Url, body: Bytes, wanted: StatusCode) -> Result<Answer> {
    let (http, to) = (login.endpoint.http, login.endpoint.origin(url));
    let build = || {
        let request = request(&http.uploads, method.clone(), url).body(body.clone());
        match body.is_empty() {
            true => request,
            false => request.header(CONTENT_TYPE, "application/octet-stream"),
        }
    };
    let sent = login.exchange(to, None, build).await?;
    let answer = sent.map_err(|e| http.unavailable(url, &describe(e)))?;
    let kind = match answer.kind_of_error() {
        _ if answer.status == wanted => return Ok(answer),
        ErrorKind::RegistryUnavailable if answer.status.is_client_error() => ErrorKind::RegistryRefused,
        kind => kind,
    };
    Err(answer.error(kind, &http.secrets()))
}

fn unavailable(why: &str) -> Error {
    Error::new(ErrorKind::RegistryUnavailable, why)
}
