//! `View`: one channel's log in one commit.

use bytes::Bytes;

use super::layout::{ENTRIES, first_in};
use super::refusal::Fault;
use super::tree::{self, Object};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::file::lines;
use crate::log::{Defect, DefectCode, EncodedEntry};
use crate::value::Channel;

/// A log as a commit has it: the names of its files, and the entries of the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// The id of the log's directory; none if the commit has no such directory.
    pub(super) tree: Option<String>,
    /// The files, in order.
    pub(super) files: Vec<LogFile>,
    /// The entries of the last file.
    pub(super) tail: Vec<Bytes>,
}

/// A file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogFile {
    /// The position of its first entry.
    pub(super) first: u64,
    pub(super) id: String,
}

impl View {
    /// The number of entries.
    pub(super) fn size(&self) -> u64 {
        self.tail_from() + self.tail.len() as u64
    }

    /// The position of the first entry of the last file.
    pub(super) fn tail_from(&self) -> u64 {
        self.files.last().map_or(0, |file| file.first)
    }

    /// The entry at `seq`, if it is in the last file.
    pub(super) fn in_tail(&self, seq: u64) -> Option<&Bytes> {
        self.tail.get(usize::try_from(seq.checked_sub(self.tail_from())?).ok()?)
    }

    /// The last file with one more entry, or the next file with this entry: its first position and its entries.
    pub(super) fn with(&self, entry: &Bytes) -> (u64, Vec<Bytes>) {
        match (self.tail.len() as u64) < ENTRIES {
            true => (self.tail_from(), self.tail.iter().chain([entry]).cloned().collect()),
            false => (self.tail_from() + ENTRIES, vec![entry.clone()]),
        }
    }
}

/// The files of a log in its directory.
pub(super) fn files(channel: &Channel, directory: &Object) -> Result<Vec<LogFile>, FilesError> {
    let named = tree::files(&directory.bytes, directory.id.len()).map_err(FilesError::Fault)?;
    let files = named.into_iter().filter_map(|(name, id)| Some(LogFile { first: first_in(name)?, id }));
    let mut files: Vec<LogFile> = files.collect();
    files.sort_by_key(|file| file.first);
    match files.iter().zip((0..).step_by(ENTRIES as usize)).find(|(file, first)| file.first != *first) {
        None => Ok(files),
        Some((_, seq)) => {
            Err(FilesError::Error(defect(channel, seq, DefectCode::Sequence, "the file that begins here is gone")))
        }
    }
}

/// The reason why the files of a log cannot be listed.
pub(super) enum FilesError {
    Fault(Fault),
    Error(Error),
}

/// The entries in the text of a file that begins at position `first`. LEDGER_CORRUPT if it cannot be a file of the log.
pub(super) fn entries(channel: &Channel, first: u64, is_last: bool, text: Vec<u8>) -> Result<Vec<Bytes>> {
    let text = Bytes::from(text);
    let (mut found, mut start) = (Vec::new(), 0);
    for (end, seq) in memchr::memchr_iter(b'\n', &text).zip(first..) {
        let line = text.slice(start..end);
        if let Some(defect) = lines::defect(&line, seq) {
            return Err(Error::from(defect).with_context("channel", channel));
        }
        found.push(line);
        start = end + 1;
    }
    let count = found.len() as u64;
    if start != text.len() {
        return Err(defect(channel, first + count, DefectCode::NotJson, "the last line has no newline"));
    }
    if count > ENTRIES || (count < ENTRIES && !is_last) {
        let why = format!("the file that begins with entry {first} has {count} entries instead of {ENTRIES}");
        return Err(defect(channel, first + count.min(ENTRIES), DefectCode::Sequence, &why));
    }
    if first == 0
        && let Some(said) = found.first().and_then(|line| lines::channel_of(line)).filter(|said| said != channel)
    {
        return Err(defect(channel, 0, DefectCode::Channel, &format!("the entry is of {said}")));
    }
    Ok(found)
}

/// The text of a file with these entries.
pub(super) fn text(entries: &[Bytes]) -> Vec<u8> {
    entries.iter().flat_map(|entry| [entry.as_ref(), b"\n"]).collect::<Vec<_>>().concat()
}

/// The leaf hash of an entry.
pub(super) fn leaf(entry: &Bytes) -> crate::log::EntryHash {
    EncodedEntry::of(entry.clone()).leaf()
}

fn defect(channel: &Channel, seq: u64, code: DefectCode, why: &str) -> Error {
    Error::from(Defect { seq, code, why: why.to_owned() }).with_context("channel", channel)
}

/// An error of this kind about one channel's log.
pub(super) fn about(kind: ErrorKind, place: &str, channel: &Channel, seq: u64, why: &str) -> Error {
    Error::new(kind, format!("{place}: {channel}: seq {seq}: {why}"))
        .with_context("channel", channel)
        .with_context("seq", seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> Channel {
        "reg.io/shop:prod".parse().unwrap()
    }

    fn line(seq: u64) -> Bytes {
        format!(r#"{{"channel":"reg.io/shop:prod","seq":{seq},"v":1}}"#).into()
    }

    #[test]
    fn file_holds_a_hundred_entries_and_the_next_one_begins_a_file() {
        let mut view = View::default();
        for seq in 0..ENTRIES + 1 {
            assert_eq!(view.size(), seq);
            let (first, entries) = view.with(&line(seq));
            assert_eq!(first, seq - seq % ENTRIES);
            if view.files.last().is_none_or(|file| file.first != first) {
                view.files.push(LogFile { first, id: String::new() });
            }
            view.tail = entries;
        }
        assert_eq!(view.in_tail(ENTRIES), Some(&line(ENTRIES)));
        assert_eq!(view.in_tail(ENTRIES - 1), None);
        assert_eq!(view.in_tail(ENTRIES + 1), None);
    }

    #[test]
    fn text_comes_back_and_edits_by_hand_are_corrupt() {
        let all: Vec<Bytes> = (0..ENTRIES).map(line).collect();
        let good = text(&all);
        assert_eq!(entries(&channel(), 0, false, good.clone()).unwrap(), all);
        let broken = |first, is_last, text: Vec<u8>| {
            let error = entries(&channel(), first, is_last, text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LedgerCorrupt);
            error.to_string()
        };
        assert!(broken(0, true, good[..good.len() - 1].to_vec()).contains("no newline"));
        assert!(broken(0, false, text(&all[..7])).contains("has 7 entries instead of 100"));
        assert!(broken(0, true, [good.clone(), text(&[line(ENTRIES)])].concat()).contains("has 101 entries"));
        assert!(broken(100, true, good.clone()).contains("says that its seq is 0"));
        let crlf = String::from_utf8(good).unwrap().replace('\n', "\r\n");
        let read = entries(&channel(), 0, false, crlf.into_bytes());
        assert!(read.is_err() || read.unwrap()[0] != all[0], "verification finds the carriage return");
        let other: Channel = "reg.io/other:prod".parse().unwrap();
        assert_eq!(entries(&other, 0, false, text(&all)).unwrap_err().kind(), ErrorKind::LedgerCorrupt);
    }
}
