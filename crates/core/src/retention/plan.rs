//! `RetentionPlan`: each digest of a repository, with the decision to keep it or to let it expire.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use serde::{Serialize, Serializer};

use super::evidence::{Row, Seen};
use super::{DeleteReason, DigestRetention, KeepReason, MayDelete, Pin, RetentionDecision, RetentionRule};
use crate::value::{Channel, Digest, Repository, Timestamp};

/// The retention decision for each digest of a repository, at one time.
///
/// - A digest is kept if it is live, named by an open intent, or inside a rollback window (invariant I10); also if a
///   tag other than its pin names it, or if an index that is kept needs it. A pin alone keeps nothing.
/// - If an object could not be read, every digest is kept: a manifest that cannot be read may be an index that needs
///   any other digest. A digest that is pinned and in no log here is kept: it may belong to another ledger.
/// - Log order counts more than the times in entries: a live period never ends before a time of an earlier entry, so
///   that a clock that was behind does not shrink the window.
///
/// A plan is valid as long as each log has the size that the plan was made from ([`RetentionPlan::logs`]). A digest
/// that no log names yet may be the target of a move that is just beginning, so a deletion looks again after the
/// longest ttl and grace.
#[derive(Clone, Debug)]
pub struct RetentionPlan {
    pub(super) repository: Repository,
    pub(super) rule: RetentionRule,
    pub(super) at: Timestamp,
    pub(super) logs: Vec<(Channel, u64)>,
    /// Sorted by digest, one row for each.
    pub(super) rows: Vec<(Digest, Row)>,
    pub(super) notes: HashMap<Digest, Note>,
    pub(super) kept_in: HashMap<Digest, Digest>,
    pub(super) lost_in: HashMap<Digest, Digest>,
    pub(super) unreadable: HashMap<Digest, String>,
    pub(super) blocked: Option<String>,
}

/// The facts that the logs have about one digest.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    /// The first reason to keep it, in the order of [`KeepReason`].
    pub(super) keep: Option<KeepReason>,
    /// The reason to expire it: the last to end; of equals, that of the first channel.
    pub(super) past: Option<Past>,
}

/// The end of a digest's time in one channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Past {
    pub(super) since: Timestamp,
    pub(super) channel: Reverse<Channel>,
    /// Its place among the channel's digests; none if it was never live there.
    pub(super) nth: Option<u32>,
}

impl Note {
    pub(super) fn keep(&mut self, keep: KeepReason) {
        if self.keep.as_ref().is_none_or(|known| keep < *known) {
            self.keep = Some(keep);
        }
    }
}

impl RetentionPlan {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The rule.
    pub fn rule(&self) -> RetentionRule {
        self.rule
    }

    /// The time for which it was made.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The logs that it was made from, with the number of entries of each. If a log is longer now, the plan is void.
    pub fn logs(&self) -> &[(Channel, u64)] {
        &self.logs
    }

    /// The reason why no digest may expire, if an object could not be read.
    pub fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    /// Every digest that the registry names or that must stay, sorted.
    pub fn digests(&self) -> Vec<DigestRetention> {
        let judged = self.rows.iter().map(|(digest, row)| (row.held(), self.judged(digest, row)));
        judged
            .filter_map(|(held, judged)| (held || matches!(judged.fate, RetentionDecision::Keep(_))).then_some(judged))
            .collect()
    }

    /// Says if `digest` may be deleted, with the reason. A digest that the plan does not know must stay.
    pub fn may_delete(&self, digest: &Digest) -> MayDelete {
        match self.row(digest).map(|row| self.judged(digest, row)) {
            Some(DigestRetention { fate: RetentionDecision::Keep(because), .. }) => MayDelete::No { because },
            Some(DigestRetention { fate: RetentionDecision::Expire(because), pin, .. }) => {
                MayDelete::Yes { because, pin }
            }
            None => MayDelete::No { because: unknown() },
        }
    }

    fn judged(&self, digest: &Digest, row: &Row) -> DigestRetention {
        let pin = if row.pinned { Pin::Held } else { Pin::Absent };
        DigestRetention { digest: *digest, pin, fate: self.fate(digest, row) }
    }

