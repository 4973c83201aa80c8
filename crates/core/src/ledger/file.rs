//! `FileLedger`: a ledger in one directory of one host, crash-safe, for any number of processes.

mod append;
mod directory;
pub(super) mod disk;
pub(super) mod lines;
mod log;
mod mark;
pub(super) mod open;

#[cfg(test)]
mod crash;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

use self::directory::Directory;
use self::disk::{Disk, FileMode, HostDisk};
use self::log::Log;
use super::name::FILE;
use super::open_logs::OpenLogs;
use super::{Appended, IndexStore, Ledger, OpenMode, Repair, RepairNotice, Unacknowledged};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::log::LogReport;
use crate::value::Channel;

/// Default of [`FileLedger::lock_wait`]: 10 s.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// The greatest number of channels that are remembered.
const MAX_LOGS: usize = 64;

/// A ledger in a directory: the file `<channel>.jsonl` is a channel's log, one entry a line.
///
/// - An append takes the lock on `<channel>.lock`, writes the line in one write and syncs it (fdatasync) before it
///   returns; the directory is synced when a log begins. Several processes of one host may write; **network file
///   systems are not supported**, because their locks and syncs do not give these guarantees.
/// - A *last* line that a crash cut short was never acknowledged. Readers do not see it. The next append cuts it, and
///   [`Ledger::notices`] says so; the last 1,024 notices are kept. A bad line before a good one stays in the file, and
///   verification reports it.
/// - After a failed sync, bytes that were not synced before do not count until they were cut, written again and synced.
/// - Reads take no lock, and find a position in a long log without reading the complete log.
/// - `index/` holds derived data; deleting it loses nothing.
/// - Symbolic links in the directory are refused.
///
/// File operations run on the blocking threads of the caller's tokio runtime. Dropping the future does not stop an
/// append that has begun.
#[derive(Clone)]
pub struct FileLedger {
    dir: Arc<Directory>,
    logs: Arc<OpenLogs<Log>>,
    lock_wait: Duration,
}

impl FileLedger {
    /// The ledger in `dir`, which is created if it does not exist. LEDGER_UNAVAILABLE if it cannot be created;
    /// CONFIG_INVALID if it holds an object ledger (`file://`).
    pub fn open(dir: impl AsRef<Path>) -> Result<FileLedger> {
        let dir = dir.as_ref();
        if dir.join("probe/create-if-absent.json").exists() {
            let message = format!("{} holds a ledger of objects: give it as a URL, file://…", dir.display());
            return Err(Error::new(ErrorKind::ConfigInvalid, message));
        }
        make_dirs(dir)?;
        Ok(FileLedger::on(Arc::new(HostDisk), dir, OpenMode::Write))
    }

    /// The ledger in `dir`, opened read-only: nothing in it is created, changed or locked, so that read permission is
    /// enough. Appends are LEDGER_UNAVAILABLE, and a directory that does not exist is LEDGER_ABSENT.
    pub fn open_read_only(dir: impl AsRef<Path>) -> Result<FileLedger> {
        let dir = dir.as_ref();
        match std::fs::metadata(dir) {
            Ok(there) if there.is_dir() => Ok(FileLedger::on(Arc::new(HostDisk), dir, OpenMode::Read)),
            Ok(_) => Err(unavailable("open", dir, io::Error::other("it is not a directory"))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let message = format!("{}: there is no ledger here", dir.display());
                let error = Error::new(ErrorKind::LedgerAbsent, message);
                Err(error.with_context("file", dir.display()).with_source(e))
            }
            Err(e) => Err(unavailable("open", dir, e)),
        }
    }

    fn on(disk: Arc<dyn Disk>, path: &Path, access: OpenMode) -> FileLedger {
        let dir = Directory { path: path.to_owned(), disk, access, notices: Mutex::default() };
        FileLedger { dir: Arc::new(dir), logs: Arc::new(OpenLogs::new(MAX_LOGS)), lock_wait: LOCK_WAIT }
    }

    /// Sets how long an append waits for a lock that another process holds, before it is LEDGER_UNAVAILABLE; the
    /// default is 10 s.
    #[must_use]
    pub fn lock_wait(self, lock_wait: Duration) -> FileLedger {
        FileLedger { lock_wait, ..self }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir.path
    }

    fn log(&self, channel: &Channel) -> Arc<Log> {
        self.logs.get(channel, || Log::new(&self.dir, channel.clone()))
    }

    /// The channels that have a file with at least one entry in the directory.
    fn list(&self) -> Result<Vec<Channel>> {
        let mut channels = Vec::new();
        for file in self.dir.disk.names(self.dir()).map_err(|e| unavailable("read", self.dir(), e))? {
            let Some(name) = file.strip_suffix(".jsonl") else { continue };
            let decoded =
                FILE.decode(name).map_or_else(|| self.first_channel(&file, name), |channel| Ok(Some(channel)));
            if let Some(channel) = decoded?
                && Log::new(&self.dir, channel.clone()).entries()? > 0
            {
                channels.push(channel);
            }
        }
        channels.sort();
        Ok(channels)
    }

