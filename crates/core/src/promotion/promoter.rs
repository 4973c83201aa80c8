//! `Promoter`: one method for each operation. Each move is planned, judged and executed.

use std::sync::Arc;
use std::time::Instant;

use super::inner::{Inner, ProgressObserver};
use super::plan::{ApprovedPlan, Plan, Purpose};
use super::receipt::Receipt;
use super::request::{MoveOptions, Operation};
use super::rollback::AfterRollback;
use super::times::Times;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Ledger;
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
/// use tagwarden::registry::Registry;
/// use tagwarden::{Channel, Promoter, Provenance};
///
/// # async fn example(registry: impl Registry) -> tagwarden::Result<()> {
/// let promoter = Promoter::builder().registry(Arc::new(registry)).ledger(Arc::new(MemoryLedger::new())).build()?;
/// let prod: Channel = "registry.example.com/acme/shop:prod".parse()?;
/// let ada = Provenance::manual("ada")?;
/// promoter.bootstrap(&prod).source("registry.example.com/acme/shop:1.4.1").provenance(&ada).await?;
/// let receipt = promoter.promote(&prod, "registry.example.com/acme/shop:1.4.2").provenance(&ada).await?;
/// promoter.rollback(&prod).provenance(&ada).await?;
/// assert_eq!(promoter.current(&prod).await?.live, receipt.previous_digest);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Promoter {
    pub(super) inner: Arc<Inner>,
}

/// The parts of a [`Promoter`]. A ledger is required, and so is a registry without the feature `oci`; with it, the
/// default is an `OciRegistry` with its default options. The other defaults: no pipeline, the standard policy, no step
/// after a rollback, the default [`Times`], the machine's clock, and no observer.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder makes nothing until it is built"]
pub struct PromoterBuilder {
    registry: Option<Arc<dyn Registry>>,
    ledger: Option<Arc<dyn Ledger>>,
    pipeline: Option<Pipeline>,
    policy: Option<Policy>,
    after_rollback: AfterRollback,
    times: Times,
    clock: Option<Arc<dyn Clock>>,
    observer: Option<Arc<dyn ProgressObserver>>,
}

impl PromoterBuilder {
    /// With this registry.
    pub fn registry(self, registry: Arc<dyn Registry>) -> PromoterBuilder {
        PromoterBuilder { registry: Some(registry), ..self }
    }

    /// With this ledger, such as one of [`open_ledger`](crate::open_ledger).
    pub fn ledger(self, ledger: Arc<dyn Ledger>) -> PromoterBuilder {
        PromoterBuilder { ledger: Some(ledger), ..self }
    }

    /// With the order of environments that releases go through.
    pub fn pipeline(self, pipeline: Pipeline) -> PromoterBuilder {
        PromoterBuilder { pipeline: Some(pipeline), ..self }
    }

    /// With another policy.
    pub fn policy(self, policy: Policy) -> PromoterBuilder {
        PromoterBuilder { policy: Some(policy), ..self }
    }

    /// With another step after a rollback than none: a hold that stops promotions. It is appended once the policy lets
    /// the rollback pass, before the rollback waits for another move or writes its intent.
    pub fn after_rollback(self, after_rollback: AfterRollback) -> PromoterBuilder {
        PromoterBuilder { after_rollback, ..self }
    }

    /// With other times.
    pub fn times(self, times: Times) -> PromoterBuilder {
        PromoterBuilder { times, ..self }
    }

    /// With another clock.
    pub fn clock(self, clock: Arc<dyn Clock>) -> PromoterBuilder {
        PromoterBuilder { clock: Some(clock), ..self }
    }

    /// With an observer, which is called each time a run waits.
    pub fn observer(self, observer: Arc<dyn ProgressObserver>) -> PromoterBuilder {
        PromoterBuilder { observer: Some(observer), ..self }
    }