    fn fate(&self, digest: &Digest, row: &Row) -> RetentionDecision {
        let note = self.notes.get(digest);
        if let Some(keep) = note.and_then(|note| note.keep.as_ref()) {
            return RetentionDecision::Keep(keep.clone());
        }
        let keep = if let Some(tag) = &row.tag {
            Some(KeepReason::Tagged { tag: tag.clone() })
        } else if let Some(index) = self.kept_in.get(digest) {
            Some(KeepReason::ChildOf { index: *index })
        } else if let Some(why) = self.unreadable.get(digest) {
            Some(KeepReason::NotUnderstood { why: format!("it could not be read: {why}") })
        } else if row.pinned && note.is_none() {
            let why = "it is pinned, and no log of this ledger names it: it may be another ledger's";
            Some(KeepReason::NotUnderstood { why: why.to_owned() })
        } else {
            self.blocked.as_ref().map(|why| KeepReason::NotUnderstood { why: why.clone() })
        };
        if let Some(keep) = keep {
            return RetentionDecision::Keep(keep);
        }
        match (note.and_then(|note| note.past.as_ref()), self.lost_in.get(digest)) {
            (Some(Past { since, channel: Reverse(channel), nth }), _) => {
                let (channel, since) = (channel.clone(), *since);
                RetentionDecision::Expire(match *nth {
                    Some(nth) => DeleteReason::Past { channel, nth, since },
                    None => DeleteReason::Tried { channel, since },
                })
            }
            (None, Some(index)) => RetentionDecision::Expire(DeleteReason::ChildOf { index: *index }),
            (None, None) => RetentionDecision::Keep(unknown()),
        }
    }

    fn row(&self, digest: &Digest) -> Option<&Row> {
        let at = self.rows.binary_search_by_key(digest, |(known, _)| *known).ok()?;
        self.rows.get(at).map(|(_, row)| row)
    }

    /// True if it is kept for a reason other than an index that needs it: see `fate`.
    fn stays_by_itself(&self, digest: &Digest, row: &Row) -> bool {
        row.tag.is_some()
            || match self.notes.get(digest) {
                Some(note) => note.keep.is_some(),
                None => row.pinned || !row.child,
            }
    }

    /// The reason to keep every digest, if a manifest that counts was not read: it may be an index that needs any
    /// other.
    pub(super) fn blind_spot(&self) -> Option<String> {
        let unread = |row: &Row| matches!(row.seen, Seen::No | Seen::Unreadable);
        let (digest, _) = (self.rows.iter())
            .find(|(digest, row)| unread(row) && (row.held() || self.stays_by_itself(digest, row)))?;
        let why = self.unreadable.get(digest).map_or("it was not looked at", String::as_str);
        Some(format!("{digest} may be an index that needs it, and could not be read: {why}"))
    }

    /// Assigns each child of an index to the first index that is kept, or else to the first one that is not.
    pub(super) fn follow(&mut self, indexes: &[(Digest, Box<[Digest]>)]) {
        let mut children: HashMap<Digest, Vec<&[Digest]>> = HashMap::new();
        for (index, named) in indexes {
            children.entry(*index).or_default().push(named);
        }
        let stays = |digest: &Digest| self.row(digest).is_some_and(|row| self.stays_by_itself(digest, row));
        let mut open: Vec<Digest> = children.keys().filter(|index| stays(index)).copied().collect();
        let mut done: HashSet<Digest> = open.iter().copied().collect();
        let mut kept_in: HashMap<Digest, Digest> = HashMap::new();
        while let Some(index) = open.pop() {
            for child in children.get(&index).into_iter().flatten().copied().flatten() {
                let first = kept_in.entry(*child).or_insert(index);
                *first = index.min(*first);
                if children.contains_key(child) && done.insert(*child) {
                    open.push(*child);
                }
            }
        }
        for (index, named) in indexes.iter().filter(|(index, _)| !done.contains(index)) {
            for child in named {
                let first = self.lost_in.entry(*child).or_insert(*index);
                *first = (*index).min(*first);
            }
        }
        self.kept_in = kept_in;
    }
}

fn unknown() -> KeepReason {
    KeepReason::NotUnderstood { why: "no tag, index or log that the plan knows names it".to_owned() }
}

impl Serialize for RetentionPlan {
    /// `{repository, at, rule, logs: [{channel, size}], blocked?, digests: [{digest, pin, keep | expire}]}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            repository: &'a Repository,
            at: Timestamp,
            rule: RetentionRule,
            logs: Vec<Log<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            blocked: Option<&'a str>,
            digests: Vec<DigestRetention>,
        }
        #[derive(Serialize)]
        struct Log<'a> {
            channel: &'a Channel,
            size: u64,
        }
        let RetentionPlan { repository, at, rule, logs, .. } = self;
        let logs = logs.iter().map(|(channel, size)| Log { channel, size: *size }).collect();
        let (blocked, digests) = (self.blocked(), self.digests());
        Shown { repository, at: *at, rule: *rule, logs, blocked, digests }.serialize(serializer)
    }
}
