//! Appends to one log. Each takes the lock, and does one write and one sync.

use std::io;
use std::time::Instant;

use super::disk::{DiskFile, FileMode, until};
use super::lines;
use super::log::{Known, Log};
use super::mark::{End, Mark};
use super::open::OpenLog;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Appended, OpenMode, Repair};
use crate::log::{DefectCode, MAX_ENTRY};

impl Log {
    /// Stores `bytes` at `seq`, if that is the next position.
    pub(super) fn append(&self, seq: u64, bytes: &[u8], deadline: Instant) -> Result<Appended> {
        self.check_entry(seq, bytes)?;
        // Create no files for a log that does not exist.
        if seq > self.known().end.entries
            && self.open_file(&self.path, FileMode::Read)?.is_none()
            && self.open_file(&self.lock, FileMode::Read)?.is_none()
        {
            return Ok(Appended::Conflict);
        }
        let Some(lock) = self.acquire(deadline)? else {
            return Err(self.unavailable("another process holds the lock on the log"));
        };
        let open = self.settle(lock.as_ref())?;
        let End { bytes: length, entries } = open.end;
        if seq != entries {
            return Ok(Appended::Conflict);
        }
        let line = [bytes, b"\n"].concat();
        if let Err(e) = open.file.write_at(&line, length) {
            // Part of the line may be written, but never its newline. It does not count, and is cut now or by the next
            // append. Even if the newline was written, the mark shows that the line does not count.
            let cut = open.file.set_len(length).and_then(|()| open.file.sync());
            let error = self.io("write", &self.path, e);
            return Err(match cut {
                Ok(()) => error,
                Err(cut) => error.with_context("cut", cut),
            });
        }
        // If this fails, the mark still ends before this line: the next append cuts the line and writes it again before
        // it counts.
        open.file.sync().map_err(|e| self.ambiguous(seq, "sync", e))?;
        let end = End { bytes: length + line.len() as u64, entries: entries + 1 };
        // Without the new mark, readers would not see the entry that is acknowledged next.
        Mark::write(lock.as_ref(), &self.dir.disk.boot(), end).map_err(|e| self.ambiguous(seq, "mark", e))?;
        *self.known() = Known { end, synced: None, settled: true };
        Ok(Appended::Stored)
    }

    /// The number of entries. Finishes an append that another process left when it died, unless a process holds the
    /// lock: its entry then counts, or is cut.
    pub(super) fn size(&self) -> Result<u64> {
        let size = self.entries()?;
        if self.known().settled || self.dir.access != OpenMode::Write {
            return Ok(size);
        }
        let Ok(_turn) = self.turn.try_lock() else { return Ok(size) };
        if let Some(lock) = self.acquire(Instant::now())? {
            self.settle(lock.as_ref())?;
        }
        self.entries()
    }

    /// Refuses an entry that the file could not return unchanged or find again: it is an error of the caller.
    fn check_entry(&self, seq: u64, bytes: &[u8]) -> Result<()> {
        let error = if bytes.len() > MAX_ENTRY {
            let why = format!("an entry of {} bytes; the most is {MAX_ENTRY}", bytes.len());
            Error::new(ErrorKind::EntryTooLarge, why)
        } else if bytes.contains(&b'\n') || bytes.contains(&0) {
            Error::new(ErrorKind::InternalFault, "an entry with a newline or a zero byte is not canonical")
        } else if lines::seq_of(bytes) != Some(seq) {
            Error::new(ErrorKind::InternalFault, "the entry does not say that it stands at this position")
        } else if seq == 0 && lines::channel_of(bytes).as_ref() != Some(&self.channel) {
            Error::new(ErrorKind::InternalFault, "the entry does not say that it belongs to this channel")
        } else {
            return Ok(());
        };
        Err(self.locate(error).with_context("seq", seq))
    }

    /// Takes the lock, which is released when the file is closed. None if another process holds it at the deadline.
    fn acquire(&self, deadline: Instant) -> Result<Option<Box<dyn DiskFile>>> {
        let failed = |what: &'static str| move |e: io::Error| self.io(what, &self.lock, e);
        until(deadline, || {
            let lock = self.dir.disk.open(&self.lock, FileMode::Create).map_err(failed("open"))?;
            Ok(lock.try_lock().map_err(failed("lock"))?.then_some(lock))
        })
    }

    /// Repairs the log under its lock: afterwards all of it is complete lines and synced, and the mark records this.
    fn settle(&self, lock: &dyn DiskFile) -> Result<OpenLog<'_>> {
        let open = OpenLog::of(self, self.mark(lock)?, &self.known(), FileMode::Write)?;
        let mut open = open.ok_or_else(|| self.unavailable("the log is not open"))?;
        let (length, synced) = (open.length, open.synced);
        if open.has_current_mark() && open.end.bytes == length {
            open.check(&mut self.known())?;
            return Ok(open);
        }

        let end = open.whole_end()?;
        if end < synced {
            return Err(self.corrupt(DefectCode::NotJson, "a line that was acknowledged lost its newline"));
        }
        if end < length {
            // The cut is synced below, so that the bytes that are cut cannot mix with the next write.
            open.file.set_len(end).map_err(|e| self.io("cut", &self.path, e))?;
            self.dir.note(&self.channel, Repair::Cut { offset: end, bytes: length - end });
        }
        if open.has_current_mark() && end > synced {
            // After a failed fsync the page cache may be clean but not durable, and another sync would not report this:
            // rewrite, then sync.
            let tail = open.bytes(synced, end)?;
            (open.file.set_len(synced))
                .and_then(|()| open.file.sync())
                .and_then(|()| open.file.write_at(&tail, synced))
                .and_then(|()| open.file.sync())
                .map_err(|e| self.io("write again", &self.path, e))?;
            self.dir.note(&self.channel, Repair::WrittenAgain { offset: synced, bytes: end - synced });
        } else {
            open.file.sync().map_err(|e| self.io("sync", &self.path, e))?;
        }
        if open.mark.is_none() {
            self.dir.disk.sync_dir(&self.dir.path).map_err(|e| self.io("sync", &self.dir.path, e))?;
        }
        open.end = open.end_at(end)?;
        open.check(&mut self.known())?;
        Mark::write(lock, &self.dir.disk.boot(), open.end).map_err(|e| self.io("mark", &self.lock, e))?;
        Ok(open)
    }

    fn ambiguous(&self, seq: u64, what: &str, e: io::Error) -> Error {
        let message =
            format!("{}: it is not known whether the entry was stored (cannot {what}: {e})", self.path.display());
        self.locate(Error::new(ErrorKind::LedgerAmbiguous, message)).with_context("seq", seq).with_source(e)
    }
}
