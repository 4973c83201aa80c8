//! Reads of one log: without the lock, and without reading a long log completely.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use bytes::Bytes;

use super::disk::{DiskFile, OpenMode};
use super::lines;
use super::lines::MAX_LINE;
use super::mark::Mark;
use super::place::Place;
use crate::error::Result;
use crate::log::DefectCode;

/// The number of bytes that one read takes in the search for a position.
const WINDOW: u64 = 64 * 1024;

/// The greatest result of one read, in bytes of the file. One entry that is longer is still returned.
const MAX_READ: u64 = 4 * 1024 * 1024;

/// The greatest number of positions whose offset is remembered.
const MAX_ANCHORS: usize = 1024;

/// The open files of a log that this process reads, and the known facts about the log.
#[derive(Debug)]
pub(super) struct Reader {
    place: Arc<Place>,
    log: Box<dyn DiskFile>,
    lock: Option<Box<dyn DiskFile>>,
    /// The offset after the last entry that counts.
    end: u64,
    entries: u64,
    /// The length of the file when this reader synced it, if there is no mark of this boot.
    synced: Option<u64>,
    /// True if the file has bytes after `end`: an append that is in progress, or one that never returned.
    unsettled: bool,
    /// The offsets of some positions. Lines before `end` never move.
    anchors: BTreeMap<u64, u64>,
    /// The offset and the bytes of the last part before `end`, because most reads are of the tail.
    tail: (u64, Vec<u8>),
}

/// Brings the reader of the log at `place` up to date, and opens it if necessary. None if there is no log.
pub(super) fn look<'a>(place: &Arc<Place>, reader: &'a mut Option<Reader>) -> Result<Option<&'a mut Reader>> {
    let mut before = 0;
    for _ in 0..3 {
        let mut current = match reader.take() {
            Some(open) => open,
            None => match Reader::open(place)? {
                Some(open) => open,
                None if before > 0 => return Err(place.truncated(0, before)),
                None => return Ok(None),
            },
        };
        match current.refresh()? {
            Fresh::Yes if current.end < before => return Err(place.truncated(current.end, before)),
            Fresh::Yes => return Ok(Some(reader.insert(current))),
            Fresh::Replaced => before = before.max(current.end),
        }
    }
    Err(place.unavailable("the files are being replaced by another process"))
}

enum Fresh {
    Yes,
    /// Another process removed or replaced the file that is held open here.
    Replaced,
}

