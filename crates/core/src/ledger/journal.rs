//! `ChannelLog`: the verified view of one channel's log. Every backend is read through it.

pub(super) mod index;

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

pub use self::index::Term;
use self::index::{CommittedMove, STATE};
use super::{Appended, Ledger, Unacknowledged};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Body, ChannelState, EncodedEntry, Entry, OpenMove, PossiblyOpen, check};
use crate::value::{Channel, Timestamp};

/// Number of entries that one read asks for.
const PAGE: u64 = 1024;

/// Number of attempts to append a note. Each one can lose its position to another writer.
const NOTE_TRIES: u32 = 1000;

/// One channel's log as far as it was read: its state, and its committed moves.
///
/// Reading begins after the index if there is one that fits the log, and otherwise at the first entry. Every entry
/// after that is checked against the one before it. A log that is shorter than it was before is LEDGER_TRUNCATED.
#[derive(Debug)]
pub struct ChannelLog {
    ledger: Arc<dyn Ledger>,
    state: Arc<ChannelState>,
    /// The last committed moves, oldest first: those of the entries that this journal has read, and all of them after
    /// the first look-up.
    moves: Vec<CommittedMove>,
    /// The number of entries that the stored blob `state` covers, as far as this journal knows.
    state_stored: u64,
    /// The same for the blob `moves`.
    moves_stored: u64,
    /// The last intent with an append that was not answered.
    doubt: Option<PossiblyOpen>,
}

impl ChannelLog {
    /// A journal of `channel` that has read nothing yet.
    pub fn new(ledger: Arc<dyn Ledger>, channel: Channel) -> ChannelLog {
        ChannelLog {
            ledger,
            state: Arc::new(ChannelState::empty(channel)),
            moves: Vec::new(),
            state_stored: 0,
            moves_stored: 0,
            doubt: None,
        }
    }

    /// The state after the entries that were read.
    pub fn state(&self) -> &Arc<ChannelState> {
        &self.state
    }

    /// Reads and applies all entries up to the head.
    pub async fn refresh(&mut self) -> Result<Arc<ChannelState>> {
        self.refresh_since(Instant::now()).await
    }

    /// Reads and applies all entries up to the head that the log had at `since` or later ([`Ledger::size_since`]).
    pub async fn refresh_since(&mut self, since: Instant) -> Result<Arc<ChannelState>> {
        let read = self.read_to_head(since).await;
        read.map_err(|error| error.in_log_of(&self.state.channel))
    }

    async fn read_to_head(&mut self, since: Instant) -> Result<Arc<ChannelState>> {
        let mut size = self.ledger.size_since(&self.state.channel, since).await?;
        // A shorter log has no index.
        if self.state.size == 0
            && self.is_due(size, 0)
            && let Some((state, _)) = self.load(STATE).await
        {
            // The index may cover more entries than the size that was read above.
            size = size.max(state.size);
            self.state_stored = state.size;
            self.state = Arc::new(state);
        }
        self.read_to(size).await?;
        if self.is_due(size, self.state_stored) {
            self.store_state().await;
        }
        Ok(Arc::clone(&self.state))
    }

