//! Creates, migrates and backs up ledgers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tagwarden::ledger::{
    self, Ledger, LedgerUrl, MemoryLedger, Migration, MigrationPlan, MigrationProgress, MigrationResult, OpenMode,
};
use tagwarden::{Channel, Error, ErrorKind, Result};

use crate::args::{ExportArgs, ImportArgs, InitArgs, MigrateArgs};
use crate::connect::Setup;
use crate::names;
use crate::progress::say;
use crate::render::{self, Answer, Style};

pub(super) async fn init(setup: &Setup, args: &InitArgs, style: Style) -> Result<Answer> {
    let url = match &args.url {
        Some(url) => url.parse()?,
        None => setup.ledger_url()?,
    };
    url.init().await?;
    render::initialised(&url, style)
}

pub(super) async fn migrate(setup: &Setup, args: &MigrateArgs, style: Style) -> Result<Answer> {
    let (from, to): (LedgerUrl, LedgerUrl) = (args.from.parse()?, args.to.parse()?);
    if from.is_same(&to) {
        return Err(Error::new(ErrorKind::ConfigInvalid, format!("{from} and {to} are one ledger")));
    }
    let mut source = from.open(OpenMode::Read).await?;
    let channels = named(setup, &args.channels, source.as_ref()).await?;
    if !args.dry_run {
        // Open for reading first, then for writing: opening for writing creates a directory that does not exist.
        source = setup.open(&from).await?;
    }
    let (target, creates) = target(setup, &to, channels.first(), args.dry_run).await?;
    let provenance = crate::provenance::of(&args.who)?;
    let transfer = Migration::migrating(source, target, to.name()?, provenance).with_watch(progress());
    let transfer = match &args.reason {
        Some(reason) => transfer.with_reason(reason.clone()),
        None => transfer,
    };
    let transfer = if args.resume { transfer.resumed() } else { transfer };
    let surveys = surveys(&transfer, &channels).await?;
    let (from, to) = (from.to_string(), to.to_string());
    if args.dry_run {
        return render::surveyed(&from, &to, creates, &surveys, style);
    }
    say(&format!(
        "migrating {} from {from} to {to}; each log is closed in {from} when it is there",
        logs(surveys.len())
    ));
    let done = run(&transfer, surveys).await?;
    render::transferred(&from, &to, &done, style)
}

pub(super) async fn export(setup: &Setup, args: &ExportArgs, style: Style) -> Result<Answer> {
    let (dir, url) = (&args.dir, setup.ledger_url()?);
    let source = setup.ledger_to_read(args.read).await?;
    let channels = named(setup, &args.channels, source.as_ref()).await?;
    std::fs::create_dir_all(dir)
        .map_err(|e| Error::new(ErrorKind::ConfigInvalid, format!("export: {}: {e}", dir.display())))?;
    let mut done = Vec::new();
    for channel in channels {
        done.push(ledger::export(source.as_ref(), &channel, dir).await?);
    }
    render::exported(&url.to_string(), dir, &done, style)
}

pub(super) async fn import(setup: &Setup, args: &ImportArgs, style: Style) -> Result<Answer> {
    let url = setup.ledger_url()?;
    let source: Arc<dyn Ledger> = Arc::new(ledger::exports(&args.dir)?);
    let channels = named(setup, &args.channels, source.as_ref()).await?;
    let (target, creates) = target(setup, &url, channels.first(), args.dry_run).await?;
    let transfer = Migration::copying(source, target).with_watch(progress());
    let surveys = surveys(&transfer, &channels).await?;
    let (from, to) = (args.dir.display().to_string(), url.to_string());
    if args.dry_run {
        return render::surveyed(&from, &to, creates, &surveys, style);
    }
    let done = run(&transfer, surveys).await?;
    render::transferred(&from, &to, &done, style)
}

/// The channels that were named, or all channels of the ledger.
async fn named(setup: &Setup, names: &[String], ledger: &dyn Ledger) -> Result<Vec<Channel>> {
    match names {
        [] => ledger.channels().await,
        names => names.iter().map(|text| names::channel(&setup.config, text)).collect(),
    }
}

/// The ledger to write to, and, in a dry run, what of it a run would make: then it counts as empty.
async fn target(
    setup: &Setup,
    url: &LedgerUrl,
    first: Option<&Channel>,
    dry_run: bool,
) -> Result<(Arc<dyn Ledger>, Option<String>)> {
    if !dry_run {
        return Ok((setup.open(url).await?, None));
    }
    let opened = match url.open(OpenMode::Read).await {
        // A branch of a Git repository is missed by the first read only.
        Ok(ledger) => match first {
            Some(first) => ledger.size(first).await.map(|_| ledger),
            None => Ok(ledger),
        },
        Err(error) => Err(error),
    };
    match opened {
        Ok(ledger) => Ok((ledger, None)),
        Err(error) => match missing(&error) {
            Some(missing) => Ok((Arc::new(MemoryLedger::new()), Some(missing))),
            None => Err(error),
        },
    }
}

/// The branch or the directory whose absence is the error, and that the first append makes. A run makes no repository,
/// bucket or table.
fn missing(error: &Error) -> Option<String> {
    if error.kind() != ErrorKind::LedgerAbsent {
        return None;
    }
    error.context().find_map(|(name, value)| match name {
        "branch" => Some(format!("branch {value}")),
        "file" => Some(format!("directory {value}")),
        _ => None,
    })
}

/// Surveys every log before the first one is written, so that an error in one log prevents all transfers.
async fn surveys(transfer: &Migration, channels: &[Channel]) -> Result<Vec<MigrationPlan>> {
    let mut surveys = Vec::new();
    for channel in channels {
        surveys.push(transfer.survey(channel).await?);
    }
    Ok(surveys)
}

async fn run(transfer: &Migration, surveys: Vec<MigrationPlan>) -> Result<Vec<MigrationResult>> {
    let mut done = Vec::new();
    for survey in surveys {
        done.push(transfer.run(survey).await?);
    }
    Ok(done)
}

fn logs(count: usize) -> String {
    format!("{count} {}", if count == 1 { "log" } else { "logs" })
}

/// The pause between two progress messages.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Prints progress on standard error, at most once in [`TELL_EVERY`].
fn progress() -> MigrationProgress {
    let last = Mutex::new(Instant::now());
    Arc::new(move |channel, done, of| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= TELL_EVERY {
            *last = Instant::now();
            say(&format!("{channel}: {done} of {of} entries"));
        }
    })
}
