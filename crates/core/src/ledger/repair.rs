//! Repairs that a ledger makes by itself, for the operator.

use std::fmt;

use crate::value::Channel;

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
