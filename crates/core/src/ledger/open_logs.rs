//! The logs that a ledger knows, by channel.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::lock;
use crate::value::Channel;

/// A cache of logs. A log may be forgotten at any time and made again, and there may be two of one channel.
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

    /// The log of `channel`; `new` makes it if it is not here.
    pub(super) fn get(&self, channel: &Channel, new: impl FnOnce() -> L) -> Arc<L> {
        let mut logs = lock(&self.logs);
        if let Some(log) = logs.get(channel) {
            return Arc::clone(log);
        }
        if logs.len() >= self.most {
            // Forget logs that are not in use.
            let mut kept = 0;
            logs.retain(|_, log| {
                kept += 1;
                kept <= self.most / 2 || Arc::strong_count(log) > 1
            });
        }
        let log = Arc::new(new());
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
    fn full_cache_forgets_logs_that_are_not_in_use() {
        let logs = OpenLogs::new(8);
        let used: Vec<_> = (0..3).map(|nth| logs.get(&channel(nth), || nth)).collect();
        for nth in 3..100 {
            assert_eq!(*logs.get(&channel(nth), || nth), nth);
            assert!(logs.logs.lock().unwrap().len() <= 8);
        }
        for (nth, log) in used.iter().enumerate() {
            assert!(Arc::ptr_eq(log, &logs.get(&channel(nth), || panic!("{nth} was forgotten"))));
        }
    }
}