    /// The promoter. CONFIG_INVALID if the ledger or the registry is missing, and the errors of `OciRegistry::new` for
    /// the default registry.
    pub fn build(self) -> Result<Promoter> {
        let missing = |what: &str| Error::new(ErrorKind::ConfigInvalid, format!("a promoter needs a {what}"));
        let registry = match &self.registry {
            Some(registry) => Arc::clone(registry),
            #[cfg(feature = "oci")]
            None => Arc::new(crate::registry::oci::OciRegistry::new(crate::registry::oci::OciOptions::new())?),
            #[cfg(not(feature = "oci"))]
            None => return Err(missing("registry")),
        };
        let ledger = self.ledger.clone().ok_or_else(|| missing("ledger"))?;
        Ok(self.over(registry, ledger))
    }

    fn over(self, registry: Arc<dyn Registry>, ledger: Arc<dyn Ledger>) -> Promoter {
        let policy = self.policy.unwrap_or_else(Policy::standard);
        let inner = Inner {
            registry,
            ledger,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
            policy: Arc::new(policy.with_pipeline(self.pipeline.clone())),
            pipeline: self.pipeline,
            after_rollback: self.after_rollback,
            times: self.times,
            observer: self.observer,
            since: None,
            journals: Default::default(),
            first_reads: Default::default(),
        };
        Promoter { inner: Arc::new(inner) }
    }
}

impl Promoter {
    /// The builder of a promoter.
    pub fn builder() -> PromoterBuilder {
        PromoterBuilder::default()
    }

    /// A builder with the parts of this promoter, for one that differs.
    pub fn to_builder(&self) -> PromoterBuilder {
        let Inner { registry, ledger, clock, policy, pipeline, after_rollback, times, observer, .. } = &*self.inner;
        PromoterBuilder {
            registry: Some(Arc::clone(registry)),
            ledger: Some(Arc::clone(ledger)),
            pipeline: pipeline.clone(),
            after_rollback: *after_rollback,
            policy: Some(Policy::clone(policy)),
            times: times.clone(),
            clock: Some(Arc::clone(clock)),
            observer: observer.clone(),
        }
    }

    /// A promoter over a registry and a ledger, with the defaults of [`PromoterBuilder`].
    pub fn new(registry: Arc<dyn Registry>, ledger: Arc<dyn Ledger>) -> Promoter {
        PromoterBuilder::default().over(registry, ledger)
    }

    /// The same promoter, for reads that belong together, such as those of one report: a log that was read at `since` or
    /// later, and at most 5 s ago, is new enough for all of them. In a ledger where several logs are one request (a Git
    /// branch), they are one request then. A move looks again when it begins, after a wait, and before it puts.
    #[must_use]
    pub fn since(&self, since: Instant) -> Promoter {
        Promoter { inner: self.inner.since(since) }
    }

    /// The same promoter for one call of it.
    pub(super) fn once(&self) -> Promoter {
        self.since(self.inner.new_enough())
    }

    /// Plans a move and has the policy judge it. It reads, and waits for another worker's open move as the options say.
    /// Looking never acts: it puts nothing, writes nothing, and leaves a dead worker's move open ([`Plan::dead_move`]).
    pub async fn plan(&self, channel: &Channel, operation: Operation, options: MoveOptions) -> Result<Plan> {
        Plan::make(&self.inner, Purpose::Look, channel, operation, options).await
    }

    /// Plans, approves and executes in one call.
    pub async fn run(&self, channel: &Channel, operation: Operation, options: MoveOptions) -> Result<Receipt> {
        let plan = Plan::make(&self.inner, Purpose::Act, channel, operation, options).await?;
        self.execute(plan.approve()?).await
    }

    /// Executes an approved plan, on the promoter that made it. CHANNEL_CHANGED if another move changed the channel
    /// since, unless the options say to requeue.
    ///
    /// From the intent on, the move runs in a task of its own: if this future is dropped, the move still runs to its
    /// end, or to its deadline.
    pub async fn execute(&self, approved: ApprovedPlan) -> Result<Receipt> {
        approved.execute().await
    }
}
