//! `plan` reads, `approve` permits, `execute` writes: what was not approved cannot be executed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use super::driver::{Asked, Began, Recovery, Run, Work};
use super::facts::Gathered;
use super::receipt::{Receipt, Recovered};
use super::request::{Operation, Terms};
use super::{Inner, Promoter};
use crate::error::{Error, ErrorKind, Result};
use crate::judge::{Finding, Refusal};
use crate::promotion::machine::{Action, End, Goal, Heard, LogRead, Mover, OnConflict, Worker};
use crate::record::{Op, OpenMove, Source};
use crate::registry::{Manifest, pin_tag};
use crate::value::{Channel, Digest, IdempotencyKey, Provenance, Text};

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
enum Purpose {
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
    /// Finds out what a move would do and what the policy says of it. It reads, and waits for another's open move as the
    /// terms say. Looking never acts: it puts nothing, writes nothing, and leaves a dead worker's move open
    /// ([`Plan::dead_move`]).
    pub async fn plan(&self, channel: &Channel, operation: Operation, terms: Terms) -> Result<Plan> {
        self.plan_for(Purpose::Look, channel, operation, terms).await
    }

    /// Plans, approves and executes in one call.
    pub async fn run(&self, channel: &Channel, operation: Operation, terms: Terms) -> Result<Receipt> {
        let plan = self.plan_for(Purpose::Act, channel, operation, terms).await?;
        self.execute(plan.approve()?).await
    }

    async fn plan_for(&self, purpose: Purpose, channel: &Channel, operation: Operation, terms: Terms) -> Result<Plan> {
        operation.check(channel, &terms)?;
        let request = operation.request(channel, &terms)?;
        let key = match &terms.idempotency_key {
            Some(key) => key.clone(),
            None => IdempotencyKey::try_from(format!("auto-{}", Uuid::now_v7()))?,
        };
        let work = Work::Move(Box::new(Asked { operation, terms, key, request }));
        let mut run = self.inner.begin(channel, work).await?;
        detached(|caller| async move {
            let what = loop {
                match run.action.clone() {
                    Action::Judge { observed, change, .. } => break What::Move(run.judge(observed, change).await?),
                    Action::Done(end) => break What::Settled(run.receipt(end).await?),
                    Action::Takeover { open, .. } if purpose == Purpose::Look => {
                        break What::DeadMove(run.dead_move(&open));
                    }
                    // The drift is said all the same.
                    Action::Observe { .. } if purpose == Purpose::Look => run.hear(Heard::Broken),
                    _ => run.step(&caller).await?,
                }
            };
            let planned_ms = run.now();
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
                let Work::Move(asked) = plan.run.work else { return Err(not_planned()) };
                return Box::pin(self.run(&plan.run.channel, asked.operation, asked.terms)).await;
            }
        };
        if run.now().saturating_sub(plan.planned_ms) > FRESH_MS {
            let Work::Move(asked) = run.work.clone() else { return Err(not_planned()) };
            let Asked { operation, terms, .. } = *asked;
            let queues = terms.on_conflict == OnConflict::Requeue;
            let again = self.plan_for(Purpose::Act, &run.channel, operation, terms).await?;
            match again.what {
                What::Settled(receipt) => return Ok(receipt),
                What::Move(now) if now.change == gathered.change || queues => {
                    run = again.run;
                    run.upstream = now.upstream;
                    run.decision = Some(now.judgement.decide()?);
                }
                What::Move(_) | What::DeadMove(_) => {
                    let message = format!("{} has changed since the move was planned", run.channel);
                    return Err(Error::new(ErrorKind::ChannelChanged, message).with("channel", &run.channel));
                }
            }
        }
        let Some(policy) = run.decision.as_ref().map(|decision| decision.policy.digest) else {
            return Err(Error::new(ErrorKind::InternalFault, "a plan was approved without a decision"));
        };
        run.hear(Heard::Approved(policy));
        detached(|caller| async move {
            let end = run.drive(&caller).await?;
            let receipt = run.receipt(end.clone()).await;
            if let End::Committed { seq, .. } = end
                && let Ok(receipt) = &receipt
            {
                let to = receipt.digest;
                // A look that fails finds nothing; the next audit looks again.
                tokio::spawn(async move { drop(run.look_back(seq, to).await) });
            }
            receipt
        })
        .await
    }

    /// Closes the move that is open, if one is: waits until it may be taken over, and brings it about (`RecoveryMode::RollForward`)
    /// or gives it up if it has not landed (`RecoveryMode::Abort`).
    ///
    /// `provenance` says who asks; it is recorded in the takeover. `timeout` is how long to wait for the worker that holds
    /// the move.
    pub async fn recover(
        &self,
        channel: &Channel,
        mode: RecoveryMode,
        provenance: Provenance,
        timeout: Duration,
    ) -> Result<Recovered> {
        let work = Work::Recover(Box::new(Recovery { mode, provenance, timeout }));
        let mut run = self.inner.begin(channel, work).await?;
        detached(|caller| async move {
            let end = run.drive(&caller).await?;
            run.recovered(end).await
        })
        .await
    }
}

/// RecoveryMode an open move is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecoveryMode {
    /// With a put, if it has not landed and no hold stands.
    #[default]
    RollForward,
    /// Without a put.
    Abort,
}

/// Runs in a task of its own, which can see when whoever waits for it is gone (I9): it stops then, unless a move may be
/// open because of it.
async fn detached<T, F>(task: impl FnOnce(Weak<()>) -> F) -> Result<T>
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

