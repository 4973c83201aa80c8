//! `Inner`: what every run of a promoter shares.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::machine::{FirstRead, Ms, TagRead, Waiting};
use super::times::Times;
use crate::error::{Error, Result};
use crate::judge::Policy;
use crate::ledger::{Journal, Ledger};
use crate::registry::Registry;
use crate::value::{Channel, Clock, Pipeline};

/// What every run of a promoter shares.
#[derive(Clone)]
pub(super) struct Inner {
    pub(super) registry: Arc<dyn Registry>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) policy: Arc<Policy>,
    pub(super) pipeline: Option<Pipeline>,
    pub(super) times: Times,
    pub(super) watcher: Option<Arc<dyn Watcher>>,
    pub(super) journals: Arc<std::sync::Mutex<HashMap<Channel, Arc<Mutex<Journal>>>>>,
    /// When this process first read the entries of each log.
    pub(super) first_reads: Arc<std::sync::Mutex<HashMap<Channel, FirstRead>>>,
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

impl Inner {
    /// The journal of a channel, shared by every run of this promoter.
    pub(super) fn journal(&self, channel: &Channel) -> Arc<Mutex<Journal>> {
        let mut journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Mutex::new(Journal::new(Arc::clone(&self.ledger), channel.clone())));
        Arc::clone(journals.entry(channel.clone()).or_insert_with(new))
    }

    /// This process's monotonic clock.
    pub(super) fn now(&self) -> Ms {
        Ms::try_from(self.clock.monotonic().as_millis()).unwrap_or(Ms::MAX)
    }

    /// The log of a channel was read up to `size`: when each of its entries was first read here.
    pub(super) fn first_read(&self, channel: &Channel, size: u64) -> FirstRead {
        let now = self.now();
        let mut all = self.first_reads.lock().unwrap_or_else(PoisonError::into_inner);
        let first_read = all.entry(channel.clone()).or_default();
        first_read.note(size, now);
        first_read.clone()
    }

    /// What the registry answers for the channel's tag now.
    pub(super) async fn read_tag(&self, channel: &Channel) -> Result<TagRead> {
        let sent = self.now();
        let answer = self.registry.read_tag(channel.repository(), channel.tag()).await?;
        Ok(TagRead { value: answer.digest, sent, date: answer.date, hidden: false })
    }

    pub(super) fn watch(&self, channel: &Channel, waiting: Waiting, error: Option<&Error>, now: Ms) {
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
pub(super) async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    join_all(futures).await
}
