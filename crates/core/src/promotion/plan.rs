//! `plan` reads, `approve` permits, `execute` writes. Only an approved plan can be executed.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Instant;

use serde::Serialize;

use super::driver::Run;
use super::inner::Inner;
use super::machine::{Change, Effect, Input, Next, OnConflict, same_basis};
use super::receipt::Receipt;
use super::request::{MoveOptions, Operation};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::log::Op;
use crate::policy::{Finding, PolicyEvaluation, Refusal};
use crate::value::{Channel, Digest};

/// A plan that is older than this, in milliseconds, is made again before it is executed. The new plan must be the same, on the
/// same basis.
const FRESH_MS: u64 = 5_000;

/// A planned move, with the policy's findings. Nothing was written.
#[derive(Debug)]
pub struct Plan {
    run: Box<Run>,
    what: What,
    planned_ms: u64,
}

#[derive(Debug)]
enum What {
    /// There is nothing to do: the channel points at the target already, or a committed move has the same key.
    Settled(Box<Receipt>),
    /// The change that the move makes, and the policy's judgement.
    Move(Change, Box<PolicyEvaluation>),
    /// A dead worker's move is open: executing closes it first, then judges.
    DeadMove(DeadMove),
}

/// A move whose worker did not close it within its times. A plan leaves it as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DeadMove {
    /// The position of its intent in the log.
    pub seq: u64,
    /// Its operation.
    pub op: Op,
    /// The digest that it points the channel at.
    pub target: Digest,
    /// The way in which executing the plan would close it.
    pub closing: DeadMoveEnd,
}

/// The way in which executing a plan closes a dead worker's move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadMoveEnd {
    /// The move has the key of this request: it is completed, with a put if it has not landed.
    Complete,
    /// The move is committed if it has landed, and closed without a put otherwise.
    CommitOrAbort,
}

impl fmt::Display for DeadMove {
    /// `a dead move is open: promote to sha256:… (seq 7); executing would complete it`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeadMove { seq, op, target, closing } = self;
        let closing = match closing {
            DeadMoveEnd::Complete => "complete it",
            DeadMoveEnd::CommitOrAbort => "commit it if it has landed, and abort it otherwise",
        };
        write!(f, "a dead move is open: {} to {target} (seq {seq}); executing would {closing}", op.as_str())
    }
}

/// The purpose of a run. *Looking never acts*: a run that looks stops before it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Look,
    Act,
}

/// A plan that the policy permits. [`Promoter::execute`](super::Promoter::execute) takes nothing else.
#[derive(Debug)]
pub struct ApprovedPlan(Plan);

impl Plan {
    /// The live digest now, and the digest that the move would make live. None if there is nothing to do, or if a dead
    /// worker's move must be closed first.
    pub fn change(&self) -> Option<(Option<Digest>, Digest)> {
        let What::Move(change, _) = &self.what else { return None };
        Some((change.previous, change.target))
    }

    /// The findings of the guardrails. Empty if there is nothing to do, or if a dead worker's move must be closed
    /// first.
    pub fn findings(&self) -> &[Finding] {
        let What::Move(_, judgement) = &self.what else { return &[] };
        &judgement.findings
    }

    /// The receipt, if there is nothing to do.
    pub fn settled(&self) -> Option<&Receipt> {
        let What::Settled(receipt) = &self.what else { return None };
        Some(receipt)
    }

    /// The dead worker's move that executing would close before it judges; none if no such move is open.
    pub fn dead_move(&self) -> Option<&DeadMove> {
        let What::DeadMove(dead) = &self.what else { return None };
        Some(dead)
    }

    /// The permission to execute it, or the policy's refusal with every finding.
    pub fn approve(self) -> Result<ApprovedPlan, Refusal> {
        if let What::Move(_, judgement) = &self.what {
            judgement.clone().decide()?;
        }
        Ok(ApprovedPlan(self))
    }

