//! The files of one channel, and checks of them that need no lock.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::{Disk, DiskFile, OpenMode};
use super::lines::{self, MAX_LINE};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::name::FILE;
use crate::log::{Defect, DefectCode};
use crate::value::Channel;

/// The greatest number of notices that are kept; older ones are dropped.
const MAX_NOTICES: usize = 1024;

/// The number of bytes that one read takes when it counts the lines of a log.
const STRIDE: u64 = 256 * 1024;

/// A repair that the ledger made by itself, or a failure that it ignored, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairNotice {
    /// The channel of the log.
    pub channel: Channel,
    /// The repair.
    pub repair: Repair,
}

/// A repair of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// A last line that was torn by a crash was cut. Its append never returned.
    Cut {
        /// The offset of its first byte in the file.
        offset: u64,
        /// Its length in bytes.
        bytes: u64,
    },
    /// A last line that was complete, but not known to be synced, was cut, written again and synced.
    WrittenAgain {
        /// The offset of its first byte in the file.
        offset: u64,
        /// Its length in bytes.
        bytes: u64,
    },
    /// The index could not be written; look-ups scan the log instead.
    IndexLeft {
        /// The cause.
        why: String,
    },
}

impl fmt::Display for RepairNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channel = &self.channel;
        match &self.repair {
            Repair::Cut { offset, bytes } => {
                write!(f, "{channel}: cut {bytes} bytes at byte {offset}: an append that never returned")
            }
            Repair::WrittenAgain { offset, bytes } => {
                write!(f, "{channel}: wrote {bytes} bytes at byte {offset} again: they were not known to be synced")
            }
            Repair::IndexLeft { why } => write!(f, "{channel}: the index was left as it was: {why}"),
        }
    }
}

/// The notices of a ledger, oldest first.
pub(super) type Notices = Arc<Mutex<VecDeque<RepairNotice>>>;

/// The paths of a channel's files.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) channel: Channel,
    pub(super) dir: PathBuf,
    pub(super) log: PathBuf,
    pub(super) lock: PathBuf,
    notices: Notices,
}

