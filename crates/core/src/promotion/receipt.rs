//! The result of a run: a receipt, or an error that says what to do.

use std::time::Duration;

use serde::Serialize;

use super::driver::Run;
use super::effects::Effects;
use super::machine::{End, Why, back_off};
use super::past::{last_committed, move_at};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{MoveRecord, MoveStatus, Op, PutStatus, RecordedFinding};
use crate::policy::{Finding, NotBlocked};
use crate::value::{Channel, Digest, Timestamp, or_nothing};

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
    /// The id of the hold that stops promotions since this rollback ([`AfterRollback`](super::AfterRollback)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<u64>,
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
    /// The digest that a committed move made live. INTERNAL_FAULT if the move is open.
    fn of(event: &MoveRecord) -> Result<Live> {
        let open = || Error::new(ErrorKind::InternalFault, format!("seq {}: a committed move is open", event.seq));
        let outcome = event.outcome.as_ref().ok_or_else(open)?;
        Ok(Live { digest: event.intent.target.digest, seq: event.seq, at: outcome.at })
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

/// The number of times that an event is read again.
const READ_BACK: u32 = 5;

impl Effects {
    /// The event of the closed move whose intent is at `seq`. The move is over, so a ledger that does not answer is
    /// asked again. MOVE_INDETERMINATE if no try succeeds.
    pub(super) async fn event(&self, seq: u64) -> Result<MoveRecord> {
        let log = self.journal.lock().await.snapshot();
        let mut tries = 0;
        loop {
            match move_at(&log, seq).await {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {
                    return Err(Error::new(ErrorKind::InternalFault, format!("seq {seq}: the move is not in the log")));
                }
                Err(_) if tries < READ_BACK => tokio::time::sleep(Duration::from_millis(back_off(tries))).await,
                Err(error) => {
                    let message =
                        format!("{}: the move at seq {seq} is closed, and cannot be read back: {error}", self.channel);
                    let error = Error::new(ErrorKind::MoveIndeterminate, message).with_source(error);
                    return Err(error.with_context("seq", seq));
                }
            }
            tries += 1;
        }
    }
}

impl Run {
    /// The last committed move of the log. INTERNAL_FAULT if there is none.
    async fn live_event(&self) -> Result<MoveRecord> {
        let log = self.effects.journal.lock().await.snapshot();
        let none = || format!("{}: the log has no committed move", self.effects.channel);
        last_committed(&log).await?.ok_or_else(|| Error::new(ErrorKind::InternalFault, none()))
    }

    /// The receipt of a move's end, or its error.
    pub(super) async fn receipt(&self, end: End) -> Result<Receipt> {
        let effects = &self.effects;
        let (channel, hold, warnings) = (effects.channel.clone(), self.hold, effects.warnings.clone());
        let (result, event) = match end {
            End::Unchanged(digest) => {
                let (op, live) = (self.operation.op(), Live::of(&self.live_event().await?)?);
                let (result, previous_digest) = (MoveResult::Unchanged, Some(digest));
                return Ok(Receipt {
                    channel,
                    op,
                    result,
                    previous_digest,
                    digest,
                    r#move: None,
                    live,
                    hold,
                    warnings,
                });
            }
            End::Replayed(replay) => (MoveResult::Replayed, effects.event(replay.seq).await?),
            End::Committed { seq, .. } => (MoveResult::Committed, effects.event(seq).await?),
            // The result is known even if another worker closed the move meanwhile.
            End::Indeterminate { seq: Some(seq), why: Why::TakenOver } => {
                effects.read_log().await.map_err(|_| self.error(&end))?;
                let event = effects.event(seq).await?;
                match event.status() {
                    MoveStatus::Open => return Err(self.error(&end)),
                    MoveStatus::Committed if event.intent.key == self.ask.key => (MoveResult::Committed, event),
                    _ => {
                        let message =
                            format!("{channel}: another worker took the move over and closed it without effect");
                        let error = Error::new(ErrorKind::MoveFailed, message).with_context("channel", channel);
                        return Err(error.with_context("seq", seq));
                    }
                }
            }
            End::Refused(Why::Superseded(seq)) => return Err(self.superseded(seq).await),
            End::Refused(Why::Drifted(observed)) if self.refusal.is_none() => {
                return Err(self.drifted(observed).await?);
            }
            end => return Err(self.error(&end)),
        };
        let (previous_digest, digest, op) = (event.intent.previous, event.intent.target.digest, event.intent.op);
        let put_none = event.outcome.as_ref().is_some_and(|outcome| outcome.outcome.put == PutStatus::None);
        let (result, live) = match result {
            MoveResult::Replayed => (result, Live::of(&self.live_event().await?)?),
            // A keyed `unchanged` is recorded, and puts nothing.
            _ if put_none && previous_digest == Some(digest) => (MoveResult::Unchanged, Live::of(&event)?),
            // If this call waited for a move to be closed, that move is the last committed one.
            _ => (result, Live::of(&event)?),
        };
        Ok(Receipt { channel, op, result, previous_digest, digest, r#move: Some(event), live, hold, warnings })
    }

    fn error(&self, end: &End) -> Error {
        match (end, &self.refusal) {
            (End::Refused(_), Some(refusal)) => refusal.clone(),
            _ => self.effects.error(end),
        }
    }

    /// CHANNEL_DRIFTED, with the way out where the live digest or the observed one is blocked.
    async fn drifted(&self, observed: Option<Digest>) -> Result<Error> {
        let effects = &self.effects;
        let (inner, channel, error) = (&effects.inner, &effects.channel, effects.error_of(Why::Drifted(observed)));
        for (digest, is_live) in [(effects.state.live, true), (observed, false)] {
            let Some(digest) = digest else { continue };
            let blocks = inner.blocks_of(channel, &digest).await?;
            if blocks.is_empty() {
                continue;
            }
            let (named, instead) = (NotBlocked::why(&blocks, ""), inner.unblocked(channel, None).await?);
            let named = named.trim_end_matches("; ");
            let message = match is_live {
                true => {
                    let at = or_nothing(observed);
                    let out = NotBlocked::way_out(channel, instead);
                    format!(
                        "{channel} points at {at}: it was moved around the ledger. {named}. No repair goes back to it: {out}"
                    )
                }
                false => format!("{error}. {named}: after an adoption, {}", NotBlocked::roll_back(channel, instead)),
            };
            let error = Error::new(ErrorKind::ChannelDrifted, message).with_context("channel", channel);
            return Ok(error.with_context("blocked", digest));
        }
        Ok(error)
    }

    /// IDEMPOTENCY_SUPERSEDED, with the move that replaced this one: its release, its run, its actor and its time.
    async fn superseded(&self, seq: u64) -> Error {
        let effects = &self.effects;
        let (Ok(own), Ok(live)) = (effects.event(seq).await, self.live_event().await) else {
            return effects.error_of(Why::Superseded(seq)).with_context("seq", seq);
        };
        let (channel, target, intent) = (&effects.channel, own.intent.target.digest, &live.intent);
        let release = intent.provenance.release.as_ref().map(|release| format!("{release}, ")).unwrap_or_default();
        let closed = live.outcome.as_ref().map_or(live.at, |outcome| outcome.at);
        // A way back to what a rollback left is not offered: a person decided against it.
        let way = match intent.op {
            Op::Rollback => "a rollback replaced it, so promote a newer release".to_owned(),
            _ => format!("to go back: tagwarden rollback {channel} --to {target}"),
        };
        let message = format!(
            "your move of {channel} to {target} was committed (seq {seq}) and replaced by {} (seq {}: {release}run {}, {}, at \
             {closed}); a retry needs nothing more; {way}",
            intent.target.digest, live.seq, intent.provenance.pipeline.run_id, intent.provenance.actor.id,
        );
        Error::new(ErrorKind::IdempotencySuperseded, message)
            .with_context("channel", channel)
            .with_context("seq", seq)
            .with_context("live", intent.target.digest)
            .with_context("live_seq", live.seq)
            .with_context("live_at", closed)
    }
}
