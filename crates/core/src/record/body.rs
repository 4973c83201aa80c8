//! The fields of each kind of entry, read from the tape into what the fold takes.
//!
//! What is accepted here is what [`Entry::open`](super::Entry::open) can read: a test holds the two to each other.

use std::borrow::Cow;
use std::str::FromStr;

use super::entry::Status;
use super::fold::{DefectCode, GoesOn, OpenMove, Standing, Step};
use super::intent::{Deadlines, Op};
use super::tape::{Children, Data, Value};
use crate::error::Error;
use crate::value::{Channel, Commit, Digest, Reference, Tag, Timestamp};

/// A rule that an entry breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) code: DefectCode,
    pub(super) why: String,
}

pub(super) type Form<T> = std::result::Result<T, Bad>;

/// The log that an entry is read for.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) channel: Channel,
    pub(super) text: String,
}

impl Home {
    pub(super) fn new(channel: Channel) -> Home {
        Home { text: channel.to_string(), channel }
    }
}

/// What a body says, as far as the fold needs it: a [`Step`] that borrows its texts, so that reading allocates nothing.
/// What one thread allocates and another frees would cost more than all the reading.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a box is what it is there to avoid")]
pub(super) enum Said<'a> {
    Intent {
        op: Op,
        move_id: Cow<'a, str>,
        key: Cow<'a, str>,
        request: Digest,
        from: Option<Digest>,
        to: Digest,
        replaced: Option<Digest>,
        as_it_is: bool,
        owner: Cow<'a, str>,
        deadlines: Deadlines,
    },
    Takeover {
        intent_seq: u64,
        move_id: Cow<'a, str>,
        owner: Cow<'a, str>,
        epoch: u64,
        previous_owner: Cow<'a, str>,
        deadlines: Deadlines,
    },
    Outcome {
        intent_seq: u64,
        move_id: Cow<'a, str>,
        owner: Cow<'a, str>,
        epoch: u64,
        status: Status,
        observed: Option<Digest>,
    },
    Hold {
        reason: Cow<'a, str>,
        by: Cow<'a, str>,
        until: Option<Timestamp>,
    },
    Release,
    Moved {
        to: Cow<'a, str>,
    },
    Other,
}

impl Said<'_> {
    /// The step, for an entry at `seq`.
    pub(super) fn step(&self, seq: u64) -> Form<Step> {
        Ok(match self {
            Said::Intent { op, move_id, key, request, from, to, replaced, as_it_is, owner, deadlines } => {
                Step::Intent(Box::new(OpenMove {
                    seq,
                    op: *op,
                    move_id: kept(move_id)?,
                    key: kept(key)?,
                    request: *request,
                    from: *from,
                    to: *to,
                    replaced: *replaced,
                    as_it_is: *as_it_is,
                    owner: kept(owner)?,
                    epoch: 0,
                    deadlines: *deadlines,
                    quiet_ms: deadlines.quiet_ms,
                }))
            }
            Said::Takeover { intent_seq, move_id, owner, epoch, previous_owner, deadlines } => Step::Takeover {
                intent_seq: *intent_seq,
                move_id: kept(move_id)?,
                owner: kept(owner)?,
                epoch: *epoch,
                previous_owner: kept(previous_owner)?,
                deadlines: *deadlines,
            },
            Said::Outcome { intent_seq, move_id, owner, epoch, status, observed } => Step::Outcome {
                intent_seq: *intent_seq,
                move_id: kept(move_id)?,
                owner: kept(owner)?,
                epoch: *epoch,
                status: *status,
                observed: *observed,
            },
            Said::Hold { reason, by, until } => {
                Step::Hold(Standing { seq, reason: kept(reason)?, by: kept(by)?, until: *until })
            }
            Said::Release => Step::Release,
            Said::Moved { to } => Step::Moved(GoesOn { seq, to: kept(to)? }),
            Said::Other => Step::Other,
        })
    }
}