impl Reader {
    fn open(place: &Arc<Place>) -> Result<Option<Reader>> {
        let log = match place.disk.open(&place.log, OpenMode::Read) {
            Ok(log) => log,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // If the mark shows that the log had bytes, the log was removed and is not empty.
                let mark = match Self::open_lock(place)? {
                    Some(lock) => Mark::read(lock.as_ref()).map_err(|e| place.io("read", &place.lock, e))?,
                    None => None,
                };
                return match mark.filter(|mark| mark.bytes > 0) {
                    Some(mark) => Err(place.truncated(0, mark.bytes)),
                    None => Ok(None),
                };
            }
            Err(e) => return Err(place.io("open", &place.log, e)),
        };
        Ok(Some(Reader {
            place: place.clone(),
            log,
            lock: None,
            end: 0,
            entries: 0,
            synced: None,
            unsettled: false,
            anchors: BTreeMap::new(),
            tail: (0, Vec::new()),
        }))
    }

    fn open_lock(place: &Place) -> Result<Option<Box<dyn DiskFile>>> {
        match place.disk.open(&place.lock, OpenMode::Read) {
            Ok(lock) => Ok(Some(lock)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(place.io("open", &place.lock, e)),
        }
    }

    /// The number of entries in the log.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// True if the file has bytes after the last entry that counts.
    pub(super) fn unsettled(&self) -> bool {
        self.unsettled
    }

    /// The complete line after the last entry that counts: an append that was not acknowledged. The next append makes
    /// it count. An incomplete line never counts.
    pub(super) fn unacknowledged(&mut self) -> Result<Option<Bytes>> {
        let place = &self.place;
        let bytes = self.log.stat().map_err(|e| place.io("look at", &place.log, e))?.bytes;
        let tail = place.read_exactly(self.log.as_ref(), self.end, bytes.min(self.end + MAX_LINE as u64))?;
        let Some(end) = lines::first_end(&tail) else { return Ok(None) };
        let line = tail.get(..end).unwrap_or_default();
        match lines::is_torn(line, self.end) {
            true => Ok(None),
            false => Ok(line.strip_suffix(b"\n").map(Bytes::copy_from_slice)),
        }
    }

    /// Finds the end of the entries that count: the end in the mark of this boot, or else the end of the bytes that
    /// this reader has synced itself.
    fn refresh(&mut self) -> Result<Fresh> {
        let place = self.place.clone();
        let mark = self.read_mark()?;
        // Read the length after the mark, which never names more bytes than the file has.
        let stat = self.log.stat().map_err(|e| place.io("look at", &place.log, e))?;
        if stat.names == 0 {
            return Ok(Fresh::Replaced);
        }
        let known = mark.as_ref().map_or(0, |mark| mark.bytes).max(self.end);
        if stat.bytes < known {
            return Err(place.truncated(stat.bytes, known));
        }
        if let Some(mark) = mark.as_ref().filter(|mark| mark.is_of(&place.disk.boot())) {
            if (mark.bytes, mark.entries) != (self.end, self.entries) {
                self.advance(mark.bytes, mark.entries)?;
            }
            self.unsettled = stat.bytes > self.end;
            return Ok(Fresh::Yes);
        }
        if self.synced != Some(stat.bytes) {
            self.log.sync().map_err(|e| place.io("sync", &place.log, e))?;
            let end = place.whole_end(self.log.as_ref(), stat.bytes, known)?;
            let entries = place.entries_before(self.log.as_ref(), end)?;
            self.advance(end, entries)?;
            self.synced = Some(stat.bytes);
            self.unsettled = stat.bytes > end;
        }
        Ok(Fresh::Yes)
    }

    fn read_mark(&mut self) -> Result<Option<Mark>> {
        let place = &self.place;
        if let Some(lock) = &self.lock
            && lock.stat().map_err(|e| place.io("look at", &place.lock, e))?.names == 0
        {
            self.lock = None;
        }
        if self.lock.is_none() {
            self.lock = Self::open_lock(place)?;
        }
        match &self.lock {
            Some(lock) => Mark::read(lock.as_ref()).map_err(|e| place.io("read", &place.lock, e)),
            None => Ok(None),
        }
    }

    /// Checks the lines at a later end, and then uses it.
    fn advance(&mut self, end: u64, entries: u64) -> Result<()> {
        if end < self.end || entries < self.entries {
            return Err(self.place.truncated(end, self.end));
        }
        if self.end == 0 {
            self.place.check_first(self.log.as_ref(), end)?;
        }
        self.place.check_last(self.log.as_ref(), end, entries)?;
        let from = end.saturating_sub(WINDOW);
        self.tail = (from, self.place.read_exactly(self.log.as_ref(), from, end)?);
        (self.end, self.entries) = (end, entries);
        Ok(())
    }

    /// The entries from `from` on: at least one if the log has one there, at most `limit`.
    pub(super) fn read(&mut self, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let limit = (self.entries.saturating_sub(from)).min(limit as u64);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let offset = self.locate(from)?;
        let average = (self.end / self.entries.max(1)).saturating_add(1);
        let wanted = limit.saturating_mul(average).saturating_add(limit.saturating_mul(average) / 8);
        let length = wanted.clamp(WINDOW, MAX_READ).max(MAX_LINE as u64);
        let bytes = Bytes::from(self.window(offset, length)?);

        let mut found = Vec::new();
        let mut start = 0;
        for at in newlines(&bytes) {
            if found.len() as u64 == limit {
                break;
            }
            let seq = from + found.len() as u64;
            let line = bytes.slice(start..at);
            if let Some(defect) = lines::defect(&line, seq) {
                // Return the good entries before the bad line first, so that the next read reports the defect at its
                // position.
                if found.is_empty() {
                    return Err(self.place.defect(defect));
                }
                return Ok(found);
            }
            found.push(line);
            start = at + 1;
        }
        if found.is_empty() {
            return Err(self.place.corrupt(
                Some(from),
                DefectCode::TooLarge,
                "the line is longer than an entry can be",
            ));
        }
        let (next, offset) = (from + found.len() as u64, offset + start as u64);
        if next == self.entries && offset != self.end {
            let why = "a line after the entry that says it is the last";
            return Err(self.place.corrupt(Some(next), DefectCode::Sequence, why));
        }
        self.anchor(next, offset);
        Ok(found)
    }

    /// The bytes from `offset` on, at most `length`, and none after `end`.
    fn window(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let to = self.end.min(offset.saturating_add(length));
        let (start, tail) = &self.tail;
        let held = offset.checked_sub(*start).and_then(|skip| usize::try_from(skip).ok());
        let count = usize::try_from(to.saturating_sub(offset)).ok();
        match held.zip(count).and_then(|(skip, count)| tail.get(skip..skip.checked_add(count)?)) {
            Some(bytes) => Ok(bytes.to_vec()),
            None => self.place.read_exactly(self.log.as_ref(), offset, to),
        }
    }

    /// The offset of the line at position `seq`, which must be less than the number of entries.
    fn locate(&mut self, seq: u64) -> Result<u64> {
        for round in 0..64_u32 {
            let (low_seq, low) = self.anchors.range(..=seq).next_back().map_or((0, 0), |(seq, at)| (*seq, *at));
            if low_seq == seq {
                return Ok(low);
            }
            let (high_seq, high) =
                self.anchors.range(seq + 1..).next().map_or((self.entries, self.end), |(seq, at)| (*seq, *at));
            if high.saturating_sub(low) <= WINDOW {
                break;
            }
            // Most entries have about the same length, so a proportional guess is close. Every fourth guess halves the
            // range, so that no log can make the search slow.
            let span = u128::from(high - low);
            let guess = match round % 4 {
                3 => span / 2,
                _ => span * u128::from(seq - low_seq) / u128::from((high_seq - low_seq).max(1)),
            };
            let guess = low + u64::try_from(guess).unwrap_or(u64::MAX);
            let at = guess.saturating_sub(WINDOW / 2).clamp(low, high.saturating_sub(WINDOW));
            if !self.probe(seq, at, (low_seq, low), (high_seq, high))? {
                break;
            }
        }
        self.walk(seq)
    }

    /// Reads around `at` and adds anchors. False if the lines there do not fit between the two anchors: the log is
    /// damaged, and positions must be found by counting lines.
    fn probe(&mut self, seq: u64, at: u64, low: (u64, u64), high: (u64, u64)) -> Result<bool> {
        let bytes = self.window(at, WINDOW)?;
        let mut start = match at == low.1 {
            true => 0,
            false => match lines::first_end(&bytes) {
                Some(end) => end,
                None => return Ok(false),
            },
        };
        let Some(first) = newlines(bytes.get(start..).unwrap_or_default()).next() else {
            return Ok(false);
        };
        let said = bytes.get(start..start + first).and_then(lines::seq_of);
        let Some(mut here) = said.filter(|said| low.0 <= *said && *said < high.0) else {
            return Ok(false);
        };
        self.anchor(here, at + start as u64);
        let ends: Vec<usize> = newlines(bytes.get(start..).unwrap_or_default()).map(|end| start + end + 1).collect();
        for end in ends {
            if here >= seq {
                break;
            }
            here += 1;
            start = end;
        }
        if here >= high.0 {
            return Ok(at + start as u64 == high.1);
        }
        self.anchor(here, at + start as u64);
        Ok(true)
    }

    /// Counts lines from the nearest known offset.
    fn walk(&mut self, seq: u64) -> Result<u64> {
        let (mut here, mut offset) = self.anchors.range(..=seq).next_back().map_or((0, 0), |(seq, at)| (*seq, *at));
        while here < seq {
            let bytes = self.window(offset, 4 * WINDOW)?;
            let mut passed = 0;
            for at in newlines(&bytes) {
                passed = at + 1;
                here += 1;
                if here == seq {
                    break;
                }
            }
            if passed == 0 {
                let (code, why) = match offset >= self.end {
                    true => (DefectCode::Sequence, "the log has fewer lines than its last entry says"),
                    false => (DefectCode::TooLarge, "the line is longer than an entry can be"),
                };
                return Err(self.place.corrupt(Some(here), code, why));
            }
            offset += passed as u64;
        }
        self.anchor(seq, offset);
        Ok(offset)
    }

    fn anchor(&mut self, seq: u64, offset: u64) {
        if self.anchors.len() >= MAX_ANCHORS {
            self.anchors.clear();
        }
        self.anchors.insert(seq, offset);
    }
}

/// The indexes of the newlines in `bytes`.
fn newlines(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let before = rest;
        let passed = rest.skip_until(b'\n').ok()?;
        let last = passed.checked_sub(1)?;
        (before.get(last) == Some(&b'\n')).then_some(bytes.len() - before.len() + last)
    })
}
