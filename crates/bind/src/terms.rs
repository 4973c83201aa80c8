//! The operations and options that a promoter is called with.

use serde::Deserialize;
use serde_json::Value;
use tagwarden::log::{Hold, HoldScope, Source};
use tagwarden::policy::ExpectedDigest;
use tagwarden::promotion::OnConflict;
use tagwarden::promotion::{BootstrapOptions, Operation, RecoveryMode};
use tagwarden::retention::RetentionRule;
use tagwarden::{AsWritten, Channel, Error, ErrorKind, MoveOptions, ReleaseName, Result, Tag, Times};

use crate::fields::Fields;
use crate::value::built;

/// Reads the arguments of the operation `op`, and the tag that was written beside the digest of its source.
pub(crate) fn operation(op: &str, asked: &mut Fields) -> Result<(Operation, Option<Tag>)> {
    match op {
        "promote" => match source(asked)? {
            (Some(source), tag) => Ok((Operation::Promote(source), tag)),
            (None, _) => Err(asked.wrong("source", "it is missing")),
        },
        "rollback" => Ok((Operation::Rollback(asked.take("to")?), None)),
        "bootstrap" => {
            let ((source, tag), predecessor) = (source(asked)?, asked.take("predecessor")?);
            Ok((Operation::Bootstrap(BootstrapOptions { source, predecessor }), tag))
        }
        "repair" => Ok((Operation::Repair, None)),
        "adopt" => Ok((Operation::Adopt, None)),
        other => {
            let message = format!("op: {other:?} is none of promote, rollback, bootstrap, repair, adopt");
            Err(Error::new(ErrorKind::ValueInvalid, message))
        }
    }
}

/// Reads `source`: a release's name as text, `{reference}` or `{channel}`; and the tag that was written beside a
/// digest.
fn source(asked: &mut Fields) -> Result<(Option<Source>, Option<Tag>)> {
    let Some(value) = asked.value("source") else { return Ok((None, None)) };
    let value = match value {
        text @ Value::String(_) => serde_json::json!({ "reference": text }),
        other => other,
    };
    let written = serde_json::from_value(value).map_err(|e| asked.wrong("source", e))?;
    Ok(match written {
        WrittenSource::Reference(ReleaseName { reference, tag }) => (Some(Source::Reference(reference)), tag),
        WrittenSource::Channel(AsWritten(channel)) => (Some(Source::Channel(channel)), None),
    })
}

/// A [`Source`] as people write it.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenSource {
    Reference(ReleaseName),
    Channel(AsWritten<Channel>),
}

/// Reads the terms of a move from all remaining arguments.
pub(crate) fn terms(mut asked: Fields) -> Result<MoveOptions> {
    let mut terms = MoveOptions::new(built(&mut asked)?);
    terms.idempotency_key = asked.text("idempotency_key")?;
    terms.reason = asked.text("reason")?;
    if let Some(expected) = expected(&mut asked)? {
        terms.expected = expected;
    }
    let overrides = asked.take::<Vec<String>>("override")?.unwrap_or_default();
    terms.overrides =
        overrides.iter().map(|name| name.parse()).collect::<Result<_>>().map_err(|e| asked.wrong("override", e))?;
    let conflict = [("wait", OnConflict::Wait), ("requeue", OnConflict::Requeue), ("fail", OnConflict::Fail)];
    if let Some(on_conflict) = asked.word("on_conflict", &conflict)? {
        terms.on_conflict = on_conflict;
    }
    if let Some(timeout) = asked.ms("timeout")? {
        terms.timeout = timeout;
    }
    asked.end()?;
    Ok(terms)
}

/// Reads `expected`: `any`, `absent`, or a digest.
fn expected(asked: &mut Fields) -> Result<Option<ExpectedDigest>> {
    let Some(value) = asked.value("expected") else { return Ok(None) };
    match value.as_str() {
        Some("any") => Ok(Some(ExpectedDigest::Any)),
        Some("absent") => Ok(Some(ExpectedDigest::Absent)),
        _ => {
            serde_json::from_value(value).map(|at| Some(ExpectedDigest::At(at))).map_err(|e| asked.wrong("expected", e))
        }
    }
}

/// Reads a hold from all remaining arguments: `scope` (`promotions`, the default, or `all`), `reason`, `provenance` and
/// `until`.
pub(crate) fn hold(mut asked: Fields) -> Result<Hold> {
    let scope = asked.word("scope", &[("promotions", HoldScope::Promotions), ("all", HoldScope::All)])?;
    let (reason, until) = (asked.need_text("reason")?, asked.take("until")?);
    let provenance = built(&mut asked)?;
    asked.end()?;
    Ok(Hold { scope: scope.unwrap_or_default(), reason, provenance, until })
}

/// Reads `abort`: true closes the open move without a put. The default completes the move.
pub(crate) fn mode(asked: &mut Fields) -> Result<RecoveryMode> {
    let abort = asked.take("abort")?.unwrap_or(false);
    Ok(if abort { RecoveryMode::Abort } else { RecoveryMode::RollForward })
}

/// Reads `times`: `ttl`, `grace`, `quiet`, `put` and `settle` in milliseconds. Missing times have their defaults.
pub(crate) fn times(asked: &mut Fields) -> Result<Option<Times>> {
    let Some(mut given) = asked.inner("times")? else { return Ok(None) };
    let default = Times::default();
    let times = Times::new(
        given.ms("ttl")?.unwrap_or(default.ttl()),
        given.ms("grace")?.unwrap_or(default.grace()),
        given.ms("quiet")?.unwrap_or(default.quiet()),
        given.ms("put")?.unwrap_or(default.put()),
    )?;
    let times = match given.ms("settle")? {
        Some(settle) => times.with_settle(settle)?,
        None => times,
    };
    given.end()?;
    Ok(Some(times))
}

/// Reads `rule`: `keep_last` digests and `keep_for` milliseconds. Missing values have their defaults.
pub(crate) fn rule(asked: &mut Fields) -> Result<RetentionRule> {
    let RetentionRule { keep_last, keep_for } = RetentionRule::default();
    let Some(mut given) = asked.inner("rule")? else { return Ok(RetentionRule { keep_last, keep_for }) };
    let rule = RetentionRule {
        keep_last: given.take("keep_last")?.unwrap_or(keep_last),
        keep_for: given.ms("keep_for")?.unwrap_or(keep_for),
    };
    given.end()?;
    Ok(rule)
}
