//! The index of one log: `index/head.json`, which has a state of the channel and its latest terms, and runs of older
//! terms.
//!
//! A run is an object of pairs (term, position), 16 bytes each, little-endian, sorted. It holds all terms of a range of
//! positions and is named by that range, so that every process writes the same bytes and none waits for another. Two
//! runs of about the same size are merged. The merged runs are not deleted: a slower process may still read them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::AT_ONCE;
use super::log::Log;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Term;
use crate::log::{ChannelState, EncodedEntry};

/// The greatest number of entries that the index may lag behind the head: each one is a request in the first look-up of
/// a process.
pub(super) const BEHIND: u64 = 16;

/// The greatest number of terms in the head; more are written as a run.
const MAX_RECENT: usize = 512;

/// The number of runs of one size that are merged into one.
const MERGED: usize = 2;

/// The greatest number of terms in a run: 8 MiB.
const MAX_RUN: u64 = 1 << 19;

/// The number of pairs of a run that one request reads: 64 KiB. In a run of 524,288 hashes, each hash is at most half
/// of this number away from its position in an even distribution.
const WINDOW: u64 = 4096;

/// The size of a pair in bytes.
const PAIR: u64 = 16;

/// The content of `index/head.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    state: ChannelState,
    /// Pairs that are not in a run yet.
    recent: Vec<(u64, u64)>,
    runs: Vec<Run>,
}

/// A run with the terms of the positions from `from` (included) to `to` (excluded).
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Run {
    from: u64,
    to: u64,
    count: u64,
}

/// The index of a log, as this process has it in memory.
#[derive(Clone, Debug, Default)]
pub(super) enum Held {
    #[default]
    Nothing,
    Head(Arc<Head>),
    /// A part of the index is gone: it is treated as missing, and is rebuilt.
    Broken,
}

impl Log {
    /// The state in the index; none if there is no index that can be used.
    pub(super) async fn index_state(&self) -> Result<Option<ChannelState>> {
        let Some(loaded) = self.index_load().await? else { return Ok(None) };
        let mut known = self.known();
        let held = match &known.index {
            Held::Broken => return Ok(None),
            // A slower process may have replaced the head by an older one. Keep the later head, because a journal
            // relies on it.
            Held::Head(held) if held.state.size >= loaded.state.size => Arc::clone(held),
            _ => Arc::new(loaded),
        };
        known.index = Held::Head(Arc::clone(&held));
        Ok(Some(held.state.clone()))
    }

    /// The positions under `term` below the size of the index, newest first.
    pub(super) async fn index_find(&self, term: Term) -> Result<Vec<u64>> {
        let held = match &self.known().index {
            Held::Head(head) => Some(Arc::clone(head)),
            Held::Nothing | Held::Broken => None,
        };
        let Some(head) = held else {
            let message = format!("{}: the index is gone, or was never there", self.keys.index("head.json"));
            return Err(Error::new(ErrorKind::LedgerUnavailable, message).with_context("channel", &self.channel));
        };
        let in_runs: Vec<_> = head.runs.iter().map(|run| self.find_in(run, term.0)).collect();
        let in_runs: Vec<Vec<u64>> = match futures_util::stream::iter(in_runs).buffered(AT_ONCE).try_collect().await {
            Ok(found) => found,
            Err(error) => {
                self.known().index = Held::Broken;
                return Err(error);
            }
        };
        let recent = head.recent.iter().filter(|(there, _)| *there == term.0).map(|(_, seq)| *seq);
        let mut found: Vec<u64> = in_runs.into_iter().flatten().chain(recent).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        Ok(found)
    }

    /// Extends the index; see [`crate::ledger::Index::extend`].
    pub(super) async fn index_extend(&self, from: u64, state: &ChannelState, terms: &[(Term, u64)]) -> Result<()> {
        if state.size <= from || state.channel != self.channel {
            return Ok(());
        }
        if terms.iter().any(|(_, seq)| *seq < from || *seq >= state.size) {
            let message = format!("a term of an entry that is not from {from} to {}", state.size);
            return Err(Error::new(ErrorKind::InternalFault, message).with_context("channel", &self.channel));
        }
        let broken = matches!(self.known().index, Held::Broken);
        let mut head = match self.index_load().await?.filter(|_| !broken) {
            Some(head) if head.state.size == from => head,
            Some(head) if from > 0 || self.is_of_this_log(&head).await? => return Ok(()),
            None if from > 0 => return Ok(()),
            _ => Head { state: state.clone(), recent: Vec::new(), runs: Vec::new() },
        };
        head.recent.extend(terms.iter().map(|(term, seq)| (term.0, *seq)));
        head.state = state.clone();
        if head.recent.len() > MAX_RECENT {
            self.flush(&mut head).await?;
        }
        let bytes = serde_json::to_vec(&head)
            .map_err(|e| Error::new(ErrorKind::InternalFault, "the index cannot be written").with_source(e))?;
        self.bucket.put(&self.keys.index("head.json"), Bytes::from(bytes)).await?;
        self.known().index = Held::Head(Arc::new(head));
        Ok(())
    }

