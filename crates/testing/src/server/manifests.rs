//! Manifests: `GET`, `HEAD`, `PUT` and `DELETE` of `/v2/<name>/manifests/<tag or digest>`.

use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;

use super::answer::{Answer, DOCKER_CONTENT_DIGEST, OCI_SUBJECT};
use super::handle::{Asked, Shared, not_allowed};
use tagwarden::registry::{MANIFEST_TYPES, Manifest, Put, Registry};
use tagwarden::{Digest, Repository, Tag, Target};
use tagwarden::{Error, ErrorKind, Result};

pub(super) async fn answer(shared: &Shared, asked: &Asked, repository: &Repository, target: &Target) -> Answer {
    match asked.method {
        Method::GET | Method::HEAD => match read(shared, &asked.method, repository, target).await {
            Ok(Some((manifest, body))) => {
                show(&manifest, body, &asked.headers).unwrap_or_else(|| absent(shared, repository, target))
            }
            Ok(None) => absent(shared, repository, target),
            Err(error) => Answer::of(&error),
        },
        Method::PUT => put(shared, asked, repository, target).await,
        Method::DELETE => {
            if let Some(refusal) = shared.memory.refused_delete(repository, target) {
                return Answer::said(&refusal);
            }
            let deleted = match target {
                Target::Tag(tag) => shared.memory.delete_tag(repository, tag),
                Target::Digest(digest) => shared.memory.delete_manifest(repository, digest),
            };
            if deleted { Answer::new(StatusCode::ACCEPTED) } else { absent(shared, repository, target) }
        }
        _ => not_allowed(),
    }
}

/// The answer to a request for an absent manifest: the vendor's, else distribution's.
fn absent(shared: &Shared, repository: &Repository, target: &Target) -> Answer {
    let memory = &shared.memory;
    let was_deleted = matches!(target, Target::Tag(tag) if memory.was_deleted(repository, tag));
    match memory.vendor() {
        None => Answer::error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown"),
        Some(vendor) if !memory.has_repository(repository) => Answer::said(&vendor.absent_repository(repository)),
        Some(vendor) => Answer::said(&vendor.absent_manifest(repository, target, was_deleted)),
    }
}

/// The manifest and the body to send for it. The read goes through the port, so that scripted faults and the call log
/// apply: a HEAD of a tag is a `resolve`, every other read is a `fetch`.
async fn read(
    shared: &Shared,
    method: &Method,
    repository: &Repository,
    target: &Target,
) -> Result<Option<(Manifest, Bytes)>> {
    let whole = |manifest: Manifest| (manifest.clone(), manifest.bytes().clone());
    let of_digest = |digest: Digest| shared.memory.manifest(repository, &digest);
    let reference = match target {
        Target::Tag(tag) if *method == Method::HEAD => {
            return Ok(shared.memory.resolve(repository, tag).await?.and_then(of_digest).map(whole));
        }
        Target::Tag(tag) => repository.tag(tag.clone()),
        Target::Digest(digest) => repository.digest(*digest),
    };
    match shared.memory.fetch(&reference).await {
        Err(error) if error.kind() == ErrorKind::RegistryDigestMismatch => {
            let digest = match target {
                Target::Tag(tag) => shared.memory.peek(repository, tag),
                Target::Digest(digest) => Some(*digest),
            };
            let lie = |manifest: Manifest| {
                let bytes = [manifest.bytes(), &b" "[..]].concat();
                (manifest, bytes.into())
            };
            Ok(digest.and_then(of_digest).map(lie))
        }
        other => Ok(other?.map(whole)),
    }
}

/// The answer with a manifest; none if the client does not accept its type.
fn show(manifest: &Manifest, body: Bytes, headers: &HeaderMap) -> Option<Answer> {
    let media_type = manifest.media_type().as_str();
    // `Accept` must name the known types, as in distribution. For other types `*/*` is enough.
    let is_known = MANIFEST_TYPES.contains(&media_type);
    let fits = |accepted: &str| accepted == media_type || (accepted == "*/*" && !is_known);
    if !names(headers, header::ACCEPT, fits) {
        return None;
    }
    let digest = manifest.digest().to_string();
    let answer = match names(headers, header::IF_NONE_MATCH, |etag| etag.trim_matches('"') == digest) {
        true => Answer::new(StatusCode::NOT_MODIFIED),
        false => Answer::body(StatusCode::OK, media_type, body),
    };
    Some(answer.with(header::ETAG, format!("\"{digest}\"")).with(DOCKER_CONTENT_DIGEST, digest))
}

/// True if `fits` accepts one of the comma-separated values of a header, without its parameters.
fn names(headers: &HeaderMap, name: header::HeaderName, fits: impl Fn(&str) -> bool) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| fits(value.split(';').next().unwrap_or("").trim()))
}

/// Longer than any test waits. The client has its own timeout.
const NO_TIMEOUT: Duration = Duration::from_secs(3600);

async fn put(shared: &Shared, asked: &Asked, repository: &Repository, target: &Target) -> Answer {
    let media_type = asked.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let manifest = match target {
        Target::Tag(_) => Manifest::new(asked.body.clone(), media_type),
        Target::Digest(digest) => Manifest::verified(asked.body.clone(), media_type, *digest),
    };
    let manifest = match manifest {
        Ok(manifest) => manifest,
        Err(error) => return invalid(&error),
    };
    let put = match target {
        Target::Tag(tag) => put_tag(shared, repository, tag, &manifest).await,
        Target::Digest(_) => put_digest(shared, repository, &manifest),
    };
    if let Err(answer) = put {
        return answer;
    }
    let digest = manifest.digest();
    let answer = Answer::new(StatusCode::CREATED)
        .with(header::LOCATION, format!("/v2/{}/manifests/{digest}", repository.path()))
        .with(DOCKER_CONTENT_DIGEST, digest.to_string());
    match manifest.subject() {
        Ok(Some(subject)) if shared.has_referrers() => answer.with(OCI_SUBJECT, subject.digest.to_string()),
        _ => answer,
    }
}

fn invalid(error: &Error) -> Answer {
    let (status, code) = match error.kind() {
        ErrorKind::ManifestTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
        ErrorKind::RegistryDigestMismatch => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
        _ => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
    };
    Answer::error(status, code, error.message())
}

async fn put_tag(shared: &Shared, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Result<(), Answer> {
    match shared.memory.put(repository, tag, manifest, NO_TIMEOUT).await {
        Put::Applied => Ok(()),
        Put::Unknown(error) => Err(Answer::of(&error)),
        Put::Refused(error) => match error.context().any(|pair| pair == ("registry_code", "MANIFEST_BLOB_UNKNOWN")) {
            true => complete(shared, repository, manifest).and(Err(Answer::of(&error))),
            false => Err(Answer::of(&error)),
        },
    }
}

fn put_digest(shared: &Shared, repository: &Repository, manifest: &Manifest) -> Result<(), Answer> {
    complete(shared, repository, manifest)?;
    shared.memory.store_manifest(repository, manifest);
    Ok(())
}

/// Refuses a manifest with missing parts, with one error for each missing part.
fn complete(shared: &Shared, repository: &Repository, manifest: &Manifest) -> Result<(), Answer> {
    let missing = shared.memory.missing_parts(repository, manifest).map_err(|error| invalid(&error))?;
    if missing.is_empty() {
        return Ok(());
    }
    let messages = missing.iter().map(|descriptor| format!("{} is not known to the registry", descriptor.digest));
    Err(Answer::errors(StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN", messages))
}
