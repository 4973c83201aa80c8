//! Look-ups of committed moves by key and digest, and the index that makes them cheap on long logs.

use std::sync::Arc;

use super::ChannelLog;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Term;
use crate::ledger::index::{self, CommittedMove, MOVES, STATE};
use crate::log::{Body, ChannelState, EncodedEntry, Entry, Intent};
use crate::value::{Digest, IdempotencyKey};

impl ChannelLog {
    /// The committed move with this key: the position of its intent, the digest of its request, and its target.
    pub async fn committed(&mut self, key: &IdempotencyKey) -> Result<Option<(u64, Digest, Digest)>> {
        let found = self.last_committed(Term::Key(key)).await?;
        Ok(found.map(|(seq, intent)| (seq, intent.request, intent.target.digest)))
    }

    /// The position of the intent of the last committed move that made `digest` live in this channel.
    pub async fn made_live(&mut self, digest: &Digest) -> Result<Option<u64>> {
        Ok(self.last_committed(Term::Target(digest)).await?.map(|(seq, _)| seq))
    }

    /// The last committed move with this value, among the entries that were read.
    async fn last_committed(&mut self, term: Term<'_>) -> Result<Option<(u64, Box<Intent>)>> {
        let ledger = Arc::clone(&self.ledger);
        let candidates = match ledger.search(&self.state.channel, term, self.state.size).await? {
            Some(found) => found,
            None => {
                self.complete_moves().await?;
                index::find(&self.moves, term)
            }
        };
        for seq in candidates {
            if let Some(Entry { body: Body::Intent(intent), .. }) = self.read(seq, 1).await?.pop()
                && term.is_of(&intent)
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
                earlier.read_to(self.state.size).await?;
                if earlier.state.leaf != self.state.leaf || earlier.moves.len() < missing {
                    let message = "the log has other entries than it had when it was read before";
                    let error = Error::new(ErrorKind::LedgerForked, message);
                    return Err(error.with_context("channel", &self.state.channel));
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

    /// True if the ledger has a place for the index, and a log of `size` entries has so many after the first `stored`
    /// that a blob is to be stored again.
    pub(super) fn is_due(&self, size: u64, stored: u64) -> bool {
        self.ledger.index().is_some_and(|store| size.saturating_sub(stored) >= store.every())
    }

    pub(super) async fn store_state(&mut self) {
        self.state_stored = self.state.size;
        self.store(STATE, &[]).await;
    }

    /// Stores a blob. If that fails, later reads take longer, and nothing else changes.
    async fn store(&self, name: &str, moves: &[CommittedMove]) {
        if let (Some(store), Some(blob)) = (self.ledger.index(), index::encode(&self.state, moves)) {
            let _ = store.put(&self.state.channel, name, blob).await;
        }
    }

    /// The content of a blob; none unless it is whole, and the log has the same entry at its position.
    pub(super) async fn load(&self, name: &str) -> Option<(ChannelState, Vec<CommittedMove>)> {
        let channel = &self.state.channel;
        let blob = self.ledger.index()?.get(channel, name).await.ok()??;
        let (state, moves) = index::decode(channel, &blob)?;
        let last = self.ledger.read(channel, state.size.checked_sub(1)?, 1).await.ok()?;
        let leaf = EncodedEntry::of(last.first()?.clone()).leaf();
        // The blob `state` in the place of `moves` would hide all moves.
        let complete = name == STATE || moves.len() as u64 == state.committed;
        (state.leaf == Some(leaf) && complete).then_some((state, moves))
    }
}
