//! How a run ends: a receipt, or an error that says what to do.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::driver::{Run, Work, describe};
use super::past::last_committed;
use crate::error::{Error, ErrorKind, Result};
use crate::judge::Refusal;
use crate::promotion::machine::{End, Why};
use crate::record::{ChannelState, EventStatus, FindingNote, Op, PromotionEvent, Status, events};
use crate::value::{Channel, Digest, Timestamp};

/// What a move did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The channel.
    pub channel: Channel,
    /// What was asked for.
    pub op: Op,
    /// What came of it.
    pub result: MoveResult,
    /// The live digest before the move; absent before the first move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_digest: Option<Digest>,
    /// The digest that the move made live; the live digest if there was nothing to move.
    pub digest: Digest,
    /// The move that this call made, or the one that its key had made before; absent if there was nothing to move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#move: Option<PromotionEvent>,
    /// What is live now. After a replay that may be what a later move set.
    pub live: Live,
}

/// What is live on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Live {
    /// The digest.
    pub digest: Digest,
    /// Where the intent of the last committed move stands.
    pub seq: u64,
    /// When that move was closed.
    pub at: Timestamp,
}

impl Receipt {
    /// What each guardrail said; empty if nothing was judged.
    pub fn findings(&self) -> &[FindingNote] {
        self.r#move.as_ref().map_or(&[], |event| &event.intent.decision.findings)
    }
}

impl Live {
    /// What a committed move made live; none if it is open.
    fn of(event: &PromotionEvent) -> Option<Live> {
        let outcome = event.outcome.as_ref()?;
        Some(Live { digest: event.intent.target.digest, seq: event.seq, at: outcome.at })
    }
}

/// What came of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MoveResult {
    /// The channel points at the target, and that is recorded.
    Committed,
    /// The channel pointed at the target already; nothing was written.
    Unchanged,
    /// The key moved the channel before; `move` is that move.
    Replayed,
}

/// What a recovery did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum Recovered {
    /// No move was open.
    Nothing,
    /// The open move is closed; `event` says how.
    Closed {
        /// The move.
        event: Box<PromotionEvent>,
    },
}

/// How long to wait before an event is read again.
const READ_BACK_MS: [u64; 5] = [100, 200, 400, 800, 1600];

impl Run {
    /// The event of the move whose intent stands at `seq`, which is closed. The move is over, so a ledger that does not
    /// answer is asked again; MOVE_INDETERMINATE in the end.
    async fn event(&self, seq: u64) -> Result<Option<PromotionEvent>> {
        let mut tries = READ_BACK_MS.into_iter();
        loop {
            match (self.read_event(seq).await, tries.next()) {
                (Ok(event), _) => return Ok(event),
                (Err(_), Some(wait_ms)) => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
                (Err(error), None) => {
                    let message =
                        format!("{}: the move at seq {seq} is closed, and cannot be read back: {error}", self.channel);
                    return Err(Error::new(ErrorKind::MoveIndeterminate, message).with("seq", seq).because(error));
                }
            }
        }
    }

    async fn read_event(&self, seq: u64) -> Result<Option<PromotionEvent>> {
        let journal = self.journal.lock().await;
        let mut limit = 64;
        loop {
            let entries = journal.read(seq, limit).await?;
            let event = events(&entries).events.into_iter().next();
            // Others may have written more than that between the intent and its outcome.
            if entries.len() < limit || event.as_ref().is_some_and(|event| event.outcome.is_some()) {
                return Ok(event);
            }
            limit *= 4;
        }
    }

    /// What is live, as the log says.
    async fn live(&self) -> Result<Live> {
        let log = self.journal.lock().await.snapshot();
        let event = last_committed(&log).await?;
        event.as_ref().and_then(Live::of).ok_or_else(|| {
            let message = format!("{}: the log has no committed move", self.channel);
            Error::new(ErrorKind::InternalFault, message)
        })
    }

