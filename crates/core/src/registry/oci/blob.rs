//! Blobs: check that one exists, push one, fetch one.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use oci_client::RegistryOperation;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::token_cache::RegistryTokenType;
use reqwest::{Method, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::auth::{Pass, Proof};
use super::clients::{describe, roots, send};
use super::endpoint::Endpoint;
use super::http::{Http, Read};
use super::options::{OciOptions, TokenScope};
use super::words::show;
use crate::error::{Error, ErrorKind, Result};
use crate::http::USER_AGENT;
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

/// The clients of `oci-client`, one for each pass, because it keeps the first credentials that it is given for a host.
#[derive(Default)]
pub(super) struct Uploaders(Mutex<HashMap<(String, String), (u64, oci_client::Client)>>);

impl std::fmt::Debug for Uploaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Uploaders")
    }
}

impl Uploaders {
    /// Pushes a blob if it does not exist yet: one request opens the upload, and one sends the blob.
    pub(super) async fn push(&self, http: &Http, repository: &Repository, bytes: Bytes) -> Result<Digest> {
        let digest = Digest::of(&bytes);
        if exists(http, repository, &digest).await? {
            return Ok(digest);
        }
        if bytes.is_empty() {
            return Err(Error::new(ErrorKind::RegistryUnsupported, "an empty blob cannot be pushed"));
        }
        let deadline = Instant::now() + http.options.upload_timeout;
        let endpoint = Endpoint::of(repository, &http.options)?;
        let mut pass = http.auth.known(&endpoint, TokenScope::PullPush, deadline).await?;
        let mut renewed = false;
        loop {
            let client = self.client(http, &endpoint, pass.as_ref()).await?;
            match upload(http, &endpoint, &client, bytes.clone(), &digest, deadline).await {
                Ok(()) => return Ok(digest),
                // The upload was refused as a whole, so send it again. A repeated upload cannot store other bytes,
                // because a blob is named by its digest.
                Err(error) if error.kind() == ErrorKind::RegistryDenied && !renewed => {
                    renewed = true;
                    let challenge = challenge(http, &endpoint, deadline).await?;
                    let offered: Vec<&str> = challenge.iter().map(String::as_str).collect();
                    match http.auth.renew(&endpoint, TokenScope::PullPush, &offered, pass.as_ref(), deadline).await {
                        Ok(new) => pass = Some(new),
                        Err(_) if offered.is_empty() => return Err(error),
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn client(&self, http: &Http, endpoint: &Endpoint, pass: Option<&Pass>) -> Result<oci_client::Client> {
        let key = (endpoint.registry.clone(), endpoint.path.clone());
        let serial = pass.map_or(0, |pass| pass.serial);
        {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, client)) = known.get(&key).filter(|(known, _)| *known == serial) {
                return Ok(client.clone());
            }
        }
        let client = new_client(&http.options, endpoint)?;
        let registry = endpoint.host();
        match pass.map(|pass| &pass.proof) {
            None => {}
            Some(Proof::Bearer(token)) => {
                let auth = RegistryAuth::Bearer(token.reveal().to_owned());
                client.store_auth_if_needed(&registry, &auth).await;
            }
            // As Basic credentials, oci-client would first ask whether /v2/ needs them, and send nothing if /v2/ is
            // open.
            Some(Proof::Basic { user, password }) => {
                client.store_auth_if_needed(&registry, &RegistryAuth::Anonymous).await;
                let basic = RegistryTokenType::Basic(user.clone(), password.reveal().to_owned());
                for operation in [RegistryOperation::Pull, RegistryOperation::Push] {
                    client.tokens.insert(&reference(endpoint), operation, basic.clone()).await;
                }
            }
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, (serial, client.clone()));
        Ok(client)
    }
}

fn new_client(options: &OciOptions, endpoint: &Endpoint) -> Result<oci_client::Client> {
    // oci-client uses only the process default. An existing default stays.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread installed a provider at the same time, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    // A proxy must not be used for loopback. A proxy that is set here disables the proxies of the environment, and
    // `no_proxy` then excludes loopback from it.
    let no_proxy = endpoint.is_loopback().then(|| "127.0.0.0/8,localhost".to_owned());
    let config = ClientConfig {
        protocol: match endpoint.base().scheme() {
            "http" => ClientProtocol::Http,
            _ => ClientProtocol::Https,
        },
        use_monolithic_push: true,
        extra_root_certificates: roots(options)?
            .iter()
            .map(|root| Certificate { encoding: CertificateEncoding::Der, data: root.to_vec() })
            .collect(),
        // This timeout also runs while the body is sent, so it must be as long as the whole upload may take.
        read_timeout: Some(options.upload_timeout),
        connect_timeout: Some(options.connect_timeout),
        user_agent: USER_AGENT,
        http_proxy: no_proxy.is_some().then(|| "http://127.0.0.1:9".to_owned()),
        https_proxy: no_proxy.is_some().then(|| "http://127.0.0.1:9".to_owned()),
        no_proxy,
        ..ClientConfig::default()
    };
    oci_client::Client::try_from(config).map_err(|error| of_upload(error, &[]))
}

fn reference(endpoint: &Endpoint) -> oci_client::Reference {
    oci_client::Reference::with_tag(endpoint.host(), endpoint.path.clone(), "unused".to_owned())
}

async fn upload(
    http: &Http,
    endpoint: &Endpoint,
    client: &oci_client::Client,
    bytes: Bytes,
    digest: &Digest,
    deadline: Instant,
) -> Result<()> {
    let (reference, digest) = (reference(endpoint), digest.to_string());
    // A malicious Location makes oci-client panic; the panic must end only this upload.
    let push = AssertUnwindSafe(client.push_blob(&reference, bytes, &digest)).catch_unwind();
    match timeout_at(deadline, push).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err(error))) => Err(of_upload(error, &http.auth.secrets())),
        Ok(Err(_)) => Err(unavailable("the registry's answer to the upload could not be read")),
        Err(_) => {
            Err(unavailable(&format!("the upload did not end within {} s", http.options.upload_timeout.as_secs_f64())))
        }
    }
}

