//! Appends to one log. Each takes the lock, and does one write and one sync.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::{DiskFile, OpenMode};
use super::lines;
use super::mark::Mark;
use super::place::{Place, Repair};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Appended;
use crate::log::{DefectCode, MAX_ENTRY};

/// The open files of a log that this process appends to. They are dropped and opened again after an error.
#[derive(Debug)]
pub(super) struct Writer {
    place: Arc<Place>,
    lock: Box<dyn DiskFile>,
    /// The log file; none until it is opened under the lock.
    log: Option<Box<dyn DiskFile>>,
    /// The end of the log that this writer has checked: bytes and entries.
    checked: Option<(u64, u64)>,
}

/// The result of an operation on the lock or log file that is open.
enum Found<T> {
    Usable(T),
    /// Another process removed or replaced a file that is open here.
    Replaced,
}

/// Stores `bytes` at `seq` of the log at `place`, if that is the next position. `writer` holds the open files of this
/// process, and is empty after an error.
pub(super) fn append(
    place: &Arc<Place>,
    writer: &mut Option<Writer>,
    seq: u64,
    bytes: &[u8],
    deadline: Instant,
) -> Result<Appended> {
    check_entry(place, seq, bytes)?;
    // Open the files again if they were replaced, at most three times.
    for _ in 0..3 {
        let mut current = match writer.take() {
            Some(open) => open,
            None if seq > 0 && !place.exists()? => return Ok(Appended::Conflict),
            None => Writer::open(place)?,
        };
        match current.append(seq, bytes, deadline)? {
            Found::Usable(append) => {
                *writer = Some(current);
                return Ok(append);
            }
            Found::Replaced => {}
        }
    }
    Err(place.unavailable("the files are being replaced by another process"))
}

/// Finishes an append that another process left when it died, unless a process holds the lock: its entry then counts,
/// or is cut.
pub(super) fn settle(place: &Arc<Place>, writer: &mut Option<Writer>) -> Result<()> {
    let mut current = match writer.take() {
        Some(open) => open,
        None => Writer::open(place)?,
    };
    if !current.lock.try_lock().map_err(|e| place.io("lock", &place.lock, e))? {
        return Ok(());
    }
    let settled = current.settle();
    current.lock.unlock().map_err(|e| place.io("unlock", &place.lock, e))?;
    if let Found::Usable(_) = settled? {
        *writer = Some(current);
    }
    Ok(())
}

/// Refuses an entry that the file could not return unchanged or find again: it is an error of the caller.
fn check_entry(place: &Place, seq: u64, bytes: &[u8]) -> Result<()> {
    let fault = |why: &str| Err(place.locate(Error::new(ErrorKind::InternalFault, why)).with_context("seq", seq));
    if bytes.len() > MAX_ENTRY {
        let message = format!("an entry of {} bytes; the most is {MAX_ENTRY}", bytes.len());
        return Err(place.locate(Error::new(ErrorKind::EntryTooLarge, message)).with_context("seq", seq));
    }
    if bytes.contains(&b'\n') || bytes.contains(&0) {
        return fault("an entry with a newline or a zero byte is not canonical");
    }
    if lines::seq_of(bytes) != Some(seq) {
        return fault("the entry does not say that it stands at this position");
    }
    if seq == 0 && lines::channel_of(bytes).as_ref() != Some(&place.channel) {
        return fault("the entry does not say that it belongs to this channel");
    }
    Ok(())
}

impl Writer {
    fn open(place: &Arc<Place>) -> Result<Writer> {
        let lock = place.disk.open(&place.lock, OpenMode::Create).map_err(|e| place.io("open", &place.lock, e))?;
        Ok(Writer { place: place.clone(), lock, log: None, checked: None })
    }

    fn append(&mut self, seq: u64, bytes: &[u8], deadline: Instant) -> Result<Found<Appended>> {
        self.acquire(deadline)?;
        let appended = self.append_locked(seq, bytes);
        // If unlocking fails, the lock is released when the file is closed.
        match (self.lock.unlock(), appended) {
            (Err(_), Ok(Found::Replaced)) | (_, Ok(Found::Replaced)) => Ok(Found::Replaced),
            (Ok(()), appended) => appended,
            (Err(e), Ok(Found::Usable(Appended::Conflict))) => Err(self.place.io("unlock", &self.place.lock, e)),
            (Err(e), Ok(Found::Usable(Appended::Stored))) => Err(self.ambiguous(seq, "unlock", e)),
            (Err(_), Err(error)) => Err(error),
        }
    }

    /// Takes the lock, or gives up at the deadline.
    fn acquire(&self, deadline: Instant) -> Result<()> {
        let mut pause = Duration::from_micros(50);
        loop {
            match self.lock.try_lock() {
                Ok(true) => return Ok(()),
                Ok(false) if Instant::now() >= deadline => {
                    return Err(self.place.unavailable("another process holds the lock on the log"));
                }
                Ok(false) => std::thread::sleep(pause),
                Err(e) => return Err(self.place.io("lock", &self.place.lock, e)),
            }
            pause = (pause * 2).min(Duration::from_millis(2));
        }
    }

