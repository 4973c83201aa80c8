//! Points a tag at a manifest, and pushes blobs: a put is applied, refused or unknown.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};
use tokio::time::timeout_at;

use super::answer::{Answer, Origin, Unread};
use super::attempts::{Attempts, CallTime, Failure};
use super::auth::Login;
use super::endpoint::Endpoint;
use super::fault::{unanswered, wants_tls};
use super::get::is_passing;
use super::http::{Http, request};
use super::options::TokenScope;
use super::read;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Manifest, Put};
use crate::value::{Digest, Reference, Repository};

/// The largest number of redirects that one write follows.
const MAX_REDIRECTS: usize = 5;

/// Puts once. The request is sent again only if it certainly was not carried out: after a failed connection, after a
/// 401 or 403 that another login may change, after a 429, and after a redirect.
pub(super) async fn put(http: &Http, reference: &Reference, manifest: &Manifest, timeout: Duration) -> Put {
    let time = CallTime::fixed(timeout, http.retry_for(reference.repository().registry()));
    let mut attempts = Attempts::new(time, http.watch(reference.repository().registry()));
    if let Ok(put) = timeout_at(time.end, put_until(http, reference, manifest, &mut attempts)).await {
        return put.unwrap_or_else(Put::Refused);
    }
    let time = time.seconds();
    match attempts.arriving.take() {
        // The status decides, even if the body is incomplete.
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

/// The result of the put. An error means that the put was refused.
async fn put_until(http: &Http, reference: &Reference, manifest: &Manifest, attempts: &mut Attempts) -> Result<Put> {
    let endpoint = Endpoint::of(http, reference.repository())?;
    let mut url = endpoint.url(&format!("manifests/{}", reference.target()))?;
    let media_type = HeaderValue::from_str(manifest.media_type().as_str())
        .map_err(|_| Error::new(ErrorKind::ManifestUnsupported, "the media type cannot be sent in a header"))?;
    let mut login = Login::new(&endpoint, TokenScope::PullPush, attempts).await?;
    let mut redirects = 0;
    loop {
        let build = || {
            let request =
                request(&endpoint.clients.requests, Method::PUT, &url).header(CONTENT_TYPE, media_type.clone());
            request.body(manifest.bytes().clone())
        };
        let answer = match login.exchange(Origin::Registry, None, build).await? {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => {
                login.attempts.retry(unanswered(http, &url, error)).await?;
                continue;
            }
            Err(error) => return Ok(Put::Unknown(ambiguous(unanswered(http, &url, error).error.message().to_owned()))),
        };
        if let Some(error) = wants_tls(http, &url, &answer) {
            return Err(error);
        }
        if let Some(to) = endpoint.redirect_of_write(&url, &answer)?
            && redirects < MAX_REDIRECTS
        {
            (url, redirects) = (to, redirects + 1);
            continue;
        }
        match verdict(http, &answer, manifest) {
            Put::Refused(error) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                login.attempts.retry(Failure::of(error, &answer)).await?;
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
        // Too many redirects, all of them before the put was carried out. 303 would mean that the server has acted, so
        // it is not listed here.
        301 | 302 | 307 | 308 => Put::Refused(error(ErrorKind::RegistryRefused)),
        // A proxy sends these after a timeout or to avoid a replay. It may have sent the request to the registry
        // before.
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
        Err(_) => Err(ambiguous(format!("the registry took {sent} and answered with an invalid digest"))),
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
    let time = endpoint.time(http.options.upload_timeout);
    let mut attempts = Attempts::new(time, endpoint.watch());
    match timeout_at(time.end, upload(&endpoint, bytes, &digest, &mut attempts)).await {
        Ok(uploaded) => uploaded.map(|()| digest),
        Err(_) => {
            let late = unavailable(&format!("the upload did not end within {} s", time.seconds()));
            Err(attempts.note(late))
        }
    }
}

/// Uploads until the registry has the blob. An upload that failed is begun again: a blob that is sent twice is the same
/// blob.
async fn upload(endpoint: &Endpoint<'_>, bytes: Bytes, digest: &Digest, attempts: &mut Attempts) -> Result<()> {
    loop {
        let mut login = Login::new(endpoint, TokenScope::PullPush, attempts).await?;
        match upload_once(&mut login, bytes.clone(), digest).await? {
            Ok(()) => return Ok(()),
            Err(failure) => attempts.retry(failure).await?,
        }
    }
}

async fn upload_once(login: &mut Login<'_>, bytes: Bytes, digest: &Digest) -> Result<Result<(), Failure>> {
    let endpoint = login.endpoint;
    let begin = endpoint.url("blobs/uploads/")?;
    let begun = match send(login, Method::POST, &begin, Bytes::new(), StatusCode::ACCEPTED).await? {
        Ok(begun) => begun,
        Err(failure) => return Ok(Err(failure)),
    };
    let location =
        begun.header(LOCATION).ok_or_else(|| unavailable("the registry began an upload without a Location"))?;
    let target =
        begin.join(location).map_err(|_| unavailable("the registry's answer to the upload could not be read"))?;
    let mut target = endpoint.allowed(&begin, target).await?;
    target.query_pairs_mut().append_pair("digest", &digest.to_string());
    Ok(send(login, Method::PUT, &target, bytes, StatusCode::CREATED).await?.map(|_| ()))
}

/// The answer to a request of an upload, if it has the wanted status. A redirect is followed within the registry alone.
async fn send(
    login: &mut Login<'_>,
    method: Method,
    url: &Url,
    body: Bytes,
    wanted: StatusCode,
) -> Result<Result<Answer, Failure>> {
    let (endpoint, mut url) = (login.endpoint, url.clone());
    let http = endpoint.http;
    for _ in 0..=MAX_REDIRECTS {
        let build = || {
            let request = request(&endpoint.clients.uploads, method.clone(), &url).body(body.clone());
            match body.is_empty() {
                true => request,
                false => request.header(CONTENT_TYPE, "application/octet-stream"),
            }
        };
        let answer = match login.exchange(endpoint.origin(&url), None, build).await? {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(unanswered(http, &url, error))),
        };
        if let Some(to) = endpoint.redirect_of_write(&url, &answer)? {
            url = to;
            continue;
        }
        let kind = match answer.kind_of_error() {
            _ if answer.status == wanted => return Ok(Ok(answer)),
            ErrorKind::RegistryUnavailable if answer.status.is_client_error() => ErrorKind::RegistryRefused,
            kind => kind,
        };
        let error = answer.error(kind, &http.secrets());
        return if is_passing(&answer) { Ok(Err(Failure::of(error, &answer))) } else { Err(error) };
    }
    Err(http.unavailable(&url, &format!("more than {MAX_REDIRECTS} redirects")))
}

fn unavailable(why: &str) -> Error {
    Error::new(ErrorKind::RegistryUnavailable, why)
}
