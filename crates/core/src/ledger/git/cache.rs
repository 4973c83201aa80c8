//! `Cache`: a branch's objects and the heads that this host has read, in the user's cache directory.
//!
//! ```text
//! lock                  locked by the process of this host that uses the cache, except for reads offline
//! repository/           a bare repository with the objects that were fetched
//! seen/tip              the commit that was read last; its time is the time of that read
//! seen/<channel>        the head of the channel's log that was read last
//! index/<channel>.<name>
//! ```
//!
//! The repository can be made again at any time. `seen` cannot: without it, this host takes a branch that lost its last
//! entries for a shorter branch.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind as IoErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::file::disk::{Disk, DiskFile, FileMode, HostDisk, until};
use crate::ledger::name::FILE;
use crate::log::EntryHash;
use crate::value::{Channel, Digest, Timestamp};

/// The ref of the branch in the repository of the cache.
pub(super) const TIP: &str = "refs/tagwarden/tip";

/// The ref of the last commit that was made in the cache, pushed or not.
pub(super) const BUILT: &str = "refs/tagwarden/built";

/// The ref of the tip after a forced push.
pub(super) const FORCED: &str = "refs/tagwarden/forced";

/// The greatest number of packs in the repository. A pack has up to three files.
const MAX_PACKS: usize = 50;

/// The greatest number of bytes in the repository.
const MAX_BYTES: u64 = 64 << 20;

/// One of so many of the 256 directories of loose objects is counted, and stands for all of them: an object is in the
/// directory of its hash's first byte, and to look at thousands of files would be most of a read.
const SAMPLED: usize = 16;

/// The greatest number of loose objects.
const MAX_LOOSE: usize = 8_000;

/// The cache of one branch.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    dir: PathBuf,
}

/// The head of a log that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) channel: Channel,
    /// The leaf hash of the last entry.
    pub(super) leaf: EntryHash,
    pub(super) size: u64,
}

