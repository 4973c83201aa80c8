//! Reads that lag: selects the value of a tag that a read answers.

use std::time::Duration;

use tokio::time::Instant;

use super::model::Model;
use super::{Change, ReadFault};
use tagwarden::{Digest, Repository, Tag};

/// A value of a tag; `None` is *absent*.
type Value = Option<Digest>;

impl Model {
    /// The value that a read of the tag with `fault` answers.
    ///
    /// A past value whose manifest was deleted is never answered. *Absent* instead of it would be a value that the tag
    /// did not have.
    pub(super) fn read_tag(&mut self, repository: &Repository, tag: &Tag, fault: &ReadFault) -> Value {
        let past = match fault {
            ReadFault::Past(changes) => self.changes_ago(repository, tag, *changes),
            ReadFault::Lag(window) => self.any_within(repository, tag, *window),
            ReadFault::Stale => self.before_the_last_change(repository, tag),
            _ if self.use_stale_read(repository, tag) => self.before_the_last_change(repository, tag),
            _ => self.any_within(repository, tag, self.lag),
        };
        if self.can_answer(repository, past) { past } else { self.current(repository, tag) }
    }

    fn current(&self, repository: &Repository, tag: &Tag) -> Value {
        self.holdings(repository)?.tag(tag)
    }

    fn can_answer(&self, repository: &Repository, value: Value) -> bool {
        let has = |digest: &Digest| self.holdings(repository).is_some_and(|h| h.manifest(digest).is_some());
        value.is_none_or(|digest| has(&digest))
    }

    fn changes_ago(&self, repository: &Repository, tag: &Tag, changes: usize) -> Value {
        match changes.checked_sub(1) {
            None => self.current(repository, tag),
            Some(later) => self.changes_of(repository, tag).nth(later)?.previous,
        }
    }

    fn before_the_last_change(&self, repository: &Repository, tag: &Tag) -> Value {
        let age = self.age(Instant::now());
        let last = self.changes_of(repository, tag).next();
        match last.filter(|last| self.stale_for.is_none_or(|window| is_within(last, age, window))) {
            Some(last) => last.previous,
            None => self.current(repository, tag),
        }
    }

    /// One of the values that the tag had within `window`, or the current one; each is equally likely.
    fn any_within(&mut self, repository: &Repository, tag: &Tag, window: Duration) -> Value {
        let age = self.age(Instant::now());
        let mut values = vec![self.current(repository, tag)];
        for change in self.changes_of(repository, tag).take_while(|change| is_within(change, age, window)) {
            if !values.contains(&change.previous) && self.can_answer(repository, change.previous) {
                values.push(change.previous);
            }
        }
        let drawn = self.lagging.index(values.len());
        values.get(drawn).copied().flatten()
    }

    /// The changes of a tag, the last one first.
    fn changes_of<'a>(&'a self, repository: &'a Repository, tag: &'a Tag) -> impl Iterator<Item = &'a Change> {
        self.changes.iter().rev().filter(move |change| change.tag == *tag && change.repository == *repository)
    }
}

/// True if the value that this change ended may still be answered at `age`. The end of the window is exclusive, so a
/// window of 0 allows no past value.
fn is_within(change: &Change, age: Duration, window: Duration) -> bool {
    age.saturating_sub(change.at) < window
}