/// A text that was found to be of its form, as a value of its own.
fn kept<T: FromStr<Err = Error>>(text: &str) -> Form<T> {
    text.parse().map_err(|e: Error| Bad { code: DefectCode::Field, why: e.to_string() })
}

/// What a body of `kind` says.
pub(super) fn said<'a>(home: &Home, kind: &str, body: Value<'_, 'a>) -> Form<Said<'a>> {
    let fields = body.children();
    match kind {
        "intent" => intent(home, fields),
        "outcome" => outcome(fields),
        "takeover" => takeover(fields),
        "observation" => observation(fields),
        "approval" => approval(fields),
        "hold" => hold(fields),
        "release" => release(fields),
        "adoption" => adoption(fields),
        "moved" => moved(fields),
        _ => Err(Bad { code: DefectCode::Kind, why: format!("the kind {kind:?} is not known to this version") }),
    }
}

/// True if an intent that breaks a rule says enough to hold the channel all the same, so that a report can show it:
/// what it does, to which digest, and whose it is.
pub(super) fn opens(body: Value<'_, '_>) -> bool {
    let mut fields = body.children();
    let epoch = fields.seek("epoch").is_some_and(|epoch| epoch.data() == Data::Integer(0));
    let op = fields.seek("op").is_some_and(|value| op(value).is_ok());
    let owner = fields.seek("owner").and_then(Value::text).is_some_and(|owner| !owner.is_empty());
    let to = fields.seek("to").and_then(|to| to.children().seek("digest")).is_some_and(|to| digest(to).is_ok());
    epoch && op && owner && to
}

// Fields are asked for in their canonical order, which is the order they stand in.

fn intent<'a>(home: &Home, mut fields: Children<'_, 'a>) -> Form<Said<'a>> {
    decision(need(&mut fields, "decision")?)?;
    let epoch = need(&mut fields, "epoch")?;
    if epoch.data() != Data::Integer(0) {
        return Err(bad(epoch, "is not 0"));
    }
    let from = fields.seek("from").map(digest).transpose()?;
    let grace_ms = milliseconds(need(&mut fields, "grace_ms")?)?;
    let key = short(need(&mut fields, "key")?, 128)?;
    let move_id = line(need(&mut fields, "move_id")?)?;
    let op = op(need(&mut fields, "op")?)?;
    let owner = line(need(&mut fields, "owner")?)?;
    if let Some(log) = fields.seek("predecessor") {
        predecessor(log)?;
    }
    provenance(fields.seek("provenance"))?;
    let quiet_ms = milliseconds(need(&mut fields, "quiet_ms")?)?;
    fields.seek("reason").map(line).transpose()?;
    let replaced = fields.seek("replaced").map(digest).transpose()?;
    let request = digest(need(&mut fields, "request")?)?;
    let itself = source(home, need(&mut fields, "source")?)?;
    let to = subject(need(&mut fields, "to")?)?;
    let ttl_ms = milliseconds(need(&mut fields, "ttl_ms")?)?;
    let as_it_is = OpenMove::takes_as_it_is(op, itself);
    let deadlines = Deadlines { ttl_ms, grace_ms, quiet_ms };
    Ok(Said::Intent { op, move_id, key, request, from, to, replaced, as_it_is, owner, deadlines })
}

fn decision(value: Value<'_, '_>) -> Form<()> {
    let mut fields = object(value)?;
    if let Some(approvals) = fields.seek("approvals") {
        array(approvals)?.try_for_each(|seq| count(seq).map(drop))?;
    }
    for finding in array(need(&mut fields, "findings")?)? {
        let mut fields = object(finding)?;
        fields.seek("code").map(line).transpose()?;
        line(need(&mut fields, "guardrail")?)?;
        // A verdict of a later version is read as such.
        text(need(&mut fields, "verdict")?)?;
        line(need(&mut fields, "why")?)?;
    }
    if let Some(overrides) = fields.seek("overrides") {
        for item in array(overrides)? {
            let mut fields = object(item)?;
            line(need(&mut fields, "by")?)?;
            line(need(&mut fields, "guardrail")?)?;
            line(need(&mut fields, "reason")?)?;
        }
    }
    let mut policy = object(need(&mut fields, "policy")?)?;
    digest(need(&mut policy, "digest")?)?;
    line(need(&mut policy, "name")?).map(drop)
}

