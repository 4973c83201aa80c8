//! `Snapshot`: a log as far as it was read, for looks that take long.

use std::sync::Arc;

use super::Ledger;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{ChannelState, Entry, check};

/// One channel's log as far as a [`Journal`](super::Journal) had read it: its fold, and its entries where the ledger keeps
/// them.
///
/// It is cheap to make, and needs no lock: a long look at a log must not hold up its moves.
#[derive(Clone, Debug)]
pub struct Snapshot {
    ledger: Arc<dyn Ledger>,
    state: Arc<ChannelState>,
}

impl Snapshot {
    pub(super) fn new(ledger: Arc<dyn Ledger>, state: Arc<ChannelState>) -> Snapshot {
        Snapshot { ledger, state }
    }

    /// The fold of what was read.
    pub fn state(&self) -> &Arc<ChannelState> {
        &self.state
    }

    /// The entries from `from` on, at most `limit`, as they are typed. Their chain is checked among themselves.
    pub async fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>> {
        let channel = &self.state.channel;
        let mut entries: Vec<Entry> = Vec::new();
        let mut parent = None;
        while entries.len() < limit {
            let next = from + entries.len() as u64;
            let page = self.ledger.read(channel, next, limit - entries.len()).await?;
            if page.is_empty() {
                break;
            }
            for bytes in page {
                let entry = Entry::open(&bytes).map_err(|e| e.with("channel", channel))?;
                let seq = from + entries.len() as u64;
                let before = if entries.is_empty() { entry.parent } else { parent };
                let (leaf, _) =
                    check(channel, seq, before, &bytes).map_err(|d| Error::from(d).with("channel", channel))?;
                if seq + 1 == self.state.size && Some(leaf) != self.state.leaf {
                    let message = format!("seq {seq}: it is not the entry that was there before");
                    return Err(Error::new(ErrorKind::LedgerForked, message).with("channel", channel).with("seq", seq));
                }
                parent = Some(leaf);
                entries.push(entry);
            }
        }
        Ok(entries)
    }
}
