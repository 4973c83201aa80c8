//! `recover`: closes a move that a dead worker left open.

use std::time::Duration;

use serde::Serialize;

use super::effects::{Author, Effects};
use super::machine::{Clearing, End, Next, Part, Why};
use super::plan::detached;
use super::promoter::Promoter;
use crate::error::Result;
use crate::log::{MoveRecord, MoveStatus, TakeoverOp};
use crate::policy::Finding;
use crate::value::{Channel, Provenance};

/// The way in which a recovery closes an open move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecoveryMode {
    /// With a put, if the move has not landed and no hold is in force.
    #[default]
    RollForward,
    /// Without a put.
    Abort,
}

/// The result of a recovery.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum RecoveryResult {
    /// No move was open.
    Nothing,
    /// The open move is closed; `event` has its outcome.
    Closed {
        /// The move.
        event: Box<MoveRecord>,
        /// Problems that did not stop the recovery, such as a pin that could not be written (PIN_MISSING).
        #[serde(skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<Finding>,
    },
}

impl Promoter {
    /// Closes the open move, if there is one: waits until the move may be taken over, then completes it
    /// (`RecoveryMode::RollForward`), or aborts it if it has not landed (`RecoveryMode::Abort`). It closes the move
    /// that it saw first and no other.
    ///
    /// `provenance` is recorded in the takeover. `timeout` is the longest wait for the worker that holds the move.
    pub async fn recover(
        &self,
        channel: &Channel,
        mode: RecoveryMode,
        provenance: Provenance,
        timeout: Duration,
    ) -> Result<RecoveryResult> {
        let (part, takeover) = match mode {
            RecoveryMode::RollForward => (Part::Forward, TakeoverOp::Recover),
            RecoveryMode::Abort => (Part::Abandon { at_once: false }, TakeoverOp::Abort),
        };
        let author = Author { provenance, takeover, ask: None };
        let mut effects = Effects::new(&self.inner.for_moves(), channel, timeout, author)?;
        let (mut clearing, first) = Clearing::start(part, effects.worker.clone(), effects.inner.now());
        detached(|caller| async move {
            let mut next = Next::Do(first);
            // Once a takeover may be in the log, it goes on even if the caller is gone.
            let end = loop {
                match next {
                    Next::Do(effect) => {
                        effects.check_caller(&effect, &caller)?;
                        let performed = effects.perform(effect).await;
                        let (input, now) = effects.input(performed);
                        next = clearing.next(input, now);
                    }
                    Next::End(end) => break end,
                }
            };
            let seq = match end {
                End::Nothing => return Ok(RecoveryResult::Nothing),
                End::Gone(seq) | End::Committed { seq, .. } | End::Closed { seq, .. } => seq,
                End::Indeterminate { seq: Some(seq), why: Why::TakenOver } => {
                    effects.read_log().await.map_err(|_| effects.error(&end))?;
                    seq
                }
                _ => return Err(effects.error(&end)),
            };
            let event = effects.event(seq).await?;
            match event.status() {
                MoveStatus::Open => Err(effects.error(&end)),
                _ => Ok(RecoveryResult::Closed { event: Box::new(event), warnings: effects.warnings }),
            }
        })
        .await
    }
}
