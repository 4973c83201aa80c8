//! `RetentionPlan`: each digest of a repository with its fate.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::table::{Row, Seen, Table};
use super::{Expire, Fate, Judged, Keep, MayDelete, Pin, RetentionRule};
use crate::value::{Channel, Digest, Repository, Timestamp};

/// What becomes of each digest of a repository, as of one moment.
///
/// - What is live, named by an open intent, or inside a rollback window is kept (invariant I10), and so is what a tag
///   other than a pin names, and what an index that is kept needs. A pin alone keeps nothing.
/// - What could not be looked at keeps everything: a digest that is pinned and in no log here may be another ledger's,
///   one that cannot be read may be an index that needs any other.
/// - Time in entries informs: a stretch never ends before anything that stands earlier in the log, so that a clock that
///   was behind does not shrink the window.
///
/// A plan stands as long as each log has the size that it was made from ([`RetentionPlan::logs`]). A pin is written
/// *before* the intent that needs it, so a deletion looks again after the longest ttl and grace.
#[derive(Clone, Debug)]
pub struct RetentionPlan {
    pub(super) repository: Repository,
    pub(super) rule: RetentionRule,
    pub(super) at: Timestamp,
    pub(super) logs: Vec<(Channel, u64)>,
    pub(super) table: Table,
    pub(super) notes: Vec<Note>,
    pub(super) kept_in: HashMap<Digest, Digest>,
    pub(super) lost_in: HashMap<Digest, Digest>,
    pub(super) unreadable: HashMap<Digest, String>,
    pub(super) blocked: Option<String>,
}

/// What the logs say about one digest. Channels are places in [`RetentionPlan::logs`], which is sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    pub(super) keep: Option<Kept>,
    pub(super) past: Option<Past>,
}

/// In the order of [`Keep`], so that the least is the reason that is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kept {
    Live(usize),
    Open(usize, u64),
    Window(usize, u32),
    Recent(usize, Timestamp),
}

