//! Blobs: check that one exists, push one, fetch one.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::attempts::Attempts;
use super::auth::Login;
use super::endpoint::Endpoint;
use super::http::{Http, Read, describe, request};
use super::options::TokenScope;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Digest, Repository};

/// The codes that prove, with a 404 on a GET, that a blob is absent.
const ABSENT: [&str; 3] = ["BLOB_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"];

/// True if the blob exists; false if the registry itself answered a GET that it does not.
pub(super) async fn exists(http: &Http, repository: &Repository, digest: &Digest) -> Result<bool> {
    Ok(look(&Endpoint::of(http, repository)?, digest, None).await?.is_some())
}

/// The bytes of a blob, with the digest checked; none if the blob is proven absent.
pub(super) async fn fetch(http: &Http, repository: &Repository, digest: &Digest, max: usize) -> Result<Option<Bytes>> {
    let body = look(&Endpoint::of(http, repository)?, digest, Some(max)).await?;
    if body.as_ref().is_some_and(|body| !digest.verify(body)) {
        let message = format!("asked for the blob {digest}, got other bytes");
        return Err(Error::new(ErrorKind::RegistryDigestMismatch, message));
    }
    Ok(body)
}

/// The bytes of a blob, at most `limit`; without a limit, only its existence counts. None if it is proven absent.
async fn look(endpoint: &Endpoint<'_>, digest: &Digest, limit: Option<usize>) -> Result<Option<Bytes>> {
    let http = endpoint.http;
    let url = endpoint.url(&format!("blobs/{digest}"))?;
    let method = if limit.is_some() { Method::GET } else { Method::HEAD };
    let mut read = Read { endpoint, method, url, accept: "*/*", limit };
    let answer = read.answer(http.deadline()).await?;
    match answer.status {
        StatusCode::OK => Ok(Some(answer.body.freeze())),
        _ if answer.proves_absence(&ABSENT) => Ok(None),
        _ => Err(answer.unusable(&http.secrets())),
    }
}

/// Pushes a blob if it does not exist yet: one request opens the upload, and one sends the blob.
pub(super) async fn push(http: &Http, repository: &Repository, bytes: Bytes) -> Result<Digest> {
    let (endpoint, digest) = (Endpoint::of(http, repository)?, Digest::of(&bytes));
    if look(&endpoint, &digest, None).await?.is_some() {
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
