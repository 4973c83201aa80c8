//! `OciRegistry`: real registries over HTTP, as the OCI distribution specification says and as they really behave.

mod answer;
mod attempts;
mod auth;
mod backoff;
mod blob;
mod challenge;
mod clients;
mod credentials;
mod endpoint;
mod http;
mod link;
mod options;
mod outside;
mod put;
mod read;
mod secret;
mod tags;
mod token;
mod words;

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;

pub use credentials::{Credentials, Lookup};
pub use options::{Access, OciOptions, Scheme};
pub use secret::Secret;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use self::blob::Uploaders;
use self::http::Http;
use super::{Manifest, Put, Registry, TagAnswer};
use crate::error::{Error, Result};
use crate::value::{Digest, Reference, Repository, Tag};

/// Every OCI registry, each reached by the host in a [`Repository`]. A clone shares connections, tokens and what was
/// learned about hosts.
///
/// # Round trips
/// A request goes straight for its resource. The first 401 of a host says how to authenticate; that is remembered, so
/// a move costs one token request, shared by requests that begin together. `resolve` is one HEAD for a tag that is
/// there, and a HEAD and a GET for one that is not; `fetch` is one GET for both.
///
/// # Reads
/// Tried again with jittered back-off after 5xx, 408, 429, a lost connection or a cut body; never longer than
/// [`OciOptions::total_timeout`]. A HEAD that is an error (405 included) is asked again as a GET, whose answer counts.
///
/// *Absent* is a 404 on a GET, from the registry itself and with its whole body, that has
/// - MANIFEST_UNKNOWN, NAME_UNKNOWN, BLOB_UNKNOWN, NOT_FOUND (Harbor) or TAG_EXPIRED (Quay), or
/// - no code at all, if the tag list of the same repository lacks the tag, or says NAME_UNKNOWN. No list names digests:
///   of a digest, such a 404 counts only if the repository is absent.
///
/// Everything else is REGISTRY_UNAVAILABLE, REGISTRY_DENIED or REGISTRY_BUSY: it is not known what is there.
///
/// # Puts
/// The status decides, and nothing else: 2xx is applied (read it back); a timeout, a reset, a 5xx, 408 and 425 are
/// unknown; every other 4xx is refused, as is what could not be sent. A 429 is waited for as `Retry-After` says, within
/// the put's timeout. A put is sent again only after a refusal: after a 429, and once with a new login after a 401, or
/// after a 403 to a login that is older than a minute (ECR answers an expired one with 403). A 2xx that names another
/// digest is unknown.
///
/// # Errors
/// The message has the status, and of every error in the body code, message and detail; of a page its text; of a body
/// that is cut what came. It is redacted, escaped and at most 1 KiB. The words of the last 5xx stay if a later attempt
/// has none. The context has `status`, where the registry answered, and `registry_code`, the first code.
///
/// # Credentials
/// They are looked up by the registry's host when it asks with a 401, and never before; they go to that origin and to
/// its token server, never along a redirect or a link to another host. No error and no `Debug` shows them.
///
/// # Token servers
/// A registry's answer names its token server, so it is checked first. It must be on the registry's own site (the same
/// registrable domain, such as auth.docker.io for registry-1.docker.io), over https unless the registry itself is
/// spoken to in plain HTTP, and not on an address further inside the network than the registry's: never on a
/// link-local or metadata address. Others are asked only when named with [`OciOptions::allow_realm`]. A name that
/// changes its address between the check and the request is not caught.
#[derive(Clone, Debug)]
pub struct OciRegistry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Http,
    uploaders: Uploaders,
}

impl OciRegistry {
    /// A registry client with these options. Nothing is sent. CONFIG_INVALID if the CA certificates cannot be used.
    pub fn new(options: OciOptions) -> Result<OciRegistry> {
        Ok(OciRegistry(Arc::new(Inner { http: Http::new(options)?, uploaders: Uploaders::default() })))
    }

    /// Pushes a blob, if it is not there yet, and answers its SHA-256 digest. The blob must not be empty.
    ///
    /// REGISTRY_DENIED, REGISTRY_REFUSED, REGISTRY_BUSY or REGISTRY_UNAVAILABLE if it is not known to be there in the
    /// end; pushing it again is always safe. The upload is made by `oci-client`, which sets the process's default
    /// rustls provider to ring if there is none.
    pub async fn push_blob(&self, repository: &Repository, bytes: Bytes) -> Result<Digest> {
        let pushed = self.0.uploaders.push(&self.0.http, repository, bytes).await;
        pushed.map_err(|error| placed(error, "push a blob", repository))
    }

    /// The bytes of a blob of at most `max_bytes`, hashed and checked, or none if it is proven absent. REGISTRY_DIGEST_MISMATCH if
    /// the bytes have another digest, MANIFEST_TOO_LARGE if there are more.
    pub async fn fetch_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        max_bytes: usize,
    ) -> Result<Option<Bytes>> {
        let fetched = blob::fetch(&self.0.http, repository, digest, max_bytes).await;
        fetched.map_err(|error| placed(error, "fetch a blob", repository).with("digest", digest))
    }
}

#[async_trait]
impl Registry for OciRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        Ok(self.read_tag(repository, tag).await?.digest)
    }

    async fn read_tag(&self, repository: &Repository, tag: &Tag) -> Result<TagAnswer> {
        let read = read::tag(&self.0.http, repository, tag).await;
        read.map_err(|error| placed(error, "resolve", &repository.tag(tag.clone())))
    }

    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>> {
        let fetched = read::fetch(&self.0.http, reference).await;
        fetched.map_err(|error| placed(error, "fetch", reference))
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put {
        let placed = |error| placed(error, "put", &repository.tag(tag.clone()));
        match put::put(&self.0.http, repository, tag, manifest, timeout).await {
            Put::Applied => Put::Applied,
            Put::Refused(error) => Put::Refused(placed(error)),
            Put::Unknown(error) => Put::Unknown(placed(error)),
        }
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        tags::list(&self.0.http, repository).await.map_err(|error| placed(error, "list the tags of", repository))
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let found = blob::exists(&self.0.http, repository, digest).await;
        found.map_err(|error| placed(error, "look for a blob of", repository).with("digest", digest))
    }
}

/// The same error, saying what was being done and where.
fn placed(error: Error, doing: &str, place: &dyn std::fmt::Display) -> Error {
    let placed = Error::new(error.kind(), format!("{doing} {place}: {error}")).with("reference", place);
    error.context().fold(placed, |placed, (name, value)| placed.with(name, value))
}

/// The parsers of hostile text, for fuzzing only.
#[doc(hidden)]
pub mod fuzz {
    /// Reads a `WWW-Authenticate` header and chooses a challenge.
    pub fn www_authenticate(text: &str) {
        let _ = super::challenge::Challenge::select([text]);
    }

    /// Reads a `Link` header.
    pub fn link(text: &str) {
        let _ = super::link::next(text);
    }
}
