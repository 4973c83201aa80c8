use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use tagwarden::ledger::MemoryLedger;

/// The defect of a broken ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    Nothing,
    LastWriterWins,
    TakesGaps,
    SaysLostWhenStored,
    ActsBetweenCheckAndStore,
    ReadsStale,
    ForgetsOnRestart,
    CutsBytes,
    MixesCase,
    ListsEmptyLogs,
    ForgetsToList,
    IgnoresTheLimit,
    GivesNothing,
}

#[derive(Debug)]
struct Liar {
    lie: Lie,
    logs: Arc<Mutex<BTreeMap<String, Vec<Bytes>>>>,
    /// The first read of each log, which `ReadsStale` repeats.
    stale: Mutex<BTreeMap<String, Vec<Bytes>>>,
}

impl Liar {
    fn key(&self, channel: &Channel) -> String {
        let name = channel.to_string();
        if self.lie == Lie::MixesCase { name.to_lowercase() } else { name }
    }

    fn log(&self, channel: &Channel) -> Vec<Bytes> {
        let key = self.key(channel);
        if self.lie == Lie::ListsEmptyLogs {
            self.logs.lock().unwrap().entry(key.clone()).or_default();
        }
        let log = self.logs.lock().unwrap().get(&key).cloned().unwrap_or_default();
        if self.lie == Lie::ReadsStale {
            return self.stale.lock().unwrap().entry(key).or_insert(log).clone();
        }
        log
    }
}

#[async_trait]
impl Ledger for Liar {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        Ok(self.log(channel).len() as u64)
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let limit = match self.lie {
            Lie::IgnoresTheLimit => usize::MAX,
            Lie::GivesNothing if limit == 1 => 0,
            _ => limit,
        };
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.log(channel).into_iter().skip(from).take(limit).collect())
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Append> {
        let bytes = match self.lie {
            Lie::CutsBytes => bytes.slice(..bytes.len().min(16_384)),
            _ => bytes,
        };
        let key = self.key(channel);
        let size = self.logs.lock().unwrap().get(&key).map_or(0, Vec::len) as u64;
        if self.lie == Lie::ActsBetweenCheckAndStore {
            tokio::task::yield_now().await;
        }
        let mut logs = self.logs.lock().unwrap();
        let log = logs.entry(key.clone()).or_default();
        match seq {
            _ if seq == size => log.push(bytes),
            _ if seq < size && self.lie == Lie::LastWriterWins => log[seq as usize] = bytes,
            _ if seq > size && self.lie == Lie::TakesGaps => log.push(bytes),
            _ => {
                if log.is_empty() {
                    logs.remove(&key);
                }
                return Ok(Append::Lost);
            }
        }
        match self.lie {
            Lie::SaysLostWhenStored if seq % 7 == 6 => Ok(Append::Lost),
            _ => Ok(Append::Stored),
        }
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        let mut channels: Vec<Channel> = self.logs.lock().unwrap().keys().map(|name| name.parse().unwrap()).collect();
        channels.sort();
        if self.lie == Lie::ForgetsToList {
            channels.pop();
        }
        Ok(channels)
    }
}

struct Lies(Lie, Arc<Mutex<BTreeMap<String, Vec<Bytes>>>>);

#[async_trait]
impl Store for Lies {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        let logs = match self.0 {
            Lie::ForgetsOnRestart => Arc::default(),
            _ => self.1.clone(),
        };
        Ok(Arc::new(Liar { lie: self.0, logs, stale: Mutex::default() }))
    }
}

fn store(lie: Lie) -> Lies {
    Lies(lie, Arc::default())
}

#[tokio::test]
async fn the_memory_ledger_keeps_every_law() {
    let one = Arc::new(MemoryLedger::new());
    all(&move || Ok(one.clone() as Arc<dyn Ledger>)).await.unwrap();
}

#[tokio::test]
async fn an_honest_store_keeps_every_law() {
    all(&store(Lie::Nothing)).await.unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_ledger_keeps_every_law() {
    use tagwarden::ledger::FileLedger;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    all(&move || Ok(Arc::new(FileLedger::open(&path)?) as Arc<dyn Ledger>)).await.unwrap();
}

#[tokio::test]
async fn every_liar_is_caught_by_the_law_that_it_breaks() {
    let caught = [
        append_if_next(&store(Lie::LastWriterWins)).await,
        gaps_are_refused(&store(Lie::TakesGaps)).await,
        lost_is_not_stored(&store(Lie::SaysLostWhenStored)).await,
        one_order(&store(Lie::ActsBetweenCheckAndStore)).await,
        read_your_writes(&store(Lie::ReadsStale)).await,
        durable(&store(Lie::ForgetsOnRestart)).await,
        bytes_are_exact(&store(Lie::CutsBytes)).await,
        logs_are_apart(&store(Lie::MixesCase)).await,
        channels_are_listed(&store(Lie::ListsEmptyLogs)).await,
        channels_are_listed(&store(Lie::ForgetsToList)).await,
        read_limits(&store(Lie::IgnoresTheLimit)).await,
        read_limits(&store(Lie::GivesNothing)).await,
    ];
    let laws: Vec<_> = caught.into_iter().map(|kept| kept.unwrap_err()).collect();
    let said = |nth: usize| {
        let text = laws[nth].to_string();
        text.replace(|char: char| char.is_ascii_hexdigit() && char.is_ascii_digit(), "#")
    };
    assert_eq!(said(0), "append_if_next: an append at #, which was taken, said Stored");
    assert_eq!(said(1), "gaps_are_refused: an append at # of a log of # said Stored");
    assert_eq!(said(2), "lost_is_not_stored: the append at # said Lost, and its entry stands there");
    assert_eq!(laws[3].to_string(), "one_order: 8 of 8 writers won position 0");
    for (nth, law, part) in [
        (4, "read_your_writes", "is 0 after 1"),
        (5, "durable", "is 0 after 2"),
        (6, "bytes_are_exact", "is not what was appended"),
        (7, "logs_are_apart", "said Lost"),
        (8, "channels_are_listed", "are listed"),
        (9, "channels_are_listed", "are listed"),
        (10, "read_limits", "read(0, 0) of 20 gave 20 entries instead of 0 to 0"),
        (11, "read_limits", "read(0, 1) of 20 gave 0 entries instead of 1 to 1"),
    ] {
        assert!(laws[nth].law == law && laws[nth].seen.contains(part), "{}", laws[nth]);
    }
}