/// The challenge to an upload that is begun without a pass; this is needed because oci-client does not expose headers.
/// It is empty if the registry sends none.
async fn challenge(http: &Http, endpoint: &Endpoint, deadline: Instant) -> Result<Vec<String>> {
    let url = endpoint.url("blobs/uploads/")?;
    let sent = send(&http.clients, Method::POST, &url, reqwest::header::HeaderMap::new(), Some(Bytes::new()));
    let answer = match timeout_at(deadline, sent).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(lost)) => return Err(http.unavailable(&url, lost.why())),
        Err(_) => return Err(unavailable("the upload did not begin in time")),
    };
    let all = answer.headers().get_all(reqwest::header::WWW_AUTHENTICATE);
    Ok(all.iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect())
}

/// Rewrites errors of oci-client, because they contain URLs and whole bodies.
fn of_upload(error: OciDistributionError, secrets: &[super::secret::Secret]) -> Error {
    match error {
        OciDistributionError::ServerError { code, message, .. } => {
            let kind = match code {
                401 | 403 => ErrorKind::RegistryDenied,
                429 => ErrorKind::RegistryBusy,
                400..=499 => ErrorKind::RegistryRefused,
                _ => ErrorKind::RegistryUnavailable,
            };
            let message = format!("the registry answered the upload with {code}: {}", show(&message, secrets));
            Error::new(kind, message).with_context("status", code)
        }
        OciDistributionError::UnauthorizedError { .. } => {
            Error::new(ErrorKind::RegistryDenied, "the registry did not accept the upload's credentials")
        }
        OciDistributionError::RequestError(error) => unavailable(&show(&describe(error), secrets)),
        OciDistributionError::RegistryError { envelope, .. } => {
            let shown = show(&envelope.to_string(), secrets);
            Error::new(ErrorKind::RegistryRefused, format!("the registry refused the upload: {shown}"))
        }
        OciDistributionError::SpecViolationError(why) => unavailable(&show(&why, secrets)),
        OciDistributionError::RegistryNoLocationError => unavailable("the registry began an upload without a Location"),
        _ => unavailable("the upload failed"),
    }
}

fn unavailable(why: &str) -> Error {
    Error::new(ErrorKind::RegistryUnavailable, why)
}
