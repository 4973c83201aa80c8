//! `plan` reads, `approve` permits, `execute` writes: what was not approved cannot be executed.

use std::fmt;
use std::sync::{Arc, Weak};

use serde::Serialize;
use uuid::Uuid;

use super::driver::{Asked, Doing, Run};
use super::effects::{Author, Effects};
use super::facts::Gathered;
use super::machine::{Effect, Input, Moving, OnConflict};
use super::receipt::Receipt;
use super::request::{Operation, Terms};
use super::{Inner, Promoter};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::judge::{Finding, Refusal};
use crate::record::{Op, OpenMove, Source};
use crate::registry::Manifest;
use crate::value::{Channel, Digest, IdempotencyKey};

/// A plan that is older than this is made again before it is executed, and must come out the same.
const FRESH_MS: u64 = 5_000;

/// A move that was thought through, and what the policy says of it. Nothing was written.
#[derive(Debug)]
pub struct Plan {
    run: Box<Run>,
    what: What,
    planned_ms: u64,
}

#[derive(Debug)]
enum What {
    /// There is nothing to do: the channel is there already, or the key has moved it.
    Settled(Receipt),
    Move(Gathered),
    /// A dead worker's move is open: executing closes it first, then judges.
    DeadMove(DeadMove),
}

/// A move whose worker did not close it within its times. A plan leaves it as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DeadMove {
    /// Where its intent stands.
    pub seq: u64,
    /// What it does.
    pub op: Op,
    /// The digest that it points the channel at.
    pub target: Digest,
    /// What executing the plan would do with it.
    pub closing: Closing,
}

/// What becomes of a dead worker's move when a plan is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// It has the key of this request: it is completed, with a put if it has not landed.
    Complete,
    /// It is committed if it has landed, and closed without a put otherwise.
    CommitOrAbort,
}

impl fmt::Display for DeadMove {
    /// `a dead move is open: promote to sha256:… (seq 7); executing would complete it`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeadMove { seq, op, target, closing } = self;
        let closing = match closing {
            Closing::Complete => "complete it",
            Closing::CommitOrAbort => "commit it if it has landed, and abort it otherwise",
        };
        write!(f, "a dead move is open: {} to {target} (seq {seq}); executing would {closing}", op.as_str())
    }
}

/// Looking never acts: a run that looks stops before whatever it would write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Look,
    Act,
}

/// A plan that the policy permits. [`Promoter::execute`] takes nothing else.
#[derive(Debug)]
pub struct Approved(Plan);

impl Plan {
    /// The live digest now, and the one that would be live; none if there is nothing to do.
    pub fn change(&self) -> Option<(Option<Digest>, Digest)> {
        match &self.what {
            What::Settled(_) | What::DeadMove(_) => None,
            What::Move(gathered) => Some((gathered.change.previous, gathered.change.target)),
        }
    }

    /// What each guardrail says; empty if there is nothing to do.
    pub fn findings(&self) -> &[Finding] {
        match &self.what {
            What::Settled(_) | What::DeadMove(_) => &[],
            What::Move(gathered) => &gathered.judgement.findings,
        }
    }

    /// The receipt, if there is nothing to do.
    pub fn settled(&self) -> Option<&Receipt> {
        match &self.what {
            What::Settled(receipt) => Some(receipt),
            What::Move(_) | What::DeadMove(_) => None,
        }
    }

    /// The dead worker's move that executing would close before it judges; none if no such move is open.
    pub fn dead_move(&self) -> Option<&DeadMove> {
        match &self.what {
            What::DeadMove(dead) => Some(dead),
            What::Settled(_) | What::Move(_) => None,
        }
    }

    /// The permission to execute it, or the policy's refusal with every finding.
    pub fn approve(mut self) -> Result<Approved, Refusal> {
        if let What::Move(gathered) = &self.what {
            let decision = gathered.judgement.clone().decide()?;
            self.run.decision = Some(decision);
            self.run.upstream.clone_from(&gathered.upstream);
        }
        Ok(Approved(self))
    }
}

