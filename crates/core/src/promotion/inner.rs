//! `Inner`: the state that all runs of a promoter share.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinSet;

use super::machine::{FirstRead, LogRead, Ms, TagRead, WaitReason};
use super::rollback::AfterRollback;
use super::times::{Times, ms};
use crate::error::{Error, Result};
use crate::ledger::{ChannelLog, Ledger, Snapshot};
use crate::lock::lock;
use crate::log::{ChannelState, Deadlines};
use crate::policy::Policy;
use crate::registry::Registry;
use crate::value::{Channel, Clock, Pipeline};

/// The greatest age of a look at the ledger that the other reads of one judgement or report use again.
const OLDEST_LOOK: Duration = Duration::from_secs(5);

/// The state that all runs of a promoter share. Clones share the logs that were read.
#[derive(Clone)]
pub(super) struct Inner {
    pub(super) registry: Arc<dyn Registry>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) policy: Arc<Policy>,
    pub(super) pipeline: Option<Pipeline>,
    pub(super) after_rollback: AfterRollback,
    pub(super) times: Times,
    pub(super) observer: Option<Arc<dyn ProgressObserver>>,
    /// A log that was read at this time or later is not read again; none to read it again each time.
    pub(super) since: Option<Instant>,
    pub(super) journals: Arc<std::sync::Mutex<HashMap<Channel, Arc<Mutex<ChannelLog>>>>>,
    /// The times at which this process first read the entries of each log.
    pub(super) first_reads: Arc<std::sync::Mutex<HashMap<Channel, FirstRead>>>,
}

/// A callback for progress: it is called each time a run waits.
pub trait ProgressObserver: fmt::Debug + Send + Sync {
    /// A run of `channel` waits for `what`, for `remaining` at most if that is known.
    fn waits(&self, channel: &Channel, what: WaitReason, remaining: Option<Duration>);
}

impl Inner {
    /// The same state for a run that may put: its reads request the access that the put needs.
    pub(super) fn for_moves(self: &Arc<Inner>) -> Arc<Inner> {
        match self.registry.for_moves() {
            Some(registry) => Arc::new(Inner { registry, ..Inner::clone(self) }),
            None => Arc::clone(self),
        }
    }

    /// The same state, for which a log that was read at `since` or later is new enough.
    pub(super) fn since(&self, since: Instant) -> Arc<Inner> {
        Arc::new(Inner { since: Some(since), ..Inner::clone(self) })
    }

    /// A log that was read at this time or later is not read again.
    pub(super) fn new_enough(&self) -> Instant {
        let now = Instant::now();
        let oldest = now.checked_sub(OLDEST_LOOK).unwrap_or(now);
        self.since.map_or(now, |since| since.max(oldest))
    }

    /// The journal of a channel, shared by every run of this promoter.
    pub(super) fn journal(&self, channel: &Channel) -> Arc<Mutex<ChannelLog>> {
        let mut journals = lock(&self.journals);
        let new = || Arc::new(Mutex::new(ChannelLog::new(Arc::clone(&self.ledger), channel.clone())));
        Arc::clone(journals.entry(channel.clone()).or_insert_with(new))
    }

    /// The journal of a channel, locked, and read up to a head that is new enough.
    pub(super) async fn refreshed(&self, channel: &Channel) -> Result<OwnedMutexGuard<ChannelLog>> {
        let mut journal = self.journal(channel).lock_owned().await;
        journal.refresh_since(self.new_enough()).await?;
        Ok(journal)
    }

    /// A channel's log up to its current head. Scanning the snapshot does not lock the journal, so moves of the channel
    /// go on.
    pub(super) async fn snapshot(&self, channel: &Channel) -> Result<Snapshot> {
        Ok(self.refreshed(channel).await?.snapshot())
    }

    /// This process's monotonic clock.
    pub(super) fn now(&self) -> Ms {
        ms(self.clock.monotonic())
    }

    /// The log of a channel, read now up to `state`, for a caller that has no key and that no hold stops. Remembers the
    /// time at which this process first read the log's entries.
    pub(super) fn log_read(&self, channel: &Channel, state: Arc<ChannelState>) -> LogRead {
        let now = self.now();
        let mut all = lock(&self.first_reads);
        let first_read = all.entry(channel.clone()).or_default();
        first_read.note(state.size, now, Deadlines::MAX_MS);
        let settle_ms = self.times.deadlines_for(channel.repository().registry()).settle_ms;
        LogRead { state, replay: None, held: false, first_read: first_read.clone(), settle_ms }
    }

    /// The registry's answer for the channel's tag now.
    pub(super) async fn read_tag(&self, channel: &Channel) -> Result<TagRead> {
        let sent = self.now();
        let answer = self.registry.read_tag(channel.repository(), channel.tag()).await?;
        Ok(TagRead { value: answer.digest, sent, date: answer.date, hidden: false })
    }

    /// Begins to read the channel's tag. Dropping the result ends the read.
    pub(super) fn begin_read(self: &Arc<Inner>, channel: &Channel) -> JoinSet<Result<TagRead>> {
        let (inner, channel) = (Arc::clone(self), channel.clone());
        let mut reading = JoinSet::new();
        reading.spawn(async move { inner.read_tag(&channel).await });
        reading
    }

    /// Tells the observer that a run of the channel waits, until `until` at most.
    pub(super) fn watch(&self, channel: &Channel, waiting: WaitReason, until: Ms, error: Option<&Error>) {
        let Some(observer) = &self.observer else { return };
        let what = match (waiting, error) {
            (WaitReason::Answer { .. }, Some(error)) => WaitReason::Answer { why: error.to_string() },
            (waiting, _) => waiting,
        };
        observer.waits(channel, what, Some(Duration::from_millis(until.saturating_sub(self.now()))));
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
