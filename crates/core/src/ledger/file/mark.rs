//! The mark: the length of a log that is known to be on the disk. It is stored in the log's lock file.
//!
//! It is written after each sync, under the lock, and is itself never synced: it tells the other processes, until the
//! next boot, which bytes count. After a reboot all bytes in the file came from the disk, so a mark of an earlier boot
//! is only a lower bound.

use std::fmt;
use std::io;

use super::disk::DiskFile;
use crate::value::Digest;

const WORD: &str = "tagwarden-mark-1";
const LENGTH: usize = 128;

/// The first `bytes` of the log are complete lines, `entries` of them, and were synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) boot: String,
    pub(super) bytes: u64,
    pub(super) entries: u64,
}

impl Mark {
    /// The mark in a lock file; none if there is no mark or only a part of one.
    pub(super) fn read(lock: &dyn DiskFile) -> io::Result<Option<Mark>> {
        // A read during a write may see half of a mark, but hardly three times in a row.
        for _ in 0..3 {
            let mut buffer = [0; LENGTH];
            let length = lock.read_at(&mut buffer, 0)?;
            let text = buffer.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
            if length == 0 {
                return Ok(None);
            }
            if let Some(mark) = text.and_then(Mark::parse) {
                return Ok(Some(mark));
            }
        }
        Ok(None)
    }

    /// Writes the mark into a lock file, over the previous one.
    pub(super) fn write(&self, lock: &dyn DiskFile) -> io::Result<()> {
        lock.write_at(self.to_string().as_bytes(), 0)
    }

    /// True if the mark was written since the last boot.
    pub(super) fn is_of(&self, boot: &str) -> bool {
        self.boot == boot
    }

    fn parse(text: &str) -> Option<Mark> {
        let (said, sum) = text.trim_end().rsplit_once(' ')?;
        if sum != checksum(said) {
            return None;
        }
        let mut words = said.split_ascii_whitespace();
        if words.next()? != WORD {
            return None;
        }
        let boot = words.next()?.to_owned();
        Some(Mark { boot, bytes: words.next()?.parse().ok()?, entries: words.next()?.parse().ok()? })
    }
}

impl fmt::Display for Mark {
    /// One line of constant length, so that a new mark overwrites the previous one completely.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = format!("{WORD} {:36} {:020} {:020}", self.boot, self.bytes, self.entries);
        writeln!(f, "{said} {}", checksum(&said))
    }
}

fn checksum(said: &str) -> String {
    Digest::of(said.as_bytes()).short()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_and_half_of_one_does_not() {
        for boot in ["b", "8f2dc0de-2d0a-4f35-a8b9-5f3bc5f3c0de"] {
            let mark = Mark { boot: boot.to_owned(), bytes: u64::MAX, entries: 7 };
            let text = mark.to_string();
            assert!(text.len() <= LENGTH);
            assert_eq!(Mark::parse(&text), Some(mark));
            for end in 0..text.len() - 1 {
                assert_eq!(Mark::parse(&text[..end]), None, "{end}");
            }
        }
    }
}
