//! The index of a log: derived data with which a long log is not read from its first entry.
//!
//! It is two named blobs of one form, each bound to a position of the log by the size and the leaf hash in its state:
//!
//! ```text
//! tagwarden-index-1 sha256:<of all that follows>
//! {"channel":…,"size":…,"leaf":…,…}      the state of the channel after the first `size` entries
//! <16 bytes for each committed move>     only in the blob `moves`, oldest move first
//! ```
//!
//! A blob counts if its checksum fits and the log has the same entry at that position. Otherwise the log is read
//! instead. So a blob that is lost, outdated or damaged costs time, and never changes an answer.

use bytes::Bytes;

use crate::log::{ChannelState, Intent, OpenMove};
use crate::value::{Channel, Digest, IdempotencyKey};

/// The name of the blob with the state alone. Every new process reads it.
pub(super) const STATE: &str = "state";

/// The name of the blob with the state and the committed moves. Only a look-up of a move reads it.
pub(super) const MOVES: &str = "moves";

/// The first word of a blob. A change of [`ChannelState`] or of a row needs another word.
const WORD: &str = "tagwarden-index-1";

/// The size of a row in bytes.
const ROW: usize = 16;

/// The value by which a committed move is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term<'a> {
    /// Its idempotency key.
    Key(&'a IdempotencyKey),
    /// The digest that it made live.
    Target(&'a Digest),
}

impl Term<'_> {
    /// True if `intent` has this value.
    pub(super) fn is_of(self, intent: &Intent) -> bool {
        match self {
            Term::Key(key) => intent.key == *key,
            Term::Target(digest) => intent.target.digest == *digest,
        }
    }

    fn hash(self) -> u32 {
        let digest = match self {
            Term::Key(key) => Digest::of(key.as_str().as_bytes()),
            Term::Target(digest) => *digest,
        };
        digest.as_bytes().first_chunk().map_or(0, |first| u32::from_le_bytes(*first))
    }
}

/// A committed move, as far as a look-up needs it. Two values may have the same hash: the intent must be read to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CommittedMove {
    key: u32,
    target: u32,
    /// The position of its intent.
    pub(super) seq: u64,
}

impl CommittedMove {
    /// The move that is open now, for the time when it is committed.
    pub(super) fn of(open: &OpenMove) -> CommittedMove {
        CommittedMove { key: Term::Key(&open.key).hash(), target: Term::Target(&open.target).hash(), seq: open.seq }
    }

    fn from_row(row: &[u8; ROW]) -> CommittedMove {
        let row = u128::from_le_bytes(*row);
        // Each cast keeps the low bits.
        CommittedMove { key: row as u32, target: (row >> 32) as u32, seq: (row >> 64) as u64 }
    }

    fn row(self) -> [u8; ROW] {
        (u128::from(self.key) | u128::from(self.target) << 32 | u128::from(self.seq) << 64).to_le_bytes()
    }
}

/// The positions of the intents of `moves` that may have the value `term`, newest first.
pub(super) fn find(moves: &[CommittedMove], term: Term<'_>) -> Vec<u64> {
    let hash = term.hash();
    let of_term = |found: &&CommittedMove| match term {
        Term::Key(_) => found.key == hash,
        Term::Target(_) => found.target == hash,
    };
    moves.iter().rev().filter(of_term).map(|found| found.seq).collect()
}

/// A blob; none if the state cannot be encoded.
pub(super) fn encode(state: &ChannelState, moves: &[CommittedMove]) -> Option<Bytes> {
    let json = serde_json::to_vec(state).ok()?;
    let rows: Vec<u8> = moves.iter().flat_map(|found| found.row()).collect();
    let content = [&json[..], b"\n", &rows].concat();
    Some([head(&content).as_bytes(), b"\n", &content].concat().into())
}

/// The state and the committed moves in a blob; none unless it is whole and of this channel.
pub(super) fn decode(channel: &Channel, blob: &[u8]) -> Option<(ChannelState, Vec<CommittedMove>)> {
    let mut parts = blob.splitn(3, |byte| *byte == b'\n');
    let (first, json, rows) = (parts.next()?, parts.next()?, parts.next()?);
    if first != head(blob.get(first.len() + 1..)?).as_bytes() {
        return None;
    }
    let state: ChannelState = serde_json::from_slice(json).ok()?;
    let (rows, rest) = rows.as_chunks();
    let fits = state.channel == *channel && rest.is_empty();
    fits.then(|| (state, rows.iter().map(CommittedMove::from_row).collect()))
}

/// The first line of a blob, over the bytes that follow it.
fn head(content: &[u8]) -> String {
    format!("{WORD} {}", Digest::of(content))
}

#[cfg(test)]
#[cfg(all(feature = "file", unix))]
mod tests;
