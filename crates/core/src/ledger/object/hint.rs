//! The hint: how far a log went when that was last written down.
//!
//! It makes the first look cheap, and it is a witness: an entry that it names and that is not there, or is another one,
//! is a truncated or a forked log. What cannot be understood is as if it were not there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::log::Log;
use crate::error::{ErrorKind, Result};
use crate::record::Leaf;
use crate::value::Channel;

/// How long after a hint no other is written from here.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hint {
    channel: Channel,
    pub(super) leaf: Leaf,
    pub(super) size: u64,
}

impl Log {
    /// The hint, if there is one for this log.
    pub(super) async fn read_hint(&self) -> Result<Option<Hint>> {
        let bytes = match self.bucket.get(&self.keys.hint()).await {
            Ok(bytes) => bytes,
            // Rights may be given to the log alone.
            Err(error) if error.kind() == ErrorKind::LedgerDenied => None,
            Err(error) => return Err(error.with("channel", &self.channel)),
        };
        let hint = bytes.and_then(|bytes| serde_json::from_slice::<Hint>(&bytes).ok());
        Ok(hint.filter(|hint| hint.channel == self.channel && hint.size > 0))
    }

    /// Says how far the log goes, beside what else is done, if that was not said a moment ago.
    ///
    /// Best effort: it is not waited for, and one that fails or never ends is left.
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