    fn append_locked(&mut self, seq: u64, bytes: &[u8]) -> Result<Found<Appended>> {
        let place = self.place.clone();
        let (end, entries) = match self.settle()? {
            Found::Usable(settled) => settled,
            Found::Replaced => return Ok(Found::Replaced),
        };
        if seq != entries {
            return Ok(Found::Usable(Appended::Conflict));
        }
        let log = self.log.as_deref().ok_or_else(|| place.unavailable("the log is not open"))?;
        let mut line = Vec::with_capacity(bytes.len() + 1);
        line.extend_from_slice(bytes);
        line.push(b'\n');
        if let Err(e) = log.write_at(&line, end) {
            // Part of the line may be written, but never its newline. It does not count, and is cut now or by the next
            // append. Even if the newline was written, the mark shows that the line does not count.
            let cut = log.set_len(end).and_then(|()| log.sync());
            let error = place.io("write", &place.log, e);
            return Err(match cut {
                Ok(()) => error,
                Err(cut) => error.with_context("cut", cut),
            });
        }
        if let Err(e) = log.sync() {
            // The caller drops this writer. The mark still ends before this line: the next writer cuts the line and
            // writes it again before it counts.
            return Err(self.ambiguous(seq, "sync", e));
        }
        let end = end + line.len() as u64;
        // Without the new mark, readers would not see the entry that is acknowledged next.
        self.mark(end, entries + 1).map_err(|e| self.ambiguous(seq, "mark", e))?;
        self.checked = Some((end, entries + 1));
        Ok(Found::Usable(Appended::Stored))
    }

    /// Repairs the log: afterwards all of it is complete lines and synced, and the mark records this. Returns the
    /// length in bytes and the number of entries.
    fn settle(&mut self) -> Result<Found<(u64, u64)>> {
        let place = self.place.clone();
        if self.lock.stat().map_err(|e| place.io("look at", &place.lock, e))?.names == 0 {
            return Ok(Found::Replaced);
        }
        let boot = place.disk.boot();
        let mark = Mark::read(self.lock.as_ref()).map_err(|e| place.io("read", &place.lock, e))?;
        let synced = mark.as_ref().map_or(0, |mark| mark.bytes);
        let log = match self.log.take() {
            Some(log) => log,
            None => self.open_log(synced)?,
        };
        let stat = log.stat().map_err(|e| place.io("look at", &place.log, e))?;
        if stat.names == 0 {
            return Ok(Found::Replaced);
        }
        if stat.bytes < synced {
            return Err(place.truncated(stat.bytes, synced));
        }
        if let Some(mark) = mark.as_ref().filter(|mark| mark.is_of(&boot) && mark.bytes == stat.bytes) {
            let end = (mark.bytes, mark.entries);
            if self.checked != Some(end) {
                self.check(log.as_ref(), end)?;
            }
            self.log = Some(log);
            return Ok(Found::Usable(end));
        }

        let end = place.whole_end(log.as_ref(), stat.bytes, synced)?;
        if end < synced {
            return Err(place.corrupt(None, DefectCode::NotJson, "a line that was acknowledged lost its newline"));
        }
        if end < stat.bytes {
            // The cut is synced below, so that the bytes that are cut cannot mix with the next write.
            log.set_len(end).map_err(|e| place.io("cut", &place.log, e))?;
            place.note(Repair::Cut { offset: end, bytes: stat.bytes - end });
        }
        if mark.as_ref().is_some_and(|mark| mark.is_of(&boot)) && end > synced {
            // After a failed fsync the page cache may be clean but not durable, and another sync would not report this:
            // rewrite, then sync.
            let tail = place.read_exactly(log.as_ref(), synced, end)?;
            log.set_len(synced)
                .and_then(|()| log.sync())
                .and_then(|()| log.write_at(&tail, synced))
                .and_then(|()| log.sync())
                .map_err(|e| place.io("write again", &place.log, e))?;
            place.note(Repair::WrittenAgain { offset: synced, bytes: end - synced });
        } else {
            log.sync().map_err(|e| place.io("sync", &place.log, e))?;
        }
        if mark.is_none() {
            place.disk.sync_dir(&place.dir).map_err(|e| place.io("sync", &place.dir, e))?;
        }
        let entries = place.entries_before(log.as_ref(), end)?;
        self.check(log.as_ref(), (end, entries))?;
        self.mark(end, entries).map_err(|e| place.io("mark", &place.lock, e))?;
        self.log = Some(log);
        Ok(Found::Usable((end, entries)))
    }

    /// Checks the first and the last line of a log that other processes may have written.
    fn check(&mut self, log: &dyn DiskFile, (end, entries): (u64, u64)) -> Result<()> {
        if self.checked.is_none_or(|(end, _)| end == 0) {
            self.place.check_first(log, end)?;
        }
        self.place.check_last(log, end, entries)?;
        self.checked = Some((end, entries));
        Ok(())
    }

    /// Opens the log file, or creates it if the log is new.
    fn open_log(&self, synced: u64) -> Result<Box<dyn DiskFile>> {
        let place = &self.place;
        match place.disk.open(&place.log, OpenMode::Write) {
            Ok(log) => Ok(log),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && synced > 0 => Err(place.truncated(0, synced)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                place.disk.open(&place.log, OpenMode::Create).map_err(|e| place.io("make", &place.log, e))
            }
            Err(e) => Err(place.io("open", &place.log, e)),
        }
    }

    fn mark(&self, bytes: u64, entries: u64) -> std::io::Result<()> {
        Mark { boot: self.place.disk.boot(), bytes, entries }.write(self.lock.as_ref())
    }

    fn ambiguous(&self, seq: u64, what: &str, e: std::io::Error) -> Error {
        let place = &self.place;
        let message =
            format!("{}: it is not known whether the entry was stored (cannot {what}: {e})", place.log.display());
        place.locate(Error::new(ErrorKind::LedgerAmbiguous, message)).with_context("seq", seq).with_source(e)
    }
}
