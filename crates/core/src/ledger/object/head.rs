//! The end of a log: from the known entries, from the hint, or from a listing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::try_join;
use serde::{Deserialize, Serialize};

use super::bucket::{Listing, PAGE};
use super::log::{Keys, Log};
use crate::error::{ErrorKind, Result};
use crate::log::{EncodedEntry, Entry, EntryHash};
use crate::value::Channel;

/// The number of new entries that are read one by one before a listing is used.
const PROBES: u64 = 4;

/// The shortest time between two writes of a hint by one process.
const HINT_EVERY: Duration = Duration::from_secs(1);

/// The head of a log when the hint was last written.
///
/// It makes the first read of the head cheap. It also gives evidence: if the entry that it names is missing, the log
/// was truncated; if there is another entry in its place, the log was forked. A hint that cannot be parsed is ignored.
#[derive(Debug, Serialize, Deserialize)]
struct Hint {
    channel: Channel,
    leaf: EntryHash,
    size: u64,
}

impl Log {
    /// The number of entries in the log now.
    ///
    /// Costs 2 requests if nothing was appended since the last call, and 1 more for each new entry up to 4. The first
    /// call reads the hint, a listing from there on and the last entry: 3 requests for a log of any length, if the hint
    /// is at most a page behind.
    pub(super) async fn look(&self) -> Result<u64> {
        let (size, leaf) = {
            let known = self.known();
            (known.size, known.leaf)
        };
        match (size.checked_sub(1), leaf) {
            (Some(last), Some(leaf)) => self.look_again(last, leaf).await,
            _ => {
                let hint = self.read_hint().await?;
                let from = hint.as_ref().map_or(0, |hint| hint.size);
                self.look_far(from, hint.map(|hint| hint.leaf)).await
            }
        }
    }

    /// Reads the last known entry again, and the entries after it.
    async fn look_again(&self, last: u64, known: EntryHash) -> Result<u64> {
        let (there, mut next) = try_join(self.entry(last), self.entry(last + 1)).await?;
        let Some(there) = there else {
            return Err(self.missing(ErrorKind::LedgerTruncated, last, "it was read before"));
        };
        let mut leaf = EncodedEntry::of(there.clone()).leaf();
        if leaf != known {
            return Err(self.forked(last, "another entry was read there before"));
        }
        let mut brought = vec![(last, there)];
        let mut seq = last + 1;
        while let Some(bytes) = next {
            self.check_parent(seq, &bytes, leaf)?;
            leaf = EncodedEntry::of(bytes.clone()).leaf();
            brought.push((seq, bytes));
            seq += 1;
            if seq - last > PROBES {
                return self.look_far(seq, None).await;
            }
            next = self.entry(seq).await?;
        }
        Ok(self.arrive(seq, leaf, brought))
    }

    /// Checks that the entry after a known one names it as its parent. If not, the writer of that entry saw another
    /// entry there.
    fn check_parent(&self, seq: u64, bytes: &Bytes, before: EntryHash) -> Result<()> {
        match Entry::open(bytes) {
            Ok(entry) if entry.seq == seq && entry.parent.is_some_and(|parent| parent != before) => {
                Err(self.forked(seq, "its parent is not the entry before it"))
            }
            // Other defects are found when the entry is applied.
            _ => Ok(()),
        }
    }

    /// Finds the end at or after `from`, and reads the last entry. `hinted` is the leaf hash of the last entry below
    /// `from`, as the hint has it.
    async fn look_far(&self, from: u64, hinted: Option<EntryHash>) -> Result<u64> {
        let size = self.end(from).await?;
        if size < from {
            let who = format!(
                "{} says that the log had {from} entries. If it is the hint that is wrong, as after a restore of a part \
                 of the store, delete it",
                self.keys.hint()
            );
            return Err(self.missing(ErrorKind::LedgerTruncated, size, &who));
        }
        let Some(last) = size.checked_sub(1) else { return Ok(0) };
        let Some(bytes) = self.entry(last).await? else {
            return Err(self.missing(ErrorKind::LedgerTruncated, last, "it was there a moment ago"));
        };
        let leaf = EncodedEntry::of(bytes.clone()).leaf();
        if size == from && hinted.is_some_and(|hinted| hinted != leaf) {
            let who = format!("{} names another entry", self.keys.hint());
            return Err(self.forked(last, &who));
        }
        Ok(self.arrive(size, leaf, vec![(last, bytes)]))
    }

