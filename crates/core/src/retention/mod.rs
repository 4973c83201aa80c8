//! Retention: decides which digests of a repository must stay, and which may be deleted. It deletes nothing.

mod evidence;
mod fate;
mod history;
mod plan;
mod table;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

pub use evidence::{ManifestKind, RetentionInput};
pub use fate::{DeleteReason, DigestRetention, KeepReason, MayDelete, Pin, RetentionDecision};
pub use history::{ChannelUsage, FailedTarget, LivePeriod, OpenDigests};
pub use plan::RetentionPlan;

use crate::value::{Digest, Timestamp};
use plan::{Kept, Note, Past};
use table::Row;

/// The two rollback windows of a channel: a number of digests and a time. A digest inside *either* window is kept. The
/// windows count for each channel separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RetentionRule {
    /// The number of distinct digests kept for rollback on each channel, with the live one. At least 1; 10 by default.
    pub keep_last: NonZeroU32,
    /// The time for which a digest is kept after it stopped being live, or after the last move to it was closed without
    /// effect. 30 days by default. With zero, only `keep_last` counts.
    pub keep_for: Duration,
}

impl Default for RetentionRule {
    /// 10 digests and 30 days.
    fn default() -> RetentionRule {
        let ten = NonZeroU32::MIN.saturating_add(9);
        RetentionRule { keep_last: ten, keep_for: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}

impl RetentionRule {
    /// Judges every digest that `evidence` knows, as of `at`.
    pub fn plan(&self, mut evidence: RetentionInput, at: Timestamp) -> RetentionPlan {
        evidence.histories.sort_by(|a, b| (&a.channel, a.size).cmp(&(&b.channel, b.size)));
        let histories = std::mem::take(&mut evidence.histories);
        let mut notes = Notes::default();
        for (channel, history) in histories.iter().enumerate() {
            if let Some(seq) = history.migrated {
                let why = format!("the log of {} goes on in another ledger (seq {seq})", history.channel);
                evidence.failed(why);
            }
            self.note(&mut notes, channel, history, at);
        }
        for (digest, note) in notes.places {
            evidence.rows.say(&digest, Row { note, ..Row::default() });
        }
        evidence.failures.sort();
        let mut plan = RetentionPlan {
            repository: evidence.repository,
            rule: *self,
            at,
            logs: histories.into_iter().map(|history| (history.channel, history.size)).collect(),
            table: evidence.rows.settle(),
            notes: notes.notes,
            kept_in: HashMap::new(),
            lost_in: HashMap::new(),
            unreadable: HashMap::new(),
            blocked: evidence.failures.into_iter().next(),
        };
        for (digest, why) in evidence.unreadable {
            let known = plan.unreadable.entry(digest).or_insert_with(|| why.clone());
            if why < *known {
                *known = why;
            }
        }
        plan.blocked = plan.blocked.take().or_else(|| plan.blind_spot());
        plan.follow(&evidence.indexes);
        plan
    }

    /// Adds the notes of one channel's log: one for each digest that the log names.
    fn note(&self, notes: &mut Notes, channel: usize, history: &ChannelUsage, at: Timestamp) {
        if let Some(live) = history.live {
            notes.keep(&live, Kept::Live(channel));
        }
        if let Some(OpenDigests { seq, previous, target, replaced }) = history.open {
            for digest in [previous, Some(target), replaced].into_iter().flatten() {
                notes.keep(&digest, Kept::Open(channel, seq));
            }
        }
        let mut lived: Vec<(&LivePeriod, Timestamp)> = history.lived.iter().map(|lived| (lived, lived.from)).collect();
        lived.sort_by_key(|(lived, _)| lived.seq);
        // Use log order, not clocks: no live period ends before a time of an earlier entry.
        let mut latest = None;
        for (lived, end) in &mut lived {
            latest = latest.max(Some(lived.from)).max(lived.until);
            *end = latest.unwrap_or(lived.from);
        }
        let mut places: HashSet<Digest> = history.live.into_iter().collect();
        for (lived, end) in lived.into_iter().rev() {
            if !places.insert(lived.digest) {
                continue;
            }
            let nth = u32::try_from(places.len()).unwrap_or(u32::MAX);
            if lived.until.is_none() {
                notes.keep(&lived.digest, Kept::Live(channel));
            } else if nth <= self.keep_last.get() {
                notes.keep(&lived.digest, Kept::Window(channel, nth));
            } else {
                self.recent_or_past(notes, &lived.digest, channel, end, Some(nth), at);
            }
        }
        for tried in &history.tried {
            self.recent_or_past(notes, &tried.digest, channel, tried.at, None, at);
        }
    }

    fn recent_or_past(
        &self,
        notes: &mut Notes,
        digest: &Digest,
        channel: usize,
        since: Timestamp,
        nth: Option<u32>,
        at: Timestamp,
    ) {
        let until = since.plus(self.keep_for);
        if at < until {
            notes.keep(digest, Kept::Recent(channel, until));
        } else {
            notes.past(digest, Past { since, channel: Reverse(channel), nth });
        }
    }
}

/// The notes while they are collected, and for each digest the place of its note, plus one.
#[derive(Default)]
struct Notes {
    places: HashMap<Digest, u32>,
    notes: Vec<Note>,
}

impl Notes {
    fn keep(&mut self, digest: &Digest, kept: Kept) {
        self.with(digest, |note| note.keep = Some(note.keep.map_or(kept, |known| known.min(kept))));
    }

    fn past(&mut self, digest: &Digest, past: Past) {
        self.with(digest, |note| note.past = note.past.max(Some(past)));
    }

    fn with(&mut self, digest: &Digest, write: impl FnOnce(&mut Note)) {
        let next = u32::try_from(self.notes.len() + 1).unwrap_or(u32::MAX);
        let place = *self.places.entry(*digest).or_insert(next);
        if place == next {
            self.notes.push(Note::default());
        }
        let note = usize::try_from(place - 1).ok().and_then(|at| self.notes.get_mut(at));
        if let Some(note) = note {
            write(note);
        }
    }
}

impl Serialize for RetentionRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("RetentionRule", 2)?;
        fields.serialize_field("keep_last", &self.keep_last)?;
        fields.serialize_field("keep_for_s", &self.keep_for.as_secs())?;
        fields.end()
    }
}

#[cfg(test)]
mod tests;
