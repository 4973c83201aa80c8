//! The logs that a ledger has open, by channel.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::value::Channel;

/// A cache of open logs. A log may be closed at any time and opened again, and there may be two of one channel.
#[derive(Debug)]
pub(super) struct OpenLogs<L> {
    most: usize,
    logs: Mutex<HashMap<Channel, Arc<L>>>,
}

impl<L> OpenLogs<L> {
    /// A cache of at most `most` logs, unless more of them are in use at once.
    pub(super) fn new(most: usize) -> OpenLogs<L> {
        OpenLogs { most, logs: Mutex::default() }
    }

    /// The log of `channel`; `open` makes it if it is not here.
    pub(super) fn get(&self, channel: &Channel, open: impl FnOnce() -> L) -> Arc<L> {
        // Each change adds or removes complete logs, so a panic in another task cannot leave the map half changed.
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = logs.get(channel) {
            return Arc::clone(log);
        }
        if logs.len() >= self.most {
            // Close logs that are not in use.
            let mut kept = 0;
            logs.retain(|_, log| {
                kept += 1;
                kept <= self.most / 2 || Arc::strong_count(log) > 1
            });
        }
        let log = Arc::new(open());
        logs.insert(channel.clone(), Arc::clone(&log));
        log
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(nth: usize) -> Channel {
        format!("reg.io/a{nth}:prod").parse().unwrap()
    }

    #[test]
    fn full_cache_closes_logs_that_are_not_in_use() {
        let logs = OpenLogs::new(8);
        let used: Vec<_> = (0..3).map(|nth| logs.get(&channel(nth), || nth)).collect();
        for nth in 3..100 {
            assert_eq!(*logs.get(&channel(nth), || nth), nth);
            assert!(logs.logs.lock().unwrap().len() <= 8);
        }
        for (nth, log) in used.iter().enumerate() {
            assert!(Arc::ptr_eq(log, &logs.get(&channel(nth), || panic!("{nth} was closed"))));
        }
    }
}
