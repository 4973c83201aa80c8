//! Answers of `ledger`: created, migrated, backed up.

use std::path::Path;

use serde_json::json;
use tagwarden::Result;
use tagwarden::ledger::{Ending, ExportedLog, LedgerUrl, MigrationPlan, MigrationResult};

use super::{Answer, Style, Table, shown};

/// A ledger that is ready for use.
pub(crate) fn initialised(url: &LedgerUrl, style: Style) -> Result<Answer> {
    Answer::done(
        &json!({ "ledger": url, "result": "ready" }),
        format!("{} {}", style.good("ready"), shown(&url.to_string())),
    )
}

/// The plan of a transfer.
pub(crate) fn surveyed(
    from: &str,
    to: &str,
    creates: Option<String>,
    surveys: &[MigrationPlan],
    style: Style,
) -> Result<Answer> {
    let mut table = Table::new(&["CHANNEL", "ENTRIES", "TO COPY", "ROOT"]);
    for survey in surveys {
        let missing = survey.size - survey.there;
        table.row([survey.channel.to_string(), survey.size.to_string(), missing.to_string(), survey.root.to_string()]);
    }
    let mut lines = some(surveys, &table, style);
    let makes = creates.as_ref().map(|what| format!("; a run would make the {what}")).unwrap_or_default();
    lines.push(shown(&format!(
        "dry run: {from} to {to}: every entry holds, and nothing stands against it{makes}; nothing was written"
    )));
    let json = json!({ "dry_run": true, "from": from, "to": to, "channels": surveys });
    let answer = Answer::done(&json, lines.join("\n"))?;
    match creates {
        Some(what) => answer.with("creates", &what),
        None => Ok(answer),
    }
}

/// The result of a transfer.
pub(crate) fn transferred(from: &str, to: &str, done: &[MigrationResult], style: Style) -> Result<Answer> {
    let mut table = Table::new(&["CHANNEL", "ENTRIES", "COPIED", "RESULT", "ROOT"]);
    let (mut migrated, mut before) = (0, 0);
    for log in done {
        let result = match &log.ending {
            Ending::Migrated { .. } => {
                migrated += 1;
                "migrated"
            }
            Ending::MigratedBefore { .. } => {
                before += 1;
                "migrated before"
            }
            Ending::Copied => "copied",
        };
        table.row([
            log.channel.to_string(),
            log.size.to_string(),
            log.copied.to_string(),
            result.to_owned(),
            log.root.to_string(),
        ]);
    }
    let mut lines = some(done, &table, style);
    if migrated + before > 0 {
        lines.push(shown(&format!(
            "{} in {to} now; {from} can be read, and nothing more be written there. Name {to} in --ledger, \
             TAGWARDEN_LEDGER and tagwarden.toml",
            go_on(migrated + before)
        )));
    }
    if before == done.len() && before > 0 {
        lines.push("nothing to do: all of it was migrated before".to_owned());
    }
    Answer::done(&json!({ "from": from, "to": to, "channels": done }), lines.join("\n"))
}

/// The result of an export.
pub(crate) fn exported(ledger: &str, dir: &Path, done: &[ExportedLog], style: Style) -> Result<Answer> {
    let mut table = Table::new(&["CHANNEL", "ENTRIES", "ROOT"]);
    for log in done {
        table.row([log.channel.to_string(), log.size.to_string(), log.root.to_string()]);
    }
    let mut lines = some(done, &table, style);
    if !done.is_empty() {
        lines.push(shown(&format!("in {}: an entry a line; `tagwarden verify --log FILE` checks one", dir.display())));
    }
    Answer::done(&json!({ "ledger": ledger, "dir": dir, "channels": done }), lines.join("\n"))
}

fn some<T>(all: &[T], table: &Table, style: Style) -> Vec<String> {
    match all.is_empty() {
        true => vec!["there are no logs".to_owned()],
        false => table.lines(style),
    }
}

fn go_on(count: usize) -> String {
    match count {
        1 => "1 log goes on".to_owned(),
        count => format!("{count} logs go on"),
    }
}
