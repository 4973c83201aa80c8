//! The state of a channel, now and at a time, and the advice about drift.

use std::time::Duration;

use serde_json::json;
use tagwarden::drift::{ChannelAudit, Drift};
use tagwarden::log::{MoveRecord, MoveStatus, OpenMove, RecordedPolicy, TakeoverRecord};
use tagwarden::promotion::{ChannelStatus, DriftSeen, LiveAt};
use tagwarden::{Channel, Clock as _, Digest, ErrorClass, Provenance, Result, SystemClock, Timestamp};

use super::diff::apart;
use super::event::{at_digest, release, run, source, told_rest, warnings, who};
use super::{Answer, Fields, Style, shown};

/// The state of a channel, and the audit of its tag if the registry was asked. `policy` is the one that judges moves of the
/// channel here.
pub(crate) fn current(
    current: &ChannelStatus,
    audited: Option<&ChannelAudit>,
    policy: Option<&RecordedPolicy>,
    style: Style,
) -> Result<Answer> {
    let mut fields = Fields::under(style.bold(&current.channel.to_string()));
    if let Some(event) = &current.event {
        fields = release(fields, event);
    }
    fields = fields.field("live", at_digest(current.live)).field("previous", at_digest(current.previous));
    if let Some(event) = &current.event {
        fields = fields.field("by", format!("{} of {}", event.intent.op.as_str(), who(event)));
        fields = told_rest(fields, event);
    }
    if let (Some(event), Some(policy)) = (&current.event, policy)
        && event.intent.decision.policy.digest != policy.digest
    {
        let RecordedPolicy { name, digest } = &event.intent.decision.policy;
        let (was, is) = (digest.short(), policy.digest.short());
        fields =
            fields.field("policy", format!("{name} ({was}) judged this move; {} ({is}) judges the next", policy.name));
    }
    for hold in &current.holds {
        fields = fields.line(format!("  {} {}", style.doubtful("hold     "), shown(&hold.to_string())));
    }
    for blocked in &current.blocks {
        fields = fields.line(format!("  {} {}", style.doubtful("block    "), shown(&blocked.to_string())));
    }
    if let Some(open) = &current.open {
        fields = open_move(fields, current, open, style);
    }
    if let Some(doubt) = &current.possibly_open {
        fields = fields.line(format!("  {} possibly: {}", style.doubtful("open     "), shown(&doubt.to_string())));
    }
    if let Some(migrated) = &current.migrated {
        let text =
            format!("the log was migrated to {} at seq {}; this is its state then", migrated.ledger, migrated.seq);
        fields = fields.line(format!("  {} {}", style.doubtful("migrated "), shown(&text)));
    }
    let Some(audited) = audited else { return with_ways(Answer::done(current, fields.text())?, current) };
    let class = audited.drift.class();
    let word = match class {
        None => style.good("registry "),
        Some(ErrorClass::Drift) => style.bad("registry "),
        Some(_) => style.doubtful("registry "),
    };
    fields = fields.line(format!("  {word} {}", shown(&audited.drift.to_string())));
    fields = warnings(fields, &audited.findings, style);
    // The open move's own lines have the commands that close it.
    if let Some(advice) = advice(audited).filter(|_| current.open.is_none()) {
        fields = fields.line(format!("  {}", shown(&advice)));
    }
    let answer = Answer::done(current, fields.text())?.with("registry", &audited.drift)?.found(class);
    with_ways(answer, current)
}

/// The open move: who began it, when, who took it over, and the commands that close it.
fn open_move(fields: Fields, current: &ChannelStatus, open: &OpenMove, style: Style) -> Fields {
    let OpenMove { op, target, seq, move_id, .. } = open;
    let name = current.open_event.as_ref().map(|event| format!("{} ", source(event))).unwrap_or_default();
    let text = format!("{} to {name}{target} (seq {seq}, move {move_id})", op.as_str());
    let mut fields = fields.line(format!("  {} {}", style.doubtful("open     "), shown(&text)));
    if let Some(event) = &current.open_event {
        let began = format!("by {}, {}, {}", who(event), run(event), ago(event.at));
        fields = fields.field("begun", began).maybe("page", event.intent.provenance.pipeline.url.as_ref());
        fields = event.takeovers.iter().fold(fields, |fields, TakeoverRecord { at, provenance, .. }| {
            let Provenance { actor, pipeline, .. } = provenance;
            let (provider, id) = (&pipeline.provider, &pipeline.run_id);
            fields.field("taken", format!("over by {}, {provider} {id}, {}", actor.id, ago(*at)))
        });
    }
    fields.field("close it", if_dead(&current.channel))
}

/// A time, and how long ago it was by this machine's clock.
fn ago(at: Timestamp) -> String {
    let age = SystemClock.now().unix_ms().saturating_sub(at.unix_ms());
    match u64::try_from(age) {
        Ok(age) => format!("at {at} ({} ago)", apart(Duration::from_millis(age))),
        Err(_) => format!("at {at}"),
    }
}

