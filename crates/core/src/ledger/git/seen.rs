//! Compares the logs of a branch with what this host read of them before: the finding of a branch that lost entries.

use super::branch::{Attempt, Trouble};
use super::cache::Head;
use super::layout::first_of;
use super::turn::{MAX_VIEWS, Turn};
use super::view::{View, about, leaf};
use crate::error::{Error, ErrorKind};
use crate::value::Channel;

/// A difference between a log and its head that this host read before.
struct Change {
    kind: ErrorKind,
    /// The position of the first entry that is known to be missing or to be another one.
    seq: u64,
    why: String,
}

impl Turn<'_> {
    /// Compares a log with the head that this host read before. LEDGER_TRUNCATED if the log is shorter now,
    /// LEDGER_FORKED if another entry has the position of that head.
    pub(super) fn check_seen(&self, channel: &Channel, view: &View) -> Attempt<()> {
        let seen = self.branch.cache.seen(channel)?;
        if let Some(seen) = &seen
            && let Some(change) = self.change(view, seen)?
        {
            let anew = self.branch.cache.dir().display();
            let why = format!("{}; if the branch was changed on purpose, remove {anew}", change.why);
            return Err(about(change.kind, &self.branch.address.place, channel, change.seq, &why).into());
        }
        if let Some(last) = view.tail.last()
            && !self.branch.is_offline
            && seen.is_none_or(|seen| seen.size < view.size())
        {
            self.branch.cache.see(&Head { channel: channel.clone(), leaf: leaf(last), size: view.size() })?;
        }
        Ok(())
    }

    /// The difference between a log and its head that this host read before; none if the log still has that head.
    fn change(&self, view: &View, seen: &Head) -> Attempt<Option<Change>> {
        let change = |kind, seq, why| Ok(Some(Change { kind, seq, why }));
        if view.size() < seen.size {
            let (size, before) = (view.size(), seen.size);
            let why = format!("the log has {size} entries, and {before} were read on this machine before");
            return change(ErrorKind::LedgerTruncated, size, why);
        }
        let last = seen.size - 1;
        let there = match view.in_tail(last) {
            Some(there) => Some(there.clone()),
            None => {
                let first = first_of(last);
                let file = view.files.iter().find(|file| file.first == first);
                let entries = file.map(|file| self.file(&seen.channel, file, false)).transpose()?.unwrap_or_default();
                entries.get(usize::try_from(last - first).unwrap_or(usize::MAX)).cloned()
            }
        };
        match there {
            Some(there) if leaf(&there) == seen.leaf => Ok(None),
            Some(_) => {
                let why = "another entry was read there before on this machine: the branch was rewritten".to_owned();
                change(ErrorKind::LedgerForked, last, why)
            }
            None => change(ErrorKind::LedgerTruncated, last, "the entry is gone".to_owned()),
        }
    }

    /// The error of a look. After a force push it is about the log of `asked` if the push changed that log, else about
    /// the first changed one of the logs that this host has read.
    pub(super) fn of_logs(&self, asked: Option<&Channel>, error: Error) -> Error {
        let place = &self.branch.address.place;
        let tip = self.branch.forced_tip().filter(|_| error.kind() == ErrorKind::LedgerForked);
        let Some(tip) = tip else { return error };
        let said = error.message().strip_prefix(&format!("{place}: ")).unwrap_or(error.message());
        let mut seen = self.branch.cache.all_seen();
        seen.sort_by_key(|head| asked != Some(&head.channel));
        // More of them would take too long.
        let changed = seen.into_iter().take(MAX_VIEWS).filter_map(|seen| {
            let view = self.view_at(&tip, &seen.channel, None);
            match view.and_then(|view| self.change(&view, &seen)) {
                Ok(change) => change.map(|change| (seen.channel, change)),
                // The log could be read before.
                Err(Trouble::Error(e)) => {
                    let change = Change { kind: e.kind(), seq: 0, why: e.message().to_owned() };
                    Some((seen.channel, change))
                }
                Err(Trouble::Fault(_)) => None,
            }
        });
        let mut changed: Vec<(Channel, Change)> = changed.collect();
        changed.sort_by_key(|(channel, change)| (asked != Some(channel), change.kind != ErrorKind::LedgerForked));
        let Some((channel, Change { kind, seq, why })) = changed.first() else {
            let message = format!("{place}: every log that was read on this machine has its entries still, but {said}");
            return Error::new(ErrorKind::LedgerForked, message);
        };
        let others: Vec<String> = changed.iter().skip(1).map(|(channel, _)| channel.to_string()).collect();
        let others = match others.is_empty() {
            true => String::new(),
            false => format!(" The push also changed {}.", others.join(", ")),
        };
        let why = format!("{why}; `tagwarden history {channel} --offline` shows those.{others} {}", capital(said));
        about(*kind, place, channel, *seq, &why)
    }
}

/// The text as a sentence.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
