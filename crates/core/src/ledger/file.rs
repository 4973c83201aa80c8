//! `FileLedger`: a ledger in one directory of one host, crash-safe, for any number of processes.

mod disk;
mod index;
mod lines;
mod mark;
mod place;
mod reader;
mod verify;
mod writer;

#[cfg(test)]
mod crash;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

pub use place::{Repair, RepairNotice};

pub use self::verify::verify_file;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

use self::disk::{Disk, HostDisk, OpenMode};
use self::place::{Notices, Place};
use self::reader::Reader;
use self::writer::Writer;
use super::name::FILE;
use super::open_logs::OpenLogs;
use super::{Appended, IndexStore, Ledger, Unacknowledged};
use crate::error::{Error, ErrorKind, Result};
use crate::log::LogReport;
use crate::value::Channel;

/// Default of [`FileLedger::lock_wait`]: 10 s.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// The greatest number of channels with open files.
const MAX_OPEN: usize = 64;

/// A ledger in a directory: the file `<channel>.jsonl` is a channel's log, one entry a line.
///
/// - An append takes the lock on `<channel>.lock`, writes the line in one write and syncs it (fdatasync) before it
///   returns; the directory is synced when a log begins. Several processes of one host may write; **network file
///   systems are not supported**, because their locks and syncs do not give these guarantees.
/// - A *last* line that a crash cut short was never acknowledged. Readers do not see it. The next append cuts it and
///   reports this in [`FileLedger::notices`]. A bad line before a good one stays in the file, and verification reports
///   it.
/// - After a failed sync, bytes that were not synced before do not count until they were cut, written again and synced.
/// - Reads take no lock, and find a position in a long log without reading the complete log.
/// - `index/` holds derived data; deleting it loses nothing.
/// - Symbolic links in the directory are refused.
///
/// File operations run on the blocking threads of the caller's tokio runtime. Dropping the future does not stop an
/// append that has begun.
#[derive(Clone)]
pub struct FileLedger {
    inner: Arc<Inner>,
    lock_wait: Duration,
}

struct Inner {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    may: May,
    logs: OpenLogs<Log>,
    notices: Notices,
}

/// The operations that an open ledger may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    Read,
    Write,
}

/// The open files of one channel's log in this process.
#[derive(Debug)]
struct Log {
    place: Arc<Place>,
    reader: Mutex<Option<Reader>>,
    /// Queues the tasks of this process in order; the lock file excludes the other processes.
    writer: Arc<tokio::sync::Mutex<Option<Writer>>>,
    /// True if, at the last read of the size, the file had bytes after the last entry that counts; true before the
    /// first read.
    unsettled: AtomicBool,
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
        make_dirs(&HostDisk, dir)?;
        FileLedger::on(Arc::new(HostDisk), dir, May::Write)
    }

    /// The ledger in `dir`, opened read-only: nothing in it is created, changed or locked, so that read permission is
    /// enough. Appends are LEDGER_UNAVAILABLE, and a directory that does not exist is LEDGER_ABSENT.
    pub fn open_read_only(dir: impl AsRef<Path>) -> Result<FileLedger> {
        FileLedger::on(Arc::new(HostDisk), dir.as_ref(), May::Read)
    }

    fn on(disk: Arc<dyn Disk>, dir: &Path, may: May) -> Result<FileLedger> {
        disk.check_dir(dir).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => absent(dir, e),
            _ => unavailable("open", dir, e),
        })?;
        let inner =
            Inner { dir: dir.to_owned(), disk, may, logs: OpenLogs::new(MAX_OPEN), notices: Notices::default() };
        Ok(FileLedger { inner: Arc::new(inner), lock_wait: LOCK_WAIT })
    }

    /// Sets how long an append waits for a lock that another process holds, before it is LEDGER_UNAVAILABLE; the
    /// default is 10 s.
    #[must_use]
    pub fn lock_wait(self, lock_wait: Duration) -> FileLedger {
        FileLedger { lock_wait, ..self }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The repairs that this ledger made since it was opened, oldest first; at most the last 1,024.
    pub fn notices(&self) -> Vec<RepairNotice> {
        self.inner.notices.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn place(&self, channel: &Channel) -> Place {
        Place::new(self.inner.disk.clone(), &self.inner.dir, channel.clone(), self.inner.notices.clone())
    }

    fn log(&self, channel: &Channel) -> Arc<Log> {
        self.inner.logs.get(channel, || Log {
            place: Arc::new(self.place(channel)),
            reader: Mutex::default(),
            writer: Arc::default(),
            unsettled: AtomicBool::new(true),
        })
    }

    /// The channels that have a file with at least one entry in the directory.
    fn list(&self) -> Result<Vec<Channel>> {
        let dir = &self.inner.dir;
        let mut channels = Vec::new();
        for file in self.inner.disk.names(dir).map_err(|e| unavailable("read", dir, e))? {
            let Some(name) = file.strip_suffix(".jsonl") else { continue };
            let channel = match FILE.decode(name) {
                Some(channel) => channel,
                None => match self.first_channel(&file)? {
                    Some(channel) if FILE.encode(&channel) == name => channel,
                    Some(channel) => {
                        let message = format!("{}: the entries are of {channel}", dir.join(&file).display());
                        return Err(Error::new(ErrorKind::LedgerCorrupt, message).with_context("channel", channel));
                    }
                    None => continue,
                },
            };
            let mut reader = None;
            let place = Arc::new(self.place(&channel));
            if reader::look(&place, &mut reader)?.is_some_and(|reader| reader.entries() > 0) {
                channels.push(channel);
            }
        }
        channels.sort();
        Ok(channels)
    }

    /// The channel that the first line of a file names; none if there is no complete line yet.
    fn first_channel(&self, file: &str) -> Result<Option<Channel>> {
        let path = self.inner.dir.join(file);
        let log = self.inner.disk.open(&path, OpenMode::Read).map_err(|e| unavailable("open", &path, e))?;
        let mut head = vec![0; lines::MAX_LINE];
        let length = log.read_at(&mut head, 0).map_err(|e| unavailable("read", &path, e))?;
        let Some(end) = head.get(..length).and_then(lines::first_end) else { return Ok(None) };
        match head.get(..end - 1).and_then(lines::channel_of) {
            Some(channel) => Ok(Some(channel)),
            None => {
                let message = format!("{}: neither its name nor its first entry says a channel", path.display());
                Err(Error::new(ErrorKind::LedgerCorrupt, message).with_context("file", path.display()))
            }
        }
    }

    /// Runs `work` with this process's reader of the log. Returns `none` if there is no log.
    async fn reading<T: Send + 'static>(
        &self,
        channel: &Channel,
        none: T,
        work: impl FnOnce(&mut Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let log = self.log(channel);
        blocking(ErrorKind::LedgerUnavailable, move || {
            let mut reader = lock(&log.reader);
            match reader::look(&log.place, &mut reader)? {
                Some(reader) => work(reader),
                None => Ok(none),
            }
        })
        .await
    }
}

impl fmt::Debug for FileLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLedger").field("dir", &self.inner.dir).field("may", &self.inner.may).finish_non_exhaustive()
    }
}

