//! `ChannelLog`: the verified view of one channel's log, and look-ups in it. Every backend is read through it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use super::{Appended, Ledger, Snapshot, Term, Unacknowledged};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Body, ChannelState, EncodedEntry, Entry, EntryHash, Outcome, PossiblyOpen, Status};
use crate::value::{Channel, Digest, IdempotencyKey, Timestamp};

/// Number of entries that one read asks for.
const PAGE: usize = 1024;

/// Number of entries that are applied before the index is extended, in a long log. It bounds the memory.
const BATCH: u64 = 64 * 1024;

/// Number of attempts to append a note. Each one can lose its position to another writer.
const NOTE_TRIES: u32 = 1000;

/// One channel's log as far as it was read: its state, and the positions of keys and digests.
///
/// Reading begins after the backend's index if there is one that fits the log, and otherwise at the first entry. Every
/// entry after that is checked against the one before it. A log that is shorter than it was before is LEDGER_TRUNCATED.
#[derive(Debug)]
pub struct ChannelLog {
    ledger: Arc<dyn Ledger>,
    state: Arc<ChannelState>,
    /// True after the index was asked for its state.
    begun: bool,
    /// Number of entries that the index is known to cover; 0 if there is none.
    indexed: u64,
    /// Size of the log when `Index::extend` was last called.
    offered: u64,
    /// Terms that are not in the index, oldest first.
    terms: Vec<(Term, u64)>,
    places: HashMap<Term, Vec<u64>>,
    /// True if the index that this journal relies on is gone: the journal must start again.
    index_lost: AtomicBool,
    /// The last intent with an append that was not answered.
    doubt: Option<PossiblyOpen>,
}

/// The result of an append.
#[derive(Debug)]
pub enum AppendResult {
    /// The entry is stored at this position, and the journal has applied it.
    At(u64),
    /// Another entry has the position; `refresh` reads it.
    Lost,
}

impl ChannelLog {
    /// A journal of `channel` that has read nothing yet.
    pub fn new(ledger: Arc<dyn Ledger>, channel: Channel) -> ChannelLog {
        ChannelLog {
            ledger,
            state: Arc::new(ChannelState::empty(channel)),
            begun: false,
            indexed: 0,
            offered: 0,
            terms: Vec::new(),
            places: HashMap::new(),
            index_lost: AtomicBool::new(false),
            doubt: None,
        }
    }

    /// Starts again from an empty state. Keeps the intent with an unanswered append, because the log may not show it.
    fn begin_anew(&mut self) {
        let doubt = self.doubt.take();
        *self = ChannelLog::new(Arc::clone(&self.ledger), self.state.channel.clone());
        self.doubt = doubt;
    }

    /// The state after the entries that were read.
    pub fn state(&self) -> &Arc<ChannelState> {
        &self.state
    }

    /// Reads and applies all entries up to the head.
    pub async fn refresh(&mut self) -> Result<Arc<ChannelState>> {
        if self.index_lost.load(Ordering::Relaxed) {
            self.begin_anew();
        }
        let channel = self.state.channel.clone();
        let mut size = self.ledger.size(&channel).await?;
        if !self.begun {
            self.begun = true;
            // A log that is shorter than this has no index.
            if size >= self.behind() {
                self.begin().await?;
                // The index may cover more entries than the size that was read above.
                size = self.ledger.size(&channel).await?;
            }
        }
        // If this journal has read more entries than the log has now, entries were removed.
        self.check_length(size)?;
        while self.state.size < size {
            let entries = self.ledger.read(&channel, self.state.size, PAGE).await?;
            if entries.is_empty() {
                let message = format!("the log had {size} entries a moment ago, and has none at {}", self.state.size);
                return Err(Error::new(ErrorKind::LedgerTruncated, message).with_context("channel", &channel));
            }
            for bytes in entries {
                self.take(&bytes)?;
                self.extend_index(BATCH).await;
            }
        }
        self.extend_index(self.behind()).await;
        Ok(Arc::clone(&self.state))
    }