impl Promoter {
    pub(super) async fn plan_for(
        &self,
        purpose: Purpose,
        channel: &Channel,
        operation: Operation,
        terms: Terms,
    ) -> Result<Plan> {
        operation.check(channel, &terms)?;
        let request = operation.request(channel, &terms)?;
        let key = match &terms.idempotency_key {
            Some(key) => key.clone(),
            None => IdempotencyKey::try_from(format!("auto-{}", Uuid::now_v7()))?,
        };
        let mut run = Run::of(&self.inner, channel, Asked { operation, terms, key, request }).await?;
        detached(|caller| async move {
            let what = loop {
                match run.doing.clone() {
                    Doing::Effect(Effect::Judge { read, lagging, change }) => {
                        break What::Move(run.judge(read, lagging, change).await?);
                    }
                    Doing::End(end) => break What::Settled(run.receipt(end).await?),
                    Doing::Effect(Effect::Takeover { open, .. }) if purpose == Purpose::Look => {
                        break What::DeadMove(run.dead_move(&open));
                    }
                    Doing::Effect(Effect::Observe { observed, .. }) if purpose == Purpose::Look => {
                        // Drift is drift, recorded or not.
                        let input = match run.is_behind(observed).await {
                            true => run.tell_behind(observed),
                            false => Input::Broken(Retry::Later),
                        };
                        run.tell(input);
                    }
                    Doing::Effect(_) => run.step(&caller).await?,
                }
            };
            let planned_ms = run.effects.now();
            Ok(Plan { run: Box::new(run), what, planned_ms })
        })
        .await
    }

    /// Executes an approved plan. CHANNEL_CHANGED if the channel has moved since, unless the terms say to requeue.
    ///
    /// From the intent on it runs in a task of its own: if this future is dropped, the move is brought to its end (or
    /// to its deadline) all the same.
    pub async fn execute(&self, approved: Approved) -> Result<Receipt> {
        let plan = approved.0;
        let (mut run, gathered) = match plan.what {
            What::Settled(receipt) => return Ok(receipt),
            What::Move(gathered) => (plan.run, gathered),
            // What follows the dead move is judged when that is closed.
            What::DeadMove(_) => {
                let Run { effects, asked: Asked { operation, terms, .. }, .. } = *plan.run;
                return Box::pin(self.run(&effects.channel, operation, terms)).await;
            }
        };
        if run.effects.now().saturating_sub(plan.planned_ms) > FRESH_MS {
            let Asked { operation, terms, .. } = run.asked.clone();
            let queues = terms.on_conflict == OnConflict::Requeue;
            let again = self.plan_for(Purpose::Act, &run.effects.channel, operation, terms).await?;
            match again.what {
                What::Settled(receipt) => return Ok(receipt),
                What::Move(now) if now.change == gathered.change || queues => {
                    run = again.run;
                    run.upstream = now.upstream;
                    run.decision = Some(now.judgement.decide()?);
                }
                What::Move(_) | What::DeadMove(_) => {
                    let channel = &run.effects.channel;
                    let message = format!("{channel} has changed since the move was planned");
                    return Err(Error::new(ErrorKind::ChannelChanged, message).with("channel", channel));
                }
            }
        }
        let Some(policy) = run.decision.as_ref().map(|decision| decision.policy.digest) else {
            return Err(Error::new(ErrorKind::InternalFault, "a plan was approved without a decision"));
        };
        run.tell(Input::Approved(policy));
        detached(|caller| async move {
            let end = run.drive(&caller).await?;
            run.receipt(end).await
        })
        .await
    }
}

/// Runs in a task of its own, which sees when its caller is gone (*caller-may-leave*): it stops then, unless a move may be
/// open because of it.
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
        Error::new(ErrorKind::MoveIndeterminate, message).because(e)
    })?
}

impl Run {
    /// A run of a request, with what it needs first read at the same time: the log, the tag, the target and the pins.
    async fn of(inner: &Arc<Inner>, channel: &Channel, asked: Asked) -> Result<Run> {
        let op = asked.operation.op();
        let author = Author {
            provenance: asked.terms.provenance.clone(),
            takeover: op.into(),
            op: Some(op),
            key: Some((asked.key.clone(), asked.terms.idempotency_key.is_some())),
        };
        let effects = Effects::new(inner, channel, asked.terms.timeout, author)?;
        let (moving, effect) = Moving::start(asked.ask(None), effects.worker.clone(), effects.now());
        let mut run = Run {
            effects,
            asked,
            moving,
            doing: Doing::Effect(effect),
            ahead: None,
            decision: None,
            upstream: Vec::new(),
            warnings: Vec::new(),
            label: None,
            refusal: None,
            behind: None,
        };
        let target = run.read_ahead().await?;
        let (moving, effect) = Moving::start(run.asked.ask(target), run.effects.worker.clone(), run.effects.now());
        (run.moving, run.doing) = (moving, Doing::Effect(effect));
        Ok(run)
    }