fn predecessor(value: Value<'_, '_>) -> Form<()> {
    let mut fields = object(value)?;
    let channel = need(&mut fields, "channel")?;
    text(channel)?.parse::<Channel>().map_err(|e| bad(channel, e))?;
    digest(need(&mut fields, "root")?)?;
    count(need(&mut fields, "size")?).map(drop)
}

/// Without a pipeline run or an actor nothing may be recorded; that has a code of its own.
fn provenance(value: Option<Value<'_, '_>>) -> Form<()> {
    let part = |name| value.and_then(|value| value.children().seek(name));
    let named = |part: Option<Value<'_, '_>>, name: &str| {
        part.and_then(|part| part.children().seek(name)).and_then(Value::text).is_some_and(|text| !text.is_empty())
    };
    let (actor, pipeline) = (part("actor"), part("pipeline"));
    let (Some(value), true, true) = (value, named(actor, "id"), named(pipeline, "run_id")) else {
        return Err(Bad { code: DefectCode::Provenance, why: "no pipeline run or no actor".to_owned() });
    };
    let mut fields = object(value)?;
    let mut actor = object(need(&mut fields, "actor")?)?;
    line(need(&mut actor, "id")?)?;
    text(need(&mut actor, "kind")?)?;
    if let Some(commit) = fields.seek("commit") {
        text(commit)?.parse::<Commit>().map_err(|e| bad(commit, e))?;
    }
    if let Some(identity) = fields.seek("identity") {
        let mut identity = object(identity)?;
        line(need(&mut identity, "audience")?)?;
        digest(need(&mut identity, "claims_sha256")?)?;
        line(need(&mut identity, "issuer")?)?;
        line(need(&mut identity, "subject")?)?;
    }
    let mut pipeline = object(need(&mut fields, "pipeline")?)?;
    if let Some(attempt) = pipeline.seek("attempt")
        && u32::try_from(count(attempt)?).is_err()
    {
        return Err(bad(attempt, "is beyond 2^32 - 1"));
    }
    line(need(&mut pipeline, "provider")?)?;
    line(need(&mut pipeline, "run_id")?)?;
    pipeline.seek("url").map(line).transpose()?;
    fields.seek("release").map(|label| short(label, 128)).transpose()?;
    fields.seek("repository_url").map(line).transpose()?;
    Ok(())
}

/// True if the source is the channel's own tag.
fn source(home: &Home, value: Value<'_, '_>) -> Form<bool> {
    let mut members = object(value)?;
    let (Some(member), None) = (members.next(), members.next()) else {
        return Err(bad(value, "is not one of a reference and a channel"));
    };
    let name = text(member)?;
    match member.key() {
        "reference" => {
            // Nearly always a tag of the log's own repository, whose spelling is known.
            let repository = home.text.len() - home.channel.tag().as_str().len();
            let tag = name.strip_prefix(home.text.get(..repository).unwrap_or("\0"));
            match tag {
                Some(tag) => tag.parse::<Tag>().map(drop),
                None => name.parse::<Reference>().map(drop),
            }
            .map_err(|e| bad(member, e))?;
            Ok(*name == *home.text)
        }
        "channel" => name.parse::<Channel>().map(|_| false).map_err(|e| bad(member, e)),
        _ => Err(bad(value, "is not one of a reference and a channel")),
    }
}

fn subject(value: Value<'_, '_>) -> Form<Digest> {
    let mut fields = object(value)?;
    let to = digest(need(&mut fields, "digest")?)?;
    line(need(&mut fields, "media_type")?)?;
    count(need(&mut fields, "size")?)?;
    Ok(to)
}

