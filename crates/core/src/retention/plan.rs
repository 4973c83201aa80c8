//! `RetentionPlan`: each digest of a repository, with the decision to keep it or to let it expire.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use serde::{Serialize, Serializer};

use super::evidence::{Known, Place, RetentionInput};
use super::fate::{DigestRetention, KeepReason, MayDelete, RetentionDecision};
use super::history::{ChannelUsage, OpenDigests};
use super::rule::RetentionRule;
use crate::value::{Channel, Digest, Repository, Timestamp};

/// The retention decision for each digest of a repository, at one time.
///
/// - A digest is kept if it is live, named by an open intent, or inside a rollback window (invariant I10); also if a
///   tag other than its pin names it, or if an index that is kept needs it. A pin alone keeps nothing.
/// - If an object could not be read, every digest is kept: a manifest that cannot be read may be an index that needs
///   any other digest. A digest that is pinned and in no log here is kept: it may belong to another ledger.
/// - A blocked digest takes no place in a rollback window. Once it is not live it is kept for the rule's time alone.
/// - Log order counts more than the times in entries: a live period never ends before a time of an earlier entry, so
///   that a clock that was behind does not shrink the window.
///
/// A plan is valid as long as each log has the size that the plan was made from ([`RetentionPlan::logs`]). A digest
/// that no log names yet may be the target of a move that is just beginning, so a deletion looks again after the
/// longest ttl and grace.
///
/// In JSON: `{repository, at, rule, logs: [{channel, size}], blocked?, digests: [{digest, pin, keep | expire}]}`.
#[derive(Clone, Debug, Serialize)]
pub struct RetentionPlan {
    /// The repository.
    pub repository: Repository,
    /// The time for which it was made.
    pub at: Timestamp,
    /// The rule.
    pub rule: RetentionRule,
    /// The logs that it was made from, with the number of entries of each. If a log is longer now, the plan is void.
    #[serde(serialize_with = "sizes")]
    pub logs: Vec<(Channel, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<String>,
    /// The digests of the registry and those that only logs name.
    #[serde(serialize_with = "listed")]
    digests: HashMap<Digest, Box<Known>>,
}

fn sizes<S: Serializer>(logs: &[(Channel, u64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(logs.iter().map(|(channel, size)| serde_json::json!({ "channel": channel, "size": size })))
}

fn listed<S: Serializer>(digests: &HashMap<Digest, Box<Known>>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(sorted(digests))
}

/// Every digest that the registry names or that must stay. Only references are sorted: moving the decisions themselves
/// costs more than making them.
fn sorted(digests: &HashMap<Digest, Box<Known>>) -> impl Iterator<Item = DigestRetention> {
    let mut sorted: Vec<_> = digests.iter().collect();
    sorted.sort_unstable_by_key(|(digest, _)| **digest);
    sorted.into_iter().filter_map(|(digest, known)| {
        let judged = DigestRetention { digest: *digest, pin: known.pin(), fate: known.fate() };
        (known.is_named() || matches!(judged.fate, RetentionDecision::Keep(_))).then_some(judged)
    })
}

impl RetentionPlan {
    /// The reason why no digest may expire, if an object could not be read.
    pub fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    /// Every digest that the registry names or that must stay, sorted.
    pub fn digests(&self) -> Vec<DigestRetention> {
        sorted(&self.digests).collect()
    }

    /// Says if `digest` may be deleted, with the reason. A digest that the plan does not know must stay.
    pub fn may_delete(&self, digest: &Digest) -> MayDelete {
        let unknown = Box::default();
        let known = self.digests.get(digest).unwrap_or(&unknown);
        match known.fate() {
            RetentionDecision::Expire(because) => MayDelete::Yes { because, pin: known.pin() },
            RetentionDecision::Keep(because) => MayDelete::No { because },
        }
    }
}

impl RetentionRule {
    /// Judges every digest that `evidence` knows, as of `at`.
    pub fn plan(&self, mut evidence: RetentionInput, at: Timestamp) -> RetentionPlan {
        let mut histories = std::mem::take(&mut evidence.histories);
        histories.sort_by(|a, b| (&a.channel, a.size).cmp(&(&b.channel, b.size)));
        for history in &histories {
            if let Some(seq) = history.migrated {
                let why = format!("the log of {} goes on in another ledger (seq {seq})", history.channel);
                evidence.failed(why);
            }
            self.note(&mut evidence, history, at);
        }
        follow(&mut evidence);
        let blocked = evidence.failures.iter().min().cloned().or_else(|| blind_spot(&evidence));
        evidence.digests.values_mut().for_each(|known| known.settle(blocked.as_deref()));
        RetentionPlan {
            digests: evidence.digests,
            repository: evidence.repository,
            at,
            rule: *self,
            logs: histories.into_iter().map(|history| (history.channel, history.size)).collect(),
            blocked,
        }
    }

    /// Adds what one channel's log says about each digest that it names.
    fn note(&self, evidence: &mut RetentionInput, history: &ChannelUsage, at: Timestamp) {
        let channel = || history.channel.clone();
        if let Some(live) = history.live {
            evidence.known(&live).keep(KeepReason::Live { channel: channel() });
        }
        if let Some(OpenDigests { seq, previous, target, replaced }) = history.open {
            for digest in [previous, Some(target), replaced].into_iter().flatten() {
                evidence.known(&digest).keep(KeepReason::Open { channel: channel(), seq });
            }
        }
        let end = |known: &mut Known, since: Timestamp, place: Place| {
            let until = since.plus(self.keep_for);
            match at < until {
                true => known.keep(KeepReason::Recent { channel: channel(), until }),
                false => known.past = known.past.take().max(Some((since, Reverse(channel()), place))),
            }
        };
        let mut lived = history.lived.clone();
        lived.sort_by_key(|lived| lived.seq);
        // Use log order, not clocks: no live period ends before a time of an earlier entry.
        let ends = lived.iter().scan(None, |latest: &mut Option<Timestamp>, lived| {
            *latest = (*latest).max(Some(lived.from)).max(lived.until);
            *latest
        });
        let ends: Vec<Timestamp> = ends.collect();
        let mut places: HashSet<Digest> = history.live.into_iter().collect();
        for (lived, since) in lived.iter().zip(ends).rev() {
            if history.blocked.contains(&lived.digest) && lived.until.is_some() {
                end(evidence.known(&lived.digest), since, Place::Blocked);
                continue;
            }
            if !places.insert(lived.digest) {
                continue;
            }
            let known = evidence.known(&lived.digest);
            let nth = u32::try_from(places.len()).unwrap_or(u32::MAX);
            if lived.until.is_none() {
                known.keep(KeepReason::Live { channel: channel() });
            } else if nth <= self.keep_last.get() {
                known.keep(KeepReason::Window { channel: channel(), nth });
            } else {
                end(known, since, Place::Nth(nth));
            }
        }
        for tried in &history.tried {
            end(evidence.known(&tried.digest), tried.at, Place::Tried);
        }
    }
}

/// Notes for each child of an index the index that it is part of. The children of an index that is kept are kept, too.
fn follow(evidence: &mut RetentionInput) {
    let mut indexes = std::mem::take(&mut evidence.indexes);
    let stays = |index: &&Digest| evidence.digests.get(*index).is_some_and(|known| known.stays_by_itself());
    let mut kept: Vec<Digest> = indexes.keys().filter(stays).copied().collect();
    while let Some(index) = kept.pop() {
        for child in indexes.remove(&index).into_iter().flatten() {
            evidence.known(&child).keep(KeepReason::ChildOf { index });
            kept.push(child);
        }
    }
    for (index, children) in indexes {
        for child in children {
            let known = evidence.known(&child);
            known.part_of = known.part_of.into_iter().chain([index]).min();
        }
    }
}

/// The reason to keep every digest, if a manifest that counts was not read: it may be an index that needs any other.
fn blind_spot(evidence: &RetentionInput) -> Option<String> {
    let unread = evidence.digests.iter().filter(|(_, known)| !known.read || known.unreadable.is_some());
    let counts = unread.filter(|(_, known)| known.is_named() || known.stays_by_itself());
    let (digest, known) = counts.min_by_key(|(digest, _)| **digest)?;
    let why = known.unreadable.as_deref().unwrap_or("it was not looked at");
    Some(format!("{digest} may be an index that needs it, and could not be read: {why}"))
}
