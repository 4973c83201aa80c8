//! The facade: gathers facts and drives the protocol. It has no rule of its own.

mod audit;
mod behind;
mod driver;
mod effects;
mod explain;
mod facts;
mod foreign;
mod machine;
mod parts;
mod past;
mod pins;
mod plan;
mod query;
mod receipt;
mod recover;
mod request;
mod retention;
mod rollback;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

pub use audit::{AuditLooks, AuditOptions};
pub use machine::OnConflict;
pub use past::{DriftSeen, LiveAt};
pub use plan::{Approved, Closing, DeadMove, Plan};
pub use query::{Current, Page};
pub use receipt::{Live, MoveResult, Receipt};
pub use recover::{Recovered, RecoveryMode};
pub use request::{First, LEDGER_COMPLETE, Operation, Terms, Times};
pub use rollback::RollbackTarget;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Mutex;

use self::machine::{FirstRead, Ms, TagRead, Waiting};
use self::plan::Purpose;
use crate::error::{Error, Result};
use crate::judge::Policy;
use crate::ledger::{Journal, Ledger};
use crate::record::Source;
use crate::registry::Registry;
use crate::value::{Channel, Clock, Pipeline, SystemClock};

/// Moves channels, and says what they are and were.
///
/// It is cheap to clone; clones share what they know of the logs. Every call is safe to make from many tasks, processes
/// and machines at once: the ledger puts the moves of a channel in order.
///
/// ```
/// use std::sync::Arc;
/// use tagwarden::registry::MemoryRegistry;
/// use tagwarden::ledger::MemoryLedger;
/// use tagwarden::record::Source;
/// use tagwarden::{Channel, Promoter, Provenance, Terms};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> tagwarden::Result<()> {
/// let registry = MemoryRegistry::new();
/// let prod: Channel = "registry.example.com/acme/shop:prod".parse()?;
/// for (number, tag) in ["1.4.1", "1.4.2"].iter().enumerate() {
///     registry.push_image(prod.repository(), &tag.parse()?, number as u64);
/// }
/// let release = |tag: &str| -> tagwarden::Result<Source> { Ok(Source::Reference(prod.repository().tag(tag.parse()?))) };
///
/// let promoter = Promoter::new(Arc::new(registry.clone()), Arc::new(MemoryLedger::new()));
/// let terms = Terms::of(Provenance::new("manual", "first-steps", "ada")?);
/// promoter.bootstrap(&prod, Some(release("1.4.1")?), terms.clone()).await?;
/// let receipt = promoter.promote(&prod, release("1.4.2")?, terms.clone()).await?;
/// promoter.rollback(&prod, None, terms).await?;
/// assert_eq!(promoter.current(&prod).await?.live, receipt.previous_digest);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Promoter {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    registry: Arc<dyn Registry>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    policy: Arc<Policy>,
    pipeline: Option<Pipeline>,
    times: Times,
    watcher: Option<Arc<dyn Watcher>>,
    journals: Arc<std::sync::Mutex<HashMap<Channel, Arc<Mutex<Journal>>>>>,
    /// When this process first read the entries of each log.
    first_reads: Arc<std::sync::Mutex<HashMap<Channel, FirstRead>>>,
}

/// Is told what a run waits for, so that people can be.
pub trait Watcher: fmt::Debug + Send + Sync {
    /// A run of `channel` waits for `what`, `remaining` at most where that is known.
    fn waits(&self, channel: &Channel, what: Wait, remaining: Option<Duration>);
}

