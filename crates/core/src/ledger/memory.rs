//! `MemoryLedger`: for tests, and for channels that need no record after the process ends.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Appended, Ledger};
use crate::error::Result;
use crate::lock::lock;
use crate::value::Channel;

/// A ledger in memory. It orders the appends of all tasks of one process, and is lost when the process ends.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    logs: Mutex<BTreeMap<Channel, Vec<Bytes>>>,
}

impl MemoryLedger {
    /// A ledger without logs.
    pub fn new() -> MemoryLedger {
        MemoryLedger::default()
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        Ok(lock(&self.logs).get(channel).map_or(0, |log| log.len() as u64))
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let logs = lock(&self.logs);
        Ok(logs.get(channel).map_or_else(Vec::new, |log| log.iter().skip(from).take(limit).cloned().collect()))
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let mut logs = lock(&self.logs);
        let size = logs.get(channel).map_or(0, |log| log.len() as u64);
        if seq != size {
            return Ok(Appended::Conflict);
        }
        logs.entry(channel.clone()).or_default().push(bytes);
        Ok(Appended::Stored)
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        Ok(lock(&self.logs).keys().cloned().collect())
    }
}
