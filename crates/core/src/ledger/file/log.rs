//! One channel's log: its files, and what this process knows about them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::directory::Directory;
use super::disk::{DiskFile, FileMode};
use super::mark::{End, Mark};
use super::open::{OpenLog, PART};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::name::{FILE, log_file};
use crate::lock::lock;
use crate::log::{Defect, DefectCode, LogReport, Verifier};
use crate::value::Channel;

/// One channel's log.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) dir: Arc<Directory>,
    pub(super) channel: Channel,
    /// The log file.
    pub(super) path: PathBuf,
    /// The lock file, which also has the mark.
    pub(super) lock: PathBuf,
    known: Mutex<Known>,
    /// Queues the appends of this process in order; the lock file excludes the other processes.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

/// The facts about a log that this process has read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// The end of the entries that count.
    pub(super) end: End,
    /// The length of the file when this process synced it, if there was no mark of this boot.
    pub(super) synced: Option<u64>,
    /// True if the file had no bytes after `end`: no append was in progress, and none was left by a dead process.
    pub(super) settled: bool,
}

impl Log {
    pub(super) fn new(dir: &Arc<Directory>, channel: Channel) -> Log {
        let path = dir.path.join(log_file(&channel));
        let lock = path.with_extension("lock");
        Log { dir: Arc::clone(dir), channel, path, lock, known: Mutex::default(), turn: Arc::default() }
    }

    /// A file of the index: a blob or a lock file.
    fn index(&self, extension: &str) -> PathBuf {
        self.dir.path.join("index").join(format!("{}.{extension}", FILE.encode(&self.channel)))
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// Opens a file of this log; none if there is no such file.
    pub(super) fn open_file(&self, path: &Path, mode: FileMode) -> Result<Option<Box<dyn DiskFile>>> {
        match self.dir.disk.open(path, mode) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.io("open", path, e)),
        }
    }

    /// Opens the log as it is, to read it: the end is the one in the mark. None if there is no log; LEDGER_TRUNCATED if
    /// it has fewer bytes than in the mark or in `known`.
    pub(super) fn look(&self, known: &Known) -> Result<Option<OpenLog<'_>>> {
        let lock = self.open_file(&self.lock, FileMode::Read)?;
        let mark = lock.map(|lock| self.mark(lock.as_ref())).transpose()?.flatten();
        OpenLog::of(self, mark, known, FileMode::Read)
    }

    /// Opens the log to read the entries that count. These are those up to the mark of this boot, or else those in the
    /// bytes that this process has synced itself. None if there is no log.
    pub(super) fn open(&self) -> Result<Option<OpenLog<'_>>> {
        let mut known = self.known();
        let Some(mut open) = self.look(&known)? else {
            known.settled = true;
            return Ok(None);
        };
        let has_mark = open.has_current_mark();
        if !has_mark && known.synced == Some(open.length) {
            open.end = known.end;
        } else if !has_mark {
            open.file.sync().map_err(|e| self.io("sync", &self.path, e))?;
            open.end = open.end_at(open.whole_end()?)?;
        }
        open.check(&mut known)?;
        known.synced = (!has_mark).then_some(open.length);
        known.settled = open.length == open.end.bytes;
        Ok(Some(open))
    }

    /// The number of entries that count.
    pub(super) fn entries(&self) -> Result<u64> {
        Ok(self.open()?.map_or(0, |open| open.end.entries))
    }

    /// Checks the log from its first byte to the last byte that counts.
    pub(super) fn verify(&self) -> Result<LogReport> {
        let mut verifier = Verifier::new(Some(self.channel.clone()));
        let Some(open) = self.look(&Known::default())? else { return Ok(verifier.finish()) };
        let end = if open.has_current_mark() { open.end.bytes } else { open.whole_end()? };
        for at in (0..end).step_by(PART as usize) {
            verifier.feed_jsonl(&open.bytes(at, end.min(at + PART))?);
        }
        let mut report = verifier.finish();
        report.torn_bytes += open.length - end;
        Ok(report)
    }

    /// The blob of the index with this name; none if there is no file.
    pub(super) fn blob(&self, name: &str) -> Result<Option<Bytes>> {
        let path = self.index(name);
        let read = || -> io::Result<Option<Bytes>> {
            let file = self.dir.disk.open(&path, FileMode::Read)?;
            let mut blob = vec![0; usize::try_from(file.length()?).map_err(io::Error::other)?];
            let length = file.read_at(&mut blob, 0)?;
            blob.truncate(length);
            Ok(Some(Bytes::from(blob)))
        };
        match read() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            blob => blob.map_err(|e| self.io("read", &path, e)),
        }
    }

    /// Writes a blob to a new file, and renames that over the old one. Nothing is synced: the checksum of a blob shows
    /// if a crash tore it.
    pub(super) fn put_blob(&self, name: &str, blob: &[u8]) -> io::Result<()> {
        let disk = &self.dir.disk;
        disk.make_dir(&self.dir.path.join("index"))?;
        // A process that holds the lock is writing the same index. Closing the file releases the lock.
        let lock = disk.open(&self.index("lock"), FileMode::Create)?;
        if !lock.try_lock()? {
            return Ok(());
        }
        let anew = self.index("new");
        let file = disk.open(&anew, FileMode::Create)?;
        file.set_len(0)?;
        file.write_at(blob, 0)?;
        disk.rename(&anew, &self.index(name))
    }

    pub(super) fn mark(&self, lock: &dyn DiskFile) -> Result<Option<Mark>> {
        Mark::read(lock, &self.dir.disk.boot()).map_err(|e| self.io("read", &self.lock, e))
    }

    /// LEDGER_UNAVAILABLE: the operation `what` on `path` failed.
    pub(super) fn io(&self, what: &str, path: &Path, e: io::Error) -> Error {
        let message = format!("{}: cannot {what}: {e}", path.display());
        self.locate(Error::new(ErrorKind::LedgerUnavailable, message)).with_source(e)
    }

    /// LEDGER_UNAVAILABLE, for the log as a whole.
    pub(super) fn unavailable(&self, why: &str) -> Error {
        self.locate(Error::new(ErrorKind::LedgerUnavailable, format!("{}: {why}", self.path.display())))
    }

    /// LEDGER_TRUNCATED: the log had more bytes before.
    pub(super) fn truncated(&self, bytes: u64, before: u64) -> Error {
        let message = format!("{}: {bytes} bytes, but there were {before} before", self.path.display());
        self.locate(Error::new(ErrorKind::LedgerTruncated, message))
    }

    /// LEDGER_CORRUPT, for the log as a whole.
    pub(super) fn corrupt(&self, code: DefectCode, why: &str) -> Error {
        let message = format!("{}: {}: {why}", self.path.display(), code.as_str());
        self.locate(Error::new(ErrorKind::LedgerCorrupt, message).with_context("defect", code.as_str()))
    }

    /// LEDGER_CORRUPT at a position.
    pub(super) fn defect(&self, seq: u64, code: DefectCode, why: &str) -> Error {
        self.locate(Error::from(Defect { seq, code, why: why.to_owned() }))
    }

    /// Adds the channel and the file to an error.
    pub(super) fn locate(&self, error: Error) -> Error {
        error.with_context("channel", &self.channel).with_context("file", self.path.display())
    }
}
