//! The result of a run: a receipt, or an error that says what to do.

use std::time::Duration;

use serde::Serialize;

use super::driver::Run;
use super::effects::Effects;
use super::machine::{End, Why};
use super::past::last_committed;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{MoveRecord, MoveStatus, Op, PutStatus, RecordedFinding, Status, events};
use crate::policy::Finding;
use crate::value::{Channel, Digest, Timestamp};

/// The result of a move.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The channel.
    pub channel: Channel,
    /// The operation of `move`; the requested operation if there was nothing to move.
    pub op: Op,
    /// The result: committed, unchanged or replayed.
    pub result: MoveResult,
    /// The live digest before the move; absent before the first move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_digest: Option<Digest>,
    /// The digest that the move made live; the live digest if there was nothing to move.
    pub digest: Digest,
    /// The move that this call made, or the earlier move with the same key; absent if there was nothing to move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#move: Option<MoveRecord>,
    /// The live digest now. After a replay, a later move may have set it.
    pub live: Live,
    /// Problems that did not stop the move, such as a pin that could not be written after the move had landed
    /// (PIN_MISSING).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Finding>,
}

/// The live digest of a channel, and the move that set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Live {
    /// The digest.
    pub digest: Digest,
    /// The position of the last committed move's intent in the log.
    pub seq: u64,
    /// The time at which that move was closed.
    pub at: Timestamp,
}

impl Receipt {
    /// The findings that are recorded with the move; empty if there is no move.
    pub fn findings(&self) -> &[RecordedFinding] {
        self.r#move.as_ref().map_or(&[], |event| &event.intent.decision.findings)
    }
}

impl Live {
    /// The digest that a committed move made live; none if the move is open.
    fn of(event: &MoveRecord) -> Option<Live> {
        let outcome = event.outcome.as_ref()?;
        Some(Live { digest: event.intent.target.digest, seq: event.seq, at: outcome.at })
    }
}

/// The kind of a move's success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MoveResult {
    /// The channel points at the target, and the move is recorded.
    Committed,
    /// The channel pointed at the target already; nothing was put. If the caller gave a key, `move` records it.
    Unchanged,
    /// A committed move has the same key; `move` is that move.
    Replayed,
}

/// True if a committed move put nothing because the channel pointed at its target already.
fn found(event: &MoveRecord) -> bool {
    let put_none = event.outcome.as_ref().is_some_and(|outcome| outcome.outcome.put == PutStatus::None);
    put_none && event.intent.previous == Some(event.intent.target.digest)
}

/// The waits before an event is read again, in milliseconds.
const READ_BACK_MS: [u64; 5] = [100, 200, 400, 800, 1600];

impl Effects {
    /// The event of the closed move whose intent is at `seq`. The move is over, so a ledger that does not answer is
    /// asked again. MOVE_INDETERMINATE if no try succeeds.
    pub(super) async fn event(&self, seq: u64) -> Result<Option<MoveRecord>> {
        let mut tries = READ_BACK_MS.into_iter();
        loop {
            match (self.read_event(seq).await, tries.next()) {
                (Ok(event), _) => return Ok(event),
                (Err(_), Some(wait_ms)) => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
                (Err(error), None) => {
                    let message =
                        format!("{}: the move at seq {seq} is closed, and cannot be read back: {error}", self.channel);
                    return Err(Error::new(ErrorKind::MoveIndeterminate, message)
                        .with_context("seq", seq)
                        .with_source(error));
                }
            }
        }
    }

    async fn read_event(&self, seq: u64) -> Result<Option<MoveRecord>> {
        let journal = self.journal.lock().await;
        let mut limit = 64;
        loop {
            let entries = journal.read(seq, limit).await?;
            let event = events(&entries).events.into_iter().next();
            // More than `limit` entries may stand between the intent and its outcome.
            if entries.len() < limit || event.as_ref().is_some_and(|event| event.outcome.is_some()) {
                return Ok(event);
            }
            limit *= 4;
        }
    }

    /// The last error of the registry or the ledger.
    pub(super) fn last_error(&self) -> Error {
        match &self.error {
            Some(error) => error.clone().with_context("channel", &self.channel),
            None => Error::new(ErrorKind::InternalFault, "the run ended without a reason"),
        }
    }
}

impl Run {
    /// The live digest, as the log says.
    async fn live(&self) -> Result<Live> {
        let event = self.live_event().await?;
        event.as_ref().and_then(Live::of).ok_or_else(|| {
            let message = format!("{}: the log has no committed move", self.effects.channel);
            Error::new(ErrorKind::InternalFault, message)
        })
    }

    async fn live_event(&self) -> Result<Option<MoveRecord>> {
        let log = self.effects.journal.lock().await.snapshot();
        last_committed(&log).await
    }

