//! Where a channel's files are, and what can be said about them without holding a lock.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::{Access, Disk, DiskFile};
use super::lines::{self, MAX_LINE};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::name::FILE;
use crate::record::{Defect, DefectCode};
use crate::value::Channel;

/// How many notices are kept; older ones go.
const MAX_NOTICES: usize = 1024;

/// How much is read at once where a whole log must be passed over.
const STRIDE: u64 = 256 * 1024;

/// Something that the ledger set right by itself, or could not, and that an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whose log.
    pub channel: Channel,
    /// What was done.
    pub repair: Repair,
}

/// What was done to a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// A last line that was torn by a crash was cut: an append that never returned.
    Cut {
        /// Where it began, in bytes.
        offset: u64,
        /// How many bytes it had.
        bytes: u64,
    },
    /// A last line that was whole, but not known to be synced, was cut, written again and synced.
    WrittenAgain {
        /// Where it begins, in bytes.
        offset: u64,
        /// How many bytes it has.
        bytes: u64,
    },
    /// The index could not be written; look-ups scan the log instead.
    IndexLeft {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Notice {
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
pub(super) type Notices = Arc<Mutex<VecDeque<Notice>>>;

/// A channel's files.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) channel: Channel,
    pub(super) dir: PathBuf,
    pub(super) log: PathBuf,
    pub(super) lock: PathBuf,
    pub(super) index: PathBuf,
    notices: Notices,
}

impl Place {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path, channel: Channel, notices: Notices) -> Place {
        let name = FILE.encode(&channel);
        Place {
            log: dir.join(format!("{name}.jsonl")),
            lock: dir.join(format!("{name}.lock")),
            index: dir.join("index").join(name),
            dir: dir.to_owned(),
            disk,
            channel,
            notices,
        }
    }

    pub(super) fn note(&self, repair: Repair) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() == MAX_NOTICES {
            notices.pop_front();
        }
        notices.push_back(Notice { channel: self.channel.clone(), repair });
    }

    /// True if the log was ever begun.
    pub(super) fn exists(&self) -> Result<bool> {
        for path in [&self.log, &self.lock] {
            match self.disk.open(path, Access::Read) {
                Ok(_) => return Ok(true),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(self.io("open", path, e)),
            }
        }
        Ok(false)
    }

    /// The end of the last line that is whole; what is after it, or was torn, is an append that never returned. Bytes
    /// before `synced` are never torn.
    pub(super) fn whole_end(&self, log: &dyn DiskFile, bytes: u64, synced: u64) -> Result<u64> {
        // Only one line can be under way, and half of it may be the zeros of a sector: that and one whole line before.
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

    /// The line that ends at `end`, its newline included.
    pub(super) fn last_line(&self, log: &dyn DiskFile, end: u64) -> Result<Vec<u8>> {
        // Most entries are far shorter than the longest.
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

    /// Checks that the first entry is this channel's.
    pub(super) fn check_first(&self, log: &dyn DiskFile, end: u64) -> Result<()> {
        let head = self.read_exactly(log, 0, end.min(MAX_LINE as u64))?;
        let line = lines::first_end(&head).and_then(|end| head.get(..end - 1));
        // A first line that says nothing is damage, and the fold's to name; one that names another channel is another's.
        match line.and_then(lines::channel_of) {
            Some(channel) if channel != self.channel => {
                Err(self.corrupt(Some(0), DefectCode::Channel, &format!("the entry is of {channel}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the last line before `end` is the entry that it must be; the fold checks what is before it.
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

    /// How many entries there are before `end`, as the last of them says.
    pub(super) fn entries_before(&self, log: &dyn DiskFile, end: u64) -> Result<u64> {
        if end == 0 {
            return Ok(0);
        }
        let last = self.last_line(log, end)?;
        let line = last.split_last().map_or(&[][..], |(_, line)| line);
        match lines::seq_of(line).and_then(|seq| seq.checked_add(1)) {
            Some(entries) => Ok(entries),
            // Counting takes a pass over the log, but one that is damaged must still be shown as far as it goes.
            None => self.count_lines(log, end),
        }
    }

    /// How many lines there are before `end`.
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

    /// The bytes of the log from `from` to `to`, all of which must be there.
    pub(super) fn read_exactly(&self, log: &dyn DiskFile, from: u64, to: u64) -> Result<Vec<u8>> {
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let mut buffer = vec![0; length];
        match log.read_at(&mut buffer, from).map_err(|e| self.io("read", &self.log, e))? {
            read if read == length => Ok(buffer),
            read => Err(self.truncated(from + read as u64, to)),
        }
    }

    /// LEDGER_UNAVAILABLE: `what` could not be done with `path`.
    pub(super) fn io(&self, what: &str, path: &Path, e: io::Error) -> Error {
        let message = format!("{}: cannot {what}: {e}", path.display());
        self.locate(Error::new(ErrorKind::LedgerUnavailable, message)).because(e)
    }

    /// LEDGER_UNAVAILABLE, because of the log as a whole.
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
                self.locate(Error::new(ErrorKind::LedgerCorrupt, message).with("defect", code.as_str()))
            }
        }
    }

    /// A defect of this log, as an error.
    pub(super) fn defect(&self, defect: Defect) -> Error {
        self.locate(Error::from(defect))
    }

    /// Says whose log it is about, and in which file.
    pub(super) fn locate(&self, error: Error) -> Error {
        error.with("channel", &self.channel).with("file", self.log.display())
    }
}
