//! Moves: receipts, the current state, history.

use serde_json::json;
use tagwarden::drift::{ChannelAudit, Drift};
use tagwarden::log::{Intent, MoveRecord, MoveStatus, Op, RecordedFinding, Source, Verdict};
use tagwarden::policy::Finding;
use tagwarden::promotion::{ChannelStatus, DriftSeen, HistoryPage, LiveAt, RecoveryResult};
use tagwarden::{ActorKind, Channel, Digest, ErrorClass, MoveResult, Receipt, Result, Target, Timestamp};

use super::{Answer, Fields, Style, Table, shown};

/// The result of a move.
pub(crate) fn receipt(receipt: &Receipt, style: Style) -> Result<Answer> {
    let (channel, op) = (&receipt.channel, receipt.op.as_str());
    let title = match receipt.result {
        MoveResult::Committed => {
            let same =
                receipt.previous_digest == Some(receipt.digest) && matches!(receipt.op, Op::Promote | Op::Rollback);
            let note = if same { ": it was live already, and the tag was put again" } else { "" };
            format!("{} {op} {channel}{note}", style.good("committed"))
        }
        MoveResult::Unchanged => {
            format!("{} {op} {channel}: it points there already; nothing was written", style.good("unchanged"))
        }
        MoveResult::Replayed => {
            format!("{} {op} {channel}: this key moved it before; nothing was written", style.good("replayed"))
        }
    };
    let mut fields = Fields::under(title);
    if let Some(event) = &receipt.r#move {
        fields = release(fields, event);
    }
    fields = match receipt.result {
        MoveResult::Unchanged => fields.field("live", receipt.digest),
        MoveResult::Committed => {
            fields.field("digest", receipt.digest).field("previous", at_digest(receipt.previous_digest))
        }
        MoveResult::Replayed => fields.field("digest", receipt.digest).field("live", receipt.live.digest),
    };
    if let Some(event) = &receipt.r#move {
        fields = told(fields, event);
    }
    if let Some(hold) = receipt.hold {
        let ends = format!("promotions, until it is ended: tagwarden unhold {channel} {hold} --reason …");
        fields = fields.line(format!("  {} {}", style.doubtful("hold     "), shown(&ends)));
    }
    fields = findings(fields, receipt.findings(), style);
    fields = warnings(fields, &receipt.warnings, style);
    Answer::done(receipt, fields.text())
}

/// The answer to a move that the person at the terminal did not want. Its exit code is that of a refusal.
pub(crate) fn declined(channel: &Channel) -> Result<Answer> {
    let text = format!("{channel}: nothing was moved");
    Ok(Answer::done(&json!({ "channel": channel, "result": "declined" }), text)?.found(Some(ErrorClass::Refused)))
}

/// The result of a recovery.
pub(crate) fn recovered(channel: &Channel, recovered: &RecoveryResult, style: Style) -> Result<Answer> {
    let text = match recovered {
        RecoveryResult::Nothing => format!("{} {channel}: no move is open", style.good("nothing to do")),
        RecoveryResult::Closed { event, warnings: warned } => {
            let title = format!("{} {} {channel}", status(event.status(), style), event.intent.op.as_str());
            let intent = &event.intent;
            let fields = release(Fields::under(title), event).field("digest", intent.target.digest);
            let fields = told(fields.field("previous", at_digest(intent.previous)), event);
            warnings(fields, warned, style).text()
        }
    };
    Answer::done(recovered, text)?.with("channel", channel)
}

