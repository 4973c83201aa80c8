//! Moves: receipts, the current state, history.

use serde_json::json;
use tagwarden::judge::{Audited, Drift};
use tagwarden::promoter::{Current, Page, Recovered};
use tagwarden::record::{EventStatus, FindingNote, MigratedTo, PromotionEvent, Verdict};
use tagwarden::{ActorKind, Channel, Class, Digest, Moved, Receipt, Result, Timestamp};

use super::{Answer, Fields, Style, Table, shown};

/// What a move did.
pub(crate) fn receipt(receipt: &Receipt, style: Style) -> Result<Answer> {
    let (channel, op) = (&receipt.channel, receipt.op.as_str());
    let title = match receipt.result {
        Moved::Committed => format!("{} {op} {channel}", style.good("committed")),
        Moved::Unchanged => {
            format!("{} {op} {channel}: it points there already; nothing was written", style.good("unchanged"))
        }
        Moved::Replayed => {
            format!("{} {op} {channel}: this key moved it before; nothing was written", style.good("replayed"))
        }
    };
    let mut fields = match receipt.result {
        Moved::Unchanged => Fields::under(title).field("live", receipt.digest),
        Moved::Committed => {
            Fields::under(title).field("from", at_digest(receipt.previous_digest)).field("to", receipt.digest)
        }
        Moved::Replayed => Fields::under(title).field("live", receipt.digest),
    };
    if let Some(event) = &receipt.event {
        fields = told(fields, event);
    }
    fields = findings(fields, receipt.findings(), style);
    Answer::done(receipt, fields.text())
}

/// What a recovery did.
pub(crate) fn recovered(channel: &Channel, recovered: &Recovered, style: Style) -> Result<Answer> {
    let text = match recovered {
        Recovered::Nothing => format!("{} {channel}: no move is open", style.good("nothing to do")),
        Recovered::Closed { event } => {
            let title = format!("{} {} {channel}", status(event.status(), style), event.intent.op.as_str());
            let fields =
                Fields::under(title).field("from", at_digest(event.intent.from)).field("to", event.intent.to.digest);
            told(fields, event).text()
        }
    };
    Answer::done(recovered, text)?.with("channel", channel)
}

/// What a channel is now, and what the registry shows, if it was asked.
pub(crate) fn current(current: &Current, audited: Option<&Audited>, style: Style) -> Result<Answer> {
    let mut fields = Fields::under(style.bold(&current.channel.to_string()))
        .field("live", at_digest(current.live))
        .field("previous", at_digest(current.previous));
    if let Some(event) = &current.event {
        fields = fields.field("by", format!("{} of {}", event.intent.op.as_str(), who(event)));
        fields = told_rest(fields, event);
    }
    if let Some(hold) = &current.hold {
        let until = hold.until.map_or("it is released".to_owned(), |until| until.to_string());
        fields = fields.line(format!(
            "  {} {}",
            style.doubtful("held     "),
            shown(&format!("by {} until {until}: {} (seq {})", hold.by, hold.reason, hold.seq))
        ));
    }
    if let Some(open) = &current.open {
        fields = fields.line(format!(
            "  {} {}",
            style.doubtful("open     "),
            shown(&format!("{} to {} (seq {}, move {})", open.op.as_str(), open.to, open.seq, open.move_id))
        ));
    }
    if let Some(moved) = &current.moved {
        fields = fields.line(format!(
            "  {} {}",
            style.doubtful("moved    "),
            shown(&format!("the log goes on in {} since seq {}; what stands here is what was", moved.to, moved.seq))
        ));
    }
    let Some(audited) = audited else { return Answer::done(current, fields.text()) };
    let class = audited.drift.class();
    let word = match class {
        None => style.good("registry "),
        Some(Class::Drift) => style.bad("registry "),
        Some(_) => style.doubtful("registry "),
    };
    fields = fields.line(format!("  {word} {}", shown(&audited.drift.to_string())));
    if let Some(advice) = advice(&audited.drift, &current.channel) {
        fields = fields.line(format!("  {}", shown(&advice)));
    }
    Ok(Answer::done(current, fields.text())?.with("registry", &audited.drift)?.found(class))
}

/// What to do about a drift.
pub(super) fn advice(drift: &Drift, channel: &Channel) -> Option<String> {
    Some(match drift {
        Drift::MovedOutside { .. } | Drift::MovedBack { .. } | Drift::Missing { .. } => format!(
            "put back what is live: tagwarden repair {channel}; or keep what is there: tagwarden adopt {channel} \
             --reason …"
        ),
        Drift::OpenIntent { .. } => format!("if its run is dead: tagwarden recover {channel}"),
        Drift::NeverRecorded { observed: Some(_) } => format!("take it into the ledger: tagwarden bootstrap {channel}"),
        _ => return None,
    })
}

/// The digest before, alone, so that it can be used.
pub(crate) fn previous(channel: &Channel, previous: Digest) -> Result<Answer> {
    Answer::done(&json!({ "channel": channel, "previous": previous }), previous.to_string())
}

