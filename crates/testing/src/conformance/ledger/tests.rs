use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use bytes::Bytes;

use super::*;
use tagwarden::Channel;
use tagwarden::ledger::{Appended, MemoryLedger};

/// The defect of a broken ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    Nothing,
    LastWriterWins,
    TakesGaps,
    AnswersConflictWhenStored,
    ActsBetweenCheckAndStore,
    ReadsStale,
    RemembersTheFirstSize,
    ForgetsOnRestart,
    CutsBytes,
    MixesCase,
    ListsEmptyLogs,
    ForgetsToList,
    IgnoresTheLimit,
    GivesNothing,
}

#[derive(Debug)]
struct BrokenLedger {
    defect: Defect,
    logs: Arc<Mutex<BTreeMap<String, Vec<Bytes>>>>,
    /// The first read of each log, which `ReadsStale` and `RemembersTheFirstSize` repeat.
    stale: Mutex<BTreeMap<String, Vec<Bytes>>>,
}

impl BrokenLedger {
    fn key(&self, channel: &Channel) -> String {
        let name = channel.to_string();
        if self.defect == Defect::MixesCase { name.to_lowercase() } else { name }
    }

    fn log(&self, channel: &Channel) -> Vec<Bytes> {
        let key = self.key(channel);
        if self.defect == Defect::ListsEmptyLogs {
            self.logs.lock().unwrap().entry(key.clone()).or_default();
        }
        let log = self.logs.lock().unwrap().get(&key).cloned().unwrap_or_default();
        if self.defect == Defect::ReadsStale {
            return self.stale.lock().unwrap().entry(key).or_insert(log).clone();
        }
        log
    }
}

#[async_trait]
impl Ledger for BrokenLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        Ok(self.log(channel).len() as u64)
    }

    async fn size_since(&self, channel: &Channel, _since: Instant) -> Result<u64> {
        let log = self.log(channel);
        Ok(match self.defect {
            Defect::RemembersTheFirstSize => self.stale.lock().unwrap().entry(self.key(channel)).or_insert(log).len(),
            _ => log.len(),
        } as u64)
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let limit = match self.defect {
            Defect::IgnoresTheLimit => usize::MAX,
            Defect::GivesNothing if limit == 1 => 0,
            _ => limit,
        };
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.log(channel).into_iter().skip(from).take(limit).collect())
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let bytes = match self.defect {
            Defect::CutsBytes => bytes.slice(..bytes.len().min(16_384)),
            _ => bytes,
        };
        let key = self.key(channel);
        let size = self.logs.lock().unwrap().get(&key).map_or(0, Vec::len) as u64;
        if self.defect == Defect::ActsBetweenCheckAndStore {
            tokio::task::yield_now().await;
        }
        let mut logs = self.logs.lock().unwrap();
        let log = logs.entry(key.clone()).or_default();
        match seq {
            _ if seq == size => log.push(bytes),
            _ if seq < size && self.defect == Defect::LastWriterWins => log[seq as usize] = bytes,
            _ if seq > size && self.defect == Defect::TakesGaps => log.push(bytes),
            _ => {
                if log.is_empty() {
                    logs.remove(&key);
                }
                return Ok(Appended::Conflict);
            }
        }
        match self.defect {
            Defect::AnswersConflictWhenStored if seq % 7 == 6 => Ok(Appended::Conflict),
            _ => Ok(Appended::Stored),
        }
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        let mut channels: Vec<Channel> = self.logs.lock().unwrap().keys().map(|name| name.parse().unwrap()).collect();
        channels.sort();
        if self.defect == Defect::ForgetsToList {
            channels.pop();
        }
        Ok(channels)
    }
}

struct BrokenStore(Defect, Arc<Mutex<BTreeMap<String, Vec<Bytes>>>>);

#[async_trait]
impl LedgerHarness for BrokenStore {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        let logs = match self.0 {
            Defect::ForgetsOnRestart => Arc::default(),
            _ => self.1.clone(),
        };
        Ok(Arc::new(BrokenLedger { defect: self.0, logs, stale: Mutex::default() }))
    }
}

fn store(defect: Defect) -> BrokenStore {
    BrokenStore(defect, Arc::default())
}

#[tokio::test]
async fn the_memory_ledger_keeps_every_requirement() {
    let one = Arc::new(MemoryLedger::new());
    all(&move || Ok(one.clone() as Arc<dyn Ledger>)).await.unwrap();
}

#[tokio::test]
async fn an_honest_store_keeps_every_requirement() {
    all(&store(Defect::Nothing)).await.unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_ledger_keeps_every_requirement() {
    use tagwarden::ledger::FileLedger;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    all(&move || Ok(Arc::new(FileLedger::open(&path)?) as Arc<dyn Ledger>)).await.unwrap();
}

#[tokio::test]
async fn every_broken_ledger_is_caught_by_the_requirement_that_it_breaks() {
    let caught = [
        append_if_next(&store(Defect::LastWriterWins)).await,
        gaps_are_refused(&store(Defect::TakesGaps)).await,
        lost_is_not_stored(&store(Defect::AnswersConflictWhenStored)).await,
        one_order(&store(Defect::ActsBetweenCheckAndStore)).await,
        read_your_writes(&store(Defect::ReadsStale)).await,
        durable(&store(Defect::ForgetsOnRestart)).await,
        bytes_are_exact(&store(Defect::CutsBytes)).await,
        logs_are_apart(&store(Defect::MixesCase)).await,
        channels_are_listed(&store(Defect::ListsEmptyLogs)).await,
        channels_are_listed(&store(Defect::ForgetsToList)).await,
        read_limits(&store(Defect::IgnoresTheLimit)).await,
        read_limits(&store(Defect::GivesNothing)).await,
        read_your_writes(&store(Defect::RemembersTheFirstSize)).await,
    ];
    let requirements: Vec<_> = caught.into_iter().map(|kept| kept.unwrap_err()).collect();
    let said = |nth: usize| {
        let text = requirements[nth].to_string();
        text.replace(|char: char| char.is_ascii_hexdigit() && char.is_ascii_digit(), "#")
    };
    assert_eq!(said(0), "append_if_next: an append at #, which was taken, said Stored");
    assert_eq!(said(1), "gaps_are_refused: an append at # of a log of # said Stored");
    assert_eq!(said(2), "lost_is_not_stored: the append at # answered Conflict, but its entry was stored");
    assert_eq!(requirements[3].to_string(), "one_order: 8 of 8 writers won position 0");
    for (nth, requirement, part) in [
        (4, "read_your_writes", "is 0 after 1"),
        (5, "durable", "is 0 after 2"),
        (6, "bytes_are_exact", "is not what was appended"),
        (7, "logs_are_apart", "answered Conflict"),
        (8, "channels_are_listed", "are listed"),
        (9, "channels_are_listed", "are listed"),
        (10, "read_limits", "read(0, 0) of 20 gave 20 entries instead of 0 to 0"),
        (11, "read_limits", "read(0, 1) of 20 gave 0 entries instead of 1 to 1"),
        (12, "read_your_writes", "size_since a moment after 2 appends"),
    ] {
        assert!(
            requirements[nth].requirement == requirement && requirements[nth].seen.contains(part),
            "{}",
            requirements[nth]
        );
    }
}
