//! `Turn`: the reads of a branch by the one task of this process that has the turn to use it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::branch::{Attempt, Branch, Trouble};
use super::crowd::Crowd;
use super::layout::{ENTRIES, Found, channel_of, directory, file_name, first_of};
use super::refusal::Fault;
use super::tree::Object;
use super::view::{self, FilesError, LogFile, View};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::OpenMode;
use crate::ledger::file::lines;
use crate::value::Channel;

/// The greatest number of logs that are remembered.
pub(super) const MAX_VIEWS: usize = 64;

/// The greatest number of files that one read returns.
const MAX_FILES: u64 = 10;

/// The state of a branch that this process has read. The task that has the lock of this value has the turn.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The commit at the tip.
    pub(super) tip: Option<String>,
    /// The time when the last look began.
    pub(super) looked: Option<Instant>,
    views: HashMap<Channel, (String, Arc<View>)>,
    /// The commit that this process pushed last.
    pub(super) pushed: Option<String>,
    pub(super) crowd: Crowd,
}

/// The use of a branch and its cache by one task; the other tasks of the process wait.
pub(super) struct Turn<'a> {
    pub(super) branch: &'a Branch,
    pub(super) known: &'a mut Known,
    pub(super) access: OpenMode,
}

impl Turn<'_> {
    /// Reads the tip, unless a look or a push of this process began at `asked` or later. LEDGER_ABSENT if there is no
    /// branch and the ledger was opened for reading.
    pub(super) fn look(&mut self, asked: Instant) -> Result<()> {
        if self.known.looked.is_none_or(|looked| looked < asked) {
            self.look_now()?;
        }
        let Branch { address, cache, is_offline, .. } = self.branch;
        if self.known.tip.is_some() || self.access == OpenMode::Write {
            return Ok(());
        }
        let (place, dir) = (&address.place, cache.dir().display());
        let absent = |why: String| Error::new(ErrorKind::LedgerAbsent, format!("{place}: {why}"));
        Err(match is_offline {
            true => absent(format!("{dir} has no copy of the branch: run the command once online"))
                .with_context("cache", dir),
            false => absent(format!("there is no branch {}: `tagwarden ledger init` makes it", address.branch))
                .with_context("branch", &address.branch),
        })
    }

    pub(super) fn look_now(&mut self) -> Result<()> {
        let begun = Instant::now();
        self.known.tip = if self.branch.is_offline { self.branch.cache.tip()? } else { self.branch.fetch()? };
        self.known.looked = Some(begun);
        Ok(())
    }

    /// The result of `work`. If the cache is broken, makes the cache again, and does `work` once more.
    pub(super) fn patiently<T>(&mut self, what: &str, mut work: impl FnMut(&mut Self) -> Attempt<T>) -> Result<T> {
        match work(self) {
            Ok(result) => return Ok(result),
            Err(trouble) => {
                let helps = match &trouble {
                    Trouble::Fault(fault) => self.branch.renew(fault)?,
                    Trouble::Error(_) => false,
                };
                if !helps {
                    return Err(self.branch.error(trouble, what));
                }
            }
        }
        self.known.views.clear();
        self.look_now()?;
        work(self).map_err(|trouble| self.branch.error(trouble, what))
    }

    /// The log of `channel` at the tip that was read last.
    pub(super) fn view(&mut self, channel: &Channel) -> Attempt<Arc<View>> {
        let Some(tip) = self.known.tip.clone() else {
            self.check_seen(channel, &View::default())?;
            return Ok(Arc::default());
        };
        let before = self.known.views.get(channel);
        if let Some((_, view)) = before.filter(|(known, _)| *known == tip) {
            return Ok(Arc::clone(view));
        }
        let before = before.map(|(_, view)| Arc::clone(view));
        let view = self.view_at(&tip, channel, before)?;
        self.check_seen(channel, &view)?;
        self.keep(channel, tip, &view);
        Ok(view)
    }

    /// Remembers the log of `channel` at `tip`.
    pub(super) fn keep(&mut self, channel: &Channel, tip: String, view: &Arc<View>) {
        if self.known.views.len() >= MAX_VIEWS && !self.known.views.contains_key(channel) {
            self.known.views.clear();
        }
        self.known.views.insert(channel.clone(), (tip, Arc::clone(view)));
    }

    pub(super) fn view_at(&self, tip: &str, channel: &Channel, before: Option<Arc<View>>) -> Attempt<Arc<View>> {
        let Some(directory) = self.branch.objects_at(tip, [directory(channel)])?.pop().flatten() else {
            if self.branch.is_offline && self.branch.cache.tip()?.as_deref() != Some(tip) {
                return Err(Fault::Cache("another process makes it anew".to_owned()).into());
            }
            return Ok(Arc::default());
        };
        if let Some(before) = &before
            && before.tree.as_ref() == Some(&directory.id)
        {
            return Ok(Arc::clone(before));
        }
        let files = view::files(channel, &directory).map_err(|e| match e {
            FilesError::Fault(fault) => Trouble::Fault(fault),
            FilesError::Error(error) => Trouble::Error(error),
        })?;
        let tail = match (files.last(), before) {
            (None, _) => Vec::new(),
            (Some(last), Some(before)) if before.files.last() == Some(last) => before.tail.clone(),
            (Some(last), _) => self.file(channel, last, true)?,
        };
        Ok(Arc::new(View { tree: Some(directory.id), files, tail }))
    }

    /// The entries of a file.
    pub(super) fn file(&self, channel: &Channel, file: &LogFile, is_last: bool) -> Attempt<Vec<Bytes>> {
        parsed(channel, file, is_last, self.branch.objects(std::slice::from_ref(&file.id))?.pop().flatten())
    }

    /// The entries from `from` on: at least one if the log has one there, at most `limit`.
    pub(super) fn entries(&self, channel: &Channel, view: &View, from: u64, limit: usize) -> Attempt<Vec<Bytes>> {
        let end = first_of(from).saturating_add(MAX_FILES * ENTRIES);
        let to = view.size().min(from.saturating_add(limit as u64)).min(end);
        let range = first_of(from)..to;
        let files: Vec<&LogFile> = view.files.iter().filter(|file| range.contains(&file.first)).collect();
        let is_tail = |file: &LogFile| file.first == view.tail_from();
        if let (Some(tree), [_, second, ..]) = (&view.tree, files.as_slice())
            && !is_tail(second)
            && !self.branch.is_offline
        {
            // The caller will read the next files, too: fetch all missing files at once.
            let wanted = view.files.iter().filter(|file| file.first >= range.start && !is_tail(file));
            self.branch.fetch_blobs(tree, &wanted.map(|file| file.id.as_str()).collect::<Vec<_>>())?;
        }
        let ids: Vec<String> = files.iter().filter(|file| !is_tail(file)).map(|file| file.id.clone()).collect();
        let mut texts = if ids.is_empty() { Vec::new() } else { self.branch.objects(&ids)? }.into_iter();
        let mut found = Vec::new();
        for file in files {
            let entries = match is_tail(file) {
                true => view.tail.clone(),
                false => parsed(channel, file, false, texts.next().flatten())?,
            };
            found.extend(entries.into_iter().zip(file.first..).filter(|(_, seq)| (from..to).contains(seq)));
        }
        Ok(found.into_iter().map(|(entry, _)| entry).collect())
    }

    /// The number of entries.
    pub(super) fn size(&mut self, channel: &Channel, asked: Instant) -> Result<u64> {
        self.look(asked).map_err(|e| self.of_logs(Some(channel), e))?;
        Ok(self.patiently("read the log", |turn| turn.view(channel))?.size())
    }

    /// The entries from `from` on: at least one if the log has one there, at most `limit`.
    pub(super) fn read(&mut self, channel: &Channel, from: u64, limit: usize, asked: Instant) -> Result<Vec<Bytes>> {
        // A log never gets shorter, so the last look is enough for a position that it saw.
        let is_known = self.known.looked.is_some() && self.view(channel).is_ok_and(|view| from < view.size());
        if !is_known {
            self.look(asked).map_err(|e| self.of_logs(Some(channel), e))?;
        }
        self.patiently("read the log", |turn| {
            let view = turn.view(channel)?;
            turn.entries(channel, &view, from, limit)
        })
    }

    /// Every channel that has a log, sorted.
    pub(super) fn channels(&mut self, asked: Instant) -> Result<Vec<Channel>> {
        self.look(asked).map_err(|e| self.of_logs(None, e))?;
        self.patiently("list the logs", |turn| turn.listed())
    }

    /// Every channel that has a log at the tip.
    fn listed(&self) -> Attempt<Vec<Channel>> {
        let Some(tip) = &self.known.tip else { return Ok(Vec::new()) };
        let mut channels = BTreeSet::new();
        for path in self.branch.files(tip)? {
            match channel_of(&path) {
                Found::Log(channel) => channels.extend([channel]),
                Found::Shortened if path.ends_with(&format!("/{}", file_name(0))) => {
                    let file = self.branch.objects_at(tip, [path.clone()])?.pop().flatten();
                    let line = file.as_ref().and_then(|file| file.bytes.split(|byte| *byte == b'\n').next());
                    let said = line.and_then(lines::channel_of);
                    let place = path.strip_suffix(&file_name(0)).and_then(|path| path.strip_suffix('/'));
                    match said.filter(|said| place == Some(directory(said).as_str())) {
                        Some(channel) => channels.extend([channel]),
                        None => {
                            let why =
                                format!("{}: {path}: its first entry is not of this log", self.branch.address.place);
                            return Err(Error::new(ErrorKind::LedgerCorrupt, why).with_context("file", path).into());
                        }
                    }
                }
                _ => {}
            }
        }
        // A log that is gone must not be left out silently.
        for seen in self.branch.cache.all_seen().into_iter().filter(|seen| !channels.contains(&seen.channel)) {
            self.check_seen(&seen.channel, &View::default())?;
        }
        Ok(channels.into_iter().collect())
    }
}

/// The entries in the object of a file.
fn parsed(channel: &Channel, file: &LogFile, is_last: bool, object: Option<Object>) -> Attempt<Vec<Bytes>> {
    let gone = || Fault::NoFilter(format!("the server does not give {} of {channel}", file_name(file.first)));
    Ok(view::entries(channel, file.first, is_last, object.ok_or_else(gone)?.bytes)?)
}