    fn arrive(&self, size: u64, leaf: EntryHash, brought: Vec<(u64, Bytes)>) -> u64 {
        self.learn(size, leaf);
        let mut known = self.known();
        known.brought = brought.into_iter().collect();
        // Another task may know more entries by now.
        known.size.max(size)
    }

    /// The number of entries. The search starts at the entry before `from`. The result is less than `from` if that
    /// entry does not exist.
    async fn end(&self, mut from: u64) -> Result<u64> {
        while self.bucket.listing == Listing::Sorted
            && let Some((size, is_end)) = self.list(from).await
        {
            if is_end {
                return Ok(size);
            }
            from = self.gallop(size, PAGE as u64 / 2).await?;
        }
        // If listing fails or is denied, read single entries.
        match from.checked_sub(1) {
            Some(last) if self.entry(last).await?.is_none() => self.gallop(0, 0).await,
            _ => self.gallop(from, 0).await,
        }
    }

    /// The number of entries by one page of the listing, and true if the page has the last of them; none if the page
    /// does not fit the entries below `from`.
    async fn list(&self, from: u64) -> Option<(u64, bool)> {
        let first = from.saturating_sub(1);
        let log = self.keys.log();
        let before = first.checked_sub(1).map_or_else(|| log.clone(), |before| self.keys.entry(before));
        let keys = self.bucket.list(&log, &before).await.ok()?;
        let mut seqs: Vec<u64> = keys.iter().filter_map(Keys::seq).collect();
        seqs.sort_unstable();
        // Without the entry before `from` the hint is wrong: search the whole log.
        let is_whole = seqs.iter().copied().eq(first..first + seqs.len() as u64) && (from == 0 || !seqs.is_empty());
        is_whole.then_some((first + seqs.len() as u64, keys.len() < PAGE))
    }

    /// The start of a range of at most `window` entries that contains the end, found by doubling steps and then by
    /// halving. The entry before `low` exists.
    async fn gallop(&self, mut low: u64, window: u64) -> Result<u64> {
        let (mut step, mut high) = (window.max(1), None);
        loop {
            let probe = match high {
                None => low.saturating_add(step - 1),
                Some(high) if high - low > window => low + (high - low) / 2,
                Some(_) => return Ok(low),
            };
            match self.entry(probe).await? {
                Some(_) => low = probe + 1,
                None => high = Some(probe),
            }
            step = step.saturating_mul(2);
        }
    }

    /// The hint of this log, if there is one.
    async fn read_hint(&self) -> Result<Option<Hint>> {
        let bytes = match self.bucket.get(&self.keys.hint()).await {
            Ok(bytes) => bytes,
            // The credentials may allow access to the log only.
            Err(error) if error.kind() == ErrorKind::LedgerDenied => None,
            Err(error) => return Err(error.with_context("channel", &self.channel)),
        };
        let hint = bytes.and_then(|bytes| serde_json::from_slice::<Hint>(&bytes).ok());
        Ok(hint.filter(|hint| hint.channel == self.channel && hint.size > 0))
    }

    /// Starts to write a hint with the current head, unless this process wrote one within [`HINT_EVERY`].
    ///
    /// Best effort: the caller does not wait, and errors are ignored.
    pub(super) fn write_hint(self: &Arc<Log>) {
        let hint = {
            let mut known = self.known();
            let Some(leaf) = known.leaf else { return };
            if known.hinted.is_some_and(|hinted| hinted.elapsed() < HINT_EVERY) {
                return;
            }
            known.hinted = Some(Instant::now());
            Hint { channel: self.channel.clone(), leaf, size: known.size }
        };
        let Ok(bytes) = serde_json::to_vec(&hint) else { return };
        let log = Arc::clone(self);
        tokio::spawn(async move {
            let _ = log.bucket.put(&log.keys.hint(), Bytes::from(bytes)).await;
        });
    }
}
