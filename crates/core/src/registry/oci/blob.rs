//! Blobs: are they there, push one, fetch one.

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
use super::clients::{USER_AGENT, describe};
use super::endpoint::{Endpoint, is_loopback};
use super::http::{Body, Http, Read};
use super::options::{Access, OciOptions};
use super::words::show;
use crate::error::{Error, ErrorKind, Result};
use crate::tls;
use crate::value::{Digest, Repository};

/// The codes that prove a blob absent, with a 404 on a GET.
const ABSENT: [&str; 3] = ["BLOB_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"];

/// True if the blob is there; false if the registry itself said, on a GET, that it is not.
pub(super) async fn exists(http: &Http, repository: &Repository, digest: &Digest) -> Result<bool> {
    let deadline = http.deadline();
    let endpoint = Endpoint::of(repository, &http.options)?;
    let url = endpoint.url(&format!("blobs/{digest}"))?;
    let read = Read { endpoint: &endpoint, method: Method::HEAD, url, accept: None, body: Body::Unread };
    let answer = http.read(&read, deadline).await?;
    match answer.status {
        StatusCode::OK => Ok(true),
        _ if answer.proves_absence(&ABSENT) => Ok(false),
        _ => Err(answer.unusable(&http.auth.secrets())),
    }
}

/// The bytes of a blob, hashed and checked, or none if it is proven absent. It is read by this crate's own client, not
/// by `oci-client`, whose redirects may lead from https to http and whose bodies have no bound.
pub(super) async fn fetch(
    http: &Http,
    repository: &Repository,
    digest: &Digest,
    max_bytes: usize,
) -> Result<Option<Bytes>> {
    let endpoint = Endpoint::of(repository, &http.options)?;
    let url = endpoint.url(&format!("blobs/{digest}"))?;
    let read = Read { endpoint: &endpoint, method: Method::GET, url, accept: None, body: Body::UpTo(max_bytes) };
    let answer = http.read(&read, http.deadline()).await?;
    match answer.status {
        StatusCode::OK if digest.verify(&answer.body) => Ok(Some(answer.body)),
        StatusCode::OK => {
            Err(Error::new(ErrorKind::RegistryDigestMismatch, format!("asked for the blob {digest}, got other bytes")))
        }
        _ if answer.proves_absence(&ABSENT) => Ok(None),
        _ => Err(answer.unusable(&http.auth.secrets())),
    }
}

/// The clients of `oci-client`, one for each pass: it keeps the first credentials that it is given for a host.
#[derive(Default)]
pub(super) struct Uploaders(Mutex<HashMap<(String, String), (u64, oci_client::Client)>>);

impl std::fmt::Debug for Uploaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Uploaders")
    }
}

impl Uploaders {
    /// Pushes a blob that is not there yet, in one request after the one that opens the upload.
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
        let mut pass = http.auth.known(&endpoint, Access::PullPush, deadline).await?;
        let mut renewed = false;
        loop {
            let client = self.client(http, &endpoint, pass.as_ref()).await?;
            match upload(http, &endpoint, &client, bytes.clone(), &digest, deadline).await {
                Ok(()) => return Ok(digest),
                // Refused as a whole, so it may be sent again; a blob is named by its digest, so it cannot go wrong twice.
                Err(error) if error.kind() == ErrorKind::RegistryDenied && !renewed => {
                    renewed = true;
                    let challenge = challenge(http, &endpoint, deadline).await?;
                    let offered: Vec<&str> = challenge.iter().map(String::as_str).collect();
                    match http.auth.renew(&endpoint, Access::PullPush, &offered, pass.as_ref(), deadline).await {
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
            // Given as Basic it would first look whether /v2/ asks for it, and send nothing where that is open.
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
    // oci-client takes the process default only. One that is there already stays.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Lost to another thread that did the same: good as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let roots = match options.ca_pem.is_empty() {
        true => Vec::new(),
        false => tls::certificates(&options.ca_pem)?,
    };
    // Loopback is not for proxies. A proxy that is named here switches off those of the environment, and is then not
    // used for loopback itself.
    let no_proxy = is_loopback(endpoint.base()).then(|| "127.0.0.0/8,localhost".to_owned());
    let config = ClientConfig {
        protocol: match endpoint.base().scheme() {
            "http" => ClientProtocol::Http,
            _ => ClientProtocol::Https,
        },
        use_monolithic_push: true,
        extra_root_certificates: roots
            .iter()
            .map(|root| Certificate { encoding: CertificateEncoding::Der, data: root.to_vec() })
            .collect(),
        // It runs while the body is sent, too, so it has to be as long as the whole upload may be.
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
    // A hostile Location makes oci-client panic; that must end this upload and nothing else.
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

/// What the registry asks for when an upload is begun without a pass: oci-client does not hand out headers. No upload
/// is begun if it asks for nothing.
async fn challenge(http: &Http, endpoint: &Endpoint, deadline: Instant) -> Result<Vec<String>> {
    let url = endpoint.url("blobs/uploads/")?;
    let sent = http.clients.send(Method::POST, &url, reqwest::header::HeaderMap::new(), Some(Bytes::new()));
    let answer = match timeout_at(deadline, sent).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(lost)) => return Err(http.unavailable(&url, lost.why())),
        Err(_) => return Err(unavailable("the upload did not begin in time")),
    };
    let all = answer.headers().get_all(reqwest::header::WWW_AUTHENTICATE);
    Ok(all.iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect())
}

/// oci-client's errors carry URLs and whole bodies.
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
            Error::new(kind, message).with("status", code)
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