#[async_trait]
impl Ledger for FileLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        let log = self.log(channel);
        let seen = |reader: &mut Reader| Ok((reader.entries(), reader.unsettled()));
        let (size, unsettled) = self.reading(channel, (0, false), seen).await?;
        log.unsettled.store(unsettled, Ordering::Relaxed);
        if !unsettled || self.inner.may == May::Read {
            return Ok(size);
        }
        // Another process is appending, or it died during an append: in that case finish the append here.
        let Ok(mut writer) = log.writer.clone().try_lock_owned() else { return Ok(size) };
        let place = log.place.clone();
        blocking(ErrorKind::LedgerUnavailable, move || writer::settle(&place, &mut writer)).await?;
        let (size, unsettled) = self.reading(channel, (0, false), seen).await?;
        log.unsettled.store(unsettled, Ordering::Relaxed);
        Ok(size)
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        self.reading(channel, Vec::new(), move |reader| reader.read(from, limit)).await
    }

    async fn unacknowledged(&self, channel: &Channel) -> Result<Unacknowledged> {
        // The last read of the size shows if there can be such an append. Most often there is none, and no file is
        // opened.
        if !self.log(channel).unsettled.load(Ordering::Relaxed) {
            return Ok(Unacknowledged::None);
        }
        let line = self.reading(channel, None, Reader::unacknowledged).await?;
        Ok(line.map_or(Unacknowledged::None, Unacknowledged::Entry))
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let log = self.log(channel);
        if self.inner.may == May::Read {
            return Err(log.place.unavailable("the ledger was opened read-only"));
        }
        let deadline = Instant::now() + self.lock_wait;
        let mut writer = log.writer.clone().lock_owned().await;
        blocking(ErrorKind::LedgerAmbiguous, move || writer::append(&log.place, &mut writer, seq, &bytes, deadline))
            .await
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        let ledger = self.clone();
        blocking(ErrorKind::LedgerUnavailable, move || ledger.list()).await
    }

    async fn verify(&self, channel: &Channel) -> Result<LogReport> {
        let place = self.place(channel);
        blocking(ErrorKind::LedgerUnavailable, move || verify::verify(&place)).await
    }

    fn index(&self) -> Option<&dyn IndexStore> {
        Some(self)
    }
}

/// A blob is the file `index/<channel>.<name>`. A failed write is recorded as a notice.
#[async_trait]
impl IndexStore for FileLedger {
    async fn get(&self, channel: &Channel, name: &str) -> Result<Option<Bytes>> {
        let (place, name) = (self.place(channel), name.to_owned());
        blocking(ErrorKind::LedgerUnavailable, move || {
            index::get(&place, &name).map_err(|e| place.io("read", &place.index(&name), e))
        })
        .await
    }

    async fn put(&self, channel: &Channel, name: &str, blob: Bytes) -> Result<()> {
        if self.inner.may == May::Read {
            return Ok(());
        }
        let (place, name) = (self.place(channel), name.to_owned());
        blocking(ErrorKind::LedgerUnavailable, move || {
            if let Err(e) = index::put(&place, &name, &blob) {
                place.note(Repair::IndexLeft { why: e.to_string() });
            }
            Ok(())
        })
        .await
    }
}

/// Creates `dir` and its missing parents, and syncs the directory of each new name.
fn make_dirs(disk: &dyn Disk, dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    };
    make_dirs(disk, parent)?;
    disk.make_dir(dir).and_then(|()| disk.sync_dir(parent)).map_err(|e| unavailable("make", dir, e))
}

fn unavailable(what: &str, path: &Path, e: std::io::Error) -> Error {
    let message = format!("{}: cannot {what}: {e}", path.display());
    Error::new(ErrorKind::LedgerUnavailable, message).with_context("file", path.display()).with_source(e)
}

fn absent(dir: &Path, e: std::io::Error) -> Error {
    let message = format!("{}: there is no ledger here", dir.display());
    Error::new(ErrorKind::LedgerAbsent, message).with_context("file", dir.display()).with_source(e)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The data under the lock is a cache that each use checks again, so a poisoned lock does no harm.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file name of a channel's log.
pub(super) fn log_name(channel: &Channel) -> String {
    format!("{}.jsonl", FILE.encode(channel))
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
