//! The results of moves and recoveries.

use serde_json::json;
use tagwarden::log::{MoveStatus, Op, RecordedFinding, Verdict};
use tagwarden::promotion::RecoveryResult;
use tagwarden::{Channel, ErrorClass, MoveResult, Receipt, Result};

use super::event::{at_digest, release, status, told, warnings};
use super::{Answer, Fields, Style, shown};

/// The note of a move that no other move of the channel was before.
pub(super) const FIRST_MOVE: &str = ": the first move of this channel";

/// The result of a move.
pub(crate) fn receipt(receipt: &Receipt, style: Style) -> Result<Answer> {
    let (channel, op) = (&receipt.channel, receipt.op.as_str());
    let title = match receipt.result {
        MoveResult::Committed => {
            let same =
                receipt.previous_digest == Some(receipt.digest) && matches!(receipt.op, Op::Promote | Op::Rollback);
            let note = match receipt.op {
                _ if same => ": it was live already, and the tag was put again",
                Op::Bootstrap => FIRST_MOVE,
                _ => "",
            };
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
/// The result of a recovery; `aborts` is true if it was asked to abort the move.
pub(crate) fn recovered(channel: &Channel, recovered: &RecoveryResult, aborts: bool, style: Style) -> Result<Answer> {
    let text = match recovered {
        RecoveryResult::Nothing => format!("{} {channel}: no move is open", style.good("nothing to do")),
        RecoveryResult::Closed { event, warnings: warned } => {
            let title = format!("{} {} {channel}", status(event.status(), style), event.intent.op.as_str());
            let intent = &event.intent;
            let fields = release(Fields::under(title), event).field("digest", intent.target.digest);
            let fields = told(fields.field("previous", at_digest(intent.previous)), event);
            let fields = match aborts && event.status() == MoveStatus::Committed {
                true => fields.line(format!(
                    "  it had landed, so it was not aborted; to leave it: tagwarden rollback {channel} --reason …"
                )),
                false => fields,
            };
            warnings(fields, warned, style).text()
        }
    };
    Answer::done(recovered, text)?.with("channel", channel)
}

/// The findings that did not pass.
fn findings(fields: Fields, findings: &[RecordedFinding], style: Style) -> Fields {
    let warned = findings.iter().filter(|finding| finding.verdict != Verdict::Pass);
    warned.fold(fields, |fields, finding| {
        let text = format!("{}: {}", finding.guardrail, finding.why);
        fields.line(format!("  {}      {}", style.doubtful("warn"), shown(&text)))
    })
}
