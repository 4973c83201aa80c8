//! Blobs: check that one exists, push one, fetch one.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Origin};
use super::auth::{Need, Pass};
use super::clients::send;
use super::endpoint::Endpoint;
use super::http::{Http, Read, headers, wants_renewal};
use super::options::TokenScope;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Digest, Repository};

/// The codes that prove, with a 404 on a GET, that a blob is absent.
const ABSENT: [&str; 3] = ["BLOB_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"];

/// True if the blob exists; false if the registry itself answered a GET that it does not.
pub(super) async fn exists(http: &Http, repository: &Repository, digest: &Digest) -> Result<bool> {
    Ok(look(http, repository, digest, Method::HEAD, None).await?.is_some())
}

/// The bytes of a blob, with the digest checked; none if the blob is proven absent.
pub(super) async fn fetch(
    http: &Http,
    repository: &Repository,
    digest: &Digest,
    max_bytes: usize,
) -> Result<Option<Bytes>> {
    let body = look(http, repository, digest, Method::GET, Some(max_bytes)).await?;
    if body.as_ref().is_some_and(|body| !digest.verify(body)) {
        let message = format!("asked for the blob {digest}, got other bytes");
        return Err(Error::new(ErrorKind::RegistryDigestMismatch, message));
    }
    Ok(body)
}

async fn look(
    http: &Http,
    repository: &Repository,
    digest: &Digest,
    method: Method,
    limit: Option<usize>,
) -> Result<Option<Bytes>> {
    let endpoint = Endpoint::of(repository, &http.options)?;
    let url = endpoint.url(&format!("blobs/{digest}"))?;
    let answer = http.read(&Read { endpoint: &endpoint, method, url, accept: None, limit }, http.deadline()).await?;
    match answer.status {
        StatusCode::OK => Ok(Some(answer.body)),
        _ if answer.proves_absence(&ABSENT) => Ok(None),
        _ => Err(answer.unusable(&http.auth.secrets())),
    }
}

/// Pushes a blob if it does not exist yet: one request opens the upload, and one sends the blob.
pub(super) async fn push(http: &Http, repository: &Repository, bytes: Bytes) -> Result<Digest> {
    let digest = Digest::of(&bytes);
    if exists(http, repository, &digest).await? {
        return Ok(digest);
    }
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::RegistryUnsupported, "an empty blob cannot be pushed"));
    }
    let timeout = http.options.upload_timeout;
    let deadline = Instant::now() + timeout;
    match timeout_at(deadline, upload(http, repository, bytes, &digest, deadline)).await {
        Ok(uploaded) => uploaded.map(|()| digest),
        Err(_) => Err(unavailable(&format!("the upload did not end within {} s", timeout.as_secs_f64()))),
    }
}

async fn upload(http: &Http, repository: &Repository, bytes: Bytes, digest: &Digest, deadline: Instant) -> Result<()> {
    let endpoint = Endpoint::of(repository, &http.options)?;
    let need = Need { endpoint: &endpoint, access: TokenScope::PullPush, deadline };
    let mut upload = Upload { http, need, pass: http.auth.known(need).await? };
    let begin = endpoint.url("blobs/uploads/")?;
    let begun = upload.send(Method::POST, &begin, Bytes::new(), StatusCode::ACCEPTED).await?;
    let location =
        begun.header(LOCATION).ok_or_else(|| unavailable("the registry began an upload without a Location"))?;
    let mut target =
        begin.join(location).map_err(|_| unavailable("the registry's answer to the upload could not be read"))?;
    http.may_go(&endpoint, &begin, &target).await?;
    target.query_pairs_mut().append_pair("digest", &digest.to_string());
    upload.send(Method::PUT, &target, bytes, StatusCode::CREATED).await.map(|_| ())
}

/// The upload of one blob.
struct Upload<'a> {
    http: &'a Http,
    need: Need<'a>,
    pass: Option<Pass>,
}

impl Upload<'_> {
    /// The answer to a request, if it has the wanted status. The request is sent again if another login may change the
    /// answer: it was refused, and a blob that is sent twice is the same blob.
    async fn send(&mut self, method: Method, url: &Url, body: Bytes, wanted: StatusCode) -> Result<Answer> {
        let from = if self.need.endpoint.owns(url) { Origin::Registry } else { Origin::Elsewhere };
        let mut renewed = false;
        loop {
            let mut headers = headers(None, self.pass.as_ref().filter(|_| from == Origin::Registry));
            if !body.is_empty() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            }
            let sent = send(&self.http.uploads, method.clone(), url, headers, Some(body.clone())).await;
            let response = sent.map_err(|lost| self.http.unavailable(url, lost.why()))?;
            if response.status() == wanted {
                return Ok(Answer::head(&method, &response, from));
            }
            let mut answer = Answer::error_of(&method, response, from, &mut None).await;
            if !renewed && wants_renewal(&answer, self.pass.as_ref()) {
                renewed = true;
                let new = self.http.renew(self.need, &mut answer, self.pass.as_ref()).await?;
                if new.is_some() {
                    self.pass = new;
                    continue;
                }
            }
            let kind = match answer.status.as_u16() {
                401 | 403 => ErrorKind::RegistryDenied,
                429 => ErrorKind::RegistryBusy,
                400..=499 => ErrorKind::RegistryRefused,
                _ => ErrorKind::RegistryUnavailable,
            };
            return Err(answer.error(kind, &self.http.auth.secrets()));
        }
    }
}

fn unavailable(why: &str) -> Error {
    Error::new(ErrorKind::RegistryUnavailable, why)
}