impl Place {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path, channel: Channel, notices: Notices) -> Place {
        let name = FILE.encode(&channel);
        Place {
            log: dir.join(format!("{name}.jsonl")),
            lock: dir.join(format!("{name}.lock")),
            dir: dir.to_owned(),
            disk,
            channel,
            notices,
        }
    }

    /// The directory of the index blobs.
    pub(super) fn index_dir(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// A file of the index: a blob or a lock file.
    pub(super) fn index(&self, extension: &str) -> PathBuf {
        self.index_dir().join(format!("{}.{extension}", FILE.encode(&self.channel)))
    }

    pub(super) fn note(&self, repair: Repair) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() == MAX_NOTICES {
            notices.pop_front();
        }
        notices.push_back(RepairNotice { channel: self.channel.clone(), repair });
    }

    /// True if the log file or the lock file exists.
    pub(super) fn exists(&self) -> Result<bool> {
        for path in [&self.log, &self.lock] {
            match self.disk.open(path, OpenMode::Read) {
                Ok(_) => return Ok(true),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(self.io("open", path, e)),
            }
        }
        Ok(false)
    }

    /// The end of the last complete line. The bytes after it, and a torn last line, are an append that never returned.
    /// Bytes before `synced` are never torn.
    pub(super) fn whole_end(&self, log: &dyn DiskFile, bytes: u64, synced: u64) -> Result<u64> {
        // Only one line can be incomplete, and a part of it may be sectors of zeros. Therefore read that line and one
        // complete line before it.
        let from = bytes.saturating_sub(2 * MAX_LINE as u64);
        let tail = self.read_exactly(log, from, bytes)?;
        let Some(end) = lines::last_end(&tail) else {
            return match bytes <= MAX_LINE as u64 {
                true => Ok(0),
                false => Err(self.corrupt(None, DefectCode::TooLarge, "the last line is longer than an entry can be")),
            };
        };
        let whole = tail.get(..end - 1).unwrap_or_default();
        let start = lines::last_end(whole).unwrap_or(0);
        let line = tail.get(start..end).unwrap_or_default();
        let offset = from + start as u64;
        match offset >= synced && lines::is_torn(line, offset) {
            true => Ok(offset),
            false => Ok(from + end as u64),
        }
    }

    /// The line that ends at `end`, including its newline.
    pub(super) fn last_line(&self, log: &dyn DiskFile, end: u64) -> Result<Vec<u8>> {
        // Most entries are much shorter than `MAX_LINE`: try a short read first.
        for reach in [4096, 2 * MAX_LINE as u64] {
            let from = end.saturating_sub(reach);
            let mut tail = self.read_exactly(log, from, end)?;
            let whole = tail.split_last().map_or(&[][..], |(_, whole)| whole);
            match lines::last_end(whole) {
                Some(start) => return Ok(tail.split_off(start)),
                None if from == 0 => return Ok(tail),
                None => {}
            }
        }
        Err(self.corrupt(None, DefectCode::TooLarge, "the last line is longer than an entry can be"))
    }

    /// Checks that the first entry does not belong to another channel.
    pub(super) fn check_first(&self, log: &dyn DiskFile, end: u64) -> Result<()> {
        let head = self.read_exactly(log, 0, end.min(MAX_LINE as u64))?;
        let line = lines::first_end(&head).and_then(|end| head.get(..end - 1));
        // An unparsable first line is reported by verification; a line of another channel means a misnamed file.
        match line.and_then(lines::channel_of) {
            Some(channel) if channel != self.channel => {
                Err(self.corrupt(Some(0), DefectCode::Channel, &format!("the entry is of {channel}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the last line before `end` is the entry at position `entries - 1`. Verification checks the lines
    /// before it.
    pub(super) fn check_last(&self, log: &dyn DiskFile, end: u64, entries: u64) -> Result<()> {
        if entries == 0 || end == 0 {
            return match (entries, end) {
                (0, 0) => Ok(()),
                _ => Err(self.corrupt(None, DefectCode::Sequence, "its length and its number of entries do not agree")),
            };
        }
        let last = self.last_line(log, end)?;
        let line = last.split_last().map_or(&[][..], |(_, line)| line);
        match lines::defect(line, entries - 1) {
            Some(defect) => Err(self.defect(defect)),
            None => Ok(()),
        }
    }

    /// The number of entries before `end`, from the position in the last one.
    pub(super) fn entries_before(&self, log: &dyn DiskFile, end: u64) -> Result<u64> {
        if end == 0 {
            return Ok(0);
        }
        let last = self.last_line(log, end)?;
        let line = last.split_last().map_or(&[][..], |(_, line)| line);
        match lines::seq_of(line).and_then(|seq| seq.checked_add(1)) {
            Some(entries) => Ok(entries),
            // Counting reads the complete log, but a damaged log must still be readable up to the damage.
            None => self.count_lines(log, end),
        }
    }

    /// The number of lines before `end`.
    pub(super) fn count_lines(&self, log: &dyn DiskFile, end: u64) -> Result<u64> {
        let (mut from, mut lines) = (0, 0);
        while from < end {
            let to = end.min(from + STRIDE);
            let bytes = self.read_exactly(log, from, to)?;
            lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            from = to;
        }
        Ok(lines)
    }

    /// The bytes of the log from `from` to `to`. LEDGER_TRUNCATED if the file ends before `to`.
    pub(super) fn read_exactly(&self, log: &dyn DiskFile, from: u64, to: u64) -> Result<Vec<u8>> {
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let mut buffer = vec![0; length];
        match log.read_at(&mut buffer, from).map_err(|e| self.io("read", &self.log, e))? {
            read if read == length => Ok(buffer),
            read => Err(self.truncated(from + read as u64, to)),
        }
    }

    /// LEDGER_UNAVAILABLE: the operation `what` on `path` failed.
    pub(super) fn io(&self, what: &str, path: &Path, e: io::Error) -> Error {
        let message = format!("{}: cannot {what}: {e}", path.display());
        self.locate(Error::new(ErrorKind::LedgerUnavailable, message)).with_source(e)
    }

    /// LEDGER_UNAVAILABLE, for the log as a whole.
    pub(super) fn unavailable(&self, why: &str) -> Error {
        self.locate(Error::new(ErrorKind::LedgerUnavailable, format!("{}: {why}", self.log.display())))
    }

    /// LEDGER_TRUNCATED: the log had more bytes before.
    pub(super) fn truncated(&self, bytes: u64, before: u64) -> Error {
        let message = format!("{}: {bytes} bytes, but there were {before} before", self.log.display());
        self.locate(Error::new(ErrorKind::LedgerTruncated, message))
    }

    /// LEDGER_CORRUPT, at a position or of the log as a whole.
    pub(super) fn corrupt(&self, seq: Option<u64>, code: DefectCode, why: &str) -> Error {
        match seq {
            Some(seq) => self.locate(Error::from(Defect { seq, code, why: why.to_owned() })),
            None => {
                let message = format!("{}: {}: {why}", self.log.display(), code.as_str());
                self.locate(Error::new(ErrorKind::LedgerCorrupt, message).with_context("defect", code.as_str()))
            }
        }
    }

    /// A defect of this log, as an error.
    pub(super) fn defect(&self, defect: Defect) -> Error {
        self.locate(Error::from(defect))
    }

    /// Adds the channel and the file to an error.
    pub(super) fn locate(&self, error: Error) -> Error {
        error.with_context("channel", &self.channel).with_context("file", self.log.display())
    }
}