    async fn index_load(&self) -> Result<Option<Head>> {
        let bytes = match self.bucket.get(&self.keys.index("head.json")).await {
            Ok(bytes) => bytes,
            // The credentials may allow access to the log only.
            Err(error) if error.kind() == ErrorKind::LedgerDenied => None,
            Err(error) => return Err(error),
        };
        let head = bytes.and_then(|bytes| serde_json::from_slice::<Head>(&bytes).ok());
        Ok(head.filter(|head| head.state.channel == self.channel && head.state.size > 0))
    }

    async fn is_of_this_log(&self, head: &Head) -> Result<bool> {
        let Some(last) = head.state.size.checked_sub(1) else { return Ok(false) };
        let there = self.entry(last).await?;
        Ok(there.is_some_and(|bytes| Some(EncodedEntry::of(bytes).leaf()) == head.state.leaf))
    }

    /// Writes the head's terms as a run, and merges it with the last runs while they have the same level.
    async fn flush(&self, head: &mut Head) -> Result<()> {
        let from = head.runs.last().map_or(0, |run| run.to);
        let pairs = std::mem::take(&mut head.recent);
        let mut run = self.write_run(from..head.state.size, pairs).await?;
        loop {
            let alike = head.runs.len().saturating_sub(MERGED - 1);
            let others = head.runs.get(alike..).unwrap_or_default();
            let count = run.count + others.iter().map(|run| run.count).sum::<u64>();
            let level = level(&run);
            let first = match others.first() {
                Some(first) if others.len() == MERGED - 1 && count <= MAX_RUN => first.from,
                _ => break,
            };
            if others.iter().any(|other| self::level(other) != level) {
                break;
            }
            let mut pairs = self.read_run(&run).await?;
            for other in others {
                pairs.extend(self.read_run(other).await?);
            }
            run = self.write_run(first..run.to, pairs).await?;
            head.runs.truncate(alike);
        }
        head.runs.push(run);
        Ok(())
    }

    async fn write_run(&self, range: Range<u64>, mut pairs: Vec<(u64, u64)>) -> Result<Run> {
        pairs.sort_unstable();
        let run = Run { from: range.start, to: range.end, count: pairs.len() as u64 };
        let bytes: Vec<u8> =
            pairs.iter().flat_map(|(term, seq)| [term.to_le_bytes(), seq.to_le_bytes()]).flatten().collect();
        self.bucket.put(&self.run_key(&run), Bytes::from(bytes)).await?;
        Ok(run)
    }

    async fn read_run(&self, run: &Run) -> Result<Vec<(u64, u64)>> {
        self.pairs(run, 0..run.count).await
    }

    fn run_key(&self, run: &Run) -> Path {
        self.keys.index(&format!("{:020}-{:020}.run", run.from, run.to))
    }

    async fn pairs(&self, run: &Run, range: Range<u64>) -> Result<Vec<(u64, u64)>> {
        let key = self.run_key(run);
        let bytes = self.bucket.get_range(&key, range.start * PAIR..range.end * PAIR).await?;
        let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
        let pair = |pair: &[u8]| Some((number(pair.get(..8)?)?, number(pair.get(8..)?)?));
        let pairs: Option<Vec<_>> = bytes.chunks(PAIR as usize).map(pair).collect();
        pairs.filter(|pairs| pairs.len() as u64 == range.end - range.start).ok_or_else(|| {
            Error::new(ErrorKind::LedgerUnavailable, format!("{key}: the run is shorter than the index says"))
        })
    }

    /// The positions under `term` in a run. Terms are hashes, so the place of a term can be guessed well: one request
    /// is nearly always enough, and a few are needed if some terms occur very often.
    async fn find_in(&self, run: &Run, term: u64) -> Result<Vec<u64>> {
        let window = WINDOW.min(run.count);
        let (mut low, mut high) = (0, run.count);
        let mut guess = u64::try_from((u128::from(term) * u128::from(run.count)) >> 64).unwrap_or(0);
        while low < high {
            let start = guess.saturating_sub(window / 2).clamp(low, high.saturating_sub(window).max(low));
            let end = (start + window).min(high);
            let pairs = self.pairs(run, start..end).await?;
            match (pairs.first(), pairs.last()) {
                (Some((first, _)), _) if *first >= term && start > low => high = start,
                (_, Some((last, _))) if *last < term && end < high => low = end,
                _ => return self.collect(run, term, end, pairs).await,
            }
            guess = low + (high - low) / 2;
        }
        Ok(Vec::new())
    }

    /// The positions under `term` in `pairs`, which end at `end`, and in the pairs after them.
    async fn collect(&self, run: &Run, term: u64, mut end: u64, mut pairs: Vec<(u64, u64)>) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        loop {
            found.extend(pairs.iter().filter(|(there, _)| *there == term).map(|(_, seq)| *seq));
            if end == run.count || pairs.last().is_none_or(|(last, _)| *last > term) {
                return Ok(found);
            }
            let next = (end + WINDOW).min(run.count);
            pairs = self.pairs(run, end..next).await?;
            end = next;
        }
    }
}

/// The level of a run. Runs of one level have about the same size.
fn level(run: &Run) -> u32 {
    (run.count / MAX_RECENT as u64).max(1).ilog(MERGED as u64)
}