    /// The channel that the first line of a file says, if the file has its name; none if there is no complete line yet.
    fn first_channel(&self, file: &str, name: &str) -> Result<Option<Channel>> {
        let path = self.dir().join(file);
        let log = self.dir.disk.open(&path, FileMode::Read).map_err(|e| unavailable("open", &path, e))?;
        let mut head = vec![0; lines::MAX_LINE];
        let length = log.read_at(&mut head, 0).map_err(|e| unavailable("read", &path, e))?;
        let Some(line) = head.get(..length).and_then(lines::first_line) else { return Ok(None) };
        let corrupt = |why: &str| Error::new(ErrorKind::LedgerCorrupt, format!("{}: {why}", path.display()));
        match lines::channel_of(line) {
            Some(channel) if FILE.encode(&channel) == name => Ok(Some(channel)),
            Some(channel) => Err(corrupt(&format!("the entries are of {channel}")).with_context("channel", channel)),
            None => {
                let error = corrupt("neither its name nor its first entry says a channel");
                Err(error.with_context("file", path.display()))
            }
        }
    }
}

impl fmt::Debug for FileLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLedger").field("dir", &self.dir()).field("may", &self.dir.access).finish_non_exhaustive()
    }
}

#[async_trait]
impl Ledger for FileLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        let log = self.log(channel);
        blocking(ErrorKind::LedgerUnavailable, move || log.size()).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let log = self.log(channel);
        blocking(ErrorKind::LedgerUnavailable, move || match log.open()? {
            Some(open) => open.read(from, limit),
            None => Ok(Vec::new()),
        })
        .await
    }

    async fn unacknowledged(&self, channel: &Channel) -> Result<Unacknowledged> {
        let log = self.log(channel);
        // The last read shows if there can be such an append. Most often there is none, and no file is opened.
        if log.known().settled {
            return Ok(Unacknowledged::None);
        }
        blocking(ErrorKind::LedgerUnavailable, move || {
            let line = log.open()?.map(|open| open.unacknowledged()).transpose()?.flatten();
            Ok(line.map_or(Unacknowledged::None, Unacknowledged::Entry))
        })
        .await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let log = self.log(channel);
        if self.dir.access != OpenMode::Write {
            return Err(log.unavailable("the ledger was opened read-only"));
        }
        let deadline = Instant::now() + self.lock_wait;
        let turn = Arc::clone(&log.turn).lock_owned().await;
        blocking(ErrorKind::LedgerAmbiguous, move || {
            let _turn = turn;
            log.append(seq, &bytes, deadline)
        })
        .await
    }

    fn notices(&self) -> Vec<RepairNotice> {
        lock(&self.dir.notices).iter().cloned().collect()
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        let ledger = self.clone();
        blocking(ErrorKind::LedgerUnavailable, move || ledger.list()).await
    }

    async fn verify(&self, channel: &Channel) -> Result<LogReport> {
        let log = self.log(channel);
        blocking(ErrorKind::LedgerUnavailable, move || log.verify()).await
    }

    fn index(&self) -> Option<&dyn IndexStore> {
        Some(self)
    }
}

/// A blob is the file `index/<channel>.<name>`. A failed write is recorded as a notice.
#[async_trait]
impl IndexStore for FileLedger {
    async fn get(&self, channel: &Channel, name: &str) -> Result<Option<Bytes>> {
        let (log, name) = (self.log(channel), name.to_owned());
        blocking(ErrorKind::LedgerUnavailable, move || log.blob(&name)).await
    }

    async fn put(&self, channel: &Channel, name: &str, blob: Bytes) -> Result<()> {
        if self.dir.access != OpenMode::Write {
            return Ok(());
        }
        let (log, name) = (self.log(channel), name.to_owned());
        blocking(ErrorKind::LedgerUnavailable, move || {
            if let Err(e) = log.put_blob(&name, &blob) {
                log.dir.note(&log.channel, Repair::IndexLeft { why: e.to_string() });
            }
            Ok(())
        })
        .await
    }
}

/// Creates `dir` and its missing parents, and syncs the directory of each new name.
fn make_dirs(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = parent(dir);
    make_dirs(parent)?;
    HostDisk.make_dir(dir).and_then(|()| HostDisk.sync_dir(parent)).map_err(|e| unavailable("make", dir, e))
}

/// The directory of a file or directory.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// LEDGER_UNAVAILABLE: the operation `what` on `path` failed.
pub(super) fn unavailable(what: &str, path: &Path, e: io::Error) -> Error {
    let message = format!("{}: cannot {what}: {e}", path.display());
    Error::new(ErrorKind::LedgerUnavailable, message).with_context("file", path.display()).with_source(e)
}

/// Runs blocking `work` on a blocking thread of tokio, or on this thread if there is no runtime. `cut_short` is the
/// error kind if `work` panics.
pub(super) async fn blocking<T: Send + 'static>(
    cut_short: ErrorKind,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return work() };
    match runtime.spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) if e.is_cancelled() => {
            Err(Error::new(ErrorKind::LedgerUnavailable, "the runtime is shutting down; nothing was begun"))
        }
        Err(e) => Err(Error::new(cut_short, "the ledger stopped in the middle of its work").with_source(e)),
    }
}