/// The state of a channel, and the audit of its tag if the registry was asked.
pub(crate) fn current(current: &ChannelStatus, audited: Option<&ChannelAudit>, style: Style) -> Result<Answer> {
    let mut fields = Fields::under(style.bold(&current.channel.to_string()));
    if let Some(event) = &current.event {
        fields = release(fields, event);
    }
    fields = fields.field("live", at_digest(current.live)).field("previous", at_digest(current.previous));
    if let Some(event) = &current.event {
        fields = fields.field("by", format!("{} of {}", event.intent.op.as_str(), who(event)));
        fields = told_rest(fields, event);
    }
    for hold in &current.holds {
        fields = fields.line(format!("  {} {}", style.doubtful("hold     "), shown(&hold.to_string())));
    }
    for blocked in &current.blocks {
        fields = fields.line(format!("  {} {}", style.doubtful("block    "), shown(&blocked.to_string())));
    }
    if let Some(open) = &current.open {
        fields = fields.line(format!(
            "  {} {}",
            style.doubtful("open     "),
            shown(&format!("{} to {} (seq {}, move {})", open.op.as_str(), open.target, open.seq, open.move_id))
        ));
    }
    if let Some(doubt) = &current.possibly_open {
        fields = fields.line(format!("  {} possibly: {}", style.doubtful("open     "), shown(&doubt.to_string())));
    }
    if let Some(migrated) = &current.migrated {
        let text =
            format!("the log was migrated to {} at seq {}; this is its state then", migrated.ledger, migrated.seq);
        fields = fields.line(format!("  {} {}", style.doubtful("migrated "), shown(&text)));
    }
    let Some(audited) = audited else { return Answer::done(current, fields.text()) };
    let class = audited.drift.class();
    let word = match class {
        None => style.good("registry "),
        Some(ErrorClass::Drift) => style.bad("registry "),
        Some(_) => style.doubtful("registry "),
    };
    fields = fields.line(format!("  {word} {}", shown(&audited.drift.to_string())));
    fields = warnings(fields, &audited.findings, style);
    if let Some(advice) = advice(audited) {
        fields = fields.line(format!("  {}", shown(&advice)));
    }
    Ok(Answer::done(current, fields.text())?.with("registry", &audited.drift)?.found(class))
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
        Drift::MovedOutside { .. } | Drift::MovedBack { .. } | Drift::Missing { .. } => format!(
            "put back what is live: tagwarden repair {channel}; or keep what is there: tagwarden adopt {channel} \
             --reason …"
        ),
        Drift::MoveInProgress { .. } => format!("if its run is dead: tagwarden recover {channel}"),
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

/// A page of moves, newest first. `digest` formats a digest.
pub(crate) fn history(
    now: &ChannelStatus,
    page: &HistoryPage,
    digest: fn(Digest) -> String,
    style: Style,
) -> Result<Answer> {
    let ChannelStatus { channel, migrated, holds, .. } = now;
    let head = ["SEQ", "TIME", "OP", "STATUS", "RELEASE", "REVISION", "BY", "RUN", "DIGEST", "PREVIOUS", "REASON"];
    let mut table = Table::new(&head);
    for event in &page.events {
        let (intent, provenance) = (&event.intent, &event.intent.provenance);
        table.row([
            event.seq.to_string(),
            event.at.to_string(),
            intent.op.as_str().to_owned(),
            event.status().as_str().to_owned(),
            source(event),
            revision(intent).map(|revision| short(&revision)).unwrap_or_default(),
            provenance.actor.id.to_string(),
            run(event),
            digest(intent.target.digest),
            intent.previous.map_or("-".to_owned(), digest),
            intent.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]);
    }
    let mut lines = vec![style.bold(&channel.to_string())];
    lines.extend(holds.iter().map(|hold| style.doubtful(&shown(&hold.to_string()))));
    match page.events.is_empty() {
        true => lines.push("no moves".to_owned()),
        false => lines.extend(table.lines(style)),
    }
    if let Some(next) = page.next {
        lines.push(style.dim(&format!("more: --before {next}, or --all")));
    }
    if let Some(migrated) = migrated {
        let text = format!("the log was migrated to {} at seq {}", migrated.ledger, migrated.seq);
        lines.push(style.doubtful(&shown(&text)));
    }
    let mut answer = Answer::done(page, lines.join("\n"))?.with("channel", channel)?;
    if !holds.is_empty() {
        answer = answer.with("holds", holds)?;
    }
    match migrated {
        Some(migrated) => answer.with("migrated", migrated),
        None => Ok(answer),
    }
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

/// The release of a move: its name and its source revision.
fn release(fields: Fields, event: &MoveRecord) -> Fields {
    fields.field("release", source(event)).maybe("revision", revision(&event.intent))
}

/// The name of the release: the recorded label, else the version annotation, else the tag or digest of its source.
fn source(event: &MoveRecord) -> String {
    let intent = &event.intent;
    if let Some(release) = &intent.provenance.release {
        return release.to_string();
    }
    match (annotation(intent, "version"), &intent.source) {
        (Some(version), _) => version,
        (None, Source::Channel(channel)) => channel.tag().to_string(),
        // The channel's own tag is not the name of a release.
        (None, Source::Reference(reference)) if *reference == event.channel.reference() => "-".to_owned(),
        (None, Source::Reference(reference)) => match reference.target() {
            Target::Tag(tag) => tag.to_string(),
            Target::Digest(digest) => digest.short(),
        },
    }
}

/// An annotation of the target, `org.opencontainers.image.` and `name`.
fn annotation(intent: &Intent, name: &str) -> Option<String> {
    let whole = format!("org.opencontainers.image.{name}");
    let found = intent.target.annotations.iter().find(|(key, _)| key.as_str() == whole);
    found.map(|(_, value)| value.to_string())
}

/// The source revision of the release: its annotation, else the commit of the run.
fn revision(intent: &Intent) -> Option<String> {
    let commit = || intent.provenance.commit.as_ref().map(ToString::to_string);
    annotation(intent, "revision").or_else(commit)
}

/// A revision for a table: `main@sha1:0123456789ab…` with twelve digits.
fn short(revision: &str) -> String {
    let hex = revision.rsplit([':', '@']).next().unwrap_or_default();
    match hex.len() {
        0..=12 => revision.to_owned(),
        length => revision.chars().take(revision.chars().count() - length + 12).collect(),
    }
}

/// The actor and the run of a move: `ada (human), manual run 42`.
fn who(event: &MoveRecord) -> String {
    let actor = &event.intent.provenance.actor;
    let kind = match actor.kind {
        ActorKind::Human => "a person",
        ActorKind::Workload => "a workload",
        _ => "of another kind",
    };
    format!("{} ({kind})", actor.id)
}

fn run(event: &MoveRecord) -> String {
    let run = &event.intent.provenance.pipeline;
    match run.attempt {
        Some(attempt) => format!("{} {}/{attempt}", run.provider, run.run_id),
        None => format!("{} {}", run.provider, run.run_id),
    }
}

/// The actor, time, run, commit and reason of a move.
fn told(fields: Fields, event: &MoveRecord) -> Fields {
    told_rest(fields.field("by", who(event)), event)
}

fn told_rest(fields: Fields, event: &MoveRecord) -> Fields {
    let provenance = &event.intent.provenance;
    let seq = match &event.outcome {
        Some(closing) => format!("seq {} to {}", event.seq, closing.seq),
        None => format!("seq {}", event.seq),
    };
    fields
        .field("when", event.outcome.as_ref().map_or(event.at, |closing| closing.at))
        .field("run", run(event))
        .maybe("workflow", provenance.pipeline.workflow.as_ref())
        .maybe("job", provenance.pipeline.job.as_ref().map(|job| job.name.as_ref().unwrap_or(&job.id)))
        .maybe("url", provenance.pipeline.url.as_ref())
        .maybe("commit", provenance.commit.as_ref())
        .maybe("reason", event.intent.reason.as_ref())
        .maybe("replaced", event.intent.replaced)
        .field("recorded", seq)
}

/// The findings that did not pass.
fn findings(fields: Fields, findings: &[RecordedFinding], style: Style) -> Fields {
    let warned = findings.iter().filter(|finding| finding.verdict != Verdict::Pass);
    warned.fold(fields, |fields, finding| {
        let text = format!("{}: {}", finding.guardrail, finding.why);
        fields.line(format!("  {}      {}", style.doubtful("warn"), shown(&text)))
    })
}

/// Warnings from steps beside the move itself.
fn warnings(fields: Fields, warnings: &[Finding], style: Style) -> Fields {
    warnings.iter().fold(fields, |fields, warning| {
        fields.line(format!("  {}      {}", style.doubtful("warn"), shown(&warning.to_string())))
    })
}

pub(super) fn status(status: MoveStatus, style: Style) -> String {
    match status {
        MoveStatus::Committed => style.good(status.as_str()),
        MoveStatus::Open => style.doubtful(status.as_str()),
        MoveStatus::Failed | MoveStatus::Aborted => style.bad(status.as_str()),
    }
}

pub(super) fn at_digest(digest: Option<Digest>) -> String {
    digest.map_or("nothing".to_owned(), |digest| digest.to_string())
}
