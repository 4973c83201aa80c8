//! Holds.

use serde_json::json;
use tagwarden::log::{ActiveHold, HoldScope};
use tagwarden::{Channel, Result, Timestamp};

use super::{Answer, Style, Table, shown};

/// The scope of a hold, and the way to end it.
pub(crate) fn held(channel: &Channel, id: u64, scope: HoldScope, until: Option<Timestamp>) -> Result<Answer> {
    let text = format!("{}\nto end it: tagwarden unhold {channel} {id} --reason …", said(channel, id, scope, until));
    let answer = Answer::done(&json!({ "channel": channel, "result": "held", "hold": id, "scope": scope }), text)?;
    ending(answer, until)
}

/// The same for every environment of the pipeline.
pub(crate) fn held_all(held: &[(Channel, u64)], scope: HoldScope, until: Option<Timestamp>) -> Result<Answer> {
    let mut lines: Vec<_> = held.iter().map(|(channel, id)| said(channel, *id, scope, until)).collect();
    lines.push("to end yours: tagwarden unhold --pipeline --mine --reason …".to_owned());
    let channels: Vec<_> = held.iter().map(|(channel, id)| json!({ "channel": channel, "hold": id })).collect();
    let json = json!({ "result": "held", "scope": scope, "channels": channels });
    ending(Answer::done(&json, lines.join("\n"))?, until)
}

/// The holds of a channel that were ended, and those that are left.
pub(crate) fn unheld(channel: &Channel, ended: &[u64], left: &[ActiveHold]) -> Result<Answer> {
    let mut text: Vec<_> = ended.iter().map(|id| format!("ended hold {id} of {channel}")).collect();
    if ended.is_empty() {
        text.push(format!("nothing to do: no hold of {channel} is yours"));
    }
    text.extend(left.iter().map(|hold| shown(&format!("still {hold}"))));
    let result = if ended.is_empty() { "nothing" } else { "ended" };
    Answer::done(&json!({ "channel": channel, "result": result, "ended": ended, "holds": left }), text.join("\n"))
}

/// The same for every environment of the pipeline.
pub(crate) fn unheld_all(answers: Vec<Answer>) -> Result<Answer> {
    let exit = answers.iter().map(|answer| answer.exit).find(|exit| *exit != 0).unwrap_or(0);
    let (channels, texts): (Vec<_>, Vec<_>) = answers.into_iter().map(|answer| (answer.json, answer.text)).unzip();
    let texts: Vec<_> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    Ok(Answer { exit, ..Answer::done(&json!({ "channels": channels }), texts.join("\n"))? })
}

fn said(channel: &Channel, id: u64, scope: HoldScope, until: Option<Timestamp>) -> String {
    let moves = match scope {
        HoldScope::Promotions => "promotions of",
        HoldScope::All => "all moves of",
    };
    let ends = until.map_or("it is ended".to_owned(), |until| until.to_string());
    format!("held {moves} {channel} until {ends} (hold {id})")
}

fn ending(answer: Answer, until: Option<Timestamp>) -> Result<Answer> {
    match until {
        Some(until) => answer.with("until", &until),
        None => Ok(answer),
    }
}

/// The holds in force on a channel.
pub(crate) fn holds(channel: &Channel, holds: &[ActiveHold], style: Style) -> Result<Answer> {
    Answer::done(&json!({ "channel": channel, "holds": holds }), listed(channel, holds, style))
}

/// The holds in force on every environment of the pipeline.
pub(crate) fn holds_all(all: &[(Channel, Vec<ActiveHold>)], style: Style) -> Result<Answer> {
    let text = all.iter().map(|(channel, holds)| match holds.is_empty() {
        true => listed(channel, holds, style),
        false => format!("{}\n{}", style.bold(&channel.to_string()), listed(channel, holds, style)),
    });
    let channels: Vec<_> = all.iter().map(|(channel, holds)| json!({ "channel": channel, "holds": holds })).collect();
    Answer::done(&json!({ "channels": channels }), text.collect::<Vec<_>>().join("\n"))
}

fn listed(channel: &Channel, holds: &[ActiveHold], style: Style) -> String {
    let mut table = Table::new(&["ID", "SCOPE", "BY", "RUN", "UNTIL", "REASON"]);
    for hold in holds {
        table.row([
            hold.seq.to_string(),
            hold.scope.as_str().to_owned(),
            hold.provenance.actor.id.to_string(),
            format!("{} {}", hold.provenance.pipeline.provider, hold.provenance.pipeline.run_id),
            hold.until.map_or("it is ended".to_owned(), |until| until.to_string()),
            hold.reason.to_string(),
        ]);
    }
    match holds.is_empty() {
        true => format!("no hold is in force on {channel}"),
        false => table.lines(style).join("\n"),
    }
}
