//! `Claim`: an intent or a takeover that was sent. It may be in the log even if its append was not answered.

use super::{Effect, End, Ms, Next, Why};
use crate::error::Retry;
use crate::log::ChannelState;
use crate::value::Line;

/// The number of times that an unanswered append is looked for, or sent again, before it is left in doubt.
const TRIES: u8 = 5;

/// The claim of one worker to a move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    sent: Option<Sent>,
    /// The number of appends in a row that were not answered.
    unanswered: u8,
    /// The number of reads of the log in a row that failed after such an append.
    unread: u8,
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

    /// The time from which the time to live counts, if the open move of `state` is this worker's. Drops the claim if
    /// another entry has its position: then the claim can never land.
    pub(super) fn won(&mut self, state: &ChannelState, owner: &Line) -> Option<Ms> {
        let ours = state.open.as_ref().is_some_and(|open| open.owner == *owner);
        self.unread = 0;
        self.sent = self.sent.filter(|sent| ours || state.size <= sent.seq);
        self.sent.filter(|_| ours).map(|sent| sent.start)
    }

    /// The append was answered.
    pub(super) fn answered(&mut self) {
        self.unanswered = 0;
    }

    /// The append was not answered: the log is read, to see if the claim is there. If too many appends in a row were not
    /// answered, the claim is left in doubt. `seq` is the position of the move's intent.
    pub(super) fn doubt(&mut self, give_up: Ms, seq: Option<u64>) -> Next {
        if let Some(sent) = &mut self.sent {
            sent.answered = false;
        }
        self.unanswered = self.unanswered.saturating_add(1);
        match self.unanswered {
            1 => Next::Do(Effect::ReadLog),
            2..=TRIES => Next::Do(Effect::ask_again(give_up)),
            _ => Next::End(End::Indeterminate { seq, why: Why::Unknown }),
        }
    }

    /// The log could not be read after an append that was not answered: it is read again, or the claim is left in doubt.
    pub(super) fn unread(&mut self, retry: Retry, give_up: Ms, seq: Option<u64>) -> Next {
        self.unread = self.unread.saturating_add(1);
        match retry != Retry::Never && self.unread <= TRIES {
            true => Next::Do(Effect::ask_again(give_up)),
            false => Next::End(End::Indeterminate { seq, why: Why::Unknown }),
        }
    }

    /// The end of the worker's machine. While the claim may still land, it is indeterminate, never *nothing written*.
    pub(super) fn end(&self, end: End, seq: Option<u64>) -> End {
        match end {
            End::Refused(_) | End::Unchanged(_) | End::Broken if self.sent.is_some_and(|sent| !sent.answered) => {
                End::Indeterminate { seq, why: Why::Unknown }
            }
            end => end,
        }
    }
}
