//! `recover`: closes a move that a dead worker left open.

use std::sync::Weak;
use std::time::Duration;

use serde::Serialize;

use super::effects::{Author, Effects};
use super::machine::{Cleared, Clearing, Effect, Next, Part, Why};
use super::plan::detached;
use super::promoter::Promoter;
use crate::error::{Error, ErrorKind, Result};
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
        let author = Author { provenance, takeover, op: None, key: None };
        let effects = Effects::new(&self.inner, channel, timeout, author)?;
        let (clearing, effect) = Clearing::start(part, effects.worker.clone(), effects.now());
        let mut recovery = Recovery { effects, clearing };
        detached(|caller| async move {
            let cleared = recovery.drive(effect, &caller).await?;
            recovery.recovered(cleared).await
        })
        .await
    }
}

/// Drives one recovery.
#[derive(Debug)]
struct Recovery {
    effects: Effects,
    clearing: Clearing,
}

impl Recovery {
    /// Performs the machine's effects until the end. Once a takeover may be in the log, it goes on even if the caller
    /// is gone.
    async fn drive(&mut self, mut effect: Effect, caller: &Weak<()>) -> Result<Cleared> {
        loop {
            self.effects.check_caller(&effect, caller)?;
            let input = self.effects.perform(effect).await;
            self.effects.note(&input);
            let now = self.effects.now();
            effect = match self.clearing.next(input, now) {
                Next::Do(effect) => effect,
                Next::End(cleared) => return Ok(cleared),
            };
        }
    }

    async fn recovered(&self, cleared: Cleared) -> Result<RecoveryResult> {
        let seq = match cleared {
            Cleared::Nothing => return Ok(RecoveryResult::Nothing),
            Cleared::Gone(seq) | Cleared::Closed { seq, .. } | Cleared::InDoubt(Some(seq), Why::TakenOver) => seq,
            cleared => return Err(self.error(&cleared)),
        };
        match self.effects.event(seq).await? {
            Some(event) if event.status() == MoveStatus::Open => Err(self.error(&cleared)),
            Some(event) => {
                let warnings = self.effects.warnings.clone();
                Ok(RecoveryResult::Closed { event: Box::new(event), warnings })
            }
            None => Err(Error::new(ErrorKind::InternalFault, format!("seq {seq}: the move is not in the log"))),
        }
    }

    fn error(&self, cleared: &Cleared) -> Error {
        let effects = &self.effects;
        match cleared {
            Cleared::Refused(why) => effects.error_of(*why),
            Cleared::InDoubt(seq, why) => effects.indeterminate(*seq, *why),
            _ => effects.last_error(),
        }
    }
}
