//! `OciRegistry`: real registries over HTTP, by the OCI distribution specification and by their real behaviour.

mod answer;
mod attempts;
mod auth;
mod certs;
mod challenge;
mod credentials;
mod cursor;
mod endpoint;
mod fault;
mod get;
mod host;
mod http;
mod observer;
mod options;
mod outside;
mod read;
mod recent;
mod tags;
mod token;
mod token_servers;
mod words;
mod write;

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;

pub use credentials::{CredentialSource, Credentials};
pub use observer::RetryObserver;
pub use options::{OciOptions, Scheme, TokenScope};

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use self::http::Http;
use super::{Manifest, Put, Registry, TagAnswer};
use crate::error::{Error, Result};
pub use crate::secret::Secret;
use crate::value::{Digest, Reference, Repository, Tag};

/// Every OCI registry; the host in a [`Repository`] selects the one to use. Clones share connections, tokens and the
/// challenges of hosts.
///
/// # Round trips
/// The first request goes directly to its resource. The first 401 of a host names the authentication, which is
/// remembered. So a move costs one token request, and requests that begin together share it. `resolve` is one HEAD for
/// an existing tag, and a HEAD and a GET for an absent one; `fetch` is one GET for both.
///
/// Reads request a token for `pull`; a move and a push request `pull,push` from their first request on.
///
/// # Reads
/// A read is retried with jittered back-off, or as `Retry-After` says, after a 5xx, 408, 429, a lost connection or a
/// cut body, for the time of the call ([`OciOptions::retry_for`]). A wait that does not fit into that time is
/// REGISTRY_BUSY, with `retry_after_ms` in the context. A fault of TLS is never retried. A host name that is not found
/// is retried for a second only. A HEAD that is an error (405 included) is repeated as a GET, whose answer counts.
///
/// *Absent* is a 404 on a GET, from the registry itself and with a complete body, that has
/// - MANIFEST_UNKNOWN, NAME_UNKNOWN, BLOB_UNKNOWN, NOT_FOUND (Harbor) or TAG_EXPIRED (Quay), or
/// - no code at all, if the tag list of the same repository lacks the tag, or answers NAME_UNKNOWN. A list has no
///   digests: for a digest, such a 404 counts only if the repository is absent.
///
/// Everything else is REGISTRY_UNAVAILABLE, REGISTRY_DENIED or REGISTRY_BUSY: the current value is not known.
///
/// # Puts
/// The status decides: a 2xx is applied (read it back); a timeout, a reset, a 5xx, 408 and 425 are unknown; every other
/// 4xx is refused, and so is a put that could not be sent. After a 429 the put waits as `Retry-After` says, within its
/// timeout. A put is sent again only after a refusal: after a 429, and once with a new login after a 401, or after a
/// 403 if the login is older than a minute (ECR answers an expired login with 403). A redirect within the registry's
/// own origin is followed, with the same method and bytes; one to another origin is refused. A 2xx with the digest of
/// other bytes is unknown.
///
/// # Errors
/// The message has the status, and then the code, message and detail of every error in the body, the text of an HTML
/// page, or the part of a cut body that arrived. It is redacted, escaped and at most 1 KiB. If the last attempt got no
/// answer, the text of the last 5xx is added. The context has `status`, if the registry answered, and `registry_code`,
/// the first code.
///
/// # TLS
/// The platform's roots are trusted, and those of [`OciOptions::ca_pem`], [`OciOptions::ca_file`] and of the
/// directories that docker and podman use ([`OciOptions::certs_dir`]), which may contain a client certificate as well.
/// A server's own certificate may be given in place of a root: it is accepted for its names while it is valid.
///
/// # Proxies
/// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name the proxies; if none is set, the system's settings do.
/// Loopback hosts are always reached directly. A value that is not the URL of an http or https proxy is CONFIG_INVALID
/// for the hosts that it is for. The proxy resolves the names of hosts. If the proxy failed, the error
/// names it.
///
/// # Credentials
/// Credentials are looked up by the registry's host when the registry answers 401, or 403 or 404 to an anonymous
/// request, never before. They are sent to that origin and to its token server, never along a redirect or a link to
/// another host. No error and no `Debug` output shows them.
///
/// A registry may hide its private repositories: it answers 403 or 404 instead of 401. If there are credentials for it,
/// a request to `/v2/`, once for each host, gets the challenge, and the first request is sent again with the login. If
/// there is no login, a 404 proves no absence.
///
/// # Token servers
/// A registry's answer names its token server, so the server is checked first. It must be on the registry's own site:
/// the same host, or the same registrable domain by the public suffix list, such as auth.docker.io for
/// registry-1.docker.io. Its address must not be further inside the network than the registry's, and never link-local
/// or that of a metadata service. Other servers are used only if [`OciOptions::token_server`] names them. Every token
/// server must use https, unless it is on the registry's own host and the connection to the registry itself is plain
/// HTTP. Its redirects are not followed. A name that changes its address between the check and the request is not
/// detected.
///
/// Tokens and challenges are remembered for each registry and each repository. Above a limit, those that were not used
/// for the longest time are dropped.
#[derive(Clone, Debug)]
pub struct OciRegistry(Arc<Http>);

