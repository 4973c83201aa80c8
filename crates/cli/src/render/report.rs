//! Reports: channels, audits, plans, retention, verification.

use serde_json::json;
use tagwarden::drift::AuditReport;
use tagwarden::log::{LogReport, Op, Verdict};
use tagwarden::policy::Finding;
use tagwarden::promotion::{ChannelStatus, Plan};
use tagwarden::retention::{Pin, RetentionDecision, RetentionPlan};
use tagwarden::{Channel, Digest, ErrorClass, Result, human_duration};

use super::current::advice;
use super::event::at_digest;
use super::receipt::FIRST_MOVE;
use super::{Answer, Changes, Fields, Style, Table, shown};

/// One line for each channel.
pub(crate) fn channels(all: &[ChannelStatus], style: Style) -> Result<Answer> {
    let mut table = Table::new(&["CHANNEL", "LIVE", "SINCE", "BY", "STATE"]);
    for current in all {
        let event = current.event.as_ref();
        let closed = event.and_then(|event| event.outcome.as_ref()).map(|closing| closing.at.to_string());
        let mut state = Vec::new();
        state.extend(current.holds.iter().map(ToString::to_string));
        if let Some(open) = &current.open {
            state.push(format!("open {}", open.op.as_str()));
        }
        if let Some(doubt) = &current.possibly_open {
            state.push(format!("possibly open {}", doubt.op.as_str()));
        }
        if let Some(migrated) = &current.migrated {
            state.push(format!("migrated to {}", migrated.ledger));
        }
        table.row([
            current.channel.to_string(),
            current.live.map_or("-".to_owned(), |live| live.short()),
            closed.unwrap_or_default(),
            event.map(|event| event.intent.provenance.actor.id.to_string()).unwrap_or_default(),
            state.join(", "),
        ]);
    }
    let text = match all.is_empty() {
        true => "the ledger has no channels; `tagwarden bootstrap CHANNEL` begins one".to_owned(),
        false => table.lines(style).join("\n"),
    };
    Answer::done(&json!({ "channels": all }), text)
}

/// The result of an audit, with advice.
pub(crate) fn audit(report: &AuditReport, style: Style) -> Result<Answer> {
    let mut lines = Vec::new();
    for audited in report.channels() {
        let line = shown(&format!("{}  {}", audited.channel, audited.drift));
        lines.push(match audited.drift.class() {
            None => style.good(&line),
            Some(ErrorClass::Drift | ErrorClass::Defect) => style.bad(&line),
            Some(_) => style.doubtful(&line),
        });
        let warnings = audited.findings.iter();
        lines.extend(warnings.map(|finding| format!("  {} {}", style.doubtful("warn"), shown(&finding.to_string()))));
        if let Some(advice) = advice(audited) {
            lines.push(format!("  {}", shown(&advice)));
        }
    }
    if report.channels().is_empty() {
        lines.push("the ledger has no channels".to_owned());
    }
    Ok(Answer::done(report, lines.join("\n"))?.found(report.class()))
}

/// The plan of a move. Exit code 3 if the policy refuses it.
pub(crate) fn dry_run(channel: &Channel, op: Op, plan: Plan, changes: &Changes, style: Style) -> Result<Answer> {
    let json = json!({ "dry_run": true, "channel": channel, "op": op });
    if let Some(receipt) = plan.settled() {
        let text = format!("dry run: {} {channel} points at {} already: nothing to do", op.as_str(), receipt.digest);
        return Answer::done(&json, text)?.with("verdict", &"nothing")?.with("receipt", receipt);
    }
    if let Some(dead) = plan.dead_move() {
        let text = format!("dry run: {} {channel}: {dead}, and then judge this move", op.as_str());
        return Answer::done(&json, text)?.with("verdict", &"dead_move")?.with("dead_move", dead);
    }
    let (change, findings) = (plan.change(), plan.findings().to_vec());
    let refusal = plan.approve().err();
    let verdict = if refusal.is_some() { "refused" } else { "move" };
    let note = if change.is_some_and(|(previous, _)| previous.is_none()) { FIRST_MOVE } else { "" };
    let title = format!("dry run: {} {}{note}", op.as_str(), style.bold(&channel.to_string()));
    let end = match refusal {
        None => "it would be let through; nothing was moved",
        Some(_) => "it would be refused; nothing was moved",
    };
    let text = planned(title, change, &findings, changes, style).line(end.to_owned()).text();
    let mut answer = Answer::done(&json, text)?.with("verdict", &verdict)?.with("findings", &findings)?;
    if let Some((previous, digest)) = change {
        answer = match previous {
            Some(previous) => answer.with("previous_digest", &previous)?,
            None => answer,
        };
        answer = answer.with("digest", &digest)?;
    }
    if let Changes::Known(diff) = changes {
        answer = answer.with("diff", diff)?;
    }
    Ok(answer.found(refusal.map(|_| ErrorClass::Refused)))
}

