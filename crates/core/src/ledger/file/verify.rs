//! Verification of a log file, from its first byte to the last byte that counts.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::log::{Known, Log};
use super::open::PART;
use super::{FILE, FileLedger, blocking, parent, unavailable};
use crate::error::{ErrorKind, Result};
use crate::ledger::Ledger;
use crate::log::{LogReport, Verifier};
use crate::value::Channel;

/// Checks one log in a file with one entry a line: a file of a ledger's directory, an export, or a copy of either.
/// LEDGER_UNAVAILABLE if it cannot be read.
///
/// If the lock file of a ledger in use is in the same directory, only acknowledged entries count, as in the ledger
/// itself; the remaining bytes are [`LogReport::torn_bytes`].
pub async fn verify_file(file: &Path) -> Result<LogReport> {
    if let Some(channel) = channel_of(file) {
        return FileLedger::open_read_only(parent(file))?.verify(&channel).await;
    }
    let file = file.to_owned();
    blocking(ErrorKind::LedgerUnavailable, move || {
        let failed = |e| unavailable("read", &file, e);
        let mut from = File::open(&file).map_err(failed)?;
        let mut verifier = Verifier::new(None);
        let mut part = vec![0; PART as usize];
        loop {
            match from.read(&mut part).map_err(failed)? {
                0 => return Ok(verifier.finish()),
                length => verifier.feed_jsonl(part.get(..length).unwrap_or_default()),
            }
        }
    })
    .await
}

/// The channel whose log a ledger stores under this file name.
fn channel_of(file: &Path) -> Option<Channel> {
    FILE.decode(file.file_name()?.to_str()?.strip_suffix(".jsonl")?)
}

/// Checks the complete log file.
pub(super) fn verify(log: &Log) -> Result<LogReport> {
    let mut verifier = Verifier::new(Some(log.channel.clone()));
    let Some(open) = log.look(&Known::default())? else { return Ok(verifier.finish()) };
    let end = if open.has_current_mark() { open.end.bytes } else { open.whole_end()? };
    for at in (0..end).step_by(PART as usize) {
        verifier.feed_jsonl(&open.bytes(at, end.min(at + PART))?);
    }
    let mut report = verifier.finish();
    report.torn_bytes += open.length - end;
    Ok(report)
}
