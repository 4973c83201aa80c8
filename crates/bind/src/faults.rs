//! Faults, as another language scripts them: `{fault, …}`.

use std::time::Duration;

use tagwarden::Result;
use tagwarden::registry::{Fault, Manifest, ReadFault};
use tagwarden::testing::{HttpFault, RetryAfter};

use crate::fields::Fields;
use crate::registry::manifest;

/// The codes of the OCI distribution specification 1.1, and the one that registries answer 429 with.
const CODES: [&str; 15] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "TAG_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNSUPPORTED",
];

/// What happens to a put: `{fault}`, with `code` (refused), `time` in milliseconds (late, twice, slow), `reads` (stale), or
/// `bytes` and `media_type` (foreign).
pub(crate) fn put(mut given: Fields) -> Result<Fault> {
    let fault = match word(&mut given)?.as_str() {
        "pass" => Fault::Pass,
        "before" => Fault::Before,
        "after" => Fault::After,
        "refused" => Fault::Refused(code(&mut given)?),
        "denied" => Fault::Denied,
        "late" => Fault::Late(time(&mut given)?),
        "twice" => Fault::Twice(time(&mut given)?),
        "slow" => Fault::Slow(time(&mut given)?),
        "stale" => Fault::Stale(given.need("reads")?),
        "gone" => Fault::Gone,
        "ignored" => Fault::Ignored,
        "foreign_before" => Fault::ForeignBefore(foreign(&mut given)?),
        "foreign_after" => Fault::ForeignAfter(foreign(&mut given)?),
        other => return Err(given.wrong("fault", format!("{other:?} is no fault of a put"))),
    };
    given.end().map(|()| fault)
}

/// What happens to a read: `{fault}`, with `time`, `digest`, or `bytes` and `media_type`.
pub(crate) fn read(mut given: Fields) -> Result<ReadFault> {
    let fault = match word(&mut given)?.as_str() {
        "pass" => ReadFault::Pass,
        "unavailable" => ReadFault::Unavailable,
        "busy" => ReadFault::Busy,
        "denied" => ReadFault::Denied,
        "lied" => ReadFault::Lied,
        "slow" => ReadFault::Slow(time(&mut given)?),
        "stale" => ReadFault::Stale,
        "foreign_before" => ReadFault::ForeignBefore(foreign(&mut given)?),
        "foreign_after" => ReadFault::ForeignAfter(foreign(&mut given)?),
        "deleted_after" => ReadFault::DeletedAfter(given.need("digest")?),
        other => return Err(given.wrong("fault", format!("{other:?} is no fault of a read"))),
    };
    given.end().map(|()| fault)
}

/// What happens to a request on the wire: `{fault}`, with `status`, `seconds`, `location` or `time`.
pub(crate) fn http(mut given: Fields) -> Result<HttpFault> {
    let fault = match word(&mut given)?.as_str() {
        "pass" => HttpFault::Pass,
        "status" => HttpFault::Status(given.need("status")?),
        "status_after" => HttpFault::StatusAfter(given.need("status")?),
        "busy" => HttpFault::Busy(given.take("seconds")?.map_or(RetryAfter::Unsaid, RetryAfter::Seconds)),
        "html" => HttpFault::Html(given.need("status")?),
        "redirect" => HttpFault::Redirect(given.need("status")?, given.need("location")?),
        "cut_body" => HttpFault::CutBody,
        "trickle" => HttpFault::Trickle(time(&mut given)?),
        "closed" => HttpFault::Closed,
        "closed_after" => HttpFault::ClosedAfter,
        "silent" => HttpFault::Silent,
        "silent_after" => HttpFault::SilentAfter,
        "slow" => HttpFault::Slow(time(&mut given)?),
        "wrong_digest" => HttpFault::wrong_digest(),
        "no_digest" => HttpFault::no_digest(),
        other => return Err(given.wrong("fault", format!("{other:?} is no fault on the wire"))),
    };
    given.end().map(|()| fault)
}

fn word(given: &mut Fields) -> Result<String> {
    given.need("fault")
}

fn time(given: &mut Fields) -> Result<Duration> {
    match given.ms("time")? {
        Some(time) => Ok(time),
        None => Err(given.wrong("time", "it is missing")),
    }
}

fn code(given: &mut Fields) -> Result<&'static str> {
    let named: String = given.need("code")?;
    let code = CODES.iter().copied().find(|code| *code == named);
    code.ok_or_else(|| given.wrong("code", format!("{named:?} is no code of the OCI specification")))
}

fn foreign(given: &mut Fields) -> Result<Manifest> {
    manifest(given)
}
