//! The machine's reasons as errors, for a person and for the outcome in the log.

use super::effects::Effects;
use super::machine::{End, Why};
use crate::error::{Error, ErrorKind};
use crate::log::{ActiveBlock, MayBeCause, OpenMove};
use crate::policy::Refusal;
use crate::value::{Digest, or_nothing};

impl Effects {
    /// The error of an end without success.
    pub(super) fn error(&self, end: &End) -> Error {
        match end {
            End::Refused(why) => self.error_of(*why),
            End::Closed { seq, status, why } => {
                self.error_of(*why).with_context("seq", seq).with_context("status", status.as_str())
            }
            End::Indeterminate { seq, why } => self.indeterminate(*seq, *why),
            _ => match &self.error {
                Some(error) => error.clone().with_context("channel", &self.channel),
                None => Error::new(ErrorKind::InternalFault, "the run ended without a reason"),
            },
        }
    }

    /// The error of a reason.
    pub(super) fn error_of(&self, why: Why) -> Error {
        let channel = &self.channel;
        let words = |error: &Option<Error>| error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let message = match why {
            Why::NotBootstrapped => format!("{channel} has a tag and no committed move yet: bootstrap it first"),
            Why::Bootstrapped => format!("{channel} is bootstrapped already: promote instead"),
            Why::Absent => format!("the tag {channel} does not exist, so it cannot be taken as it is"),
            Why::Occupied(observed) => {
                format!("{channel} points at {observed} already: bootstrap it as it is, or from that digest")
            }
            Why::NoPrevious => format!("{channel} has no previous live digest to roll back to"),
            Why::NameTarget => {
                format!("the last change of {channel} was a rollback: name the digest that the next rollback goes to")
            }
            Why::OtherRequest => format!("the key moved {channel} before, for another request"),
            // The driver knows both moves, and gives a longer message.
            Why::Superseded(seq) => {
                format!("the move of this key was committed (seq {seq}) and replaced by a later one")
            }
            Why::ChannelChanged => {
                format!("another move of {channel} came first; look again and decide anew, or requeue")
            }
            Why::Busy => {
                let open = self.state.open.as_ref().map(|OpenMove { seq, op, move_id, target, .. }| {
                    format!(": {} to {target} (seq {seq}, move {move_id})", op.as_str())
                });
                format!("another move of {channel} is under way{}", open.unwrap_or_default())
            }
            Why::Unsettled(observed) => format!(
                "{channel} was moved a moment ago, and the registry answers {}, which may be an old answer; ask again later",
                or_nothing(observed)
            ),
            Why::Drifted(observed) => {
                let live = self.state.live.map(|live| format!(", and {live} is live")).unwrap_or_default();
                let observed = self.named(observed);
                format!(
                    "{channel} points at {observed}{live}: it was moved around the ledger. Repair puts the live digest back, \
                     adopt takes what is there"
                )
            }
            Why::LogMigrated => match &self.state.migrated {
                Some(migrated) => return migrated.error(channel),
                None => format!("the log of {channel} goes on in another ledger"),
            },
            Why::Judged => format!("the policy refused the move of {channel}"),
            Why::Held => match self.held(&self.state) {
                Some(hold) => {
                    let (policy, now) = (self.inner.policy.note(), self.inner.clock.now());
                    return Refusal::held(channel.clone(), policy, now, &hold).into();
                }
                None => format!("a hold stopped the move of {channel}; it is over now"),
            },
            Why::Blocked => match self.block() {
                Some(block) => {
                    let (policy, now) = (self.inner.policy.note(), self.inner.clock.now());
                    return Refusal::blocked(channel.clone(), policy, now, block).into();
                }
                None => format!("a block stopped the move of {channel}; it is over now"),
            },
            Why::NotPinned => {
                format!("{channel}: target and live digest could not be pinned{}", words(&self.put_error))
            }
            Why::PutRefused => format!("{channel}: the registry refused the put{}", words(&self.put_error)),
            Why::Late => format!(
                "{channel}: the time to live passed before a put came through{}. `tagwarden audit {channel}` shows where \
                 the tag points",
                words(&self.error)
            ),
            Why::Overwritten(observed) => format!(
                "{channel} points at {} after the put: another writer overwrote it. Repair or adopt",
                self.named(observed)
            ),
            Why::Abandoned => format!(
                "{channel}: the open move was closed without a result; its put may have landed. `tagwarden repair {channel}` \
                 puts the live digest again"
            ),
            Why::TakenOver => format!("{channel}: another worker took the move over and will close it"),
            Why::StillOld(observed) => {
                format!("{channel}: the registry took the put and still answers {}", or_nothing(observed))
            }
            Why::Unknown => format!("{channel}: it is not known whether the tag moved or will"),
        };
        Error::new(self.kind_of(why), message).with_context("channel", channel)
    }

