//! The hint: the head of a log when the hint was last written.
//!
//! It makes the first read of the head cheap. It also gives evidence: if the entry that it names is missing, the log
//! was truncated; if there is another entry in its place, the log was forked. A hint that cannot be parsed is ignored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::log::Log;
use crate::error::{ErrorKind, Result};
use crate::log::EntryHash;
use crate::value::Channel;

/// The shortest time between two writes of a hint by one process.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hint {
    channel: Channel,
    pub(super) leaf: EntryHash,
    pub(super) size: u64,
}

impl Log {
    /// The hint of this log, if there is one.
    pub(super) async fn read_hint(&self) -> Result<Option<Hint>> {
        let bytes = match self.bucket.get(&self.keys.hint()).await {
            Ok(bytes) => bytes,
            // The credentials may allow access to the log only.
            Err(error) if error.kind() == ErrorKind::LedgerDenied => None,
            Err(error) => return Err(error.with_context("channel", &self.channel)),
        };
        let hint = bytes.and_then(|bytes| serde_json::from_slice::<Hint>(&bytes).ok());
        Ok(hint.filter(|hint| hint.channel == self.channel && hint.size > 0))
    }

    /// Starts to write a hint with the current head, unless this process wrote one within [`EVERY`].
    ///
    /// Best effort: the caller does not wait, and errors are ignored.
    pub(super) fn write_hint(self: &Arc<Log>) {
        let hint = {
            let mut known = self.known();
            let Some(leaf) = known.leaf else { return };
            if known.hinted.is_some_and(|hinted| hinted.elapsed() < EVERY) {
                return;
            }
            known.hinted = Some(Instant::now());
            Hint { channel: self.channel.clone(), leaf, size: known.size }
        };
        let (Ok(bytes), Ok(runtime)) = (serde_json::to_vec(&hint), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let log = Arc::clone(self);
        runtime.spawn(async move {
            let _ = log.bucket.put(&log.keys.hint(), Bytes::from(bytes)).await;
        });
    }
}
