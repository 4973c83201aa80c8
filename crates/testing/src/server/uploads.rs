//! Uploads: whole with `POST ?digest=`, in parts with `POST`, `PATCH` and `PUT`, mounted with `POST ?mount=&from=`.

use axum::http::{Method, StatusCode, header};
use bytes::{Bytes, BytesMut};
use uuid::Uuid;

use super::answer::{Answer, DOCKER_CONTENT_DIGEST, DOCKER_UPLOAD_UUID};
use super::handle::{Asked, Shared, not_allowed};
use tagwarden::{Digest, Repository};

/// An open upload.
#[derive(Debug)]
pub(super) struct Upload {
    repository: Repository,
    bytes: BytesMut,
}

/// `/v2/<name>/blobs/uploads/`.
pub(super) fn begin(shared: &Shared, asked: &Asked, repository: &Repository) -> Answer {
    if asked.method != Method::POST {
        return not_allowed();
    }
    if let Some(digest) = asked.query.first("digest") {
        return finish(shared, repository, digest, asked.body.clone()).unwrap_or_else(|refusal| refusal);
    }
    if let (Some(mount), Some(from)) = (asked.query.first("mount"), asked.query.first("from"))
        && let Some(answer) = mounted(shared, repository, mount, from)
    {
        return answer;
    }
    let id = Uuid::now_v7().to_string();
    let upload = Upload { repository: repository.clone(), bytes: BytesMut::new() };
    let answer = progress(StatusCode::ACCEPTED, &upload, &id);
    shared.inner().uploads.insert(id, upload);
    answer
}

/// Mounts the blob of another repository. None if that repository lacks the blob: the client then uploads it.
fn mounted(shared: &Shared, repository: &Repository, digest: &str, from: &str) -> Option<Answer> {
    let digest: Digest = digest.parse().ok()?;
    let from: Repository = format!("{}/{from}", shared.host).parse().ok()?;
    let blob = shared.memory.blob(&from, &digest)?;
    shared.memory.store_blob_as(repository, digest, blob);
    Some(created(repository, &digest))
}

/// `/v2/<name>/blobs/uploads/<id>`.
pub(super) fn go_on(shared: &Shared, asked: &Asked, repository: &Repository, id: &str) -> Answer {
    let unknown = || Answer::error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown");
    let mut inner = shared.inner();
    let Some(upload) = inner.uploads.get_mut(id).filter(|upload| upload.repository == *repository) else {
        return unknown();
    };
    match asked.method {
        Method::GET => progress(StatusCode::NO_CONTENT, upload, id),
        Method::DELETE => {
            inner.uploads.remove(id);
            Answer::new(StatusCode::NO_CONTENT)
        }
        Method::PATCH | Method::PUT if !fits(upload, asked) => progress(StatusCode::RANGE_NOT_SATISFIABLE, upload, id),
        Method::PATCH => {
            upload.bytes.extend_from_slice(&asked.body);
            progress(StatusCode::ACCEPTED, upload, id)
        }
        Method::PUT => {
            let Some(digest) = asked.query.first("digest") else {
                return Answer::error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "no digest in the query");
            };
            let bytes = [&upload.bytes[..], &asked.body].concat();
            match finish(shared, repository, digest, bytes.into()) {
                Ok(answer) => {
                    inner.uploads.remove(id);
                    answer
                }
                Err(refusal) => refusal,
            }
        }
        _ => not_allowed(),
    }
}

/// False if `Content-Range: <first>-<last>` shows that this part is not the next one.
fn fits(upload: &Upload, asked: &Asked) -> bool {
    let Some(range) = asked.headers.get(header::CONTENT_RANGE) else { return true };
    let first = range.to_str().ok().and_then(|range| range.split('-').next()?.parse::<usize>().ok());
    first == Some(upload.bytes.len())
}

fn progress(status: StatusCode, upload: &Upload, id: &str) -> Answer {
    Answer::new(status)
        .with(header::LOCATION, format!("/v2/{}/blobs/uploads/{id}", upload.repository.path()))
        .with(header::RANGE, format!("0-{}", upload.bytes.len().saturating_sub(1)))
        .with(DOCKER_UPLOAD_UUID, id)
}

fn finish(shared: &Shared, repository: &Repository, digest: &str, bytes: Bytes) -> Result<Answer, Answer> {
    let refused = |why: &str| Answer::error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", why);
    let digest: Digest = digest.parse().map_err(|error: tagwarden::Error| refused(error.message()))?;
    if !digest.verify(&bytes) {
        return Err(refused("the bytes have another digest"));
    }
    shared.memory.store_blob_as(repository, digest, bytes);
    Ok(created(repository, &digest))
}

fn created(repository: &Repository, digest: &Digest) -> Answer {
    Answer::new(StatusCode::CREATED)
        .with(header::LOCATION, format!("/v2/{}/blobs/{digest}", repository.path()))
        .with(DOCKER_CONTENT_DIGEST, digest.to_string())
}
