//! The file system operations that the file ledger needs, as traits, so that tests can simulate a power loss.

use std::fs::{DirEntry, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Result;

/// The mode in which a file is opened. A symbolic link, or anything but a regular file, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum FileMode {
    /// Read; the file must exist.
    Read,
    /// Read and write; the file must exist.
    Write,
    /// Read and write; the file is created if it does not exist.
    Create,
}

/// A file system.
pub(in crate::ledger) trait Disk: std::fmt::Debug + Send + Sync + 'static {
    fn open(&self, path: &Path, mode: FileMode) -> io::Result<Box<dyn DiskFile>>;

    /// Creates a directory if it does not exist.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// Syncs a directory, so that the names in it survive a crash.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// The names of the files in a directory.
    fn names(&self, path: &Path) -> io::Result<Vec<String>>;

    /// An identifier of the current boot of the machine: up to 36 characters without a space.
    fn boot(&self) -> String;
}

/// An open file. Closing it releases its lock.
pub(in crate::ledger) trait DiskFile: std::fmt::Debug + Send + Sync {
    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Reads into `buffer` up to the end of the file. Returns the number of bytes.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes`. After an error any part of them may be written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Syncs the written bytes, so that they survive a crash (fdatasync).
    fn sync(&self) -> io::Result<()>;

    /// Takes the exclusive lock on the file; false if another process holds it, or if the file was removed or replaced:
    /// another process may then have the lock on a new file of that name.
    fn try_lock(&self) -> io::Result<bool>;
}

/// The result of `attempt` as soon as there is one. None if there is none at the deadline.
pub(in crate::ledger) fn until<T>(
    deadline: Instant,
    mut attempt: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let mut pause = Duration::from_micros(50);
    loop {
        let result = attempt()?;
        if result.is_some() || Instant::now() >= deadline {
            return Ok(result);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(2));
    }
}

/// The file system of this host.
#[derive(Debug)]
pub(in crate::ledger) struct HostDisk;

impl Disk for HostDisk {
    fn open(&self, path: &Path, mode: FileMode) -> io::Result<Box<dyn DiskFile>> {
        // Without NONBLOCK, opening a pipe of that name would block the caller for ever. The flag has no effect on a
        // regular file.
        let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
        let file = OpenOptions::new()
            .read(true)
            .write(mode != FileMode::Read)
            .create(mode == FileMode::Create)
            .custom_flags(flags.cast_signed())
            .open(path)
            .map_err(|e| match rustix::io::Errno::from_io_error(&e) {
                Some(rustix::io::Errno::LOOP) => io::Error::other("it is a symbolic link, which is refused"),
                _ => e,
            })?;
        match file.metadata()?.is_file() {
            true => Ok(Box::new(file)),
            false => Err(io::Error::other("it is not a regular file")),
        }
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        match std::fs::create_dir(path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            Err(_) if !std::fs::symlink_metadata(path)?.is_dir() => Err(io::Error::other("it is not a directory")),
            _ => Ok(()),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        // Names of the ledger are ASCII: skip every name that is not UTF-8.
        let name = |entry: io::Result<DirEntry>| entry.map(|entry| entry.file_name().into_string().ok()).transpose();
        std::fs::read_dir(path)?.filter_map(name).collect()
    }

    fn boot(&self) -> String {
        static BOOT: OnceLock<String> = OnceLock::new();
        let read = || {
            let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
            // Without an OS boot id, use a per-process id: this process then does not rely on the syncs of other
            // processes, and syncs once more.
            if id.trim().len() == 36 { id.trim().to_owned() } else { uuid::Uuid::now_v7().to_string() }
        };
        BOOT.get_or_init(read).clone()
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match FileExt::read_at(self, rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        File::set_len(self, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn try_lock(&self) -> io::Result<bool> {
        match File::try_lock(self) {
            Ok(()) => Ok(self.metadata()?.nlink() > 0),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}
