//! The windows of *Reads that lag*, as one process sees them: the times in which a read of a channel's tag may still
//! answer an older value.
//!
//! A window begins when this process first read the entry that ended a value, on its own monotonic clock, and lasts for
//! the settle time. A read is judged by the windows that were open when it was sent.

use std::sync::Arc;

use super::end::{Replay, Why};
use crate::log::{ChannelState, Deadlines, Ended, Mark, OpenMove};
use crate::value::{Digest, Timestamp};

/// A moment on a monotonic clock, in milliseconds.
pub(crate) type Ms = u64;

/// The registry's answer for the channel's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TagRead {
    /// The digest; none for *absent*. If a policy hides the tag: the live digest, by the log.
    pub(crate) value: Option<Digest>,
    /// The time at which the read was sent, on this process's monotonic clock.
    pub(crate) sent: Ms,
    /// The registry's own time of the answer, if the answer had one.
    pub(crate) date: Option<Timestamp>,
    /// True if a policy hides the tag, so that `value` comes from the log.
    pub(crate) hidden: bool,
}

/// A log, as this process read it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LogRead {
    /// Its state.
    pub(crate) state: Arc<ChannelState>,
    /// The committed move with this worker's key, if there is one.
    pub(crate) replay: Option<Replay>,
    /// True if a hold is in force that stops the move.
    pub(crate) held: bool,
    /// The times at which this process first read its entries.
    pub(crate) first_read: FirstRead,
    /// This process's own settle time, in milliseconds.
    pub(crate) settle_ms: u64,
}

/// The clock difference between machines that is tolerated: 5 min, in milliseconds.
const SKEW_MS: u64 = 5 * 60 * 1000;

/// The times at which this process first read the entries of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct FirstRead(Vec<(u64, Ms)>);

impl FirstRead {
    /// Notes that the log was read up to `size` at `now`. Times that are older than `longest`, the longest settle time,
    /// are dropped.
    pub(crate) fn note(&mut self, size: u64, now: Ms, longest: Ms) {
        if self.0.last().is_none_or(|(known, _)| *known < size) {
            self.0.push((size, now));
        }
        let old = self.0.iter().filter(|(_, at)| at.saturating_add(longest) <= now).count();
        // Keep the newest old one, with time 0: every entry before it is old.
        self.0.drain(..old.saturating_sub(1));
        if let (1.., Some((_, at))) = (old, self.0.first_mut()) {
            *at = 0;
        }
    }

    /// The time at which the entry at `seq` was first read; none if it was not read yet.
    fn of(&self, seq: u64) -> Option<Ms> {
        self.0.iter().find(|(size, _)| *size > seq).map(|(_, at)| *at)
    }
}

impl LogRead {
    /// The reason why no put of this open move may be sent: a hold, or a block of its target. A move that records what is
    /// there passes a block.
    pub(super) fn stops(&self, open: &OpenMove) -> Option<Why> {
        let blocked = !open.as_it_is && self.state.block_of(&open.target).is_some();
        self.held.then_some(Why::Held).or(blocked.then_some(Why::Blocked))
    }

    /// The end of the window after this entry, for this process; none if the window has not begun yet.
    fn end_of(&self, mark: &Mark) -> Option<Ms> {
        self.first_read.of(mark.seq).map(|at| at.saturating_add(mark.settle_ms.max(self.settle_ms)))
    }

    /// True if a read may lag behind this entry: its window was open when the read was sent.
    fn lags(&self, mark: &Mark, read: &TagRead) -> bool {
        let old_by_date = read.date.is_some_and(|date| {
            let settle_ms = i64::try_from(mark.settle_ms.max(self.settle_ms).saturating_add(SKEW_MS));
            date.unix_ms().saturating_sub(mark.at.unix_ms()) > settle_ms.unwrap_or(i64::MAX)
        });
        !old_by_date && self.end_of(mark).is_none_or(|end| read.sent < end)
    }

    /// True if the channel is unsettled: any window was open when the read was sent.
    pub(crate) fn is_unsettled(&self, read: &TagRead) -> bool {
        self.state.trail.marks().any(|mark| self.lags(mark, read))
    }

    /// True if `value` is a past value: the tag had it, or may have had it, and by the log has it no more.
    pub(crate) fn is_past(&self, value: Option<Digest>, read: &TagRead) -> bool {
        let trail = &self.state.trail;
        let listed = trail.ended.iter().any(|ended| ended.value == value && self.lags(&ended.by, read));
        listed || (value != self.state.live && trail.unlisted.iter().any(|mark| self.lags(mark, read)))
    }

    /// True if the channel has a past value other than the live digest.
    pub(crate) fn has_past(&self, read: &TagRead) -> bool {
        let other = |ended: &&Ended| ended.value != self.state.live;
        let trail = &self.state.trail;
        let marks = trail.ended.iter().filter(other).map(|ended| &ended.by).chain(&trail.unlisted);
        marks.into_iter().any(|mark| self.lags(mark, read))
    }

    /// The time at which the windows that were open for `read` have ended for this process; `now` if none was open.
    pub(crate) fn settled_at(&self, read: &TagRead, now: Ms) -> Ms {
        let open = self.state.trail.marks().filter(|mark| self.lags(mark, read));
        let longest = now.saturating_add(Deadlines::MAX_MS);
        open.map(|mark| self.end_of(mark).unwrap_or(longest)).max().unwrap_or(now).max(now)
    }
}
