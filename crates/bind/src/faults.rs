//! Faults in the scripts of another language: `{fault, …}`, times in milliseconds.

use tagwarden::Result;
use tagwarden_testing::{ErrorAnswer, InjectedFault, ReadFault};
use tagwarden_testing::{HttpFault, RetryAfter};

use crate::fields::Fields;
use crate::registry::manifest;

/// A function that reads the fields of one fault.
type Read<T> = fn(&mut Fields) -> Result<T>;

/// Parses a fault of a put.
pub(crate) fn put(given: Fields) -> Result<InjectedFault> {
    fault(given, PUT)
}

const PUT: &[(&str, Read<InjectedFault>)] = &[
    ("pass", |_| Ok(InjectedFault::Pass)),
    ("before", |_| Ok(InjectedFault::Before)),
    ("after", |_| Ok(InjectedFault::After)),
    ("refused", |given| error_answer(given).map(InjectedFault::Refused)),
    ("denied", |_| Ok(InjectedFault::Denied)),
    ("late", |given| given.need_ms("time").map(InjectedFault::Late)),
    ("twice", |given| given.need_ms("time").map(InjectedFault::Twice)),
    ("slow", |given| given.need_ms("time").map(InjectedFault::Slow)),
    ("stale", |given| given.need("reads").map(InjectedFault::Stale)),
    ("gone", |_| Ok(InjectedFault::Gone)),
    ("ignored", |_| Ok(InjectedFault::Ignored)),
    ("foreign_before", |given| manifest(given).map(InjectedFault::ForeignBefore)),
    ("foreign_after", |given| manifest(given).map(InjectedFault::ForeignAfter)),
];

/// An error answer of a registry: `code`, `status`, or both, and an optional `message`.
pub(crate) fn error_answer(given: &mut Fields) -> Result<ErrorAnswer> {
    let (code, status) = (given.take::<String>("code")?, given.take::<u16>("status")?);
    let mut answer = match (code, status) {
        (None, None) => return Err(given.wrong("code", "it is missing, and there is no status either")),
        (Some(code), None) => ErrorAnswer::of_code(code),
        (code, Some(status)) => ErrorAnswer { status, ..ErrorAnswer::of_code(code.unwrap_or_default()) },
    };
    if !(400..=499).contains(&answer.status) {
        return Err(given.wrong("status", format!("{} is not from 400 to 499", answer.status)));
    }
    answer.message = given.take("message")?.unwrap_or(answer.message);
    Ok(answer)
}

/// Parses a fault of a read.
pub(crate) fn read(given: Fields) -> Result<ReadFault> {
    fault(given, READ)
}

const READ: &[(&str, Read<ReadFault>)] = &[
    ("pass", |_| Ok(ReadFault::Pass)),
    ("unavailable", |_| Ok(ReadFault::Unavailable)),
    ("busy", |_| Ok(ReadFault::Busy)),
    ("denied", |_| Ok(ReadFault::Denied)),
    ("digest_mismatch", |_| Ok(ReadFault::DigestMismatch)),
    ("slow", |given| given.need_ms("time").map(ReadFault::Slow)),
    ("stale", |_| Ok(ReadFault::Stale)),
    ("past", |given| given.need("changes").map(ReadFault::Past)),
    ("lag", |given| given.need_ms("window").map(ReadFault::Lag)),
    ("foreign_before", |given| manifest(given).map(ReadFault::ForeignBefore)),
    ("foreign_after", |given| manifest(given).map(ReadFault::ForeignAfter)),
    ("deleted_after", |given| given.need("digest").map(ReadFault::DeletedAfter)),
];

/// Parses a fault of a request on the wire.
pub(crate) fn http(given: Fields) -> Result<HttpFault> {
    fault(given, HTTP)
}

const HTTP: &[(&str, Read<HttpFault>)] = &[
    ("pass", |_| Ok(HttpFault::Pass)),
    ("status", |given| given.need("status").map(HttpFault::Status)),
    ("status_after", |given| given.need("status").map(HttpFault::StatusAfter)),
    ("busy", |given| {
        let seconds = given.take("seconds")?;
        Ok(HttpFault::Busy(seconds.map_or(RetryAfter::Unsaid, RetryAfter::Seconds)))
    }),
    ("html", |given| given.need("status").map(HttpFault::html)),
    ("redirect", |given| Ok(HttpFault::Redirect(given.need("status")?, given.need("location")?))),
    ("cut_body", |_| Ok(HttpFault::CutBody)),
    ("trickle", |given| given.need_ms("time").map(HttpFault::Trickle)),
    ("closed", |_| Ok(HttpFault::Closed)),
    ("closed_after", |_| Ok(HttpFault::ClosedAfter)),
    ("silent", |_| Ok(HttpFault::Silent)),
    ("silent_after", |_| Ok(HttpFault::SilentAfter)),
    ("slow", |given| given.need_ms("time").map(HttpFault::Slow)),
    ("wrong_digest", |_| Ok(HttpFault::wrong_digest())),
    ("no_digest", |_| Ok(HttpFault::no_digest())),
];

fn fault<T>(mut given: Fields, table: &[(&'static str, Read<T>)]) -> Result<T> {
    let read = given.need_word("fault", table)?;
    let fault = read(&mut given)?;
    given.end().map(|()| fault)
}
