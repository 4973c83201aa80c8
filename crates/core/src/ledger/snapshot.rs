//! `Snapshot`: a log as far as it was read, for long reads.

use std::sync::Arc;

use super::Ledger;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{ChannelState, EncodedEntry, Entry, check};

/// One channel's log as far as a [`ChannelLog`](super::ChannelLog) had read it: its state. The entries are read from the
/// ledger when they are needed.
///
/// It is cheap to make and needs no lock, so that a long read of a log does not delay its moves.
#[derive(Clone, Debug)]
pub struct Snapshot {
    ledger: Arc<dyn Ledger>,
    state: Arc<ChannelState>,
}

impl Snapshot {
    pub(super) fn new(ledger: Arc<dyn Ledger>, state: Arc<ChannelState>) -> Snapshot {
        Snapshot { ledger, state }
    }

    /// The state after the entries that were read.
    pub fn state(&self) -> &Arc<ChannelState> {
        &self.state
    }

    /// The decoded entries from `from` on, at most `limit`. Each entry is checked against the one before it, also the
    /// first one: a log that is read page by page is therefore checked between the pages, too.
    pub async fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>> {
        let channel = &self.state.channel;
        let mut entries: Vec<Entry> = Vec::new();
        let mut parent = None;
        let mut next = from.saturating_sub(1);
        let end = from.saturating_add(limit as u64);
        while next < end {
            let page = self.ledger.read(channel, next, usize::try_from(end - next).unwrap_or(usize::MAX)).await?;
            if page.is_empty() {
                break;
            }
            for bytes in page {
                let leaf = match next < from {
                    // This is the entry before `from`: only its hash is needed. Its own link was checked with an
                    // earlier page.
                    true => EncodedEntry::of(bytes).leaf(),
                    false => {
                        let checked = check(channel, next, parent, &bytes);
                        let (leaf, entry) = checked.map_err(|d| Error::from(d).with_context("channel", channel))?;
                        entries.push(entry);
                        leaf
                    }
                };
                if next + 1 == self.state.size && Some(leaf) != self.state.leaf {
                    let message = format!("seq {next}: another entry was read there before");
                    return Err(Error::new(ErrorKind::LedgerForked, message)
                        .with_context("channel", channel)
                        .with_context("seq", next));
                }
                parent = Some(leaf);
                next += 1;
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
#[cfg(all(feature = "file", unix))]
mod tests {
    use super::*;
    use crate::ledger::journal::tests::moves;
    use crate::ledger::{Appended, ChannelLog, MemoryLedger};
    use crate::value::Channel;

    #[tokio::test]
    async fn first_entry_of_a_page_is_compared_with_the_entry_before_it() {
        let channel: Channel = "reg.io/acme/shop:prod".parse().unwrap();
        let logs = [(); 2].map(|()| Arc::new(MemoryLedger::new()));
        let mut state = None;
        for log in &logs {
            let mut journal = ChannelLog::new(Arc::clone(log) as Arc<dyn Ledger>, channel.clone());
            moves(&mut journal, 1..6).await;
            state = Some(Arc::clone(journal.state()));
        }
        let state = state.unwrap();
        let [first, second] = logs;
        let whole = Snapshot::new(Arc::clone(&second) as Arc<dyn Ledger>, Arc::clone(&state));
        let entries = whole.read(4, 3).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 5, 6]);
        assert_eq!(whole.read(0, usize::MAX).await.unwrap().len() as u64, state.size);
        assert_eq!(whole.read(state.size, 3).await.unwrap(), []);

        // The entries of the first log below 4, and those of the second log from 4 on.
        let spliced = Arc::new(MemoryLedger::new());
        for (log, from, limit) in [(first, 0, 4), (second, 4, usize::MAX)] {
            for (seq, bytes) in (from..).zip(log.read(&channel, from, limit).await.unwrap()) {
                assert_eq!(spliced.append(&channel, seq, bytes).await.unwrap(), Appended::Stored);
            }
        }
        let spliced = Snapshot::new(spliced, state);
        assert_eq!(spliced.read(5, 3).await.unwrap().len(), 3);
        let error = spliced.read(4, 3).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerCorrupt, "{error}");
        assert!(error.to_string().contains("seq 4"), "{error}");
    }

    #[tokio::test]
    async fn last_entry_that_changed_is_a_fork_even_if_it_is_only_the_one_before() {
        let channel: Channel = "reg.io/acme/shop:prod".parse().unwrap();
        let logs = [(); 2].map(|()| Arc::new(MemoryLedger::new()));
        let mut journals = Vec::new();
        for log in &logs {
            let mut journal = ChannelLog::new(Arc::clone(log) as Arc<dyn Ledger>, channel.clone());
            moves(&mut journal, 1..3).await;
            journals.push(journal);
        }
        let state = Arc::clone(journals[0].state());
        let [_, other] = logs;
        let snapshot = Snapshot::new(other, Arc::clone(&state));
        assert_eq!(snapshot.read(state.size, 1).await.unwrap_err().kind(), ErrorKind::LedgerForked);
    }
}
