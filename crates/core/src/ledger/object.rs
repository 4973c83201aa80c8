//! `ObjectLedger`: a ledger in an object store that many machines share, with one object for each entry.

mod append;
mod bucket;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
mod cloud;
mod fault;
mod head;
mod log;
mod settings;

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::ErrorKind as IoErrorKind;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;

use self::bucket::{Bucket, Listing};
use self::log::{AT_ONCE, Keys, Log};
use super::name::OBJECT;
use super::open_logs::OpenLogs;
use super::url::{LedgerUrl, Place};
use super::{Appended, IndexStore, Ledger, OpenMode};
use crate::error::{Error, ErrorKind, Result};
use crate::log::Entry;
use crate::value::Channel;

/// The longest time of one request, unless the URL or [`ObjectLedger::timeout`] sets another: 10 s.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The greatest number of channels that are remembered.
const MAX_LOGS: usize = 1024;

/// The number of entries after which the index is stored again: in the first look-up of a process, each entry after the
/// index is a request.
const INDEX_EVERY: u64 = 16;

/// A ledger in an object store: an entry is the object `<prefix>/<channel>/log/<position in 20 digits>.json`.
///
/// - An append is one conditional PUT, which succeeds for one writer only. After any answer but Ok the object is read
///   and compared: if it is our entry, the append is stored; if it is another entry, the append is lost; if it cannot
///   be read, the append is LEDGER_AMBIGUOUS.
/// - Every open for writing tests that the store honours the condition, and refuses a store that does not
///   (LEDGER_UNSUPPORTED). A store that stops honouring it later can have two histories. Therefore each read of the
///   head also reads the last entry that is known here again: another entry in its place is LEDGER_FORKED, a missing
///   one is LEDGER_TRUNCATED.
/// - It needs a store whose reads and lists show every write that returned before, such as Amazon S3, Google Cloud
///   Storage or Azure Blob Storage.
/// - `hint/` and `index/` hold derived data; deleting them costs nothing but time.
///
/// It runs on a tokio runtime with time enabled. Dropping the future does not cancel a request that was sent.
#[derive(Clone)]
pub struct ObjectLedger {
    bucket: Bucket,
    access: OpenMode,
    /// The time when the store last honoured conditions in a probe.
    probed: Arc<tokio::sync::Mutex<Option<Instant>>>,
    logs: Arc<OpenLogs<Log>>,
}

impl ObjectLedger {
    /// The ledger at a URL:
    ///
    /// - `s3://bucket/prefix`: Amazon S3 and compatible stores (feature `s3`),
    /// - `gs://bucket/prefix`: Google Cloud Storage (feature `gcs`),
    /// - `az://container/prefix`: Azure Blob Storage (feature `azure`),
    /// - `file:///directory`: the same layout in a directory of this host, which is created if it does not exist.
    ///
    /// Settings follow a `?`: `endpoint` (a URL), `region`, `path-style`, `allow-http` (`true` or `false`), `account`
    /// (Azure), `timeout-ms`. Credentials are never a part of the URL: they are read from the environment and the files
    /// that the cloud's own tools use.
    ///
    /// CONFIG_INVALID for a URL that is not understood; LEDGER_UNSUPPORTED for a store that does not honour conditional
    /// writes; LEDGER_ABSENT if there is no such bucket, container or (for reading) directory; LEDGER_UNAVAILABLE if
    /// the store does not answer. Credentials that may not write are reported by the first append, not here.
    pub async fn open(url: &str, access: OpenMode) -> Result<ObjectLedger> {
        ObjectLedger::at(&url.parse()?, access).await
    }

    /// As [`ObjectLedger::open`], at a URL that was parsed before.
    pub(super) async fn at(url: &LedgerUrl, access: OpenMode) -> Result<ObjectLedger> {
        settings::check(url)?;
        let timeout = url.option("timeout-ms").and_then(settings::timeout).unwrap_or(TIMEOUT);
        let (store, listing, prefix) = match &url.place {
            Place::File(dir) => (local(dir, access)?, Listing::Walk, Path::default()),
            #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
            Place::Bucket(at) => {
                (cloud::connect(url, &at.name, timeout)?, Listing::Sorted, settings::prefix(&at.prefix)?)
            }
            #[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
            Place::Bucket(_) => return Err(url.not_built_in()),
            Place::Directory(_) | Place::Postgres(_) | Place::Git(_) => {
                let message = "an object ledger's URL begins with s3://, gs://, az:// or file://";
                return Err(Error::new(ErrorKind::ConfigInvalid, message));
            }
        };
        // The URL without its options.
        let place = url.shown.split('?').next().unwrap_or_default().trim_end_matches('/').into();
        let bucket = Bucket { store, prefix, place, listing, timeout };
        ObjectLedger::on(bucket, access).await
    }