fn outcome<'a>(mut fields: Children<'_, 'a>) -> Form<Said<'a>> {
    flag(need(&mut fields, "ambiguous")?)?;
    count(need(&mut fields, "attempts")?)?;
    let epoch = count(need(&mut fields, "epoch")?)?;
    if let Some(error) = fields.seek("error") {
        let mut error = object(error)?;
        line(need(&mut error, "code")?)?;
        line(need(&mut error, "text")?)?;
    }
    let intent_seq = count(need(&mut fields, "intent_seq")?)?;
    let move_id = line(need(&mut fields, "move_id")?)?;
    let observed = fields.seek("observed").map(digest).transpose()?;
    let owner = line(need(&mut fields, "owner")?)?;
    flag(need(&mut fields, "recovered")?)?;
    let value = need(&mut fields, "status")?;
    let status = match text(value)?.as_ref() {
        "committed" => Status::Committed,
        "failed" => Status::Failed,
        "aborted" => Status::Aborted,
        other => return Err(Bad { code: DefectCode::Outcome, why: format!("status {other:?}") }),
    };
    Ok(Said::Outcome { intent_seq, move_id, owner, epoch, status, observed })
}

fn takeover<'a>(mut fields: Children<'_, 'a>) -> Form<Said<'a>> {
    let epoch = count(need(&mut fields, "epoch")?)?;
    let grace_ms = milliseconds(need(&mut fields, "grace_ms")?)?;
    let intent_seq = count(need(&mut fields, "intent_seq")?)?;
    let move_id = line(need(&mut fields, "move_id")?)?;
    let owner = line(need(&mut fields, "owner")?)?;
    let previous_owner = line(need(&mut fields, "previous_owner")?)?;
    let quiet_ms = milliseconds(need(&mut fields, "quiet_ms")?)?;
    let ttl_ms = milliseconds(need(&mut fields, "ttl_ms")?)?;
    let deadlines = Deadlines { ttl_ms, grace_ms, quiet_ms };
    Ok(Said::Takeover { intent_seq, move_id, owner, epoch, previous_owner, deadlines })
}

fn observation<'a>(mut fields: Children<'_, 'a>) -> Form<Said<'a>> {
    if let Some(attributed) = fields.seek("attributed") {
        let mut attributed = object(attributed)?;
        line(need(&mut attributed, "actor")?)?;
        time(need(&mut attributed, "at")?)?;
        line(need(&mut attributed, "source")?)?;
    }
    text(need(&mut fields, "cause")?)?;
    fields.seek("expected").map(digest).transpose()?;
    fields.seek("observed").map(digest).transpose()?;
    Ok(Said::Other)
}

fn approval<'a>(mut fields: Children<'_, 'a>) -> Form<Said<'a>> {
    line(need(&mut fields, "by")?)?;
    fields.seek("expires_at").map(time).transpose()?;
    fields.seek("from").map(digest).transpose()?;
    digest(need(&mut fields, "to")?)?;
    Ok(Said::Other)
}

fn hold<'a>(mut fields: Children<'_, 'a>) -> Form<Said<'a>> {
    let by = line(need(&mut fields, "by")?)?;
    let reason = line(need(&mut fields, "reason")?)?;
    let until = fields.seek("until").map(time).transpose()?;
    Ok(Said::Hold { reason, by, until })
}

fn release<'a>(mut fields: Children<'_, 'a>) -> Form<Said<'a>> {
    line(need(&mut fields, "by")?)?;
    line(need(&mut fields, "reason")?)?;
    Ok(Said::Release)
}

fn adoption<'a>(mut fields: Children<'_, 'a>) -> Form<Said<'a>> {
    time(need(&mut fields, "at")?)?;
    line(need(&mut fields, "cluster")?)?;
    flag(need(&mut fields, "ready")?)?;
    line(need(&mut fields, "revision")?)?;
    Ok(Said::Other)
}

