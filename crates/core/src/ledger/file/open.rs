//! A log while its file is open: reads of it that need no lock, and that do not read a long log completely.

use bytes::Bytes;
use memchr::{memchr_iter, memrchr};

use super::disk::{DiskFile, FileMode};
use super::lines::{self, MAX_LINE};
use super::log::{Known, Log};
use super::mark::{End, Mark};
use crate::error::{Error, Result};
use crate::log::DefectCode;

/// The greatest number of bytes of one read.
pub(in crate::ledger) const PART: u64 = 4 * 1024 * 1024;

/// The number of bytes of one read in the search for a position: it has at least one complete line.
const WINDOW: u64 = 2 * MAX_LINE as u64;

/// An open log.
#[derive(Debug)]
pub(super) struct OpenLog<'l> {
    log: &'l Log,
    pub(super) file: Box<dyn DiskFile>,
    /// The length of the file.
    pub(super) length: u64,
    pub(super) mark: Option<Mark>,
    /// The number of bytes that were synced, as far as the mark and this process know.
    pub(super) synced: u64,
    /// The end of the entries that count.
    pub(super) end: End,
}

impl<'l> OpenLog<'l> {
    /// Opens the log file, and creates it if there was no log and the mode is to write. The end is the one in the mark.
    /// None if there is no log; LEDGER_TRUNCATED if it has fewer bytes than were synced.
    pub(super) fn of(log: &'l Log, mark: Option<Mark>, known: &Known, mode: FileMode) -> Result<Option<OpenLog<'l>>> {
        let end = mark.map_or_else(End::default, |mark| mark.end);
        let synced = end.bytes.max(known.end.bytes);
        let mut file = log.open_file(&log.path, mode)?;
        if file.is_none() && mode == FileMode::Write && synced == 0 {
            file = Some(log.dir.disk.open(&log.path, FileMode::Create).map_err(|e| log.io("make", &log.path, e))?);
        }
        // Read the length after the mark, which never names more bytes than the file has.
        let length = file.as_ref().map_or(Ok(0), |file| file.length()).map_err(|e| log.io("look at", &log.path, e))?;
        if length < synced {
            return Err(log.truncated(length, synced));
        }
        Ok(file.map(|file| OpenLog { log, file, length, mark, synced, end }))
    }

    /// True if there is a mark of this boot.
    pub(super) fn has_current_mark(&self) -> bool {
        self.mark.is_some_and(|mark| mark.is_current)
    }

    /// The bytes of the log from `from` to `to`. LEDGER_TRUNCATED if the file ends before `to`.
    pub(super) fn bytes(&self, from: u64, to: u64) -> Result<Vec<u8>> {
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let mut buffer = vec![0; length];
        match self.file.read_at(&mut buffer, from).map_err(|e| self.log.io("read", &self.log.path, e))? {
            read if read == length => Ok(buffer),
            read => Err(self.log.truncated(from + read as u64, to)),
        }
    }

    /// The end of the last complete line of the file. The bytes after it, and a torn last line, are an append that
    /// never returned. Synced bytes are never torn.
    pub(super) fn whole_end(&self) -> Result<u64> {
        // Only one line can be incomplete, and a part of it may be sectors of zeros. Therefore read that line and one
        // complete line before it.
        let from = self.length.saturating_sub(WINDOW);
        let tail = self.bytes(from, self.length)?;
        let Some(newline) = memrchr(b'\n', &tail) else {
            return if self.length <= MAX_LINE as u64 { Ok(0) } else { Err(self.last_line_too_long()) };
        };
        let start = tail.get(..newline).and_then(|before| memrchr(b'\n', before)).map_or(0, |before| before + 1);
        let line = tail.get(start..=newline).unwrap_or_default();
        let offset = from + start as u64;
        let is_torn = offset >= self.synced && lines::is_torn(line, offset);
        Ok(if is_torn { offset } else { from + newline as u64 + 1 })
    }

    /// The end of the log after its first `bytes`, which are complete lines, by the position in the last one.
    pub(super) fn end_at(&self, bytes: u64) -> Result<End> {
        if bytes == 0 {
            return Ok(End::default());
        }
        if let Some(seq) = lines::seq_of(&self.last_line(bytes)?) {
            return Ok(End { bytes, entries: seq.saturating_add(1) });
        }
        // Counting reads the complete log, but a damaged log must still be readable up to the damage.
        let mut entries = 0;
        for from in (0..bytes).step_by(PART as usize) {
            entries += memchr_iter(b'\n', &self.bytes(from, bytes.min(from + PART))?).count() as u64;
        }
        Ok(End { bytes, entries })
    }

    /// The line that ends at `end`, without its newline.
    fn last_line(&self, end: u64) -> Result<Vec<u8>> {
        let from = end.saturating_sub(WINDOW);
        let mut tail = self.bytes(from, end)?;
        tail.pop();
        match memrchr(b'\n', &tail) {
            Some(before) => Ok(tail.split_off(before + 1)),
            None if from == 0 => Ok(tail),
            None => Err(self.last_line_too_long()),
        }
    }

    fn last_line_too_long(&self) -> Error {
        self.log.corrupt(DefectCode::TooLarge, "the last line is longer than an entry can be")
    }

    /// Checks that the first entry is of this channel, and that the last one has the last position; verification checks
    /// the lines between them. Then the end is known, and is not checked again.
    pub(super) fn check(&self, known: &mut Known) -> Result<()> {
        let end = self.end;
        if end == known.end {
            return Ok(());
        }
        if end.bytes < known.end.bytes || end.entries < known.end.entries {
            return Err(self.log.truncated(end.bytes, known.end.bytes));
        }
        if known.end.bytes == 0 {
            let head = self.bytes(0, end.bytes.min(MAX_LINE as u64))?;
            // An unparsable first line is reported by verification; a line of another channel means a misnamed file.
            let channel = lines::first_line(&head).and_then(lines::channel_of);
            if let Some(channel) = channel.filter(|channel| *channel != self.log.channel) {
                return Err(self.log.defect(0, DefectCode::Channel, &format!("the entry is of {channel}")));
            }
        }
        if let Some(defect) = lines::defect(&self.last_line(end.bytes)?, end.entries.saturating_sub(1)) {
            return Err(self.log.locate(defect.into()));
        }
        known.end = end;
        Ok(())
    }

    /// The complete line after the last entry that counts: an append that was not acknowledged. The next append makes
    /// it count. An incomplete line never counts.
    pub(super) fn unacknowledged(&self) -> Result<Option<Bytes>> {
        let from = self.end.bytes;
        let tail = self.bytes(from, self.length.min(from + MAX_LINE as u64))?;
        let line = lines::first_line(&tail).filter(|line| !lines::is_torn(line, from));
        Ok(line.and_then(|line| line.strip_suffix(b"\n")).map(Bytes::copy_from_slice))
    }

    /// The entries from `from` on: at least one if the log has one there, at most `limit`.
    pub(super) fn read(&self, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let limit = self.end.entries.saturating_sub(from).min(limit as u64);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let offset = self.locate(from)?;
        let average = self.end.bytes / self.end.entries + 1;
        let wanted = limit.saturating_mul(average + average / 8).clamp(MAX_LINE as u64, PART);
        let bytes = Bytes::from(self.bytes(offset, self.end.bytes.min(offset + wanted))?);

        let (mut found, mut start) = (Vec::new(), 0);
        for (at, seq) in memchr_iter(b'\n', &bytes).zip(from..from + limit) {
            let line = bytes.slice(start..at);
            match lines::defect(&line, seq) {
                None => found.push(line),
                Some(defect) if found.is_empty() => return Err(self.log.locate(defect.into())),
                // Return the good entries before the bad line first, so that the next read reports the defect at its
                // position.
                Some(_) => return Ok(found),
            }
            start = at + 1;
        }
        if found.is_empty() {
            return Err(self.log.defect(from, DefectCode::TooLarge, "the line is longer than an entry can be"));
        }
        let next = from + found.len() as u64;
        if next == self.end.entries && offset + start as u64 != self.end.bytes {
            let why = "a line after the entry that says it is the last";
            return Err(self.log.defect(next, DefectCode::Sequence, why));
        }
        Ok(found)
    }

    /// The offset of the line at position `seq`, which must be less than the number of entries.
    fn locate(&self, seq: u64) -> Result<u64> {
        // Two lines by their position and offset: the line is not before the first one, and is before the second one.
        let (mut low, mut high) = (End::default(), self.end);
        for round in 0.. {
            let span = high.bytes - low.bytes;
            if low.entries == seq || span <= WINDOW {
                break;
            }
            // Most entries have about the same length, so a proportional guess is close. Every second guess halves the
            // range, so that no log can make the search slow.
            let part = u128::from(span) * u128::from(seq - low.entries) / u128::from(high.entries - low.entries);
            let guess = if round % 2 == 0 { u64::try_from(part).unwrap_or(span) } else { span / 2 };
            let at = (low.bytes + guess).saturating_sub(WINDOW / 2).clamp(low.bytes, high.bytes - WINDOW);
            let bytes = self.bytes(at, at + WINDOW)?;
            let start = lines::first_line(&bytes).map_or(bytes.len(), <[u8]>::len);
            let line = bytes.get(start..).and_then(lines::first_line).and_then(|line| line.strip_suffix(b"\n"));
            // A line that does not fit between the two: the log is damaged.
            let fits = |said: &u64| low.entries < *said && *said < high.entries;
            let Some(entries) = line.and_then(lines::seq_of).filter(fits) else { break };
            let here = End { bytes: at + start as u64, entries };
            if entries > seq {
                high = here;
            } else {
                low = pass(here, seq, bytes.get(start..).unwrap_or_default());
            }
        }
        // Count lines from the nearest known one.
        while low.entries < seq {
            let here = pass(low, seq, &self.bytes(low.bytes, self.end.bytes.min(low.bytes + WINDOW))?);
            if here == low {
                let (code, why) = match low.bytes >= self.end.bytes {
                    true => (DefectCode::Sequence, "the log has fewer lines than its last entry says"),
                    false => (DefectCode::TooLarge, "the line is longer than an entry can be"),
                };
                return Err(self.log.defect(low.entries, code, why));
            }
            low = here;
        }
        Ok(low.bytes)
    }
}

/// The last line that begins in `bytes` and is not after `seq`. `bytes` begin with the line `from`.
fn pass(from: End, seq: u64, bytes: &[u8]) -> End {
    let passed = memchr_iter(b'\n', bytes).zip(from.entries..seq).last();
    passed.map_or(from, |(newline, before)| End { bytes: from.bytes + newline as u64 + 1, entries: before + 1 })
}
