//! Verification of a log file, from its first byte to the last byte that counts.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::disk::{DiskFile, OpenMode};
use super::mark::Mark;
use super::place::Place;
use super::{FILE, FileLedger, blocking, unavailable};
use crate::error::{ErrorKind, Result};
use crate::ledger::Ledger;
use crate::log::{LogReport, Verifier};
use crate::value::Channel;

/// The number of bytes that one read takes.
const PART: usize = 4 * 1024 * 1024;

/// Checks one log in a file with one entry a line: a file of a ledger's directory, an export, or a copy of either.
/// LEDGER_UNAVAILABLE if it cannot be read.
///
/// If the lock file of a ledger in use is in the same directory, only acknowledged entries count, as in the ledger
/// itself; the remaining bytes are [`LogReport::torn_bytes`].
pub async fn verify_file(file: &Path) -> Result<LogReport> {
    if let (Some(dir), Some(channel)) = (file.parent(), channel_of(file)) {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        return FileLedger::open_read_only(dir)?.verify(&channel).await;
    }
    let file = file.to_owned();
    blocking(ErrorKind::LedgerUnavailable, move || {
        let failed = |e| unavailable("read", &file, e);
        let mut from = File::open(&file).map_err(failed)?;
        let mut verifier = Verifier::new(None);
        let mut part = vec![0; PART];
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

/// Checks the complete log file of `place`.
pub(super) fn verify(place: &Place) -> Result<LogReport> {
    let mut verifier = Verifier::new(Some(place.channel.clone()));
    let mark = mark(place)?;
    let known = mark.as_ref().map_or(0, |mark| mark.bytes);
    let log = match place.disk.open(&place.log, OpenMode::Read) {
        Ok(log) => log,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && known == 0 => return Ok(verifier.finish()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(place.truncated(0, known)),
        Err(e) => return Err(place.io("open", &place.log, e)),
    };
    let bytes = log.stat().map_err(|e| place.io("look at", &place.log, e))?.bytes;
    if bytes < known {
        return Err(place.truncated(bytes, known));
    }
    let end = match mark.filter(|mark| mark.is_of(&place.disk.boot())) {
        Some(mark) => mark.bytes,
        None => place.whole_end(log.as_ref(), bytes, known)?,
    };
    feed(place, log.as_ref(), end, &mut verifier)?;
    let mut report = verifier.finish();
    report.torn_bytes += bytes - end;
    Ok(report)
}

fn mark(place: &Place) -> Result<Option<Mark>> {
    match place.disk.open(&place.lock, OpenMode::Read) {
        Ok(lock) => Mark::read(lock.as_ref()).map_err(|e| place.io("read", &place.lock, e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(place.io("open", &place.lock, e)),
    }
}

fn feed(place: &Place, log: &dyn DiskFile, end: u64, verifier: &mut Verifier) -> Result<()> {
    let mut at = 0;
    while at < end {
        let next = end.min(at + PART as u64);
        verifier.feed_jsonl(&place.read_exactly(log, at, next)?);
        at = next;
    }
    Ok(())
}