/// The plan of a rollback, for the person who is asked about it.
pub(crate) fn asked(channel: &Channel, plan: &Plan, changes: &Changes, style: Style) -> String {
    let title = format!("rollback {}", style.bold(&channel.to_string()));
    match plan.dead_move() {
        Some(dead) => Fields::under(title).field("first", dead).text(),
        None => {
            let findings = plan.findings().iter().filter(|finding| finding.verdict != Verdict::Pass);
            let findings: Vec<Finding> = findings.cloned().collect();
            planned(title, plan.change(), &findings, changes, style).text()
        }
    }
}

fn planned(
    title: String,
    change: Option<(Option<Digest>, Digest)>,
    findings: &[Finding],
    changes: &Changes,
    style: Style,
) -> Fields {
    let mut fields = Fields::under(title);
    if let Some((from, to)) = change {
        fields = fields.field("digest", to).field("previous", at_digest(from));
    }
    fields = super::diff::changes(fields, changes, style);
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Pass => style.good("pass     "),
            Verdict::Warn => style.doubtful("warn     "),
            _ => style.bad("refuse   "),
        };
        let code = finding.code().map(|code| format!(" {code}")).unwrap_or_default();
        fields = fields.line(format!("  {word} {}", shown(&format!("{}{code}: {}", finding.guardrail, finding.why))));
    }
    fields
}

/// Each digest with its retention decision.
pub(crate) fn retention(plan: &RetentionPlan, style: Style) -> Result<Answer> {
    let digests = plan.digests();
    let mut table = Table::new(&["DIGEST", "FATE", "PIN", "REASON"]);
    let mut kept = 0;
    for judged in &digests {
        let (fate, reason) = match &judged.fate {
            RetentionDecision::Keep(keep) => {
                kept += 1;
                ("keep", keep.to_string())
            }
            RetentionDecision::Expire(expire) => ("expire", expire.to_string()),
        };
        let pin = if judged.pin == Pin::Held { "pinned" } else { "" };
        table.row([judged.digest.to_string(), fate.to_owned(), pin.to_owned(), reason]);
    }
    let rule = plan.rule;
    let mut lines = table.lines(style);
    if let Some(why) = plan.blocked() {
        lines.push(style.doubtful(&shown(&format!("nothing may expire: {why}"))));
    }
    lines.push(format!(
        "{}: {kept} kept, {} may go (the last {} digests of each channel, and {}); nothing was deleted",
        plan.repository,
        digests.len() - kept,
        rule.keep_last,
        human_duration(rule.keep_for)
    ));
    Answer::done(plan, lines.join("\n"))
}

/// The result of verifying logs. Exit code 7 for a defect.
pub(crate) fn verified(reports: &[LogReport], style: Style) -> Result<Answer> {
    let sound = reports.iter().all(|report| report.defect.is_none());
    let mut lines = Vec::new();
    for report in reports {
        let whose = report.channel.as_ref().map_or("an empty log".to_owned(), ToString::to_string);
        let counted = format!("{} entries, {} moves, root {}", report.entries, report.moves, report.root);
        match report.defects.as_slice() {
            [] => lines.push(format!("{whose}  {}: {counted}", style.good("sound"))),
            defects => {
                let noun = if defects.len() == 1 { "defect" } else { "defects" };
                let found = style.bad(&format!("{} {noun}", defects.len()));
                lines.push(format!("{whose}  {found}: {counted}"));
                lines.extend(defects.iter().map(|defect| format!("  {}", shown(&defect.to_string()))));
            }
        }
        if report.torn_bytes > 0 {
            lines.push(format!(
                "  the last {} bytes are not acknowledged: an append that did not return, not a defect",
                report.torn_bytes
            ));
        }
        if report.clock_went_back > 0 {
            lines.push(format!(
                "  the clock went back {} times: time informs, order is the log's",
                report.clock_went_back
            ));
        }
        if let (Some(seq), Some(to)) = (report.migrated, &report.migrated_to) {
            lines.push(shown(&format!("  the log was migrated to {to} at seq {seq}")));
        }
        if let Some(seq) = report.open_intent {
            lines.push(format!("  the move at seq {seq} is open"));
        }
    }
    let count = reports.len();
    let noun = if count == 1 { "log" } else { "logs" };
    lines.push(match sound {
        true => format!(
            "{count} {noun}: every entry holds. Unanchored: a changed last entry or a cut tail cannot be seen without a \
             checkpoint kept elsewhere"
        ),
        false => format!("{count} {noun}: defects were found; an entry with a defect changes nothing in the state"),
    });
    let json = json!({ "sound": sound, "anchored": false, "logs": reports });
    Ok(Answer::done(&json, lines.join("\n"))?.found((!sound).then_some(ErrorClass::Defect)))
}
