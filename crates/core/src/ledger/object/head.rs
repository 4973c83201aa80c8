//! Where a log ends: from what is known here, from the hint, or from a listing.

use bytes::Bytes;
use futures_util::future::try_join;

use super::bucket::{Listing, PAGE};
use super::log::Log;
use crate::error::Result;
use crate::record::{Entry, Leaf, Sealed};

/// How many entries a look goes forward one by one before it asks for a list.
const PROBES: u64 = 4;

impl Log {
    /// How many entries the log has now.
    ///
    /// 2 requests if nothing was appended since the last look, 1 more for each new entry up to 4. The first look: the
    /// hint, a listing from there on and the last entry, 3 requests at any length if the hint is at most a page behind.
    pub(super) async fn look(&self) -> Result<u64> {
        let (size, leaf) = {
            let known = self.known();
            (known.size, known.leaf)
        };
        match (size.checked_sub(1), leaf) {
            (Some(last), Some(leaf)) => self.look_again(last, leaf).await,
            _ => self.look_first().await,
        }
    }

    /// Reads the last entry that is known again, and those after it.
    async fn look_again(&self, last: u64, known: Leaf) -> Result<u64> {
        let (there, mut next) = try_join(self.entry(last), self.entry(last + 1)).await?;
        let Some(there) = there else {
            return Err(self.truncated(last, "it was there before"));
        };
        let mut leaf = Sealed::of(there.clone()).leaf();
        if leaf != known {
            return Err(self.forked(last, "it is not the entry that stood there before"));
        }
        let mut brought = vec![(last, there)];
        let mut seq = last + 1;
        while let Some(bytes) = next {
            self.check_parent(seq, &bytes, leaf)?;
            leaf = Sealed::of(bytes.clone()).leaf();
            brought.push((seq, bytes));
            seq += 1;
            if seq - last > PROBES {
                return self.look_far(seq, None).await;
            }
            next = self.entry(seq).await?;
        }
        Ok(self.arrive(seq, leaf, brought))
    }

    /// An entry after one that is known names it as its parent, or its writer saw another one there.
    fn check_parent(&self, seq: u64, bytes: &Bytes, before: Leaf) -> Result<()> {
        match Entry::open(bytes) {
            Ok(entry) if entry.seq == seq && entry.parent.is_some_and(|parent| parent != before) => {
                Err(self.forked(seq, "it continues another entry than the one that stands before it"))
            }
            // What else may be wrong with it is the fold's to say.
            _ => Ok(()),
        }
    }

    async fn look_first(&self) -> Result<u64> {
        let hint = self.read_hint().await?;
        let from = hint.as_ref().map_or(0, |hint| hint.size);
        self.look_far(from, hint.map(|hint| hint.leaf)).await
    }

    /// Finds the end at or after `from`, and reads the last entry. `hinted` is the leaf that the hint names there.
    async fn look_far(&self, from: u64, hinted: Option<Leaf>) -> Result<u64> {
        let size = self.end(from).await?;
        if size < from {
            let who = format!(
                "{} says that the log had {from} entries. If it is the hint that is wrong, as after a restore of a part \
                 of the store, delete it",
                self.keys.hint()
            );
            return Err(self.truncated(size, &who));
        }
        let Some(last) = size.checked_sub(1) else { return Ok(0) };
        let Some(bytes) = self.entry(last).await? else {
            return Err(self.truncated(last, "it was there a moment ago"));
        };
        let leaf = Sealed::of(bytes.clone()).leaf();
        if size == from && hinted.is_some_and(|hinted| hinted != leaf) {
            let who = format!("it is not the entry that {} saw there", self.keys.hint());
            return Err(self.forked(last, &who));
        }
        Ok(self.arrive(size, leaf, vec![(last, bytes)]))
    }

    fn arrive(&self, size: u64, leaf: Leaf, brought: Vec<(u64, Bytes)>) -> u64 {
        self.learn(size, leaf);
        let mut known = self.known();
        known.brought = brought.into_iter().collect();
        // Another task may have come further meanwhile.
        known.size.max(size)
    }

    /// How many entries there are, found from the one before `from` on. Less than `from` if that one is not there.
    async fn end(&self, from: u64) -> Result<u64> {
        let listed = match self.bucket.listing {
            Listing::Sorted => self.end_listed(from).await,
            Listing::Walk => None,
        };
        match listed {
            Some(End::Here(size)) => Ok(size),
            Some(End::Beyond(size)) => {
                let near = self.gallop(size, PAGE as u64 / 2).await?;
                match self.end_listed(near).await {
                    Some(End::Here(size)) => Ok(size),
                    _ => self.gallop(near, 0).await,
                }
            }
            // A store that cannot list, or may not, is asked entry by entry.
            None => match from.checked_sub(1) {
                Some(last) if self.entry(last).await?.is_none() => self.gallop(0, 0).await,
                _ => self.gallop(from, 0).await,
            },
        }
    }

    /// The end as one page of the listing shows it; none if it shows none.
    async fn end_listed(&self, from: u64) -> Option<End> {
        let first = from.saturating_sub(1);
        let page = self.bucket.list(&self.keys, first).await.ok()?;
        let mut size = first;
        for seq in page.seqs {
            if seq != size {
                return None;
            }
            size += 1;
        }
        if size == first && from > 0 {
            // Where the hint is wrong, the whole log tells.
            return None;
        }
        Some(if page.full { End::Beyond(size) } else { End::Here(size) })
    }

    /// The end to within `window` entries (the start of that window), by doubling steps and halving; the entry before
    /// `low` is there.
    async fn gallop(&self, mut low: u64, window: u64) -> Result<u64> {
        let mut step = window.max(1);
        let mut high = loop {
            let probe = low.saturating_add(step - 1);
            match self.entry(probe).await? {
                Some(_) => low = probe + 1,
                None => break probe,
            }
            step = step.saturating_mul(2);
        };
        while high - low > window {
            let middle = low + (high - low) / 2;
            match self.entry(middle).await? {
                Some(_) => low = middle + 1,
                None => high = middle,
            }
        }
        Ok(low)
    }
}

/// What a page of the listing says about the end.
enum End {
    /// There are so many entries.
    Here(u64),
    /// There are at least so many.
    Beyond(u64),
}
