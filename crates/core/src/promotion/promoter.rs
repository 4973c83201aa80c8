//! `Promoter`: one method for each operation. Each move is planned, judged and executed.

use std::sync::Arc;

use super::inner::{Inner, ProgressObserver};
use super::plan::{ApprovedPlan, Plan, Purpose};
use super::receipt::Receipt;
use super::request::{BootstrapOptions, MoveOptions, Operation};
use super::rollback::RollbackTarget;
use super::times::Times;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::log::Source;
use crate::policy::Policy;
use crate::registry::Registry;
use crate::value::{Channel, Clock, Pipeline, SystemClock};

/// Moves channels, and reads their state and their history.
///
/// It is cheap to clone; clones share the logs that were read. Every call is safe to make from many tasks, processes
/// and machines at once: the ledger puts the moves of a channel in order.
///
/// ```
/// use std::sync::Arc;
/// use tagwarden::ledger::MemoryLedger;
/// use tagwarden::log::Source;
/// use tagwarden::registry::Registry;
/// use tagwarden::{Channel, Promoter, Provenance, MoveOptions};
///
/// # async fn example(registry: impl Registry) -> tagwarden::Result<()> {
/// let prod: Channel = "registry.example.com/acme/shop:prod".parse()?;
/// let release = |tag: &str| -> tagwarden::Result<Source> { Ok(Source::Reference(prod.repository().tag(tag.parse()?))) };
///
/// let promoter = Promoter::new(Arc::new(registry), Arc::new(MemoryLedger::new()));
/// let terms = MoveOptions::new(Provenance::new("manual", "first-steps", "ada")?);
/// promoter.bootstrap(&prod, Some(release("1.4.1")?), terms.clone()).await?;
/// let receipt = promoter.promote(&prod, release("1.4.2")?, terms.clone()).await?;
/// promoter.rollback(&prod, None, terms).await?;
/// assert_eq!(promoter.current(&prod).await?.live, receipt.previous_digest);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Promoter {
    pub(super) inner: Arc<Inner>,
}

impl Promoter {
    /// A promoter over a registry and a ledger, with the standard policy, no pipeline, the default times and the
    /// machine's clock.
    pub fn new(registry: Arc<dyn Registry>, ledger: Arc<dyn Ledger>) -> Promoter {
        Promoter {
            inner: Arc::new(Inner {
                registry,
                ledger,
                clock: Arc::new(SystemClock),
                policy: Arc::new(Policy::standard()),
                pipeline: None,
                times: Times::default(),
                watcher: None,
                journals: Arc::default(),
                first_reads: Arc::default(),
            }),
        }
    }

    /// With the order of environments that releases go through.
    #[must_use]
    pub fn with_pipeline(self, pipeline: Pipeline) -> Promoter {
        self.change(|inner| {
            inner.policy = Arc::new(Policy::clone(&inner.policy).with_pipeline(Some(pipeline.clone())));
            inner.pipeline = Some(pipeline);
        })
    }

    /// With another policy.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Promoter {
        self.change(|inner| inner.policy = Arc::new(policy.with_pipeline(inner.pipeline.clone())))
    }

    /// With other times.
    #[must_use]
    pub fn with_times(self, times: Times) -> Promoter {
        self.change(|inner| inner.times = times)
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Promoter {
        self.change(|inner| inner.clock = clock)
    }

    /// With a watcher, which is called each time a run waits.
    #[must_use]
    pub fn with_watcher(self, watcher: Arc<dyn ProgressObserver>) -> Promoter {
        self.change(|inner| inner.watcher = Some(watcher))
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Promoter {
        let mut inner = Inner::clone(&self.inner);
        change(&mut inner);
        Promoter { inner: Arc::new(inner) }
    }

    /// Points the channel at a release: plans, has the policy judge, and executes.
    pub async fn promote(&self, channel: &Channel, source: Source, terms: MoveOptions) -> Result<Receipt> {
        self.run(channel, Operation::Promote(source), terms).await
    }

    /// Points the channel back at the digest that was live before, or at `to`. ROLLBACK_NO_TARGET if `to` was never
    /// live here. POLICY_REFUSED, with the finding TARGET_INCOMPLETE, if a part of the target is gone from the
    /// registry.
    pub async fn rollback(&self, channel: &Channel, to: Option<RollbackTarget>, terms: MoveOptions) -> Result<Receipt> {
        self.run(channel, Operation::Rollback(to), terms).await
    }

    /// Records the channel's first state in the log: the digest that the tag points at; or a release (`source`), if the
    /// tag is absent or points at it already.
    pub async fn bootstrap(&self, channel: &Channel, source: Option<Source>, terms: MoveOptions) -> Result<Receipt> {
        self.run(channel, Operation::Bootstrap(BootstrapOptions { source, ..BootstrapOptions::default() }), terms).await
    }

    /// Puts the live digest back after another writer moved the tag without the ledger.
    pub async fn repair(&self, channel: &Channel, terms: MoveOptions) -> Result<Receipt> {
        self.run(channel, Operation::Repair, terms).await
    }

    /// Accepts the digest that the tag points at as live, after another writer moved the tag. The terms must have a
    /// reason.
    pub async fn adopt(&self, channel: &Channel, terms: MoveOptions) -> Result<Receipt> {
        self.run(channel, Operation::Adopt, terms).await
    }

    /// Plans a move and has the policy judge it. It reads, and waits for another worker's open move as the terms say.
    /// Looking never acts: it puts nothing, writes nothing, and leaves a dead worker's move open ([`Plan::dead_move`]).
    pub async fn plan(&self, channel: &Channel, operation: Operation, terms: MoveOptions) -> Result<Plan> {
        Plan::make(&self.inner, Purpose::Look, channel, operation, terms).await
    }

    /// Plans, approves and executes in one call.
    pub async fn run(&self, channel: &Channel, operation: Operation, terms: MoveOptions) -> Result<Receipt> {
        let plan = Plan::make(&self.inner, Purpose::Act, channel, operation, terms).await?;
        self.execute(plan.approve()?).await
    }

    /// Executes an approved plan, on the promoter that made it. CHANNEL_CHANGED if another move changed the channel
    /// since, unless the terms say to requeue.
    ///
    /// From the intent on, the move runs in a task of its own: if this future is dropped, the move still runs to its
    /// end, or to its deadline.
    pub async fn execute(&self, approved: ApprovedPlan) -> Result<Receipt> {
        approved.execute().await
    }
}