impl OciRegistry {
    /// A registry client with these options; it sends nothing. CONFIG_INVALID if the CA certificates cannot be used.
    pub fn new(options: OciOptions) -> Result<OciRegistry> {
        Ok(OciRegistry(Arc::new(Http::new(options)?)))
    }

    /// The same client. From the first request on, its tokens allow a push.
    pub(crate) fn moving(&self) -> OciRegistry {
        OciRegistry(Arc::new(self.0.moving()))
    }

    /// Pushes a blob if it does not exist yet, and returns its SHA-256 digest. The blob must not be empty.
    ///
    /// REGISTRY_DENIED, REGISTRY_REFUSED, REGISTRY_BUSY or REGISTRY_UNAVAILABLE if the blob is not known to exist
    /// afterwards; another push is always safe.
    pub async fn push_blob(&self, repository: &Repository, bytes: Bytes) -> Result<Digest> {
        let pushed = write::push_blob(&self.0, repository, bytes).await;
        pushed.map_err(|error| placed(error, "push a blob", repository))
    }
}

#[async_trait]
impl Registry for OciRegistry {
    fn for_moves(&self) -> Option<Arc<dyn Registry>> {
        Some(Arc::new(self.moving()))
    }

    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        Ok(self.read_tag(repository, tag).await?.digest)
    }

    async fn read_tag(&self, repository: &Repository, tag: &Tag) -> Result<TagAnswer> {
        let reference = repository.tag(tag.clone());
        read::tag(&self.0, &reference).await.map_err(|error| placed(error, "resolve", &reference))
    }

    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>> {
        read::fetch(&self.0, reference).await.map_err(|error| placed(error, "fetch", reference))
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put {
        let reference = repository.tag(tag.clone());
        let placed = |error| placed(error, "put", &reference);
        match write::put(&self.0, &reference, manifest, timeout).await {
            Put::Applied => Put::Applied,
            Put::Refused(error) => Put::Refused(placed(error)),
            Put::Unknown(error) => Put::Unknown(placed(error)),
        }
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        tags::list(&self.0, repository).await.map_err(|error| placed(error, "list the tags of", repository))
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let found = read::has_blob(&self.0, repository, digest).await;
        found.map_err(|error| placed(error, "look for a blob of", repository).with_context("digest", digest))
    }

    /// REGISTRY_DIGEST_MISMATCH if the bytes have another digest, MANIFEST_TOO_LARGE if there are more bytes.
    async fn fetch_blob(&self, repository: &Repository, digest: &Digest, max_bytes: usize) -> Result<Option<Bytes>> {
        let fetched = read::blob(&self.0, repository, digest, max_bytes).await;
        fetched.map_err(|error| placed(error, "fetch a blob", repository).with_context("digest", digest))
    }
}

/// The same error, with the operation and the object in its message.
fn placed(error: Error, doing: &str, place: &dyn std::fmt::Display) -> Error {
    let placed = Error::new(error.kind(), format!("{doing} {place}: {error}")).with_retry(error.retry());
    let placed = placed.with_context("reference", place);
    error.context().fold(placed, |placed, (name, value)| placed.with_context(name, value))
}

/// The parsers of untrusted text, for fuzzing only.
#[doc(hidden)]
pub mod fuzz {
    /// Reads a `WWW-Authenticate` header and chooses a challenge.
    pub fn www_authenticate(text: &str) {
        let _ = super::challenge::Challenge::select([text]);
    }

    /// Reads a `Link` header.
    pub fn link(text: &str) {
        let _ = super::tags::next_page(text);
    }
}