/// The user's cache directory for tagwarden: `$XDG_CACHE_HOME/tagwarden`, or else `~/.cache/tagwarden`.
pub(super) fn root(env: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf> {
    let set = |name| env(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let dir = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let why = "a ledger in a Git branch keeps a cache: set XDG_CACHE_HOME (or HOME) to a directory";
    Ok(dir.ok_or_else(|| Error::new(ErrorKind::ConfigInvalid, why))?.join("tagwarden"))
}

impl Cache {
    /// The cache of `branch` of the repository at `remote`, below `root`.
    pub(super) fn of(root: &Path, remote: &str, branch: &str) -> Cache {
        let digest = Digest::of(format!("{remote}#{branch}").as_bytes()).to_string();
        let name: String = digest.trim_start_matches("sha256:").chars().take(32).collect();
        Cache { dir: root.join("git").join(name) }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.dir.join("repository")
    }

    /// Creates the directories. The logs may be private: only the user may read them.
    pub(super) fn make(&self) -> Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for dir in ["seen", "index"] {
            builder.create(self.dir.join(dir)).map_err(|e| self.io("make a directory", e))?;
        }
        Ok(())
    }

    /// Locks the cache against the other processes of this host, until the file is closed. LEDGER_UNAVAILABLE if
    /// another process still has the lock at the deadline.
    pub(super) fn lock(&self, deadline: Instant) -> Result<Box<dyn DiskFile>> {
        let path = self.dir.join("lock");
        let locked = until(deadline, || {
            let lock = HostDisk.open(&path, FileMode::Create).map_err(|e| self.io("open the lock", e))?;
            Ok(lock.try_lock().map_err(|e| self.io("lock", e))?.then_some(lock))
        })?;
        locked.ok_or_else(|| {
            let message = format!(
                "{}: another tagwarden of this machine has had the lock for too long: it fetches or pushes. Wait for it, \
                 or set another XDG_CACHE_HOME",
                path.display()
            );
            Error::new(ErrorKind::LedgerUnavailable, message)
        })
    }

    /// The commit at the tip of the branch, as it was read last; none if the repository has no such ref.
    pub(super) fn tip(&self) -> Result<Option<String>> {
        match fs::read_to_string(self.repository().join(TIP)) {
            Ok(text) => {
                let tip = text.trim();
                let is_id = matches!(tip.len(), 40 | 64) && tip.bytes().all(|b| b.is_ascii_hexdigit());
                Ok(is_id.then(|| tip.to_owned()))
            }
            Err(e) if matches!(e.kind(), IoErrorKind::NotFound | IoErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(self.io("read the tip", e)),
        }
    }

    /// Writes the commit at the tip of the branch, which the repository has. As for reads, a process less than Git's own
    /// `update-ref`.
    pub(super) fn set_tip(&self, tip: &str) -> Result<()> {
        self.write(&self.repository().join(TIP), format!("{tip}\n").as_bytes())
    }

    /// The hash algorithm that the repository does not have, of the two of Git.
    pub(super) fn other_format(&self) -> &'static str {
        let settings = fs::read_to_string(self.repository().join("config")).unwrap_or_default();
        if settings.contains("sha256") { "sha1" } else { "sha256" }
    }

    /// Removes Git's lock files that a process left in the repository when it died. Only while the cache is locked.
    pub(super) fn remove_locks(&self) {
        for name in ["shallow", "config", "packed-refs", "HEAD", TIP, BUILT, FORCED] {
            let _ = fs::remove_file(self.repository().join(format!("{name}.lock")));
        }
    }

    /// Removes the repository: the next fetch makes it again. Only while the cache is locked.
    pub(super) fn clear(&self) -> Result<()> {
        // A read offline, which takes no lock, sees by the tip that the repository is being removed.
        let _ = fs::remove_file(self.repository().join(TIP));
        for name in ["repository", "repository.new"] {
            match fs::remove_dir_all(self.dir.join(name)) {
                Err(e) if e.kind() != IoErrorKind::NotFound => return Err(self.io("remove the repository", e)),
                _ => {}
            }
        }
        Ok(())
    }

    /// True if the repository has so many packs, objects or bytes, as far as a sample shows, that a new one costs less than
    /// keeping it.
    pub(super) fn is_large(&self) -> bool {
        let objects = self.repository().join("objects");
        let packs = sizes(&objects.join("pack"));
        if packs.len() > 3 * MAX_PACKS || packs.iter().sum::<u64>() > MAX_BYTES {
            return true;
        }
        let sample = (0..256).step_by(SAMPLED).map(|byte| objects.join(format!("{byte:02x}")));
        let loose: Vec<u64> = sample.flat_map(|directory| sizes(&directory)).collect();
        let bytes = loose.iter().sum::<u64>() * SAMPLED as u64;
        loose.len() * SAMPLED > MAX_LOOSE || bytes + packs.iter().sum::<u64>() > MAX_BYTES
    }

    /// The commit at the tip of the branch that this host has seen, and when it read the branch last.
    pub(super) fn seen_tip(&self) -> Result<Option<(String, Timestamp)>> {
        let path = self.dir.join("seen/tip");
        let Some(text) = self.read(&path)? else { return Ok(None) };
        let modified = fs::metadata(&path).and_then(|file| file.modified()).unwrap_or(UNIX_EPOCH);
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        Ok(Some((String::from_utf8_lossy(&text).trim().to_owned(), at)))
    }

    pub(super) fn see_tip(&self, tip: &str) -> Result<()> {
        self.write(&self.dir.join("seen/tip"), format!("{tip}\n").as_bytes())
    }

    /// The head of the channel's log that this host has seen.
    pub(super) fn seen(&self, channel: &Channel) -> Result<Option<Head>> {
        let bytes = self.read(&self.head_file(channel))?;
        let head = bytes.and_then(|bytes| serde_json::from_slice::<Head>(&bytes).ok());
        Ok(head.filter(|head| head.channel == *channel && head.size > 0))
    }

    /// The heads of all logs that this host has seen, by channel.
    pub(super) fn all_seen(&self) -> Vec<Head> {
        let files = fs::read_dir(self.dir.join("seen")).into_iter().flatten().flatten().map(|file| file.path());
        let read = files.filter(|path| path.extension().is_some_and(|name| name == "json"));
        let heads = read.filter_map(|path| serde_json::from_slice::<Head>(&self.read(&path).ok()??).ok());
        let mut heads: Vec<Head> = heads.filter(|head| head.size > 0).collect();
        heads.sort_by(|one, other| one.channel.cmp(&other.channel));
        heads
    }

    pub(super) fn see(&self, head: &Head) -> Result<()> {
        let bytes = serde_json::to_vec(head).map_err(|e| self.io("write the head", io::Error::other(e)))?;
        self.write_synced(&self.head_file(&head.channel), &bytes)
    }

    fn head_file(&self, channel: &Channel) -> PathBuf {
        self.dir.join("seen").join(format!("{}.json", FILE.encode(channel)))
    }

    fn index_file(&self, channel: &Channel, name: &str) -> PathBuf {
        self.dir.join("index").join(format!("{}.{name}", FILE.encode(channel)))
    }

    pub(super) fn blob(&self, channel: &Channel, name: &str) -> Result<Option<Bytes>> {
        Ok(self.read(&self.index_file(channel, name))?.map(Bytes::from))
    }

    pub(super) fn put_blob(&self, channel: &Channel, name: &str, blob: &[u8]) -> Result<()> {
        self.write(&self.index_file(channel, name), blob)
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == IoErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.io("read", e)),
        }
    }

    /// Writes a new file and renames it over the old one, so that no reader sees half of a file.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.replace(path, |new| fs::write(new, bytes))
    }

    /// As `write`, for what cannot be made again: after a power failure the file is the old or the new one.
    fn write_synced(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.replace(path, |new| {
            let mut file = File::create(new)?;
            file.write_all(bytes)?;
            file.sync_data()
        })
    }

    fn replace(&self, path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let new = self.dir.join(format!("new-{}-{now}", std::process::id()));
        write(&new).and_then(|()| fs::rename(&new, path)).map_err(|e| {
            let _ = fs::remove_file(&new);
            self.io("write", e)
        })
    }

    /// LEDGER_UNAVAILABLE: the operation `what` in the cache failed.
    pub(super) fn io(&self, what: &str, e: io::Error) -> Error {
        let message = format!("the cache {}: cannot {what}: {e}", self.dir.display());
        Error::new(ErrorKind::LedgerUnavailable, message).with_source(e)
    }
}

/// The sizes of the files in a directory; none if it cannot be read.
fn sizes(dir: &Path) -> Vec<u64> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).collect()
}
