//! Retention: decides which digests of a repository must stay, and which may be deleted. It deletes nothing.

mod evidence;
mod fate;
mod history;
mod plan;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Serialize, Serializer};

pub use evidence::{ManifestKind, RetentionInput};
pub use fate::{DeleteReason, DigestRetention, KeepReason, MayDelete, Pin, RetentionDecision};
pub use history::{ChannelUsage, FailedTarget, LivePeriod, OpenDigests};
pub use plan::RetentionPlan;

use crate::value::{Digest, Timestamp};
use plan::{Note, Past};

/// The two rollback windows of a channel: a number of digests and a time. A digest inside *either* window is kept. The
/// windows count for each channel separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct RetentionRule {
    /// The number of distinct digests kept for rollback on each channel, with the live one. At least 1; 10 by default.
    pub keep_last: NonZeroU32,
    /// The time for which a digest is kept after it stopped being live, or after the last move to it was closed without
    /// effect. 30 days by default. With zero, only `keep_last` counts.
    #[serde(rename = "keep_for_s", serialize_with = "seconds")]
    pub keep_for: Duration,
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_secs())
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
        let mut histories = std::mem::take(&mut evidence.histories);
        histories.sort_by(|a, b| (&a.channel, a.size).cmp(&(&b.channel, b.size)));
        let mut notes = HashMap::new();
        for history in &histories {
            if let Some(seq) = history.migrated {
                let why = format!("the log of {} goes on in another ledger (seq {seq})", history.channel);
                evidence.failed(why);
            }
            self.note(&mut notes, history, at);
        }
        let mut plan = RetentionPlan {
            rule: *self,
            at,
            logs: histories.into_iter().map(|history| (history.channel, history.size)).collect(),
            rows: evidence.settle(notes.keys().copied()),
            notes,
            kept_in: HashMap::new(),
            lost_in: HashMap::new(),
            unreadable: evidence.unreadable,
            blocked: evidence.failures.into_iter().min(),
            repository: evidence.repository,
        };
        plan.blocked = plan.blocked.take().or_else(|| plan.blind_spot());
        plan.follow(&evidence.indexes);
        plan
    }

    /// Adds the notes of one channel's log: one for each digest that the log names.
    fn note(&self, notes: &mut HashMap<Digest, Note>, history: &ChannelUsage, at: Timestamp) {
        let channel = || history.channel.clone();
        let mut keep = |digest: Digest, keep: KeepReason| notes.entry(digest).or_default().keep(keep);
        if let Some(live) = history.live {
            keep(live, KeepReason::Live { channel: channel() });
        }
        if let Some(OpenDigests { seq, previous, target, replaced }) = history.open {
            for digest in [previous, Some(target), replaced].into_iter().flatten() {
                keep(digest, KeepReason::Open { channel: channel(), seq });
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
        let mut ended: Vec<(Digest, Timestamp, Option<u32>)> = Vec::new();
        let mut places: HashSet<Digest> = history.live.into_iter().collect();
        for (lived, end) in lived.into_iter().rev() {
            if !places.insert(lived.digest) {
                continue;
            }
            let nth = u32::try_from(places.len()).unwrap_or(u32::MAX);
            if lived.until.is_none() {
                keep(lived.digest, KeepReason::Live { channel: channel() });
            } else if nth <= self.keep_last.get() {
                keep(lived.digest, KeepReason::Window { channel: channel(), nth });
            } else {
                ended.push((lived.digest, end, Some(nth)));
            }
        }
        ended.extend(history.tried.iter().map(|tried| (tried.digest, tried.at, None)));
        for (digest, since, nth) in ended {
            let until = since.plus(self.keep_for);
            let note = notes.entry(digest).or_default();
            if at < until {
                note.keep(KeepReason::Recent { channel: channel(), until });
            } else {
                note.past = note.past.take().max(Some(Past { since, channel: Reverse(channel()), nth }));
            }
        }
    }
}

#[cfg(test)]
mod tests;