    /// Plans a move, for `purpose`.
    pub(super) async fn make(
        inner: &Arc<Inner>,
        purpose: Purpose,
        channel: &Channel,
        operation: Operation,
        terms: MoveOptions,
    ) -> Result<Plan> {
        let inner = &match purpose {
            Purpose::Act => inner.for_moves().since(Instant::now()),
            Purpose::Look => inner.since(Instant::now()),
        };
        // The tag is read while the log is looked at for a name: a put that the read shows began before it, and its intent is
        // in that log.
        let is_named = operation.source().is_some() || matches!(operation, Operation::Rollback(Some(_)));
        let reading = is_named.then(|| inner.begin_read(channel));
        let source = match operation.source() {
            Some(release) => Some(inner.source(&channel.into(), release).await?),
            None => None,
        };
        let terms = terms.of_source(source.as_ref());
        operation.check(channel, source.as_ref(), &terms, &inner.policy)?;
        inner.policy.permit_overrides(channel, &terms.overrides, &terms.provenance, inner.clock.now())?;
        let reading = reading.unwrap_or_else(|| inner.begin_read(channel));
        let mut run = Run::of(inner, channel, operation, source, reading, terms).await?;
        detached(|caller| async move {
            let what = loop {
                match run.next.clone() {
                    Next::Do(Effect::Judge { read, lagging, change }) => {
                        break What::Move(change, Box::new(run.judge(read, lagging, change).await?));
                    }
                    Next::End(end) => break What::Settled(Box::new(run.receipt(end).await?)),
                    Next::Do(Effect::Takeover { open, .. }) if purpose == Purpose::Look => {
                        let same_key = run.ask.key == open.key && run.ask.request == open.request;
                        let closing = if same_key { DeadMoveEnd::Complete } else { DeadMoveEnd::CommitOrAbort };
                        break What::DeadMove(DeadMove { seq: open.seq, op: open.op, target: open.target, closing });
                    }
                    Next::Do(Effect::Observe { observed, .. }) if purpose == Purpose::Look => {
                        // The drift is refused even though it is not recorded.
                        let behind = run.refuse_behind(observed).await;
                        run.tell(Ok(behind.unwrap_or(Input::Broken(Retry::Later))));
                    }
                    Next::Do(effect) => run.step(effect, &caller).await?,
                }
            };
            let planned_ms = run.effects.inner.now();
            Ok(Plan { run: Box::new(run), what, planned_ms })
        })
        .await
    }

    /// Plans the move of `run` again, to execute it.
    async fn again(run: &Run) -> Result<Plan> {
        let Run { effects, operation, terms, .. } = run;
        Plan::make(&effects.inner, Purpose::Act, &effects.channel, operation.clone(), terms.clone()).await
    }
}

impl ApprovedPlan {
    /// Executes the plan. A plan that is older than `FRESH_MS` is made again first.
    pub(super) async fn execute(self) -> Result<Receipt> {
        let Plan { mut run, what, planned_ms } = self.0;
        run.effects.inner = run.effects.inner.for_moves();
        let (planned, mut judgement) = match what {
            What::Settled(receipt) => return Ok(*receipt),
            What::Move(change, judgement) => (change, judgement),
            // This plan's own move is judged after the dead move is closed.
            What::DeadMove(_) => return Box::pin(Plan::again(&run).await?.approve()?.execute()).await,
        };
        if run.effects.inner.now().saturating_sub(planned_ms) > FRESH_MS {
            let again = Plan::again(&run).await?;
            let queues = run.terms.on_conflict == OnConflict::Requeue;
            let same_basis = same_basis(&again.run.effects.state, &run.effects.state);
            match again.what {
                What::Settled(receipt) => return Ok(*receipt),
                What::Move(change, anew) if queues || (same_basis && change == planned) => {
                    (run, judgement) = (again.run, anew);
                }
                What::Move(..) | What::DeadMove(_) => {
                    let channel = &run.effects.channel;
                    let message = format!("{channel} has changed since the move was planned");
                    return Err(Error::new(ErrorKind::ChannelChanged, message).with_context("channel", channel));
                }
            }
        }
        let input = run.permit(judgement.decide()?);
        run.tell(Ok(input));
        detached(|caller| async move {
            // Once an intent may be in the log, the run goes on even if the caller is gone.
            loop {
                match run.next.clone() {
                    Next::Do(effect) => run.step(effect, &caller).await?,
                    Next::End(end) => return run.receipt(end).await,
                }
            }
        })
        .await
    }
}

/// Runs `task` in a task of its own, which sees when its caller is gone (*caller-may-leave*). It stops then, unless a
/// move may be open because of it.
pub(super) async fn detached<T, F>(task: impl FnOnce(Weak<()>) -> F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let caller = Arc::new(());
    let ended = tokio::spawn(task(Arc::downgrade(&caller))).await;
    drop(caller);
    ended.map_err(|e| {
        let what = if e.is_panic() { "a panic" } else { "the end of the runtime" };
        let message = format!("{what} cut the run: it is not known whether a move is open; recover the channel");
        Error::new(ErrorKind::MoveIndeterminate, message).with_source(e)
    })?
}