    /// The ledger below `prefix` (names separated by `/`, or empty) in a store that the caller provides.
    ///
    /// The store's error texts are shown in errors of the ledger, with each URL cut at its query. The store may retry
    /// or not. Errors as in [`ObjectLedger::open`].
    pub async fn over(store: Arc<dyn ObjectStore>, prefix: &str, access: OpenMode) -> Result<ObjectLedger> {
        let prefix = settings::prefix(prefix)?;
        let place = format!("{store}/{prefix}").trim_end_matches('/').into();
        let bucket = Bucket { store, prefix, place, listing: Listing::Sorted, timeout: TIMEOUT };
        ObjectLedger::on(bucket, access).await
    }

    async fn on(bucket: Bucket, access: OpenMode) -> Result<ObjectLedger> {
        let ledger = ObjectLedger { bucket, access, probed: Arc::default(), logs: Arc::new(OpenLogs::new(MAX_LOGS)) };
        if access == OpenMode::Write {
            match ledger.probe().await {
                // The credentials may still allow reading; the first append reports that they do not allow writing.
                Err(error) if error.kind() == ErrorKind::LedgerDenied => {}
                probed => probed?,
            }
        }
        Ok(ledger)
    }

    /// Sets the longest time of one request; 10 s by default. A read is sent up to three times.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> ObjectLedger {
        self.bucket.timeout = timeout;
        self
    }

    fn log(&self, channel: &Channel) -> Arc<Log> {
        self.logs.get(channel, || Log::new(self.bucket.clone(), channel.clone()))
    }

    /// The channel whose log has this name; none if it is not the name of a log, or the log has no entry.
    async fn channel(&self, name: String) -> Result<Option<Channel>> {
        if let Some(channel) = OBJECT.decode(&name) {
            // A failed append can leave an empty directory. Other stores have no empty directories.
            let there = self.bucket.listing == Listing::Sorted || self.log(&channel).entry(0).await?.is_some();
            return Ok(there.then_some(channel));
        }
        if !OBJECT.is_cut(&name) {
            return Ok(None);
        }
        let key = Keys::of(&self.bucket.prefix, &name).entry(0);
        let Some(first) = self.bucket.get(&key).await? else { return Ok(None) };
        match Entry::open(&first) {
            Ok(entry) if OBJECT.encode(&entry.channel) == name => Ok(Some(entry.channel)),
            _ => {
                let message =
                    format!("{}: {key}: the first entry is not of the channel of this log", self.bucket.place);
                Err(Error::new(ErrorKind::LedgerCorrupt, message).with_context("key", key).with_context("seq", 0))
            }
        }
    }
}

impl fmt::Debug for ObjectLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = format_args!("{}", self.bucket.place);
        f.debug_struct("ObjectLedger").field("place", &place).field("access", &self.access).finish_non_exhaustive()
    }
}

#[async_trait]
impl Ledger for ObjectLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        self.log(channel).look().await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        self.log(channel).read(from, limit).await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        self.append_next(channel, seq, bytes).await
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        let names = self.bucket.names().await?;
        let found = futures_util::stream::iter(names).map(|name| self.channel(name)).buffer_unordered(AT_ONCE);
        let mut channels: Vec<Channel> = found.try_filter_map(|channel| async { Ok(channel) }).try_collect().await?;
        channels.sort();
        Ok(channels)
    }

    fn index(&self) -> Option<&dyn IndexStore> {
        Some(self)
    }
}

/// A blob is the object `<prefix>/<channel>/index/<name>`.
#[async_trait]
impl IndexStore for ObjectLedger {
    async fn get(&self, channel: &Channel, name: &str) -> Result<Option<Bytes>> {
        self.bucket.get(&self.log(channel).keys.index(name)).await
    }

    async fn put(&self, channel: &Channel, name: &str, blob: Bytes) -> Result<()> {
        match self.access {
            OpenMode::Write => self.bucket.put(&self.log(channel).keys.index(name), blob).await,
            OpenMode::Read | OpenMode::Offline => Ok(()),
        }
    }

    fn every(&self) -> u64 {
        INDEX_EVERY
    }
}

/// The object layout in a directory of this host. Every write is synced.
fn local(dir: &FilePath, access: OpenMode) -> Result<Arc<dyn ObjectStore>> {
    let place = format!("file://{}", dir.display());
    let unavailable = |e: &dyn fmt::Display| Error::new(ErrorKind::LedgerUnavailable, format!("{place}: {e}"));
    if access == OpenMode::Write {
        std::fs::create_dir_all(dir).map_err(|e| unavailable(&e))?;
    }
    let names = std::fs::read_dir(dir).map_err(|e| match e.kind() {
        IoErrorKind::NotFound => Error::new(ErrorKind::LedgerAbsent, format!("{place}: there is no such directory"))
            .with_context("file", dir.display()),
        _ => unavailable(&e),
    })?;
    if names.flatten().any(|name| name.file_name().to_string_lossy().ends_with(".jsonl")) {
        let message = format!("{place} holds a ledger of files: give its plain path, {}", dir.display());
        return Err(Error::new(ErrorKind::ConfigInvalid, message));
    }
    let store = LocalFileSystem::new_with_prefix(dir).map_err(|e| unavailable(&e))?;
    Ok(Arc::new(store.with_fsync(true)))
}
