//! Resolves tags, and fetches manifests and blobs.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, DATE};
use reqwest::{Method, StatusCode};

use super::answer::{Answer, http_date};
use super::attempts::CallTime;
use super::endpoint::Endpoint;
use super::get::Read;
use super::http::Http;
use super::tags;
use super::words::and;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::content::essence;
use crate::registry::{MAX_MANIFEST, Manifest, TagAnswer};
use crate::secret::show;
use crate::value::{Digest, Reference, Repository, Target};

/// All media types that are understood, in one header. A registry answers 404 for a manifest whose type is not
/// accepted, and that looks the same as a deleted tag.
// `*/*` is included because some registries would otherwise answer that a manifest of an unknown type does not exist.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, */*;q=0.1";

/// The codes that prove, with a 404 on a GET, that a manifest is absent. `NOT_FOUND` is Harbor's, from 2.1 on
/// (goharbor/harbor#16515); Quay answers `TAG_EXPIRED` for weeks after a tag was deleted.
const ABSENT: [&str; 4] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND", "TAG_EXPIRED"];

/// The codes that prove, with a 404 on a GET, that a blob is absent.
const ABSENT_BLOB: [&str; 3] = ["BLOB_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"];

/// One read of a manifest.
struct Look<'a> {
    endpoint: Endpoint<'a>,
    reference: &'a Reference,
    time: CallTime,
}

/// The digest that a tag points at, by HEAD, or by GET if the answer to HEAD has no digest.
pub(super) async fn tag(http: &Http, reference: &Reference) -> Result<TagAnswer> {
    let look = Look::new(http, reference)?;
    let (method, answer) = look.ask(Method::HEAD).await?;
    let date = answer.header(DATE).and_then(http_date);
    let manifest = match (answer.status, answer.digest()) {
        // The HEAD was an error, so it proves nothing; this is the answer to the GET after it.
        _ if method == Method::GET => look.found(answer).await?,
        (StatusCode::OK, Ok(Some(digest))) => return Ok(TagAnswer { digest: Some(digest), date }),
        _ => look.get().await?,
    };
    Ok(TagAnswer { digest: manifest.map(|manifest| manifest.digest()), date })
}

/// The manifest of a reference, with its digest checked against the requested digest and the claimed one.
pub(super) async fn fetch(http: &Http, reference: &Reference) -> Result<Option<Manifest>> {
    Look::new(http, reference)?.get().await
}

impl<'a> Look<'a> {
    fn new(http: &'a Http, reference: &'a Reference) -> Result<Look<'a>> {
        let endpoint = Endpoint::of(http, reference.repository())?;
        let time = endpoint.time_to_look();
        Ok(Look { endpoint, reference, time })
    }

    async fn get(&self) -> Result<Option<Manifest>> {
        let (_, answer) = self.ask(Method::GET).await?;
        self.found(answer).await
    }

    /// The answer, and the method of its request.
    async fn ask(&self, method: Method) -> Result<(Method, Answer)> {
        let url = self.endpoint.url(&format!("manifests/{}", self.reference.target()))?;
        let mut read = Read { endpoint: &self.endpoint, method, url, accept: ACCEPT, limit: Some(MAX_MANIFEST) };
        let answer = read.answer(self.time).await?;
        Ok((read.method, answer))
    }

    /// The manifest in the answer to a GET; none if the answer proves that it is absent.
    async fn found(&self, answer: Answer) -> Result<Option<Manifest>> {
        match answer.status {
            StatusCode::OK => manifest_of(answer, self.reference.target()).map(Some),
            _ if answer.proves_absence(&ABSENT) => Ok(None),
            _ if answer.is_404_without_code() => self.confirm_absence(&answer).await.map(|()| None),
            _ => Err(answer.unusable(&self.endpoint.http.secrets())),
        }
    }

    /// Reads the tag list of the repository after a 404 without a code, because such a 404 does not prove that the tag
    /// is absent. A list has no digests, so a digest is absent only if the whole repository is.
    async fn confirm_absence(&self, answer: &Answer) -> Result<()> {
        let listed = tags::listed(&self.endpoint, Some(self.time.large())).await;
        let why = match (listed, self.reference.target()) {
            (Ok(None), _) => return Ok(()),
            (Ok(Some(tags)), Target::Tag(tag)) if !tags.contains(tag) => return Ok(()),
            (Ok(Some(_)), Target::Tag(tag)) => format!("its list of tags has {tag}, so it is not known to be absent"),
            (Ok(Some(_)), Target::Digest(_)) => "without a code it does not prove that a digest is absent".to_owned(),
            (Err(error), _) => format!("its list of tags, which could prove the absence, cannot be read: {error}"),
        };
        let error = answer.unusable(&self.endpoint.http.secrets());
        Err(and(error.kind(), &error, &why))
    }
}

