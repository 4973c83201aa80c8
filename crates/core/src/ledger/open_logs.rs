//! The logs that a ledger knows, by channel.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::lock::lock;
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
        if logs.len() >= self.most && !logs.contains_key(channel) {
            // Forget the logs that are not in use.
            logs.retain(|_, log| Arc::strong_count(log) > 1);
        }
        Arc::clone(logs.entry(channel.clone()).or_insert_with(|| Arc::new(new())))
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
