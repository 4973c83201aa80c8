//! One channel's log: the facts that this process knows about it, and reads of its entries.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;

use super::bucket::Bucket;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::name::OBJECT;
use crate::lock::lock;
use crate::log::EntryHash;
use crate::value::Channel;

pub(super) struct Log {
    pub(super) bucket: Bucket,
    pub(super) channel: Channel,
    pub(super) keys: Keys,
    known: Mutex<Known>,
}

/// The greatest number of requests of one read that run at once.
pub(super) const AT_ONCE: usize = 32;

/// The greatest number of entries that one read returns.
const MAX_READ: u64 = 512;

/// The facts about a log that this process has read.
#[derive(Default)]
pub(super) struct Known {
    /// The number of entries that are known to exist.
    pub(super) size: u64,
    /// The leaf hash of the last of them.
    pub(super) leaf: Option<EntryHash>,
    /// Entries that the last read of the head returned, for the read of entries that follows it.
    pub(super) brought: BTreeMap<u64, Bytes>,
    /// The time when this process last wrote the hint.
    pub(super) hinted: Option<Instant>,
}

impl Log {
    pub(super) fn new(bucket: Bucket, channel: Channel) -> Log {
        let keys = Keys::of(&bucket.prefix, &OBJECT.encode(&channel));
        Log { bucket, channel, keys, known: Mutex::default() }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// Records that the log has at least `size` entries, and the leaf hash of the last of them.
    pub(super) fn learn(&self, size: u64, leaf: EntryHash) {
        let mut known = self.known();
        if size > known.size {
            (known.size, known.leaf) = (size, Some(leaf));
        }
    }

    /// The entry at `seq`; none if there is no entry.
    pub(super) async fn entry(&self, seq: u64) -> Result<Option<Bytes>> {
        let entry = self.bucket.get(&self.keys.entry(seq)).await;
        entry.map_err(|e| e.with_context("channel", &self.channel).with_context("seq", seq))
    }

    /// The entries from `from` on: at least one if the log has one there, at most `limit`.
    pub(super) async fn read(&self, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let known = self.known().size;
        let size = if from < known { known } else { self.look().await? };
        let to = size.min(from.saturating_add(MAX_READ.min(limit as u64)));
        let entries = (from..to).map(|seq| async move {
            let brought = self.known().brought.remove(&seq);
            match brought {
                Some(bytes) => Ok(bytes),
                None => self.entry(seq).await?.ok_or_else(|| self.gone(seq, size)),
            }
        });
        futures_util::stream::iter(entries).buffered(AT_ONCE).try_collect().await
    }

    /// LEDGER_CORRUPT: an entry is missing, and a later entry exists or existed.
    pub(super) fn gone(&self, seq: u64, size: u64) -> Error {
        self.missing(ErrorKind::LedgerCorrupt, seq, &format!("the log has {size} entries"))
    }

    /// An error of this kind: the entry at `seq` does not exist, although `who` says that it does.
    pub(super) fn missing(&self, kind: ErrorKind, seq: u64, who: &str) -> Error {
        self.error(kind, seq, &format!("{} is not there, and {who}", self.keys.entry(seq)))
    }

    /// LEDGER_FORKED: one position was read with two different entries.
    pub(super) fn forked(&self, seq: u64, who: &str) -> Error {
        let why = format!(
            "{who}: two writers were told that their entry is stored at this position. The store, or a proxy before it, \
             does not honour conditional writes any more: stop every writer of this ledger; the object's earlier versions, \
             if the store keeps them, show both histories"
        );
        self.error(ErrorKind::LedgerForked, seq, &why)
    }

    fn error(&self, kind: ErrorKind, seq: u64, why: &str) -> Error {
        Error::new(kind, format!("{}: seq {seq}: {why}", self.bucket.place))
            .with_context("channel", &self.channel)
            .with_context("seq", seq)
    }
}

/// The keys of one channel: `<prefix>/<channel>/log/<seq>.json` and the derived objects.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    root: Path,
}

impl Keys {
    /// The keys of the log with this name.
    pub(super) fn of(prefix: &Path, name: &str) -> Keys {
        Keys { root: prefix.clone().join(name) }
    }

    /// The prefix of the entries.
    pub(super) fn log(&self) -> Path {
        self.root.clone().join("log")
    }

    /// The key of the entry at `seq`. Twenty digits are enough for every position, so that keys sort in the order of
    /// the log.
    pub(super) fn entry(&self, seq: u64) -> Path {
        self.log().join(format!("{seq:020}.json"))
    }

    /// The position in the key of an entry; none for any other key.
    pub(super) fn seq(key: &Path) -> Option<u64> {
        let digits = key.filename()?.strip_suffix(".json")?;
        digits.parse().ok().filter(|_| digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
    }

    pub(super) fn hint(&self) -> Path {
        self.root.clone().join("hint").join("head.json")
    }

    pub(super) fn index(&self, name: &str) -> Path {
        self.root.clone().join("index").join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_the_documents() {
        let name = OBJECT.encode(&"registry.example.com/acme/shop:prod".parse().unwrap());
        let keys = Keys::of(&Path::from("team/ledger"), &name);
        let root = "team/ledger/registry.example.com=2facme=2fshop=3aprod";
        assert_eq!(keys.entry(42).as_ref(), format!("{root}/log/00000000000000000042.json"));
        assert_eq!(keys.entry(u64::MAX).as_ref(), format!("{root}/log/18446744073709551615.json"));
        assert_eq!(keys.hint().as_ref(), format!("{root}/hint/head.json"));
        assert_eq!(keys.index("state").as_ref(), format!("{root}/index/state"));
    }

    #[test]
    fn only_a_key_of_the_one_form_is_a_position() {
        let seq = |name: &str| Keys::seq(&Path::from("a/log").join(name));
        assert_eq!(seq("00000000000000000042.json"), Some(42));
        for name in
            ["42.json", "0000000000000000004x.json", "00000000000000000042.json.tmp", "99999999999999999999.json"]
        {
            assert_eq!(seq(name), None, "{name}");
        }
    }
}