/// What a run waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Another's move, until it is closed or may be taken over.
    OtherMove {
        /// The move.
        move_id: String,
    },
    /// The time in which an earlier put may still land.
    QuietTime,
    /// The time in which a read of the tag may still lag: it is read again.
    Settle,
    /// An answer of the registry or the ledger, which is asked again.
    Answer {
        /// Why it had none, in its own words.
        why: String,
    },
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

    /// With a watcher that is told what a run waits for.
    #[must_use]
    pub fn with_watcher(self, watcher: Arc<dyn Watcher>) -> Promoter {
        self.change(|inner| inner.watcher = Some(watcher))
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Promoter {
        let mut inner = Inner::clone(&self.inner);
        change(&mut inner);
        Promoter { inner: Arc::new(inner) }
    }

    /// Points the channel at a release: plans, has the policy judge, and executes.
    pub async fn promote(&self, channel: &Channel, source: Source, terms: Terms) -> Result<Receipt> {
        self.run(channel, Operation::Promote(source), terms).await
    }

    /// Points the channel back at the digest that was live before, or at `to`, which must have been live here
    /// (ROLLBACK_NO_TARGET). All that
    /// the target is made of must still be there (POLICY_REFUSED, finding TARGET_INCOMPLETE).
    pub async fn rollback(&self, channel: &Channel, to: Option<RollbackTarget>, terms: Terms) -> Result<Receipt> {
        self.run(channel, Operation::Rollback(to), terms).await
    }

    /// Takes the channel's first state into the log: as the tag is, or from a release (`source`) if the tag is absent or points
    /// at it already.
    pub async fn bootstrap(&self, channel: &Channel, source: Option<Source>, terms: Terms) -> Result<Receipt> {
        self.run(channel, Operation::Bootstrap(First { source, ..First::default() }), terms).await
    }

    /// Puts the live digest back after a write around the ledger.
    pub async fn repair(&self, channel: &Channel, terms: Terms) -> Result<Receipt> {
        self.run(channel, Operation::Repair, terms).await
    }

    /// Takes what was put there by hand as live. It needs a reason.
    pub async fn adopt(&self, channel: &Channel, terms: Terms) -> Result<Receipt> {
        self.run(channel, Operation::Adopt, terms).await
    }

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
}

impl Inner {
    /// The journal of a channel, shared by every run of this promoter.
    fn journal(&self, channel: &Channel) -> Arc<Mutex<Journal>> {
        let mut journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Mutex::new(Journal::new(Arc::clone(&self.ledger), channel.clone())));
        Arc::clone(journals.entry(channel.clone()).or_insert_with(new))
    }

    /// This process's monotonic clock.
    fn now(&self) -> Ms {
        Ms::try_from(self.clock.monotonic().as_millis()).unwrap_or(Ms::MAX)
    }

    /// The log of a channel was read up to `size`: when each of its entries was first read here.
    fn first_read(&self, channel: &Channel, size: u64) -> FirstRead {
        let now = self.now();
        let mut all = self.first_reads.lock().unwrap_or_else(PoisonError::into_inner);
        let first_read = all.entry(channel.clone()).or_default();
        first_read.note(size, now);
        first_read.clone()
    }

    /// What the registry answers for the channel's tag now.
    async fn read_tag(&self, channel: &Channel) -> Result<TagRead> {
        let sent = self.now();
        let answer = self.registry.read_tag(channel.repository(), channel.tag()).await?;
        Ok(TagRead { value: answer.digest, sent, date: answer.date, hidden: false })
    }

    fn watch(&self, channel: &Channel, waiting: Waiting, error: Option<&Error>, now: Ms) {
        let Some(watcher) = &self.watcher else { return };
        let (what, until) = match waiting {
            Waiting::Other { move_id, until } => (Wait::OtherMove { move_id: move_id.to_string() }, until),
            Waiting::Quiet { until } => (Wait::QuietTime, until),
            Waiting::Settle { until } => (Wait::Settle, until),
            Waiting::Answer { until } => {
                let why = error.map_or_else(|| "it was not answered".to_owned(), ToString::to_string);
                (Wait::Answer { why }, until)
            }
        };
        watcher.waits(channel, what, Some(Duration::from_millis(until.saturating_sub(now))));
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promoter")
            .field("registry", &self.registry)
            .field("ledger", &self.ledger)
            .field("policy", &self.policy)
            .field("pipeline", &self.pipeline)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// All of them at the same time, in order.
async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    join_all(futures).await
}
