//! `RetryObserver`: a callback for requests that have no usable answer yet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A callback for requests that have no usable answer yet. It is first called about 2 s after a call began, and at most
/// twice for each attempt. A write is reported only when it is about to be sent again.
pub trait RetryObserver: fmt::Debug + Send + Sync {
    /// A call has no usable answer yet and goes on, for `remaining` at most. `registry` is `host[:port]`; `why` is the
    /// error of the last attempt, or says that an attempt has no answer.
    fn still_trying(&self, registry: &str, why: &str, remaining: Duration);
}

/// The time of a call after which its observer is called.
pub(super) const SILENT_FOR: Duration = Duration::from_secs(2);

/// The observer of the calls to one registry.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) observer: Arc<dyn RetryObserver>,
    pub(super) registry: String,
}

impl Watch {
    /// Tells the observer that the call goes on until `until` at most.
    pub(super) fn tell(&self, why: &str, until: tokio::time::Instant) {
        let remaining = until.saturating_duration_since(tokio::time::Instant::now());
        self.observer.still_trying(&self.registry, why, remaining);
    }

    /// The words for an attempt without an answer.
    pub(super) fn no_answer(after: Duration) -> String {
        format!("no answer after {:.0} s", after.as_secs_f64())
    }
}