    fn dead_move(&self, open: &OpenMove) -> DeadMove {
        let same = self.asked.key == open.key && self.asked.request == open.request;
        let closing = if same { Closing::Complete } else { Closing::CommitOrAbort };
        DeadMove { seq: open.seq, op: open.op, target: open.target, closing }
    }

    /// Reads log, tag, target and pins at the same time; the target's digest, if one was named.
    async fn read_ahead(&mut self) -> Result<Option<Digest>> {
        let channel = self.effects.channel.clone();
        let named = match &self.asked.operation {
            Operation::Rollback(Some(target)) => Some(self.rollback_digest(&target.clone()).await?),
            _ => None,
        };
        let source = match &self.asked.operation {
            Operation::Promote(source) => Some(source.clone()),
            Operation::Bootstrap(first) => first.source.clone(),
            Operation::Rollback(_) => named.map(|digest| Source::Reference(channel.repository().digest(digest))),
            Operation::Repair | Operation::Adopt => None,
        };
        let effects = &self.effects;
        let log = async {
            let log = effects.read_log().await?;
            // What an unnamed rollback goes back to, if no move is open.
            let previous = match self.asked.operation {
                Operation::Rollback(None) => log.state.previous,
                _ => None,
            };
            let (live, previous) = tokio::join!(self.pin_of(log.state.live), self.pin_of(previous));
            Ok::<_, Error>((log, [live, previous]))
        };
        let (log, read, target) = tokio::join!(log, effects.read_tag_now(), self.find(source.as_ref()));
        let (log, pins) = log?;
        self.effects.pinned.extend(pins.into_iter().flatten());
        let replayed = log.replay.is_some();
        self.ahead = Some((log, read));
        if replayed {
            // The key has moved the channel: the target may be gone since.
            return Ok(None);
        }
        let (target, target_pin) = target?;
        self.effects.pinned.extend(target_pin);
        match (source, target) {
            (None, _) => Ok(None),
            (Some(_), Some(manifest)) => {
                let digest = manifest.digest();
                self.effects.manifests.insert(digest, manifest);
                Ok(Some(digest))
            }
            // A rollback names what was live: it is judged like any other, and found to be gone.
            (Some(source), None) => Err(self.judge_absent(&source).await?),
        }
    }

    /// A source's manifest, and its digest if its pin is there. The digest of what is live on a channel is in the log,
    /// so that manifest and pin are asked for at the same time.
    async fn find(&self, source: Option<&Source>) -> Result<(Option<Manifest>, Option<Digest>)> {
        let (reference, digest) = match source {
            None => return Ok((None, None)),
            Some(Source::Reference(reference)) => match reference.target() {
                crate::value::Target::Digest(digest) => (reference.clone(), Some(*digest)),
                crate::value::Target::Tag(_) => {
                    let pin = async { self.pin_of(self.guess().await).await };
                    let (manifest, pin) = tokio::join!(self.effects.inner.registry.fetch(reference), pin);
                    return Ok((manifest?, pin));
                }
            },
            Some(Source::Channel(channel)) => {
                let state = self.effects.inner.journal(channel).lock().await.refresh().await?;
                if let Some(migrated) = &state.migrated {
                    // What is live there now stands in the other ledger.
                    return Err(migrated.error(channel));
                }
                let live = state.live.ok_or_else(|| {
                    let message = format!("{channel} has no live digest yet: bootstrap it first");
                    Error::new(ErrorKind::ChannelNotBootstrapped, message).with("channel", channel)
                })?;
                (channel.repository().digest(live), Some(live))
            }
        };
        let (manifest, pin) = tokio::join!(self.effects.inner.registry.fetch(&reference), self.pin_of(digest));
        Ok((manifest?, pin))
    }
}