    /// The kind of a reason's error. A login or a certificate that cannot be used is a mistake of the configuration, even
    /// if it is found at the first request that needs it: a put, where reads are public.
    fn kind_of(&self, why: Why) -> ErrorKind {
        match (why, &self.put_error) {
            (Why::NotPinned | Why::PutRefused, Some(error)) if error.kind() == ErrorKind::ConfigInvalid => error.kind(),
            _ => why.kind(),
        }
    }

    /// The block of the open move's target, or of the target of the move that was closed last.
    fn block(&self) -> Option<&ActiveBlock> {
        let open = self.state.open.as_ref().map(|open| open.target);
        let target = open.or_else(|| self.state.closed.as_ref().map(|closed| closed.target))?;
        self.state.block_of(&target)
    }

    /// The value as text; for a may-be value, with the entry that it comes from.
    fn named(&self, observed: Option<Digest>) -> String {
        match self.state.trail.may_be(observed).map(|may_be| (may_be.cause, may_be.seq)) {
            Some((MayBeCause::Move, seq)) => {
                format!(
                    "{}, the target of the move at seq {seq} that was closed without a result",
                    or_nothing(observed)
                )
            }
            Some((MayBeCause::Observation, seq)) => {
                format!("{}, as the observation at seq {seq} saw", or_nothing(observed))
            }
            None => or_nothing(observed),
        }
    }

    fn indeterminate(&self, seq: Option<u64>, why: Why) -> Error {
        let known = match why {
            Why::TakenOver | Why::StillOld(_) => why,
            _ => Why::Unknown,
        };
        let advice = match why {
            Why::Held => "a hold stops it: end the hold (unhold), or recover without a put (abort)",
            Why::Blocked => "its target is blocked: recover without a put (abort), or end the block (unblock)",
            _ => "recover the channel to bring it to rest; any machine can",
        };
        let what = self.not_recorded(seq).filter(|_| why == Why::Unknown).unwrap_or_else(|| {
            let cause = self.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
            format!("{}{cause}", self.error_of(known).message())
        });
        let message = format!("{what}; {advice}");
        let error = Error::new(known.kind(), message).with_context("channel", &self.channel);
        let open = self.state.open.as_ref().filter(|open| Some(open.seq) == seq);
        let move_id = open.map_or(&self.worker.move_id, |open| &open.move_id);
        match seq {
            Some(seq) => error.with_context("seq", seq).with_context("move_id", move_id),
            None => error.with_context("move_id", move_id),
        }
    }

    /// If the ledger failed last: what became of the move until then, and the ledger's words. None if a put was sent and
    /// its result is not known.
    fn not_recorded(&self, seq: Option<u64>) -> Option<String> {
        let channel = &self.channel;
        let error = self.error.as_ref().filter(|error| error.code().starts_with("LEDGER_"))?;
        let target = self.state.open.as_ref().map(|open| open.target);
        Some(match (self.closing, seq) {
            (Some(None), _) => {
                let target = or_nothing(target);
                format!("{channel} points at {target}, the target, but the ledger did not take the outcome: {error}")
            }
            (Some(Some(why)), _) => {
                format!("{}; and the ledger did not take the outcome: {error}", self.error_of(why).message())
            }
            // The worker before this one may have sent a put.
            _ if self.has_put || self.state.open.as_ref().is_some_and(|open| open.epoch > 0) => return None,
            (None, Some(_)) => {
                format!("{channel}: the ledger failed after it took the intent, so no put was sent: {error}")
            }
            (None, None) => {
                format!("{channel}: it is not known whether the ledger took the intent, and no put was sent: {error}")
            }
        })
    }
}