/// The manifest in an answer, if its digest is the requested one and the one in the header.
fn manifest_of(answer: Answer, target: &Target) -> Result<Manifest> {
    let media_type = media_type(&answer)?;
    let claimed = answer.digest()?;
    if let Some(claimed) = claimed
        && !claimed.verify(&answer.body)
    {
        let found = claimed.algorithm().digest(&answer.body);
        let message = format!("the registry names {claimed} and sends bytes of {found}");
        return Err(Error::new(ErrorKind::RegistryDigestMismatch, message));
    }
    let requested = match target {
        Target::Digest(digest) => Some(*digest),
        Target::Tag(_) => claimed,
    };
    match requested {
        Some(digest) => Manifest::verified(answer.body, &media_type, digest),
        None => Manifest::new(answer.body, &media_type),
    }
}

/// The Content-Type exactly as sent; if there is none, the manifest's own `mediaType`. Every JSON type is accepted
/// except Docker's schema 1, whose digest is not that of its bytes. An HTML page is no manifest.
fn media_type(answer: &Answer) -> Result<String> {
    let found = match answer.headers.get(CONTENT_TYPE) {
        Some(value) => value.to_str().map(str::to_owned).map_err(|_| {
            Error::new(ErrorKind::ManifestUnsupported, "the manifest's Content-Type has characters beyond ASCII")
        })?,
        None => own_media_type(&answer.body)?,
    };
    let essence = essence(&found).to_ascii_lowercase();
    let is_schema_1 = essence.starts_with("application/vnd.docker.distribution.manifest.v1");
    if essence.starts_with("application/") && essence.ends_with("json") && !is_schema_1 {
        return Ok(found);
    }
    let message = format!("a manifest of type \"{}\" is not supported", show(&found, &[]));
    Err(Error::new(ErrorKind::ManifestUnsupported, message))
}

fn own_media_type(body: &[u8]) -> Result<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: Option<String>,
    }
    let invalid = |why: String| Error::new(ErrorKind::ManifestInvalid, why);
    let typed: Typed =
        serde_json::from_slice(body).map_err(|e| invalid(format!("the manifest is not valid JSON: {e}")))?;
    let missing = "neither Content-Type nor mediaType says what the manifest is";
    typed.media_type.ok_or_else(|| invalid(missing.to_owned()))
}

/// True if the blob exists; false if the registry itself answered a GET that it does not.
pub(super) async fn has_blob(http: &Http, repository: &Repository, digest: &Digest) -> Result<bool> {
    Ok(look_for_blob(&Endpoint::of(http, repository)?, digest, None).await?.is_some())
}

/// The bytes of a blob, with the digest checked; none if the blob is proven absent.
pub(super) async fn blob(http: &Http, repository: &Repository, digest: &Digest, max: usize) -> Result<Option<Bytes>> {
    let body = look_for_blob(&Endpoint::of(http, repository)?, digest, Some(max)).await?;
    if body.as_ref().is_some_and(|body| !digest.verify(body)) {
        let message = format!("asked for the blob {digest}, got other bytes");
        return Err(Error::new(ErrorKind::RegistryDigestMismatch, message));
    }
    Ok(body)
}

/// The bytes of a blob, at most `limit`; without a limit, only its existence counts. None if it is proven absent.
pub(super) async fn look_for_blob(
    endpoint: &Endpoint<'_>,
    digest: &Digest,
    limit: Option<usize>,
) -> Result<Option<Bytes>> {
    let http = endpoint.http;
    let url = endpoint.url(&format!("blobs/{digest}"))?;
    let method = if limit.is_some() { Method::GET } else { Method::HEAD };
    let mut read = Read { endpoint, method, url, accept: "*/*", limit };
    let time = endpoint.time_to_look();
    let answer = read.answer(if limit.is_some() { time.large() } else { time }).await?;
    match answer.status {
        StatusCode::OK => Ok(Some(answer.body.freeze())),
        _ if answer.proves_absence(&ABSENT_BLOB) => Ok(None),
        _ => Err(answer.unusable(&http.secrets())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::MANIFEST_TYPES;

    #[test]
    fn all_supported_types_are_accepted_in_one_header() {
        let (types, rest) = ACCEPT.rsplit_once(", ").unwrap();
        assert_eq!(types.split(", ").collect::<Vec<_>>(), MANIFEST_TYPES);
        assert_eq!(rest, "*/*;q=0.1");
    }
}