    /// The receipt of a move's end, or its error.
    pub(super) async fn receipt(&self, end: End) -> Result<Receipt> {
        let (asked, channel) = (&self.asked, self.effects.channel.clone());
        let (op, warnings) = (asked.operation.op(), self.effects.warnings.clone());
        let receipt = |result, event: MoveRecord, live| {
            let (previous_digest, digest, op) = (event.intent.previous, event.intent.target.digest, event.intent.op);
            let (channel, warnings) = (channel.clone(), warnings.clone());
            Receipt { channel, op, result, previous_digest, digest, r#move: Some(event), live, warnings }
        };
        // If this call waited for a move to be closed, that move is the last committed one.
        let committed = |event: MoveRecord| match Live::of(&event) {
            // A keyed `unchanged` is recorded, and puts nothing.
            Some(live) if found(&event) => Ok(receipt(MoveResult::Unchanged, event, live)),
            Some(live) => Ok(receipt(MoveResult::Committed, event, live)),
            None => Err(Error::new(ErrorKind::InternalFault, format!("seq {}: a committed move is open", event.seq))),
        };
        match end {
            End::Committed { seq, .. } => match self.effects.event(seq).await? {
                Some(event) => committed(event),
                None => Err(Error::new(ErrorKind::InternalFault, format!("seq {seq}: the move is not in the log"))),
            },
            // The result is known even if another worker closed the move meanwhile.
            End::Indeterminate { seq: Some(seq), why: Why::TakenOver } => match self.effects.event(seq).await? {
                Some(event) if event.status() == MoveStatus::Committed && event.intent.key == asked.key => {
                    committed(event)
                }
                Some(event) if event.status() != MoveStatus::Open => {
                    let message = format!("{channel}: another worker took the move over and closed it without effect");
                    Err(Error::new(ErrorKind::MoveFailed, message)
                        .with_context("channel", &channel)
                        .with_context("seq", seq))
                }
                _ => Err(self.error(&end)),
            },
            End::Unchanged(digest) => {
                let (live, previous_digest) = (self.live().await?, Some(digest));
                let result = MoveResult::Unchanged;
                Ok(Receipt { channel, op, result, previous_digest, digest, r#move: None, live, warnings })
            }
            End::Replayed(replay) => match self.effects.event(replay.seq).await? {
                Some(event) => Ok(receipt(MoveResult::Replayed, event, self.live().await?)),
                None => Err(Error::new(ErrorKind::InternalFault, "a replayed move is not in the log")),
            },
            End::Refused(Why::Superseded(seq)) => Err(self.superseded(seq).await),
            end => Err(self.error(&end)),
        }
    }

    fn error(&self, end: &End) -> Error {
        let effects = &self.effects;
        match end {
            End::Refused(Why::Judged) => match &self.refusal {
                Some(refusal) => refusal.clone().into(),
                None => Error::new(ErrorKind::InternalFault, "refused without a reason"),
            },
            End::Refused(Why::Drifted(observed)) if self.behind == Some(*observed) => self.behind_error(*observed),
            End::Refused(why) => effects.error_of(*why),
            End::Closed { seq, status, why } => {
                let error = effects.error_of(*why).with_context("seq", seq);
                match status {
                    Status::Failed => error.with_context("status", "failed"),
                    _ => error.with_context("status", "aborted"),
                }
            }
            End::Indeterminate { seq, why } => effects.indeterminate(*seq, *why),
            _ => effects.last_error(),
        }
    }

    /// IDEMPOTENCY_SUPERSEDED, with the move that replaced this one: its release, its run, its actor and its time.
    async fn superseded(&self, seq: u64) -> Error {
        let effects = &self.effects;
        let channel = &effects.channel;
        let error = effects.error_of(Why::Superseded(seq)).with_context("seq", seq);
        let (Ok(Some(own)), Ok(Some(live))) = (effects.event(seq).await, self.live_event().await) else { return error };
        let target = own.intent.target.digest;
        let intent = &live.intent;
        let release = intent.provenance.release.as_ref().map(|release| format!("{release}, ")).unwrap_or_default();
        let closed = live.outcome.as_ref().map_or(live.at, |outcome| outcome.at);
        let message = format!(
            "your move of {channel} to {} was committed (seq {}) and replaced by {} (seq {}: {release}run {}, {}, at {closed}); \
             a retry needs nothing more; to go back: tagwarden rollback {channel} --to {}",
            target,
            seq,
            intent.target.digest,
            live.seq,
            intent.provenance.pipeline.run_id,
            intent.provenance.actor.id,
            target
        );
        let kind = ErrorKind::IdempotencySuperseded;
        let error = Error::new(kind, message).with_context("channel", channel).with_context("seq", seq);
        error
            .with_context("live", intent.target.digest)
            .with_context("live_seq", live.seq)
            .with_context("live_at", closed)
    }
}