/// The greatest is the reason that is given: the last to end, and of equals the first channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Past {
    pub(super) since: Timestamp,
    pub(super) channel: Reverse<usize>,
    /// Its place among the channel's digests; none if it was never live there.
    pub(super) nth: Option<u32>,
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

    /// The moment that it was judged for.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The logs that it was made from, and how many entries each had. With any of them longer the plan is void.
    pub fn logs(&self) -> &[(Channel, u64)] {
        &self.logs
    }

    /// Why nothing may expire, if something could not be looked at.
    pub fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    /// Every digest that the registry names or that must stay, in the order of digests.
    pub fn digests(&self) -> Vec<Judged> {
        let judged = self.table.iter().map(|(digest, row)| (row.held(), self.judged(&digest, row)));
        judged
            .filter(|(held, judged)| *held || matches!(judged.fate, Fate::Keep(_)))
            .map(|(_, judged)| judged)
            .collect()
    }

    /// Whether `digest` may be deleted, and why. What the plan does not know stays.
    pub fn may_delete(&self, digest: &Digest) -> MayDelete {
        match self.table.get(digest).map(|row| self.judged(digest, row)) {
            Some(Judged { fate: Fate::Keep(because), .. }) => MayDelete::No { because },
            Some(Judged { fate: Fate::Expire(because), pin, .. }) => MayDelete::Yes { because, pin },
            None => MayDelete::No { because: unknown() },
        }
    }

    fn judged(&self, digest: &Digest, row: &Row) -> Judged {
        let pin = if row.pinned { Pin::Held } else { Pin::Absent };
        Judged { digest: *digest, pin, fate: self.fate(digest, row) }
    }

    fn fate(&self, digest: &Digest, row: &Row) -> Fate {
        let note = self.note(row);
        if let Some(kept) = note.and_then(|note| note.keep) {
            return Fate::Keep(self.keep(kept));
        }
        let keep = if let Some(tag) = &row.tag {
            Some(Keep::Tagged { tag: tag.clone() })
        } else if let Some(index) = self.kept_in.get(digest) {
            Some(Keep::ChildOf { index: *index })
        } else if let Some(why) = self.unreadable.get(digest) {
            Some(Keep::NotUnderstood { why: format!("it could not be read: {why}") })
        } else if row.pinned && note.is_none() {
            let why = "it is pinned, and no log of this ledger names it: it may be another ledger's";
            Some(Keep::NotUnderstood { why: why.to_owned() })
        } else {
            self.blocked.as_ref().map(|why| Keep::NotUnderstood { why: why.clone() })
        };
        if let Some(keep) = keep {
            return Fate::Keep(keep);
        }
        match (note.and_then(|note| note.past), self.lost_in.get(digest)) {
            (Some(Past { since, channel, nth }), _) => match self.channel(channel.0) {
                None => Fate::Keep(unknown()),
                Some(channel) => Fate::Expire(match nth {
                    Some(nth) => Expire::Past { channel, nth, since },
                    None => Expire::Tried { channel, since },
                }),
            },
            (None, Some(index)) => Fate::Expire(Expire::ChildOf { index: *index }),
            (None, None) => Fate::Keep(unknown()),
        }
    }

    fn keep(&self, kept: Kept) -> Keep {
        let (Kept::Live(at) | Kept::Open(at, _) | Kept::Window(at, _) | Kept::Recent(at, _)) = kept;
        let Some(channel) = self.channel(at) else {
            return unknown();
        };
        match kept {
            Kept::Live(_) => Keep::Live { channel },
            Kept::Open(_, seq) => Keep::Open { channel, seq },
            Kept::Window(_, nth) => Keep::Window { channel, nth },
            Kept::Recent(_, until) => Keep::Recent { channel, until },
        }
    }

    fn channel(&self, at: usize) -> Option<Channel> {
        self.logs.get(at).map(|(channel, _)| channel.clone())
    }

    fn note(&self, row: &Row) -> Option<&Note> {
        self.notes.get(usize::try_from(row.note.checked_sub(1)?).ok()?)
    }

    /// True if it is kept for a reason of its own, not for an index's sake: see `fate`.
    fn stays_by_itself(&self, row: &Row) -> bool {
        row.tag.is_some()
            || match self.note(row) {
                Some(note) => note.keep.is_some(),
                None => row.pinned || !row.child,
            }
    }

    /// Why some manifest that counts was not read: it may be an index, and need any other.
    pub(super) fn blind_spot(&self) -> Option<String> {
        let counts = |row: &Row| row.held() || self.stays_by_itself(row);
        let mut blind =
            self.table.iter().filter(|(_, row)| matches!(row.seen, Seen::No | Seen::Unreadable) && counts(row));
        let (digest, _) = blind.next()?;
        let why = self.unreadable.get(&digest).map_or("it was not looked at", String::as_str);
        Some(format!("{digest} may be an index that needs it, and could not be read: {why}"))
    }

    /// Index children follow their index: the first one that is kept, or else the first one that is not.
    pub(super) fn follow(&mut self, indexes: &[(Digest, Box<[Digest]>)]) {
        let mut children: HashMap<Digest, Vec<&[Digest]>> = HashMap::new();
        for (index, named) in indexes {
            children.entry(*index).or_default().push(named);
        }
        let stays = |digest: &Digest| self.table.get(digest).is_some_and(|row| self.stays_by_itself(row));
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

fn unknown() -> Keep {
    Keep::NotUnderstood { why: "no tag, index or log that the plan knows names it".to_owned() }
}

impl Serialize for RetentionPlan {
    /// `{repository, at, rule, logs: [{channel, size}], blocked?, digests: [{digest, pin, keep | expire}]}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Log<'a> {
            channel: &'a Channel,
            size: u64,
        }
        let logs: Vec<_> = self.logs.iter().map(|(channel, size)| Log { channel, size: *size }).collect();
        let mut fields = serializer.serialize_struct("RetentionPlan", 6)?;
        fields.serialize_field("repository", &self.repository)?;
        fields.serialize_field("at", &self.at)?;
        fields.serialize_field("rule", &self.rule)?;
        fields.serialize_field("logs", &logs)?;
        match &self.blocked {
            Some(why) => fields.serialize_field("blocked", why)?,
            None => fields.skip_field("blocked")?,
        }
        fields.serialize_field("digests", &self.digests())?;
        fields.end()
    }
}