    fn behind(&self) -> u64 {
        self.ledger.index().map_or(u64::MAX, |index| index.behind())
    }

    fn check_length(&self, size: u64) -> Result<()> {
        let seen = self.state.size;
        match size < seen {
            false => Ok(()),
            true => {
                let message = format!("the log has {size} entries, and {seen} were seen before");
                Err(Error::new(ErrorKind::LedgerTruncated, message).with_context("channel", &self.state.channel))
            }
        }
    }

    /// Takes the state of the index, if the log has the same entry at that position.
    async fn begin(&mut self) -> Result<()> {
        let Some(index) = self.ledger.index() else { return Ok(()) };
        let Some(state) = index.state(&self.state.channel).await? else { return Ok(()) };
        let Some(last) = state.size.checked_sub(1) else { return Ok(()) };
        let there = self.ledger.read(&self.state.channel, last, 1).await?;
        let fits = there.first().is_some_and(|bytes| Some(EncodedEntry::of(bytes.clone()).leaf()) == state.leaf);
        if fits && state.channel == self.state.channel {
            self.indexed = state.size;
            self.state = Arc::new(state);
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let terms = self.open_terms();
        match Arc::make_mut(&mut self.state).take(bytes) {
            Ok(entry) => self.note_terms(&entry.body, terms),
            Err(defect) => {
                // The state may be half updated: start again. The next refresh finds the same defect.
                let channel = self.state.channel.clone();
                self.begin_anew();
                return Err(Error::from(defect).with_context("channel", channel));
            }
        }
        Ok(())
    }

    /// The terms under which the open move is found once it is committed, and the position of its intent.
    fn open_terms(&self) -> Option<([Term; 2], u64)> {
        self.state.open.as_ref().map(|open| ([Term::key(&open.key), Term::digest(&open.target)], open.seq))
    }

    fn note_terms(&mut self, body: &Body, open: Option<([Term; 2], u64)>) {
        if let (Body::Outcome(Outcome { status: Status::Committed, .. }), Some((terms, seq))) = (body, open) {
            for term in terms {
                self.terms.push((term, seq));
                self.places.entry(term).or_default().push(seq);
            }
        }
    }

    /// Extends the index if it lags `behind` entries or more behind the head and no move is open: the terms of a move
    /// are known when the move is closed, and point to the position of its intent.
    ///
    /// The index is a cache: if it cannot be written, later look-ups are slower, and nothing else changes.
    async fn extend_index(&mut self, behind: u64) {
        if self.state.size.saturating_sub(self.indexed.max(self.offered)) < behind || self.state.open.is_some() {
            return;
        }
        let ledger = Arc::clone(&self.ledger);
        let Some(index) = ledger.index() else { return };
        self.offered = self.state.size;
        let channel = &self.state.channel;
        if index.extend(channel, self.indexed, &self.state, &self.terms).await.is_err() {
            return;
        }
        // The index may be unchanged: the ledger is read-only, or another process is writing the index.
        let Ok(Some(there)) = index.state(channel).await else { return };
        let fits = match there.size == self.state.size {
            true => there.leaf == self.state.leaf,
            false => there.size < self.state.size && self.leaf_at(there.size).await == there.leaf,
        };
        if fits && there.size > self.indexed {
            self.indexed = there.size;
            self.terms.retain(|(_, seq)| *seq >= there.size);
            self.places.clear();
            for (term, seq) in &self.terms {
                self.places.entry(*term).or_default().push(*seq);
            }
        }
    }

    /// The leaf hash of the entry at `size - 1`, read from the ledger.
    async fn leaf_at(&self, size: u64) -> Option<EntryHash> {
        let there = self.ledger.read(&self.state.channel, size.checked_sub(1)?, 1).await.ok()?;
        there.first().map(|bytes| EncodedEntry::of(bytes.clone()).leaf())
    }

    /// Appends an entry with `body` at `seq`, which must be the size of the journal. LEDGER_AMBIGUOUS if it is not
    /// known whether the entry was stored.
    pub async fn append(&mut self, seq: u64, body: Body, at: Timestamp) -> Result<AppendResult> {
        if self.state.size != seq {
            return Ok(AppendResult::Lost);
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
        match appended? {
            Appended::Stored => {
                let terms = self.open_terms();
                self.state = Arc::new(next);
                self.note_terms(&entry.body, terms);
                Ok(AppendResult::At(seq))
            }
            Appended::Conflict => Ok(AppendResult::Lost),
        }
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
                Ok(AppendResult::At(seq)) => return Ok(seq),
                Ok(AppendResult::Lost) => {}
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
        Snapshot::new(Arc::clone(&self.ledger), Arc::clone(&self.state))
    }

    /// The entries from `from` on, at most `limit`: [`Snapshot::read`].
    pub async fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>> {
        self.snapshot().read(from, limit).await
    }

    /// The committed move with this key: the position of its intent, the digest of its request, and its target.
    pub async fn committed(&self, key: &IdempotencyKey) -> Result<Option<(u64, Digest, Digest)>> {
        for seq in self.find(Term::key(key)).await? {
            if let Some(Entry { body: Body::Intent(intent), .. }) = self.read(seq, 1).await?.pop()
                && intent.key == *key
            {
                return Ok(Some((seq, intent.request, intent.target.digest)));
            }
        }
        Ok(None)
    }

    /// The position of the intent of the last committed move that made `digest` live in this channel.
    pub async fn made_live(&self, digest: &Digest) -> Result<Option<u64>> {
        for seq in self.find(Term::digest(digest)).await? {
            if let Some(Entry { body: Body::Intent(intent), .. }) = self.read(seq, 1).await?.pop()
                && intent.target.digest == *digest
            {
                return Ok(Some(seq));
            }
        }
        Ok(None)
    }

    /// Positions of entries that may match `term`, newest first.
    async fn find(&self, term: Term) -> Result<Vec<u64>> {
        let mut found: Vec<u64> = self.places.get(&term).into_iter().flatten().rev().copied().collect();
        // If the journal did not start from an index, it has read every term itself, and `Index::find` on a missing
        // index is an error.
        if let Some(index) = self.ledger.index().filter(|_| self.indexed > 0) {
            let known = found.last().copied().unwrap_or(u64::MAX);
            let earlier = match index.find(&self.state.channel, term).await {
                Ok(earlier) => earlier,
                // The index was deleted in the meantime. A scan gives the same answer, but takes longer.
                Err(_) => {
                    self.index_lost.store(true, Ordering::Relaxed);
                    self.scan(term).await?
                }
            };
            found.extend(earlier.into_iter().filter(|seq| *seq < known));
        }
        Ok(found)
    }

    /// The positions that an index would give for `term`, newest first, read from the log itself.
    async fn scan(&self, term: Term) -> Result<Vec<u64>> {
        let mut whole = ChannelLog::new(Arc::clone(&self.ledger), self.state.channel.clone());
        // This journal reads every entry, and neither reads nor extends the index.
        (whole.begun, whole.offered) = (true, u64::MAX);
        whole.refresh().await?;
        Ok(whole.places.remove(&term).into_iter().flatten().rev().collect())
    }
}

impl Term {
    fn of(kind: &str, value: &str) -> Term {
        let digest = Digest::of(format!("{kind}\0{value}").as_bytes());
        Term(digest.as_bytes().iter().take(8).fold(0, |term, byte| term << 8 | u64::from(*byte)))
    }

    /// The idempotency key of a committed move.
    pub fn key(key: &IdempotencyKey) -> Term {
        Term::of("key", key.as_str())
    }

    /// The digest that a committed move made live.
    pub fn digest(digest: &Digest) -> Term {
        Term::of("digest", &digest.to_string())
    }
}

#[cfg(test)]
#[cfg(all(feature = "file", unix))]
pub(super) mod tests;
