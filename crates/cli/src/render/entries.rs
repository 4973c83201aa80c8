//! The entries of a log.

use serde_json::json;
use tagwarden::log::{Body, Entry, ObservationCause, PolicyEntry};
use tagwarden::{Channel, Digest, Provenance, Result};

use super::event::at_digest;
use super::{Answer, Style, Table};

/// A page of entries, newest first. `digest` formats a digest.
pub(crate) fn entries(
    channel: &Channel,
    entries: &[Entry],
    next: Option<u64>,
    digest: fn(Digest) -> String,
    style: Style,
) -> Result<Answer> {
    let mut table = Table::new(&["SEQ", "TIME", "KIND", "BY", "RUN", "CONTENT"]);
    for Entry { seq, at, body, .. } in entries {
        let provenance = body.provenance();
        let run = |by: &Provenance| format!("{} {}", by.pipeline.provider, by.pipeline.run_id);
        table.row([
            seq.to_string(),
            at.to_string(),
            body.kind().as_str().to_owned(),
            provenance.map(|by| by.actor.id.to_string()).unwrap_or_default(),
            provenance.map(run).unwrap_or_default(),
            content(body, digest),
        ]);
    }
    let mut lines = vec![style.bold(&channel.to_string())];
    match entries.is_empty() {
        true => lines.push("no entries".to_owned()),
        false => lines.extend(table.lines(style)),
    }
    if let Some(next) = next {
        lines.push(style.dim(&format!("more: --before {next}, or --all")));
    }
    let answer = Answer::done(&json!({ "channel": channel, "entries": entries }), lines.join("\n"))?;
    match next {
        Some(next) => answer.with("next", &next),
        None => Ok(answer),
    }
}

/// The content of an entry, in a few words.
fn content(body: &Body, digest: fn(Digest) -> String) -> String {
    match body {
        Body::Intent(intent) => {
            let reason = intent.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{} to {}{reason}", intent.op.as_str(), digest(intent.target.digest))
        }
        Body::Outcome(outcome) => {
            let error = outcome.error.as_ref().map(|error| format!(": {} {}", error.code, error.text));
            format!("{} (seq {}){}", outcome.status.as_str(), outcome.intent_seq, error.unwrap_or_default())
        }
        Body::Takeover(takeover) => format!("of the move at seq {}", takeover.intent_seq),
        Body::Observation(seen) => {
            let ObservationCause::Drift = seen.cause;
            format!("the tag was at {} instead of {}", at_digest(seen.observed), at_digest(seen.expected))
        }
        Body::Approval(approval) => format!("of {} to {}", approval.op.as_str(), digest(approval.target)),
        Body::Hold(hold) => {
            let until = hold.until.map(|until| format!(" until {until}")).unwrap_or_default();
            format!("{}{until}: {}", hold.scope.as_str(), hold.reason)
        }
        Body::Unhold(unhold) => format!("of hold {}: {}", unhold.hold, unhold.reason),
        Body::Check(check) => format!("{} of {}", check.name, digest(check.digest)),
        Body::Block(block) => {
            let url = block.url.as_ref().map(|url| format!(", {url}")).unwrap_or_default();
            format!("{}: {}{url}", digest(block.digest), block.reason)
        }
        Body::Unblock(unblock) => format!("{}: {}", digest(unblock.digest), unblock.reason),
        Body::Policy(PolicyEntry { name, digest: policy, binding, .. }) => {
            format!("{name} {}{}", digest(*policy), if *binding { ", binding" } else { "" })
        }
        Body::Deployment(deployment) => format!("{} on {}", deployment.revision, deployment.cluster),
        Body::Migrated(migrated) => format!("to {}", migrated.ledger),
    }
}
