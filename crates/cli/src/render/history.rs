//! The moves of a channel.

use tagwarden::promotion::{ChannelStatus, HistoryPage};
use tagwarden::{Digest, Result};

use super::event::{revision, run, source};
use super::{Answer, Style, Table, shown};

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

/// A revision for a table: `main@sha1:0123456789ab…` with twelve digits.
fn short(revision: &str) -> String {
    let hex = revision.rsplit([':', '@']).next().unwrap_or_default();
    match hex.len() {
        0..=12 => revision.to_owned(),
        length => revision.chars().take(revision.chars().count() - length + 12).collect(),
    }
}