/// The commands that close the open move of a channel: one completes it, the other does not.
fn ways(channel: &Channel) -> [String; 2] {
    let complete = format!("tagwarden recover {channel}");
    [complete.clone(), format!("{complete} --abort")]
}

fn if_dead(channel: &Channel) -> String {
    let [complete, abort] = ways(channel);
    format!("if its run is dead: {complete}; to abort it if it has not landed: {abort}")
}

/// The answer with the commands that close the open move, if there is one.
fn with_ways(answer: Answer, current: &ChannelStatus) -> Result<Answer> {
    match current.open {
        Some(_) => {
            let [complete, abort] = ways(&current.channel);
            answer.with("recover", &json!({ "complete": complete, "abort": abort }))
        }
        None => Ok(answer),
    }
}

/// The way out of a blocked live digest.
pub(super) fn roll_back(channel: &Channel, instead: Option<Digest>) -> String {
    match instead {
        Some(digest) => format!("roll back: tagwarden rollback {channel} --to {digest}"),
        None => "promote another release: no earlier one is unblocked".to_owned(),
    }
}

/// The advice for a drift. A warning about a blocked digest has its own.
pub(super) fn advice(audited: &ChannelAudit) -> Option<String> {
    let ChannelAudit { channel, drift, findings, .. } = audited;
    Some(match drift {
        Drift::BlockedAndLive { instead, .. } => roll_back(channel, *instead),
        _ if findings.iter().any(|finding| finding.code() == Some("TARGET_BLOCKED")) => return None,
        // A tag that is gone cannot be adopted.
        Drift::Missing { .. } => format!(
            "put back what is live: tagwarden repair {channel}; if the registry has lost that digest, too: push the release \
             again, or push another one to the tag and adopt it"
        ),
        Drift::MovedOutside { .. } | Drift::MovedBack { .. } => format!(
            "put back what is live: tagwarden repair {channel}; or keep what is there: tagwarden adopt {channel} \
             --reason …"
        ),
        Drift::MoveInProgress { .. } => if_dead(channel),
        Drift::PossiblyOpen { .. } => {
            "run the move again: the next entry of the log decides whether the first one is open".to_owned()
        }
        Drift::Corrupt { .. } | Drift::Truncated { .. } | Drift::Forked { .. } => {
            format!("see which entry: tagwarden verify {channel}")
        }
        Drift::NeverRecorded { observed: Some(_) } => format!("take it into the ledger: tagwarden bootstrap {channel}"),
        _ => return None,
    })
}

/// The previous digest alone, so that scripts can use it.
pub(crate) fn previous(channel: &Channel, previous: Digest) -> Result<Answer> {
    Answer::done(&json!({ "channel": channel, "previous": previous }), previous.to_string())
}

/// The state of a channel at a time.
pub(crate) fn at(channel: &Channel, time: Timestamp, was: Option<&LiveAt>, style: Style) -> Result<Answer> {
    let answer = |text| Answer::done(&json!({ "channel": channel, "at": time }), text);
    match was {
        None => answer(format!("{channel} had no recorded state at {time}")),
        Some(was) => {
            let event = &was.event;
            let title = format!("{} at {time}", style.bold(&channel.to_string()));
            let fields = release(Fields::under(title), event).field("live", event.intent.target.digest);
            let fields = fields.field("by", format!("{} of {}", event.intent.op.as_str(), who(event)));
            let fields = told_rest(fields, event)
                .maybe("open", was.open.as_ref().map(open_then))
                .maybe("drift", was.drift.as_ref().map(drift_then));
            let mut said = answer(fields.text())?.with("live", &event.intent.target.digest)?.with("event", event)?;
            if let Some(open) = &was.open {
                said = said.with("open", open)?;
            }
            if let Some(drift) = &was.drift {
                said = said.with("drift", drift)?;
            }
            Ok(said)
        }
    }
}

/// The move that was open at a time, and its outcome.
fn open_then(event: &MoveRecord) -> String {
    let what = format!("an intent to {} ({}, seq {})", source(event), event.intent.target.digest.short(), event.seq);
    match &event.outcome {
        None => format!("{what} was open from {} on; it is open still", event.at),
        Some(closing) => {
            let end = match event.status() {
                MoveStatus::Committed => "it had landed",
                MoveStatus::Failed => "it failed",
                MoveStatus::Aborted | MoveStatus::Open => "it was closed without a result",
            };
            format!("{what} was open from {} to {}; {end}", event.at, closing.at)
        }
    }
}

/// The drift that was recorded before a time.
fn drift_then(drift: &DriftSeen) -> String {
    let seen = at_digest(drift.observed);
    format!("the tag was seen at {seen} instead of {} at {} (seq {})", at_digest(drift.expected), drift.at, drift.seq)
}