    /// Reads and applies the entries up to `size`, which the log has now.
    async fn read_to(&mut self, size: u64) -> Result<()> {
        let channel = self.state.channel.clone();
        let truncated =
            |message: String| Err(Error::new(ErrorKind::LedgerTruncated, message).with_context("channel", &channel));
        // If this journal has read more entries than the log has now, entries were removed.
        if size < self.state.size {
            return truncated(format!("the log has {size} entries, and {} were seen before", self.state.size));
        }
        while self.state.size < size {
            let limit = usize::try_from(PAGE.min(size - self.state.size)).unwrap_or(usize::MAX);
            let entries = self.ledger.read(&channel, self.state.size, limit).await?;
            if entries.is_empty() {
                let at = self.state.size;
                return truncated(format!("the log had {size} entries a moment ago, and has none at {at}"));
            }
            for bytes in entries {
                self.take(&bytes)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let (open, committed) = (self.state.open.clone(), self.state.committed);
        if let Err(defect) = Arc::make_mut(&mut self.state).take(bytes) {
            // The state may be half updated: start again. The next refresh finds the same defect. Keep the intent with
            // an unanswered append, because the log may not show it.
            let channel = self.state.channel.clone();
            let anew = ChannelLog::new(Arc::clone(&self.ledger), channel.clone());
            *self = ChannelLog { doubt: self.doubt.take(), ..anew };
            return Err(Error::from(defect).with_context("channel", channel));
        }
        self.note_move(open, committed);
        Ok(())
    }

    /// Notes the move that was open before an entry if the entry committed it.
    fn note_move(&mut self, open: Option<OpenMove>, committed: u64) {
        if self.state.committed > committed {
            self.moves.extend(open.as_ref().map(CommittedMove::of));
        }
    }

    /// Appends an entry with `body` at `seq`, which must be the size of the journal, and applies it. After a conflict
    /// `refresh` reads the entry that has the position. LEDGER_AMBIGUOUS if it is not known whether the entry was stored.
    pub async fn append(&mut self, seq: u64, body: Body, at: Timestamp) -> Result<Appended> {
        if self.state.size != seq {
            return Ok(Appended::Conflict);
        }
        let entry = self.state.next(body, Uuid::now_v7(), at);
        let sealed = entry.seal()?;
        // Refuse to append an entry that would break the log.
        let mut next = ChannelState::clone(&self.state);
        next.take(sealed.bytes()).map_err(|defect| {
            Error::new(ErrorKind::InternalFault, format!("an entry that would break the log: {defect}"))
        })?;
        let appended = self.ledger.append(&self.state.channel.clone(), seq, sealed.bytes().clone()).await;
        let unanswered = appended.as_ref().is_err_and(|error| error.kind() == ErrorKind::LedgerAmbiguous);
        if unanswered && let Some(doubt) = PossiblyOpen::by(&entry) {
            self.doubt = Some(doubt);
        }
        let appended = appended?;
        if appended == Appended::Stored {
            let before = std::mem::replace(&mut self.state, Arc::new(next));
            self.note_move(before.open.clone(), before.committed);
        }
        Ok(appended)
    }

    /// Appends an entry with `body` at the head, and tries again at the new head if another entry comes first. Returns
    /// the position of the entry.
    pub async fn note(&mut self, body: Body, at: Timestamp) -> Result<u64> {
        // After an ambiguous append, compare the stored entry with ours.
        let mut doubt = None;
        for _ in 0..NOTE_TRIES {
            let seq = self.refresh().await?.size;
            if let Some(migrated) = &self.state.migrated {
                return Err(migrated.error(&self.state.channel));
            }
            if let Some(doubtful) = doubt.take_if(|doubtful| *doubtful < seq)
                && let Some(entry) = self.read(doubtful, 1).await?.first()
                && entry.body == body
                && entry.at == at
            {
                return Ok(doubtful);
            }
            match self.append(seq, body.clone(), at).await {
                Ok(Appended::Stored) => return Ok(seq),
                Ok(Appended::Conflict) => {}
                Err(error) if error.kind() == ErrorKind::LedgerAmbiguous => doubt = Some(seq),
                Err(error) => return Err(error),
            }
        }
        let message = format!("{NOTE_TRIES} appends to the log of {} were lost or not answered", self.state.channel);
        Err(Error::new(ErrorKind::LedgerUnavailable, message).with_context("channel", &self.state.channel))
    }

    /// The move that may be open although the log, as it was last read, does not show it. The source is the ledger if
    /// it knows of such an append, otherwise the last unanswered append of this process.
    pub async fn possibly_open(&self) -> Result<Option<PossiblyOpen>> {
        let channel = &self.state.channel;
        if self.state.open.is_some() || self.state.migrated.is_some() {
            return Ok(None);
        }
        Ok(match self.ledger.unacknowledged(channel).await? {
            Unacknowledged::None => None,
            Unacknowledged::NotKnown => self.doubt.clone().filter(|doubt| doubt.seq >= self.state.size),
            Unacknowledged::Entry(bytes) => {
                let entry = Entry::open(&bytes).map_err(|e| e.with_context("channel", channel))?;
                PossiblyOpen::by(&entry).filter(|doubt| doubt.seq >= self.state.size)
            }
        })
    }

    /// The log as far as it was read, for reads that last longer than the caller may hold this journal.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { ledger: Arc::clone(&self.ledger), state: Arc::clone(&self.state) }
    }

    /// The entries from `from` on, at most `limit`: [`Snapshot::read`].
    pub async fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>> {
        self.snapshot().read(from, limit).await
    }
}

/// One channel's log as far as a [`ChannelLog`] had read it: its state. The entries are read from the
/// ledger when they are needed.
///
/// It is cheap to make and needs no lock, so that a long read of a log does not delay its moves.
#[derive(Clone, Debug)]
pub struct Snapshot {
    ledger: Arc<dyn Ledger>,
    state: Arc<ChannelState>,
}

impl Snapshot {
    /// The state after the entries that were read.
    pub fn state(&self) -> &Arc<ChannelState> {
        &self.state
    }

    /// The decoded entries from `from` on, at most `limit`, up to the head of the snapshot. Each entry is checked against
    /// the one before it, also the first one: a log that is read page by page is therefore checked between the pages, too.
    pub async fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>> {
        let read = self.entries(from, limit).await;
        read.map_err(|error| error.in_log_of(&self.state.channel))
    }

    async fn entries(&self, from: u64, limit: usize) -> Result<Vec<Entry>> {
        let channel = &self.state.channel;
        let mut entries: Vec<Entry> = Vec::new();
        let mut parent = None;
        let mut next = from.saturating_sub(1);
        // A read at the head of the log would ask a server if the log has grown.
        let end = from.saturating_add(limit as u64).min(self.state.size);
        while next < end {
            let page = self.ledger.read(channel, next, usize::try_from(end - next).unwrap_or(usize::MAX)).await?;
            if page.is_empty() {
                break;
            }
            for bytes in page {
                let leaf = match next < from {
                    // This is the entry before `from`: only its hash is needed. Its own link was checked with an
                    // earlier page.
                    true => EncodedEntry::of(bytes).leaf(),
                    false => {
                        let checked = check(channel, next, parent, &bytes);
                        let (leaf, entry) = checked.map_err(|d| Error::from(d).with_context("channel", channel))?;
                        entries.push(entry);
                        leaf
                    }
                };
                if next + 1 == self.state.size && Some(leaf) != self.state.leaf {
                    let message = format!("seq {next}: another entry was read there before");
                    return Err(Error::new(ErrorKind::LedgerForked, message)
                        .with_context("channel", channel)
                        .with_context("seq", next));
                }
                parent = Some(leaf);
                next += 1;
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
#[cfg(all(feature = "file", unix))]
pub(super) mod tests;
