//! Holds.

use serde_json::json;
use tagwarden::log::{ActiveHold, HoldScope};
use tagwarden::{Channel, Result, Timestamp};

use super::{Answer, Style, Table};

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