fn moved<'a>(mut fields: Children<'_, 'a>) -> Form<Said<'a>> {
    digest(need(&mut fields, "root")?)?;
    count(need(&mut fields, "size")?)?;
    Ok(Said::Moved { to: line(need(&mut fields, "to")?)? })
}

// The forms that a field may have.

#[cold]
pub(super) fn missing(name: &str) -> Bad {
    Bad { code: DefectCode::Field, why: format!("{name}: missing, or not of its type") }
}

#[cold]
fn bad(value: Value<'_, '_>, why: impl std::fmt::Display) -> Bad {
    Bad { code: DefectCode::Field, why: format!("{}: {why}", value.key()) }
}

#[inline(always)]
fn need<'t, 'a>(fields: &mut Children<'t, 'a>, name: &str) -> Form<Value<'t, 'a>> {
    fields.seek(name).ok_or_else(|| missing(name))
}

/// The string in the field `name`.
#[inline(always)]
pub(super) fn string<'a>(fields: &mut Children<'_, 'a>, name: &str) -> Form<Cow<'a, str>> {
    text(need(fields, name)?)
}

fn object<'t, 'a>(value: Value<'t, 'a>) -> Form<Children<'t, 'a>> {
    match value.data() {
        Data::Object => Ok(value.children()),
        _ => Err(bad(value, "not an object")),
    }
}

fn array<'t, 'a>(value: Value<'t, 'a>) -> Form<Children<'t, 'a>> {
    match value.data() {
        Data::Array => Ok(value.children()),
        _ => Err(bad(value, "not an array")),
    }
}

fn text<'a>(value: Value<'_, 'a>) -> Form<Cow<'a, str>> {
    value.text().ok_or_else(|| bad(value, "not a string"))
}

/// A line of 1 to `most` characters; which ones is checked for the entry as a whole.
fn short<'a>(value: Value<'_, 'a>, most: usize) -> Form<Cow<'a, str>> {
    let text = text(value)?;
    match text.len() {
        0 => Err(bad(value, "it is empty")),
        length if length > most && text.chars().count() > most => Err(bad(value, format!("over {most} characters"))),
        _ => Ok(text),
    }
}

/// What a [`Text`](crate::Text) may be.
fn line<'a>(value: Value<'_, 'a>) -> Form<Cow<'a, str>> {
    short(value, 1024)
}

fn digest(value: Value<'_, '_>) -> Form<Digest> {
    match value.data() {
        Data::Text(text) => text.parse().map_err(|e| bad(value, e)),
        _ => Err(bad(value, "not a digest")),
    }
}

fn time(value: Value<'_, '_>) -> Form<Timestamp> {
    let text = text(value)?;
    match Timestamp::of_written(&text) {
        Some(time) => Ok(time),
        None => text.parse().map_err(|e| bad(value, e)),
    }
}

fn count(value: Value<'_, '_>) -> Form<u64> {
    match value.data() {
        Data::Integer(number) => u64::try_from(number).map_err(|_| bad(value, "below 0")),
        _ => Err(bad(value, "not an integer")),
    }
}

fn milliseconds(value: Value<'_, '_>) -> Form<u64> {
    match count(value)? {
        number @ 1..=Deadlines::MAX_MS => Ok(number),
        number => Err(bad(value, format!("{number} ms is not from 1 to {}", Deadlines::MAX_MS))),
    }
}

fn flag(value: Value<'_, '_>) -> Form<bool> {
    match value.data() {
        Data::Bool(flag) => Ok(flag),
        _ => Err(bad(value, "neither true nor false")),
    }
}

fn op(value: Value<'_, '_>) -> Form<Op> {
    match text(value)?.as_ref() {
        "promote" => Ok(Op::Promote),
        "rollback" => Ok(Op::Rollback),
        "bootstrap" => Ok(Op::Bootstrap),
        "repair" => Ok(Op::Repair),
        "adopt" => Ok(Op::Adopt),
        other => Err(bad(value, format!("{other:?} is not known to this version"))),
    }
}
