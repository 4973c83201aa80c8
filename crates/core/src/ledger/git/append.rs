//! One append: a commit with one more line, pushed if the branch still is where it was read; and after anything but
//! success, the look at the branch that says what became of it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::branch::{BACKOFF, Trouble};
use super::build::Built;
use super::cache::Head;
use super::refusal::{Call, Fault};
use super::turn::Turn;
use super::view::{View, leaf};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Appended, OpenMode};
use crate::log::Entry;
use crate::value::Channel;

/// The longest time for which an append is tried again while other writers come first.
const PATIENCE: Duration = Duration::from_secs(120);

/// The longest time for which the tip is read after a push whose result is not known.
const SETTLE: Duration = Duration::from_secs(45);

/// The number of pushes of one commit that the server does not accept although the branch did not move.
pub(super) const TRIES: u32 = 5;

/// The answer to one push.
enum Pushed {
    Settled(Settled),
    /// Git does not say that the branch was moved from `base` to our commit.
    Failed {
        base: Option<String>,
        fault: Fault,
    },
}

/// The result of one push, by the branch.
enum Settled {
    Done(Appended),
    /// Another channel's entry came first.
    Behind,
    /// The branch did not move.
    Unmoved(Fault),
}

impl Turn<'_> {
    /// Stores the entry at `seq`, if that is the next position.
    pub(super) fn append(&mut self, channel: &Channel, seq: u64, bytes: &Bytes) -> Result<Appended> {
        let located = |e: Error| e.with_context("channel", channel).with_context("seq", seq);
        if self.access != OpenMode::Write {
            let message = format!("{}: the ledger was opened to be read only", self.branch.address.place);
            return Err(located(Error::new(ErrorKind::LedgerDenied, message)));
        }
        let entry = Entry::open(bytes).map_err(located)?;
        if entry.channel != *channel || entry.seq != seq {
            let message = "the entry does not say that it stands at this position of this channel";
            return Err(located(Error::new(ErrorKind::InternalFault, message)));
        }
        let begun = Instant::now();
        if let Some(pause) = self.known.crowd.pause() {
            thread::sleep(pause);
            // The last read is out of date now.
            let _lock = self.branch.lock()?;
            self.look_now().map_err(|e| located(self.of_logs(Some(channel), e)))?;
        }
        // With `in_doubt`, a push that was sent before may still arrive.
        let (mut behind, mut unmoved, mut in_doubt) = (0, 0, false);
        loop {
            let pushed = self.push_once(channel, seq, bytes, &entry, begun);
            let settled = match pushed.map_err(|e| located(if in_doubt { ambiguous(e) } else { e }))? {
                Pushed::Settled(settled) => {
                    if matches!(settled, Settled::Done(Appended::Conflict)) {
                        self.known.crowd.lost();
                    }
                    settled
                }
                Pushed::Failed { base, fault } => {
                    // A refusal is an answer; after a lost answer, the push may still arrive.
                    in_doubt |= !matches!(fault, Fault::Refused(..) | Fault::Stale(_) | Fault::Format(_));
                    self.settle(channel, seq, bytes, fault, base.as_ref()).map_err(located)?
                }
            };
            match settled {
                Settled::Done(appended) => return Ok(appended),
                Settled::Behind => {
                    behind += 1;
                    (in_doubt, unmoved) = (false, 0);
                    if begun.elapsed() > PATIENCE {
                        let (place, seconds) = (&self.branch.address.place, PATIENCE.as_secs());
                        let message = format!("{place}: other writers came first {behind} times in {seconds} s");
                        return Err(located(Error::new(ErrorKind::LedgerUnavailable, message)));
                    }
                }
                Settled::Unmoved(fault) => {
                    unmoved += 1;
                    if matches!(fault, Fault::Refused(..)) || unmoved >= TRIES || begun.elapsed() > PATIENCE {
                        let error = self.branch.error(fault.into(), "append");
                        return Err(located(if in_doubt { ambiguous(error) } else { error }));
                    }
                    thread::sleep(BACKOFF.pause(unmoved));
                }
            }
        }
    }

    /// Builds the append on the tip that was read last, and pushes it once.
    fn push_once(
        &mut self,
        channel: &Channel,
        seq: u64,
        bytes: &Bytes,
        entry: &Entry,
        since: Instant,
    ) -> Result<Pushed> {
        let _lock = self.branch.lock()?;
        self.catch_up()?;
        let mut view = self.patiently("append", |turn| turn.view(channel))?;
        if seq > view.size() {
            // The entries before may be newer than the last look.
            self.look(since).map_err(|e| self.of_logs(Some(channel), e))?;
            view = self.patiently("append", |turn| turn.view(channel))?;
        }
        if seq != view.size() {
            return Ok(Pushed::Settled(Settled::Done(self.taken(channel, &view, seq, bytes)?)));
        }
        let begun = Instant::now();
        let built = self.patiently("append", |turn| {
            let view = turn.view(channel)?;
            // If the cache was made anew, the log may be longer than before.
            if view.size() == seq { turn.build(channel, &view, bytes, entry).map(Some) } else { Ok(None) }
        })?;
        let Some(built) = built else { return Ok(Pushed::Settled(Settled::Behind)) };
        let base = self.known.tip.clone();
        let output = match self.branch.push(base.as_deref(), &built.commit) {
            Ok(output) => output,
            // Nothing was run.
            Err(trouble) => return Err(self.branch.error(trouble, "append")),
        };
        if output.is_ok() {
            self.known.crowd.lasted = begun.elapsed();
            self.stored(channel, begun, built)?;
            return Ok(Pushed::Settled(Settled::Done(Appended::Stored)));
        }
        match self.branch.check(Call::Push, &output) {
            Err(Trouble::Fault(fault)) => {
                if matches!(fault, Fault::Stale(_)) {
                    self.known.crowd.lasted = begun.elapsed();
                }
                Ok(Pushed::Failed { base, fault })
            }
            Err(Trouble::Error(error)) => Err(ambiguous(error)),
            Ok(()) => Ok(Pushed::Settled(Settled::Done(Appended::Stored))),
        }
    }

    /// Finds out what became of a push on `base` that failed. Only the branch says if the entry was stored. The words of
    /// git and the server are for people.
    fn settle(
        &mut self,
        channel: &Channel,
        seq: u64,
        bytes: &Bytes,
        fault: Fault,
        base: Option<&String>,
    ) -> Result<Settled> {
        if matches!(fault, Fault::Stale(_)) {
            self.known.crowd.lost();
            // The pause comes before the look, so that the next push is not late again.
            thread::sleep(self.known.crowd.pause().unwrap_or_default());
        }
        let _lock = self.branch.lock().map_err(ambiguous)?;
        self.look_until_read(channel, &fault)?;
        if self.known.tip.as_ref() == base {
            if self.branch.renew(&fault).map_err(ambiguous)? {
                self.look_now().map_err(ambiguous)?;
            }
            return Ok(Settled::Unmoved(fault));
        }
        // The lease does not fit any more, so that our commit can never arrive later.
        let view = self.patiently("append", |turn| turn.view(channel)).map_err(ambiguous)?;
        match view.size() > seq {
            true => self.taken(channel, &view, seq, bytes).map(Settled::Done).map_err(ambiguous),
            false => Ok(Settled::Behind),
        }
    }

    /// Takes the tip that another process of this host has read or pushed, and looks if none has.
    fn catch_up(&mut self) -> Result<()> {
        // An import appends many entries without a look between them.
        if self.branch.cache.is_large() {
            self.branch.cache.clear()?;
        }
        match self.branch.cache.tip()? {
            Some(tip) => self.known.tip = Some(tip),
            None if self.known.looked.is_none() => self.look_now()?,
            // The cache was removed, or there is no branch yet.
            None if self.known.tip.is_some() => self.look_now()?,
            None => {}
        }
        Ok(())
    }

    /// The result of an append at a position that is not the next one.
    fn taken(&self, channel: &Channel, view: &View, seq: u64, bytes: &Bytes) -> Result<Appended> {
        if seq > view.size() {
            return Ok(Appended::Conflict);
        }
        let there = match view.in_tail(seq) {
            Some(there) => Some(there.clone()),
            None => {
                let read = self.entries(channel, view, seq, 1).map_err(|e| self.branch.error(e, "read"))?;
                read.into_iter().next()
            }
        };
        Ok(if there.as_ref() == Some(bytes) { Appended::Stored } else { Appended::Conflict })
    }

    /// Reads the tip after a push without success, and again for as long as the server may be away.
    fn look_until_read(&mut self, channel: &Channel, fault: &Fault) -> Result<()> {
        let begun = Instant::now();
        let mut failed = 0;
        loop {
            let Err(error) = self.look_now() else { return Ok(()) };
            failed += 1;
            if error.kind() != ErrorKind::LedgerUnavailable || begun.elapsed() > SETTLE {
                let error = self.of_logs(Some(channel), error);
                let said = self.branch.error(fault.clone().into(), "append");
                let message = format!("{}; and the branch cannot be read: {}", said.message(), error.message());
                return Err(ambiguous(Error::new(error.kind(), message)));
            }
            thread::sleep(BACKOFF.pause(failed));
        }
    }

    /// Records that our commit is the tip.
    fn stored(&mut self, channel: &Channel, begun: Instant, Built { commit, view }: Built) -> Result<()> {
        // The entry is stored, whatever happens to the cache now: the next look reads the branch again.
        let moved = self.branch.moved(&commit);
        if let Some(last) = view.tail.last() {
            let head = Head { channel: channel.clone(), leaf: leaf(last), size: view.size() };
            let _ = self.branch.cache.see(&head);
        }
        self.known.crowd.won(self.known.tip == self.known.pushed);
        self.known.tip = Some(commit.clone());
        self.known.pushed = Some(commit.clone());
        // If the cache has the tip from before, only a look may say what the log has now.
        self.known.looked = moved.is_ok().then_some(begun);
        self.keep(channel, commit, &Arc::new(view));
        Ok(())
    }
}

/// LEDGER_AMBIGUOUS because of `error`.
fn ambiguous(error: Error) -> Error {
    if error.kind() == ErrorKind::LedgerAmbiguous {
        return error;
    }
    let message = format!("it is not known whether the entry was stored: {}", error.message());
    Error::new(ErrorKind::LedgerAmbiguous, message).with_source(error)
}
