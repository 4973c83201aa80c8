//! `Claim`: an intent or a takeover that was sent. It may be in the log even if its append was not answered.

use super::ask::Ms;
use crate::log::ChannelState;
use crate::value::Line;

/// The number of times that an unanswered append is looked for, or sent again, before it is left in doubt.
pub(super) const TRIES: u8 = 5;

/// The claim of one worker to a move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    sent: Option<Sent>,
    /// The number of appends in a row that were not answered.
    unanswered: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sent {
    /// The time just before it was first sent: the time to live counts from here.
    start: Ms,
    /// The position that it was sent for. If another entry has that position, the claim cannot land any more.
    seq: u64,
    /// False after an answer was lost: the claim may be in the log, or land later.
    answered: bool,
}

impl Claim {
    /// Claims the position `seq`. If an earlier append for it was not answered, that append may still land: its start
    /// time stays.
    pub(super) fn send(&mut self, seq: u64, now: Ms) {
        let earlier = self.sent.filter(|sent| sent.seq == seq);
        self.sent = Some(earlier.unwrap_or(Sent { start: now, seq, answered: true }));
    }

    /// The time from which the time to live counts, if the open move of `state` is this worker's.
    pub(super) fn won(&self, state: &ChannelState, owner: &Line) -> Option<Ms> {
        self.sent.filter(|_| is_of(state, owner)).map(|sent| sent.start)
    }

    /// Drops the claim if another entry has its position: then the claim can never land.
    pub(super) fn forget_lost(&mut self, state: &ChannelState, owner: &Line) {
        if !is_of(state, owner) && self.sent.is_some_and(|sent| state.size > sent.seq) {
            self.sent = None;
        }
    }

    /// The append was answered.
    pub(super) fn answered(&mut self) {
        self.unanswered = 0;
    }

    /// The append was not answered. Returns the number of unanswered appends in a row.
    pub(super) fn unanswered(&mut self) -> u8 {
        if let Some(sent) = &mut self.sent {
            sent.answered = false;
        }
        self.unanswered = self.unanswered.saturating_add(1);
        self.unanswered
    }

    /// True if the claim may still land: then no end may say that nothing was written.
    pub(super) fn may_land(&self) -> bool {
        self.sent.is_some_and(|sent| !sent.answered)
    }
}

/// True if the open move is this owner's.
pub(super) fn is_of(state: &ChannelState, owner: &Line) -> bool {
    state.open.as_ref().is_some_and(|open| open.owner == *owner)
}