impl Inner {
    /// A run, with what it needs first read at the same time: the log, the tag, the target and the pins.
    async fn begin(self: &Arc<Self>, channel: &Channel, work: Work) -> Result<Run> {
        let timeout = match &work {
            Work::Move(asked) => asked.terms.timeout,
            Work::Recover(recovery) => recovery.timeout,
        };
        let worker = Worker {
            owner: owner()?,
            move_id: Text::try_from(Uuid::now_v7().to_string())?,
            deadlines: self.times.deadlines,
            put_ms: u64::try_from(self.times.put.as_millis()).unwrap_or(u64::MAX),
            patience_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        };
        let (mover, action) = Mover::start(Goal::Abandon, worker.clone(), 0);
        let mut run = Run {
            inner: Arc::clone(self),
            channel: channel.clone(),
            journal: self.journal(channel),
            work,
            worker,
            mover,
            action,
            ahead: None,
            manifests: HashMap::new(),
            pinned: Vec::new(),
            decision: None,
            upstream: Vec::new(),
            warning: None,
            label: None,
            refusal: None,
            error: None,
            migrated: None,
            began: Began::No,
            doubted: false,
        };
        let goal = match run.work.clone() {
            Work::Recover(recovery) => match recovery.mode {
                RecoveryMode::RollForward => Goal::Forward,
                RecoveryMode::Abort => Goal::Abandon,
            },
            Work::Move(asked) => Goal::Move(asked.ask(run.read_ahead(&asked).await?)),
        };
        (run.mover, run.action) = Mover::start(goal, run.worker.clone(), run.now());
        Ok(run)
    }
}

fn not_planned() -> Error {
    Error::new(ErrorKind::InternalFault, "a recovery is not planned")
}

/// Sixteen random bytes, in hex.
fn owner() -> Result<Text> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random)
        .map_err(|e| Error::new(ErrorKind::InternalFault, "the system gave no random bytes").because(e))?;
    Text::try_from(random.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

impl Run {
    fn dead_move(&self, open: &OpenMove) -> DeadMove {
        let same = matches!(&self.work, Work::Move(asked) if asked.key == open.key && asked.request == open.request);
        let closing = if same { Closing::Complete } else { Closing::CommitOrAbort };
        DeadMove { seq: open.seq, op: open.op, target: open.target, closing }
    }

    /// Reads log, tag, target and pins at the same time; the target's digest, if one was named.
    async fn read_ahead(&mut self, asked: &Asked) -> Result<Option<Digest>> {
        let named = match &asked.operation {
            Operation::Rollback(Some(target)) => Some(self.rollback_digest(target).await?),
            _ => None,
        };
        let source = match &asked.operation {
            Operation::Promote(source) => Some(source.clone()),
            Operation::Bootstrap(first) => first.source.clone(),
            Operation::Rollback(_) => named.map(|digest| Source::Reference(self.channel.repository().digest(digest))),
            Operation::Repair | Operation::Adopt => None,
        };
        let registry = &self.inner.registry;
        let log = async {
            let log = self.read_log().await?;
            let live = match log.state.live {
                Some(live) => self.confirmed(live).await,
                None => None,
            };
            Ok::<_, Error>((log, live))
        };
        let tag = registry.resolve(self.channel.repository(), self.channel.tag());
        let (log, observed, target) = tokio::join!(log, tag, self.find(source.as_ref()));
        let (log, live_pin): (LogRead, _) = log?;
        if log.replay.is_some() {
            // Step 1: the key has moved the channel, whatever the registry says now.
            self.ahead = Some((log, Ok(None)));
            return Ok(None);
        }
        let (target, target_pin) = target?;
        self.pinned.extend(live_pin.into_iter().chain(target_pin));
        self.ahead = Some((log, observed));
        match (source, target) {
            (None, _) => Ok(None),
            (Some(_), Some(manifest)) => {
                let digest = manifest.digest();
                self.manifests.insert(digest, manifest);
                Ok(Some(digest))
            }
            // A rollback names what was live: it is judged like any other, and found to be gone.
            (Some(source), None) => Err(self.judge_absent(asked, &source).await?),
        }
    }

    /// A source's manifest, and its digest if its pin is there. The digest of what is live on a channel is in the log,
    /// so that manifest and pin are asked for at the same time.
    async fn find(&self, source: Option<&Source>) -> Result<(Option<Manifest>, Option<Digest>)> {
        let (reference, digest) = match source {
            None => return Ok((None, None)),
            Some(Source::Reference(reference)) => match reference.target() {
                crate::value::Target::Digest(digest) => (reference.clone(), Some(*digest)),
                crate::value::Target::Tag(_) => (reference.clone(), None),
            },
            Some(Source::Channel(channel)) => {
                let state = self.inner.journal(channel).lock().await.refresh().await?;
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
        let pin = async {
            match digest {
                Some(digest) => self.confirmed(digest).await,
                None => None,
            }
        };
        let (manifest, pin) = tokio::join!(self.inner.registry.fetch(&reference), pin);
        Ok((manifest?, pin))
    }

    /// The digest, if its pin points at it. A look that fails confirms nothing: the pin is put again.
    async fn confirmed(&self, digest: Digest) -> Option<Digest> {
        // A fetch is one round trip, whether the pin is there or not.
        let pin = self.inner.registry.fetch(&self.channel.repository().tag(pin_tag(&digest))).await;
        pin.ok().flatten().map(|found| found.digest()).filter(|found| *found == digest)
    }
}
