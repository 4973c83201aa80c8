//! Blobs: `GET` (with a range), `HEAD` and `DELETE` of `/v2/<name>/blobs/<digest>`.

use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;

use super::answer::{Answer, DOCKER_CONTENT_DIGEST};
use super::handle::{Asked, Shared, not_allowed};
use tagwarden::registry::Registry;
use tagwarden::{Digest, Repository};

pub(super) async fn answer(shared: &Shared, asked: &Asked, repository: &Repository, digest: &Digest) -> Answer {
    let unknown = || Answer::error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown");
    let blob = || shared.memory.blob(repository, digest);
    match asked.method {
        Method::HEAD => match shared.memory.has_blob(repository, digest).await {
            Ok(true) => blob().map_or_else(unknown, |blob| show(blob, digest, &HeaderMap::new())),
            Ok(false) => unknown(),
            Err(error) => Answer::of(&error),
        },
        Method::GET => blob().map_or_else(unknown, |blob| show(blob, digest, &asked.headers)),
        Method::DELETE if shared.memory.delete_blob(repository, digest) => Answer::new(StatusCode::ACCEPTED),
        Method::DELETE => unknown(),
        _ => not_allowed(),
    }
}

fn show(blob: Bytes, digest: &Digest, headers: &HeaderMap) -> Answer {
    let octets = "application/octet-stream";
    let whole = blob.len();
    let answer = match headers.get(header::RANGE).and_then(|value| value.to_str().ok()).map(|text| range(text, whole)) {
        Some(Some((first, last))) => Answer::body(StatusCode::PARTIAL_CONTENT, octets, blob.slice(first..last + 1))
            .with(header::CONTENT_RANGE, format!("bytes {first}-{last}/{whole}")),
        Some(None) => {
            Answer::new(StatusCode::RANGE_NOT_SATISFIABLE).with(header::CONTENT_RANGE, format!("bytes */{whole}"))
        }
        None => Answer::body(StatusCode::OK, octets, blob),
    };
    answer.with(header::ACCEPT_RANGES, "bytes").with(DOCKER_CONTENT_DIGEST, digest.to_string())
}

/// The positions of the first and last byte of `bytes=a-b`, `bytes=a-`, or `bytes=-n` for the last `n` bytes (RFC 9110,
/// section 14.1.2); none if the range is invalid or not within the blob.
fn range(text: &str, whole: usize) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let end = whole.checked_sub(1)?;
    if first.is_empty() {
        let length = last.parse().ok().filter(|length| *length > 0)?;
        return Some((whole.saturating_sub(length), end));
    }
    let first = first.parse().ok()?;
    let last = if last.is_empty() { end } else { last.parse::<usize>().ok()?.min(end) };
    (first <= last).then_some((first, last))
}
