//! The machine's reasons as errors, for a person and for the outcome in the log.

use std::sync::Arc;

use super::effects::Effects;
use super::machine::Why;
use crate::error::{Error, ErrorKind};
use crate::log::{ChannelState, MayBeCause, OpenMove};
use crate::policy::Refusal;
use crate::value::Digest;

impl Effects {
    /// The error of a reason.
    pub(super) fn error_of(&self, why: Why) -> Error {
        let channel = &self.channel;
        let cause = || self.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let (kind, message) = match why {
            Why::NotBootstrapped => (
                ErrorKind::ChannelNotBootstrapped,
                format!("{channel} has a tag and no committed move yet: bootstrap it first"),
            ),
            Why::Bootstrapped => {
                (ErrorKind::ChannelBootstrapped, format!("{channel} is bootstrapped already: promote instead"))
            }
            Why::Absent => {
                (ErrorKind::ChannelAbsent, format!("the tag {channel} does not exist, so it cannot be taken as it is"))
            }
            Why::Occupied(observed) => (
                ErrorKind::ChannelOccupied,
                format!("{channel} points at {observed} already: bootstrap it as it is, or from that digest"),
            ),
            Why::NoPrevious => {
                (ErrorKind::RollbackNoTarget, format!("{channel} has no previous live digest to roll back to"))
            }
            Why::NameTarget => (
                ErrorKind::RollbackNoTarget,
                format!("the last move of {channel} was a rollback: name the digest that the next one goes to"),
            ),
            Why::OtherRequest => {
                (ErrorKind::IdempotencyMismatch, format!("the key moved {channel} before, for another request"))
            }
            // The driver knows both moves, and gives a longer message.
            Why::Superseded(seq) => (
                ErrorKind::IdempotencySuperseded,
                format!("the move of this key was committed (seq {seq}) and replaced by a later one"),
            ),
            Why::ChannelChanged => (
                ErrorKind::ChannelChanged,
                format!("another move of {channel} came first; look again and decide anew, or requeue"),
            ),
            Why::Busy => (ErrorKind::ChannelBusy, format!("another move of {channel} is under way{}", self.busy())),
            Why::Unsettled(observed) => (
                ErrorKind::ChannelUnsettled,
                format!(
                    "{channel} was moved a moment ago, and the registry answers {}, which may be an old answer; ask again \
                     later",
                    at(observed)
                ),
            ),
            Why::Drifted(observed) => (ErrorKind::ChannelDrifted, self.drifted(observed)),
            Why::LogMigrated => match &self.migrated {
                Some(migrated) => return migrated.error(channel),
                None => (ErrorKind::LedgerMigrated, format!("the log of {channel} goes on in another ledger")),
            },
            Why::Judged => (ErrorKind::PolicyRefused, format!("the policy refused the move of {channel}")),
            Why::Held => match self.held_now() {
                Some(refusal) => return refusal.into(),
                None => (ErrorKind::PolicyRefused, format!("a hold stopped the move of {channel}; it is over now")),
            },
            Why::NotPinned => {
                (ErrorKind::MoveFailed, format!("{channel}: target and live digest could not be pinned{}", cause()))
            }
            Why::PutRefused => (ErrorKind::MoveFailed, format!("{channel}: the registry refused the put{}", cause())),
            Why::Late => (
                ErrorKind::MoveFailed,
                format!("{channel}: the time to live passed before a put came through{}", cause()),
            ),
            Why::Overwritten(observed) => (
                ErrorKind::ChannelOverwritten,
                format!(
                    "{channel} points at {} after the put: another writer overwrote it. Repair or adopt",
                    self.named(observed)
                ),
            ),
            Why::Abandoned => (
                ErrorKind::MoveFailed,
                format!(
                    "{channel}: the open move was closed without a result; its put may have landed. `tagwarden rollback \
                     {channel}` puts the live digest again"
                ),
            ),
            Why::TakenOver => (ErrorKind::MoveTakenOver, format!("{channel}: another worker took the move over")),
            Why::StillOld(observed) => (
                ErrorKind::MoveIndeterminate,
                format!("{channel}: the registry took the put and still answers {}", at(observed)),
            ),
            Why::Unknown => (ErrorKind::MoveIndeterminate, format!("{channel}: it is not known whether the tag moved")),
        };
        Error::new(kind, message).with_context("channel", channel)
    }

    fn drifted(&self, observed: Option<Digest>) -> String {
        let live = self.state().and_then(|state| state.live).map(|live| format!(", and {live} is live"));
        format!(
            "{} points at {}{}: it was moved around the ledger. Repair puts the live digest back, adopt takes what is there",
            self.channel,
            self.named(observed),
            live.unwrap_or_default()
        )
    }

    /// The value as text; for a may-be value, with the entry that it comes from.
    fn named(&self, observed: Option<Digest>) -> String {
        let state = self.state();
        let may_be = state.as_ref().and_then(|state| state.trail.may_be(observed));
        match may_be.map(|may_be| (may_be.cause, may_be.seq)) {
            Some((MayBeCause::Move, seq)) => {
                format!("{}, the target of the move at seq {seq} that was closed without a result", at(observed))
            }
            Some((MayBeCause::Observation, seq)) => format!("{}, as the observation at seq {seq} saw", at(observed)),
            None => at(observed),
        }
    }

    pub(super) fn indeterminate(&self, seq: Option<u64>, why: Why) -> Error {
        let channel = &self.channel;
        let (kind, what) = match why {
            Why::TakenOver => {
                (ErrorKind::MoveTakenOver, "another worker took the move over and will close it".to_owned())
            }
            Why::StillOld(observed) => {
                (ErrorKind::MoveIndeterminate, format!("the registry took the put and still answers {}", at(observed)))
            }
            _ => (ErrorKind::MoveIndeterminate, "it is not known whether the tag moved or will".to_owned()),
        };
        let advice = match why {
            Why::Held => "a hold stops it: end the hold (unhold), or recover without a put (abort)",
            _ => "recover the channel to bring it to rest; any machine can",
        };
        let cause = self.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        let error = Error::new(kind, format!("{channel}: {what}{cause}; {advice}")).with_context("channel", channel);
        let open = self.state().and_then(|state| state.open.clone()).filter(|open| Some(open.seq) == seq);
        let move_id = open.map_or_else(|| self.worker.move_id.clone(), |open| open.move_id);
        match seq {
            Some(seq) => error.with_context("seq", seq).with_context("move_id", move_id),
            None => error.with_context("move_id", move_id),
        }
    }

    fn busy(&self) -> String {
        match self.state().as_ref().and_then(|state| state.open.as_ref()) {
            Some(open) => format!(": {}", describe(open)),
            None => String::new(),
        }
    }

    /// The refusal of a hold that is in force, as far as the log was read.
    fn held_now(&self) -> Option<Refusal> {
        let hold = self.held(self.state()?.as_ref())?;
        Some(Refusal::held(self.channel.clone(), self.inner.policy.note(), self.inner.clock.now(), &hold))
    }

    /// The state of the log as it was last read; none while another task uses the journal.
    fn state(&self) -> Option<Arc<ChannelState>> {
        self.journal.try_lock().ok().map(|journal| Arc::clone(journal.state()))
    }
}

pub(super) fn at(digest: Option<Digest>) -> String {
    digest.map_or("nothing".to_owned(), |digest| digest.to_string())
}

/// The text of an open move in an error.
pub(super) fn describe(open: &OpenMove) -> String {
    format!("{} to {} (seq {}, move {})", open.op.as_str(), open.target, open.seq, open.move_id)
}
