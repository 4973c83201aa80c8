//! The answers of the model of Google Cloud Storage, in the format of the XML API.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::ops::Bound;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};

/// A fixed time: our clients do not read the time of an object's last change.
const MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// The number of names in a list at most.
const PAGE: usize = 1000;

#[derive(Debug)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) generation: u64,
    pub(super) changed: Instant,
}

pub(super) fn token(token: &str) -> Response<Body> {
    let body = format!(r#"{{"access_token": "{token}", "expires_in": 3599, "token_type": "Bearer"}}"#);
    Response::builder().header(header::CONTENT_TYPE, "application/json").body(body.into()).expect("an answer")
}

pub(super) fn refused(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let body =
        format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    xml(status, body)
}

pub(super) fn stored(object: &Object) -> Response<Body> {
    of(object, StatusCode::OK).body(Body::empty()).expect("an answer")
}

/// The whole object, or the one range that was requested (RFC 9110, section 14).
pub(super) fn content(object: &Object, range: Option<&HeaderValue>) -> Response<Body> {
    let Some(range) = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")) else {
        return of(object, StatusCode::OK).body(object.bytes.clone().into()).expect("an answer");
    };
    let length = object.bytes.len();
    let (first, last) = match range.split_once('-') {
        Some(("", tail)) => (length.saturating_sub(tail.parse().unwrap_or(0)), length),
        Some((first, "")) => (first.parse().unwrap_or(length), length),
        Some((first, last)) => {
            (first.parse().unwrap_or(length), last.parse::<usize>().map_or(length, |last| length.min(last + 1)))
        }
        None => (length, length),
    };
    if first >= last {
        return refused(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "The requested range cannot be satisfied.");
    }
    of(object, StatusCode::PARTIAL_CONTENT)
        .header(header::CONTENT_RANGE, format!("bytes {first}-{}/{length}", last - 1))
        .body(object.bytes.slice(first..last).into())
        .expect("an answer")
}

/// A page of names in byte order: `prefix`, `delimiter`, `start-after`, `max-keys`, `continuation-token`.
pub(super) fn list(objects: &BTreeMap<String, Object>, query: &HashMap<String, String>) -> Response<Body> {
    let asked = |name: &str| query.get(name).map_or("", String::as_str);
    let (prefix, delimiter) = (asked("prefix"), asked("delimiter"));
    let most = query.get("max-keys").and_then(|most| most.parse().ok()).unwrap_or(PAGE).min(PAGE);
    let after = asked("continuation-token").max(asked("start-after")).to_owned();
    let (mut names, mut folders, mut next) = (Vec::new(), BTreeSet::new(), None);
    let behind = objects.range::<String, _>((Bound::Excluded(after.clone()), Bound::Unbounded));
    for (key, object) in behind.filter(|(key, _)| key.starts_with(prefix)) {
        let folder = match delimiter {
            "" => None,
            _ => key[prefix.len()..].split_once(delimiter).map(|(name, _)| format!("{prefix}{name}{delimiter}")),
        };
        if folder.as_ref().is_some_and(|folder| folders.contains(folder) || after.starts_with(folder)) {
            continue;
        }
        if names.len() + folders.len() == most {
            next = names.last().map(|(key, _)| key).max(folders.last()).cloned();
            break;
        }
        match folder {
            Some(folder) => _ = folders.insert(folder),
            None => names.push((key.clone(), object)),
        }
    }
    let mut body = String::from("<?xml version='1.0' encoding='UTF-8'?><ListBucketResult>");
    for (key, object) in names {
        let (size, tag) = (object.bytes.len(), object.generation);
        let _ = write!(body, "<Contents><Key>{}</Key><Size>{size}</Size>", escaped(&key));
        let _ = write!(body, "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"{tag}\"</ETag></Contents>");
    }
    for folder in folders {
        let _ = write!(body, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escaped(&folder));
    }
    if let Some(next) = next {
        let _ = write!(body, "<NextContinuationToken>{}</NextContinuationToken>", escaped(&next));
    }
    xml(StatusCode::OK, body + "</ListBucketResult>")
}

fn of(object: &Object, status: StatusCode) -> axum::http::response::Builder {
    Response::builder()
        .status(status)
        .header(header::ETAG, format!("\"{}\"", object.generation))
        .header(header::LAST_MODIFIED, MODIFIED)
        .header("x-goog-generation", object.generation)
}

fn xml(status: StatusCode, body: String) -> Response<Body> {
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "application/xml; charset=UTF-8");
    answer.body(body.into()).expect("an answer")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
