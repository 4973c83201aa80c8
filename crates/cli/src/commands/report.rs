//! Audit, retention, verification.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tagwarden::ledger;
use tagwarden::log::LogReport;
use tagwarden::promotion::{AuditLooks, AuditOptions};
use tagwarden::retention::RetentionRule;
use tagwarden::{Channel, Error, ErrorKind, Result, Times};

use crate::args::{AuditArgs, ReadArgs, RetentionArgs, VerifyArgs};
use crate::connect::{self, Setup};
use crate::names;
use crate::render::{self, Answer, Style};

pub(super) async fn audit(setup: &Setup, args: &AuditArgs, style: Style) -> Result<Answer> {
    let named: Result<Vec<Channel>> = args.channels.iter().map(|text| names::channel(&setup.config, text)).collect();
    // The list of the channels and their logs are one look at the ledger.
    let (since, ledger) = (Instant::now(), setup.ledger_to_read(args.read).await?);
    let channels = match named? {
        none if none.is_empty() => ledger.channels().await?,
        named => named,
    };
    let hosts = channels.iter().map(|channel| channel.repository().registry());
    let registry = connect::registry(&setup.config, &args.registry, hosts)?;
    let promoter = setup.promoter(Arc::new(registry), ledger, args.settle.times()?)?.since(since);
    let looks = if args.parts { AuditLooks::TagAndParts } else { AuditLooks::Tag };
    let options = AuditOptions::default().timeout((!args.no_settle).then_some(args.timeout)).looks(looks);
    let report = promoter.audit_with(&channels, options).await?;
    render::audit(&report, style)
}

pub(super) async fn retention(setup: &Setup, args: &RetentionArgs, style: Style) -> Result<Answer> {
    let repository = names::repository(&setup.config, &args.repository)?;
    let configured = setup.config.retention;
    let rule = RetentionRule {
        keep_last: args.keep.keep_last.unwrap_or(configured.keep_last),
        keep_for: args.keep.keep_for.unwrap_or(configured.keep_for),
    };
    let registry = connect::registry(&setup.config, &args.registry, [repository.registry()])?;
    // A copy could miss a move, and its digest would seem to be one that may go.
    let ledger = setup.ledger_to_read(ReadArgs { offline: false }).await?;
    let promoter = setup.promoter(Arc::new(registry), ledger, Times::default())?.since(Instant::now());
    render::retention(&promoter.retention_plan(&repository, &rule).await?, style)
}

pub(super) async fn verify(setup: &Setup, args: &VerifyArgs, style: Style) -> Result<Answer> {
    let mut reports = Vec::new();
    match &args.log {
        Some(file) => reports.push(exported(file).await?),
        None => {
            let reader = setup.reader(args.read).await?;
            let named: Result<Vec<_>> = args.channels.iter().map(|text| names::channel(&setup.config, text)).collect();
            let channels = match named? {
                none if none.is_empty() => reader.channels().await?,
                named => named,
            };
            for channel in channels {
                reports.push(reader.verify(&channel).await?);
            }
        }
    }
    if reports.is_empty() {
        // A check of the wrong place must not look like a check that passed.
        let message = format!("{}: there are no logs, so nothing was verified", setup.ledger_url()?);
        return Err(Error::new(ErrorKind::LedgerAbsent, message));
    }
    render::verified(&reports, style)
}

/// The report on an exported log. SOURCE_INVALID if the file does not exist.
async fn exported(file: &Path) -> Result<LogReport> {
    connect::open(file)?;
    ledger::verify_file(file).await
}