    /// The receipt of a move's end, or its error.
    pub(super) async fn receipt(&self, end: End) -> Result<Receipt> {
        let Work::Move(asked) = &self.work else {
            return Err(Error::new(ErrorKind::InternalFault, "a recovery has no receipt"));
        };
        let op = asked.operation.op();
        let channel = self.channel.clone();
        let receipt = |result, event: PromotionEvent, live| {
            let (previous_digest, digest) = (event.intent.previous, event.intent.target.digest);
            Receipt { channel: channel.clone(), op, result, previous_digest, digest, r#move: Some(event), live }
        };
        // What this call waited for to be closed is the last committed move.
        let committed = |event: PromotionEvent| match Live::of(&event) {
            Some(live) => Ok(receipt(MoveResult::Committed, event, live)),
            None => Err(Error::new(ErrorKind::InternalFault, format!("seq {}: a committed move is open", event.seq))),
        };
        match end {
            End::Committed { seq, .. } => match self.event(seq).await? {
                Some(event) => committed(event),
                None => Err(Error::new(ErrorKind::InternalFault, format!("seq {seq}: the move is not in the log"))),
            },
            // What another worker closed meanwhile is known all the same.
            End::Indeterminate { seq: Some(seq), why: Why::TakenOver } => match self.event(seq).await? {
                Some(event) if event.status() == EventStatus::Committed && event.intent.key == asked.key => {
                    committed(event)
                }
                Some(event) if event.status() != EventStatus::Open => {
                    let message = format!("{channel}: another worker took the move over and closed it without effect");
                    Err(Error::new(ErrorKind::MoveFailed, message).with("channel", &channel).with("seq", seq))
                }
                _ => Err(self.error(end)),
            },
            End::Unchanged(digest) => {
                let (live, previous_digest) = (self.live().await?, Some(digest));
                Ok(Receipt { channel, op, result: MoveResult::Unchanged, previous_digest, digest, r#move: None, live })
            }
            End::Replayed(replay) => match self.event(replay.seq).await? {
                Some(event) => Ok(receipt(MoveResult::Replayed, event, self.live().await?)),
                None => Err(Error::new(ErrorKind::InternalFault, "a replayed move is not in the log")),
            },
            end => Err(self.error(end)),
        }
    }

    /// What a recovery did, or its error.
    pub(super) async fn recovered(&self, end: End) -> Result<Recovered> {
        let seq = match end {
            End::Nothing => return Ok(Recovered::Nothing),
            End::Committed { seq, .. } | End::Closed { seq, .. } => seq,
            End::Indeterminate { seq: Some(seq), why: Why::TakenOver } => seq,
            end => return Err(self.error(end)),
        };
        match self.event(seq).await? {
            Some(event) if event.status() == EventStatus::Open => Err(self.error(end)),
            Some(event) => Ok(Recovered::Closed { event: Box::new(event) }),
            None => Err(Error::new(ErrorKind::InternalFault, format!("seq {seq}: the move is not in the log"))),
        }
    }

    fn error(&self, end: End) -> Error {
        match end {
            End::Refused(Why::Judged) => match &self.refusal {
                Some(refusal) => refusal.clone().into(),
                None => Error::new(ErrorKind::InternalFault, "refused without a reason"),
            },
            End::Refused(why) => error_of(why, self, None),
            End::Closed { seq, status, why } => {
                let error = error_of(why, self, Some(seq)).with("seq", seq);
                match status {
                    Status::Failed => error.with("status", "failed"),
                    _ => error.with("status", "aborted"),
                }
            }
            End::Indeterminate { seq, why } => self.indeterminate(seq, why),
            _ => match &self.error {
                Some(error) => error.clone().with("channel", &self.channel),
                None => Error::new(ErrorKind::InternalFault, "the run ended without a reason"),
            },
        }
    }

    fn indeterminate(&self, seq: Option<u64>, why: Why) -> Error {
        let channel = &self.channel;
        let (kind, what) = match why {
            Why::TakenOver => (ErrorKind::MoveTakenOver, "another worker took the move over and will close it"),
            _ => (ErrorKind::MoveIndeterminate, "it is not known whether the tag moved or will"),
        };
        let advice = match why {
            Why::Held => "a hold stops it: end the hold (unhold), or recover without a put (abort)",
            _ => "recover the channel to bring it to rest; any machine can",
        };
        let cause = self.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        let error = Error::new(kind, format!("{channel}: {what}{cause}; {advice}")).with("channel", channel);
        let open = self.state().and_then(|state| state.open.clone()).filter(|open| Some(open.seq) == seq);
        let move_id = open.map_or_else(|| self.worker.move_id.clone(), |open| open.move_id);
        match seq {
            Some(seq) => error.with("seq", seq).with("move_id", move_id),
            None => error.with("move_id", move_id),
        }
    }
}

/// The error of a reason, for a person and for the outcome in the log.
pub(super) fn error_of(why: Why, run: &Run, _seq: Option<u64>) -> Error {
    let channel = &run.channel;
    let at = |digest: Option<Digest>| digest.map_or("nothing".to_owned(), |digest| digest.to_string());
    let cause = || run.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let (kind, message) = match why {
        Why::NotBootstrapped => {
            (ErrorKind::ChannelNotBootstrapped, format!("{channel} has no committed move yet: bootstrap it first"))
        }
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
        Why::ChannelChanged => (
            ErrorKind::ChannelChanged,
            format!("another move of {channel} came first; look again and decide anew, or requeue"),
        ),
        Why::Busy => (ErrorKind::ChannelBusy, format!("another move of {channel} is under way{}", busy(run))),
        Why::Drifted(observed) => (
            ErrorKind::ChannelDrifted,
            format!(
                "{channel} points at {}{}: somebody went around the ledger. Repair puts the live digest back, adopt \
                 takes what is there",
                at(observed),
                run.state().and_then(|s| s.live).map(|live| format!(", and {live} is live")).unwrap_or_default(),
            ),
        ),
        Why::LogMigrated => match &run.migrated {
            Some(migrated) => return migrated.error(channel),
            None => (ErrorKind::LedgerMigrated, format!("the log of {channel} goes on in another ledger")),
        },
        Why::Judged => (ErrorKind::PolicyRefused, format!("the policy refused the move of {channel}")),
        Why::Held => match run.held_now() {
            Some(refusal) => return refusal.into(),
            None => (ErrorKind::PolicyRefused, format!("a hold stopped the move of {channel}; it is over now")),
        },
        Why::NotPinned => {
            (ErrorKind::MoveFailed, format!("{channel}: target and live digest could not be pinned{}", cause()))
        }
        Why::PutRefused => (ErrorKind::MoveFailed, format!("{channel}: the registry refused the put{}", cause())),
        Why::Late => (
            ErrorKind::MoveFailed,
            format!("{channel}: the time to live passed before a put came through; nothing was moved"),
        ),
        Why::Overwritten(observed) => (
            ErrorKind::ChannelOverwritten,
            format!("{channel} points at {} after the put: somebody overwrote it. Repair or adopt", at(observed)),
        ),
        Why::Abandoned => (ErrorKind::MoveFailed, format!("{channel}: the open move had not landed and was given up")),
        Why::TakenOver => (ErrorKind::MoveTakenOver, format!("{channel}: another worker took the move over")),
        Why::Unknown => (ErrorKind::MoveIndeterminate, format!("{channel}: it is not known whether the tag moved")),
    };
    Error::new(kind, message).with("channel", channel)
}

fn busy(run: &Run) -> String {
    match run.state().as_ref().and_then(|state| state.open.as_ref()) {
        Some(open) => format!(": {}", describe(open)),
        None => String::new(),
    }
}

impl Run {
    /// The refusal of a hold that is in force, as far as the log was read.
    fn held_now(&self) -> Option<Refusal> {
        let hold = self.held(self.state()?.as_ref())?;
        Some(Refusal::held(self.channel.clone(), self.inner.policy.note(), self.inner.clock.now(), &hold))
    }

    /// The log as far as it was read, unless somebody is at it.
    fn state(&self) -> Option<Arc<ChannelState>> {
        self.journal.try_lock().ok().map(|journal| Arc::clone(journal.state()))
    }
}
