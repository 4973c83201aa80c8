//! Look-ups of committed moves by key and digest, and the index: derived data, so that a long log need not be read from
//! its first entry.
//!
//! It is two named blobs of one form, each bound to a position of the log by the size and the leaf hash in its state:
//!
//! ```text
//! tagwarden-index-2 sha256:<of all that follows>
//! {"channel":…,"size":…,"leaf":…,…}      the state of the channel after the first `size` entries
//! <16 bytes for each committed move>     only in the blob `moves`, oldest move first
//! ```
//!
//! A blob counts if its checksum fits and the log has the same entry at that position. Otherwise the log is read
//! instead. So a blob that is lost, outdated or damaged costs time, and never changes an answer.

use std::sync::Arc;

use bytes::Bytes;

use super::ChannelLog;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Body, ChannelState, EncodedEntry, Entry, Intent, OpenMove};
use crate::value::{Channel, Digest, IdempotencyKey};

/// The name of the blob with the state alone. Every new process reads it.
pub(super) const STATE: &str = "state";

/// The name of the blob with the state and the committed moves. Only a look-up of a move reads it.
const MOVES: &str = "moves";

/// The first word of a blob. A change of [`ChannelState`] or of a row needs another word.
const WORD: &str = "tagwarden-index-2";

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
    fn is_of(self, intent: &Intent) -> bool {
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
pub(in crate::ledger) struct CommittedMove {
    key: u32,
    target: u32,
    /// The position of its intent.
    seq: u64,
}

impl CommittedMove {
    /// The row of the open move, which counts once the move is committed.
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
fn find(moves: &[CommittedMove], term: Term<'_>) -> Vec<u64> {
    let hash = term.hash();
    let of_term = |found: &&CommittedMove| match term {
        Term::Key(_) => found.key == hash,
        Term::Target(_) => found.target == hash,
    };
    moves.iter().rev().filter(of_term).map(|found| found.seq).collect()
}

/// A blob; none if the state cannot be encoded.
pub(in crate::ledger) fn encode(state: &ChannelState, moves: &[CommittedMove]) -> Option<Bytes> {
    let json = serde_json::to_vec(state).ok()?;
    let rows: Vec<u8> = moves.iter().flat_map(|found| found.row()).collect();
    let content = [&json[..], b"\n", &rows].concat();
    Some([head(&content).as_bytes(), b"\n", &content].concat().into())
}

/// The state and the committed moves in a blob; none unless it is whole and of this channel.
pub(in crate::ledger) fn decode(channel: &Channel, blob: &[u8]) -> Option<(ChannelState, Vec<CommittedMove>)> {
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

impl ChannelLog {
    /// The committed move with this key: the position of its intent, the digest of its request, and its target.
    pub async fn committed(&mut self, key: &IdempotencyKey) -> Result<Option<(u64, Digest, Digest)>> {
        let found = self.last_committed(Term::Key(key), |_| true).await?;
        Ok(found.map(|(seq, intent)| (seq, intent.request, intent.target.digest)))
    }

    /// The position of the intent of the last committed move that made `digest` live in this channel.
    pub async fn made_live(&mut self, digest: &Digest) -> Result<Option<u64>> {
        Ok(self.last_committed(Term::Target(digest), |_| true).await?.map(|(seq, _)| seq))
    }

    /// The intent of the last committed move that made `digest` live in this channel, among those that `wanted` accepts.
    pub(crate) async fn made_live_by(
        &mut self,
        digest: &Digest,
        wanted: impl Fn(&Intent) -> bool,
    ) -> Result<Option<Box<Intent>>> {
        Ok(self.last_committed(Term::Target(digest), wanted).await?.map(|(_, intent)| intent))
    }

    /// The last committed move with this value that `wanted` accepts, among the entries that were read.
    async fn last_committed(
        &mut self,
        term: Term<'_>,
        wanted: impl Fn(&Intent) -> bool,
    ) -> Result<Option<(u64, Box<Intent>)>> {
        let ledger = Arc::clone(&self.ledger);
        let candidates = match ledger.search(&self.state.channel, term, self.state.size).await? {
            Some(found) => found,
            None => {
                self.complete_moves().await?;
                find(&self.moves, term)
            }
        };
        for seq in candidates {
            if let Some(Entry { body: Body::Intent(intent), .. }) = self.read(seq, 1).await?.pop()
                && term.is_of(&intent)
                && wanted(&intent)
            {
                return Ok(Some((seq, intent)));
            }
        }
        Ok(None)
    }

    /// Adds the committed moves before the entries that this journal has read itself, from the index or from the log.
    async fn complete_moves(&mut self) -> Result<()> {
        // The state counts all committed moves, so the number of those that are missing is known.
        let committed = usize::try_from(self.state.committed).unwrap_or(usize::MAX);
        let missing = committed.saturating_sub(self.moves.len());
        if missing > 0 {
            let mut earlier = ChannelLog::new(Arc::clone(&self.ledger), self.state.channel.clone());
            if let Some((state, moves)) = self.load(MOVES).await {
                self.moves_stored = state.size;
                (earlier.state, earlier.moves) = (Arc::new(state), moves);
            }
            // The index may be older or newer than the first entry that this journal has read.
            if earlier.moves.len() < missing {
                let read = earlier.read_to(self.state.size).await;
                read.map_err(|error| error.in_log_of(&self.state.channel))?;
                if earlier.state.leaf != self.state.leaf || earlier.moves.len() < missing {
                    let message = "the log has other entries than it had when it was read before";
                    return Err(Error::new(ErrorKind::LedgerForked, message).in_log_of(&self.state.channel));
                }
            }
            earlier.moves.truncate(missing);
            earlier.moves.append(&mut self.moves);
            self.moves = earlier.moves;
        }
        if self.is_due(self.state.size, self.moves_stored) {
            // Both blobs are then of one position: the next process reads the entries after it once.
            self.store_state().await;
            self.moves_stored = self.state.size;
            self.store(MOVES, &self.moves).await;
        }
        Ok(())
    }

    /// True if a blob of the first `stored` entries of a log with `size` entries must be stored again. Never if the
    /// ledger has no place for the index.
    pub(super) fn is_due(&self, size: u64, stored: u64) -> bool {
        self.ledger.index().is_some_and(|store| size.saturating_sub(stored) >= store.every())
    }

    pub(super) async fn store_state(&mut self) {
        self.state_stored = self.state.size;
        self.store(STATE, &[]).await;
    }

    /// Stores a blob. If that fails, later reads take longer, and nothing else changes.
    async fn store(&self, name: &str, moves: &[CommittedMove]) {
        if let (Some(store), Some(blob)) = (self.ledger.index(), encode(&self.state, moves)) {
            let _ = store.put(&self.state.channel, name, blob).await;
        }
    }

    /// The content of a blob; none unless it is whole, and the log has the same entry at its position.
    pub(super) async fn load(&self, name: &str) -> Option<(ChannelState, Vec<CommittedMove>)> {
        let channel = &self.state.channel;
        let blob = self.ledger.index()?.get(channel, name).await.ok()??;
        let (state, moves) = decode(channel, &blob)?;
        let last = self.ledger.read(channel, state.size.checked_sub(1)?, 1).await.ok()?;
        let leaf = EncodedEntry::of(last.first()?.clone()).leaf();
        // The blob `state` in the place of `moves` would hide all moves.
        let complete = name == STATE || moves.len() as u64 == state.committed;
        (state.leaf == Some(leaf) && complete).then_some((state, moves))
    }
}

#[cfg(test)]
#[cfg(all(feature = "file", unix))]
mod tests;
