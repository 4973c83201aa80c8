//! The mark: the length of a log that is known to be on the disk. It is stored in the log's lock file.
//!
//! It is written after each sync, under the lock, and is itself never synced: it tells the other processes, until the
//! next boot, which bytes count. After a reboot all bytes in the file came from the disk, so a mark of an earlier boot
//! is only a lower bound.

use std::io;

use super::disk::DiskFile;
use crate::value::Digest;

const WORD: &str = "tagwarden-mark-1";
const LENGTH: usize = 128;

/// The first `bytes` of a log: complete lines, `entries` of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) bytes: u64,
    pub(super) entries: u64,
}

/// The mark in a lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The end of the lines that were synced.
    pub(super) end: End,
    /// True if it was written since the last boot.
    pub(super) is_current: bool,
}

impl Mark {
    /// The mark in a lock file; none if there is no mark or only a part of one.
    pub(super) fn read(lock: &dyn DiskFile, boot: &str) -> io::Result<Option<Mark>> {
        // A read during a write may see half of a mark, but hardly three times in a row.
        for _ in 0..3 {
            let mut buffer = [0; LENGTH];
            let length = lock.read_at(&mut buffer, 0)?;
            let text = buffer.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
            if let Some(mark) = text.and_then(|text| Mark::parse(text, boot)) {
                return Ok(Some(mark));
            }
        }
        Ok(None)
    }

    /// Writes a mark into a lock file, over the previous one.
    pub(super) fn write(lock: &dyn DiskFile, boot: &str, end: End) -> io::Result<()> {
        lock.write_at(text(boot, end).as_bytes(), 0)
    }

    fn parse(text: &str, boot: &str) -> Option<Mark> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [WORD, of, bytes, entries, _] = words[..] else { return None };
        let end = End { bytes: bytes.parse().ok()?, entries: entries.parse().ok()? };
        (text == self::text(of, end)).then_some(Mark { end, is_current: of == boot })
    }
}

/// One line of constant length that ends with its checksum, so that a new mark overwrites the previous one completely.
fn text(boot: &str, End { bytes, entries }: End) -> String {
    let said = format!("{WORD} {boot:36} {bytes:020} {entries:020}");
    format!("{said} {}\n", Digest::of(said.as_bytes()).short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_and_half_of_one_does_not() {
        for boot in ["b", "8f2dc0de-2d0a-4f35-a8b9-5f3bc5f3c0de"] {
            let end = End { bytes: u64::MAX, entries: 7 };
            let text = text(boot, end);
            assert!(text.len() <= LENGTH);
            assert_eq!(Mark::parse(&text, boot), Some(Mark { end, is_current: true }));
            assert_eq!(Mark::parse(&text, "another"), Some(Mark { end, is_current: false }));
            for end in 0..text.len() - 1 {
                assert_eq!(Mark::parse(&text[..end], boot), None, "{end}");
            }
        }
    }
}
