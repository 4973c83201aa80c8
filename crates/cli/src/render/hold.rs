//! Holds.

use serde_json::json;
use tagwarden::log::{ActiveHold, HoldScope};
use tagwarden::{Channel, Result, Timestamp};

use super::{Answer, Style, Table};

/// The scope of a hold, and the way to end it.
pub(crate) fn held(channel: &Channel, id: u64, scope: HoldScope, until: Option<Timestamp>) -> Result<Answer> {
    let moves = match scope {
        HoldScope::Promotions => "promotions of",
        HoldScope::All => "all moves of",
    };
    let ends = until.map_or("it is ended".to_owned(), |until| until.to_string());
    let text = format!(
        "held {moves} {channel} until {ends} (hold {id})\nto end it: tagwarden unhold {channel} {id} --reason …"
    );
    let answer = Answer::done(&json!({ "channel": channel, "result": "held", "hold": id, "scope": scope }), text)?;
    match until {
        Some(until) => answer.with("until", &until),
        None => Ok(answer),
    }
}

/// The holds in force on a channel.
pub(crate) fn holds(channel: &Channel, holds: &[ActiveHold], style: Style) -> Result<Answer> {
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
    let text = match holds.is_empty() {
        true => format!("no hold is in force on {channel}"),
        false => table.lines(style).join("\n"),
    };
    Answer::done(&json!({ "channel": channel, "holds": holds }), text)
}