/// Some moves, newest first. `digest` says how to show one.
pub(crate) fn history(
    channel: &Channel,
    page: &Page,
    moved: Option<&MigratedTo>,
    digest: fn(Digest) -> String,
    style: Style,
) -> Result<Answer> {
    let head = ["SEQ", "TIME", "OP", "STATUS", "FROM", "TO", "BY", "RUN", "COMMIT", "RELEASE", "REASON"];
    let mut table = Table::new(&head);
    for event in &page.events {
        let (intent, provenance) = (&event.intent, &event.intent.provenance);
        table.row([
            event.seq.to_string(),
            event.at.to_string(),
            intent.op.as_str().to_owned(),
            event.status().as_str().to_owned(),
            intent.from.map_or("-".to_owned(), digest),
            digest(intent.to.digest),
            provenance.actor.id.to_string(),
            run(event),
            provenance.commit.as_ref().map(|commit| commit.as_str().chars().take(12).collect()).unwrap_or_default(),
            provenance.release.as_ref().map(ToString::to_string).unwrap_or_default(),
            intent.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]);
    }
    let mut lines = vec![style.bold(&channel.to_string())];
    match page.events.is_empty() {
        true => lines.push("no moves".to_owned()),
        false => lines.extend(table.lines(style)),
    }
    if let Some(next) = page.next {
        lines.push(style.dim(&format!("more: --before {next}, or --all")));
    }
    if let Some(moved) = moved {
        lines.push(style.doubtful(&shown(&format!("the log goes on in {} since seq {}", moved.to, moved.seq))));
    }
    let answer = Answer::done(page, lines.join("\n"))?.with("channel", channel)?;
    match moved {
        Some(moved) => answer.with("moved", moved),
        None => Ok(answer),
    }
}

/// What a channel was at a time.
pub(crate) fn at(channel: &Channel, time: Timestamp, event: Option<&PromotionEvent>, style: Style) -> Result<Answer> {
    let answer = |text| Answer::done(&json!({ "channel": channel, "at": time }), text);
    match event {
        None => answer(format!("{channel} had no recorded state at {time}")),
        Some(event) => {
            let title = format!("{} at {time}", style.bold(&channel.to_string()));
            let fields = Fields::under(title).field("live", event.intent.to.digest);
            let fields = fields.field("by", format!("{} of {}", event.intent.op.as_str(), who(event)));
            answer(told_rest(fields, event).text())?.with("live", &event.intent.to.digest)?.with("event", event)
        }
    }
}

/// Who moved it: `ada (human), manual run 42`.
fn who(event: &PromotionEvent) -> String {
    let actor = &event.intent.provenance.actor;
    let kind = match actor.kind {
        ActorKind::Human => "a person",
        ActorKind::Workload => "a workload",
        _ => "of another kind",
    };
    format!("{} ({kind})", actor.id)
}

fn run(event: &PromotionEvent) -> String {
    let run = &event.intent.provenance.pipeline;
    match run.attempt {
        Some(attempt) => format!("{} {}/{attempt}", run.provider, run.run_id),
        None => format!("{} {}", run.provider, run.run_id),
    }
}

/// Who, when, which run, commit and release, and why.
fn told(fields: Fields, event: &PromotionEvent) -> Fields {
    told_rest(fields.field("by", who(event)), event)
}

fn told_rest(fields: Fields, event: &PromotionEvent) -> Fields {
    let provenance = &event.intent.provenance;
    let seq = match &event.outcome {
        Some(closing) => format!("seq {} to {}", event.seq, closing.seq),
        None => format!("seq {}", event.seq),
    };
    fields
        .field("when", event.outcome.as_ref().map_or(event.at, |closing| closing.at))
        .field("run", run(event))
        .maybe("url", provenance.pipeline.url.as_ref())
        .maybe("commit", provenance.commit.as_ref())
        .maybe("release", provenance.release.as_ref())
        .maybe("reason", event.intent.reason.as_ref())
        .maybe("replaced", event.intent.replaced)
        .field("recorded", seq)
}

/// What is worth knowing of what the guardrails said.
fn findings(fields: Fields, findings: &[FindingNote], style: Style) -> Fields {
    let warned = findings.iter().filter(|finding| finding.verdict != Verdict::Pass);
    warned.fold(fields, |fields, finding| {
        let text = format!("{}: {}", finding.guardrail, finding.why);
        fields.line(format!("  {}      {}", style.doubtful("warn"), shown(&text)))
    })
}

pub(super) fn status(status: EventStatus, style: Style) -> String {
    match status {
        EventStatus::Committed => style.good(status.as_str()),
        EventStatus::Open => style.doubtful(status.as_str()),
        EventStatus::Failed | EventStatus::Aborted => style.bad(status.as_str()),
    }
}

pub(super) fn at_digest(digest: Option<Digest>) -> String {
    digest.map_or("nothing".to_owned(), |digest| digest.to_string())
}
