//! A simulated disk in memory that can lose power: it knows the synced changes, and the other changes that a crash may
//! keep.
//!
//! Every change is recorded. An image is the disk after a crash behind the first `n` changes. It has every change that
//! was synced. Of the other changes it may have any sectors of any write, any length in between, and any first part of
//! the changes to names.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::disk::{Disk, DiskFile, FileMode};

const SECTOR: usize = 512;

type Files = Vec<Vec<u8>>;
type Names = BTreeMap<PathBuf, usize>;

/// A change, or a sync.
#[derive(Clone, Debug)]
enum Op {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Write(usize, usize, Vec<u8>),
    SetLen(usize, usize),
    Sync(usize),
    /// The sync failed: the bytes are clean in the cache, and never reach the disk.
    SyncFailed(usize),
    SyncDir,
}

/// The fault of a broken disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lie {
    #[default]
    Nothing,
    /// A sync of a file takes effect with the next change to that file, which is too late.
    SyncsLate,
    /// A sync of a file does nothing.
    SyncsNothing,
    /// A sync of the directory does nothing.
    SyncsNoNames,
}

/// The unsynced changes that a crash keeps.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keeps {
    Nothing,
    Everything,
    /// The lengths and names, with zeros for the data.
    Lengths,
    /// A random choice from this seed.
    Some(u64),
}

#[derive(Debug, Default)]
struct State {
    files: Files,
    names: Names,
    locked: Vec<usize>,
    trace: Vec<Op>,
    /// Syncs that were acknowledged and have not taken effect yet (`Lie::SyncsLate`).
    owed: Vec<Op>,
    syncs: usize,
    fail_sync: Option<usize>,
    space: Option<usize>,
}

/// The simulated disk. Clones share its state.
#[derive(Clone, Debug, Default)]
pub(super) struct SimDisk {
    state: Arc<Mutex<State>>,
    /// The files on the disk when it was switched on.
    start: Arc<(Files, Names)>,
    boot: u64,
    lie: Lie,
}

impl SimDisk {
    pub(super) fn new(lie: Lie) -> SimDisk {
        SimDisk { lie, ..SimDisk::default() }
    }

    /// Makes the n-th sync of a file from now on fail, counted from 0.
    pub(super) fn fail_sync(&self, nth: usize) {
        let mut state = self.state();
        state.fail_sync = Some(state.syncs + nth);
    }

    /// Lets the files grow by at most this many bytes from now on.
    pub(super) fn space(&self, bytes: Option<usize>) {
        self.state().space = bytes;
    }

    /// The number of changes so far.
    pub(super) fn changes(&self) -> usize {
        self.state().trace.len()
    }

    /// The number of syncs of files so far.
    pub(super) fn syncs(&self) -> usize {
        self.state().syncs
    }

    /// The bytes of a file as they are in the cache.
    pub(super) fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        Some(state.files[*state.names.get(path)?].clone())
    }

    /// Creates a file that is not synced.
    pub(super) fn put(&self, path: &Path, bytes: &[u8]) {
        let file = self.open(path, FileMode::Create).unwrap();
        file.set_len(0).unwrap();
        file.write_at(bytes, 0).unwrap();
    }

    /// The disk after a crash behind the first `changes`, switched on again.
    pub(super) fn crash(&self, changes: usize, keeps: Keeps) -> SimDisk {
        let mut chance = Chance(match keeps {
            Keeps::Some(seed) => seed ^ (changes as u64) << 20,
            _ => 0,
        });
        let mut keep = |length: bool| match keeps {
            Keeps::Nothing => false,
            Keeps::Everything => true,
            Keeps::Lengths => length,
            Keeps::Some(_) => chance.next().is_multiple_of(2),
        };
        let (mut files, mut names) = (*self.start).clone();
        let mut pending: Vec<Op> = Vec::new();
        for op in &self.state().trace[..changes] {
            match op {
                Op::Sync(file) => {
                    for op in pending.extract_if(.., |op| op.file() == Some(*file)) {
                        apply(&op, &mut files, &mut names);
                    }
                }
                Op::SyncFailed(file) => pending.retain(|op| op.file() != Some(*file)),
                Op::SyncDir => {
                    for op in pending.extract_if(.., |op| op.file().is_none()) {
                        apply(&op, &mut files, &mut names);
                    }
                }
                op => pending.push(op.clone()),
            }
        }
        let mut names_go_on = true;
        for op in &pending {
            match op {
                Op::Write(file, at, bytes) => {
                    let mut at = *at;
                    let mut rest = bytes.as_slice();
                    if keep(true) {
                        extend(&mut files, *file, at + rest.len());
                    }
                    while !rest.is_empty() {
                        let (piece, after) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                        if keep(false) {
                            write(&mut files, *file, at, piece);
                        }
                        at += piece.len();
                        rest = after;
                    }
                }
                Op::SetLen(..) if keep(true) => apply(op, &mut files, &mut names),
                Op::Create(..) | Op::Rename(..) => {
                    names_go_on &= keep(true);
                    if names_go_on {
                        apply(op, &mut files, &mut names);
                    }
                }
                _ => {}
            }
        }
        let state = State { files: files.clone(), names: names.clone(), ..State::default() };
        SimDisk {
            state: Arc::new(Mutex::new(state)),
            start: Arc::new((files, names)),
            boot: self.boot + 1,
            lie: Lie::Nothing,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn sync_op(&self, state: &mut State, op: Op) {
        match self.lie {
            Lie::SyncsNothing if op.file().is_some() => {}
            Lie::SyncsNoNames if op.file().is_none() => {}
            Lie::SyncsLate if op.file().is_some() => state.owed.push(op),
            _ => state.trace.push(op),
        }
    }
}

impl State {
    fn change(&mut self, op: Op) {
        self.trace.extend(self.owed.extract_if(.., |owed| owed.file() == op.file()));
        apply(&op, &mut self.files, &mut self.names);
        self.trace.push(op);
    }
}

impl Op {
    /// The file that is changed; none for a change of names.
    fn file(&self) -> Option<usize> {
        match self {
            Op::Write(file, ..) | Op::SetLen(file, _) | Op::Sync(file) | Op::SyncFailed(file) => Some(*file),
            Op::Create(..) | Op::Rename(..) | Op::SyncDir => None,
        }
    }
}

fn apply(op: &Op, files: &mut Files, names: &mut Names) {
    match op {
        Op::Create(path, file) => {
            extend(files, *file, 0);
            names.insert(path.clone(), *file);
        }
        Op::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Op::Write(file, at, bytes) => write(files, *file, *at, bytes),
        Op::SetLen(file, length) => {
            extend(files, *file, 0);
            files[*file].resize(*length, 0);
        }
        Op::Sync(_) | Op::SyncFailed(_) | Op::SyncDir => {}
    }
}

fn extend(files: &mut Files, file: usize, length: usize) {
    if files.len() <= file {
        files.resize(file + 1, Vec::new());
    }
    if files[file].len() < length {
        files[file].resize(length, 0);
    }
}

fn write(files: &mut Files, file: usize, at: usize, bytes: &[u8]) {
    extend(files, file, at + bytes.len());
    files[file][at..at + bytes.len()].copy_from_slice(bytes);
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: FileMode) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        let file = match state.names.get(path) {
            Some(file) => *file,
            None if mode == FileMode::Create => {
                let file = state.files.len();
                state.change(Op::Create(path.to_owned(), file));
                file
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Box::new(SimFile { disk: self.clone(), file, locked: Mutex::new(false) }))
    }

    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.sync_op(&mut self.state(), Op::SyncDir);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state().change(Op::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let names = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn boot(&self) -> String {
        format!("boot-{}", self.boot)
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
    locked: Mutex<bool>,
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let rest = state.files[self.file].get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let grows = (offset as usize + bytes.len()).saturating_sub(state.files[self.file].len());
        let fits = state.space.map_or(grows, |space| space.min(grows));
        if let Some(space) = &mut state.space {
            *space -= fits;
        }
        let written = bytes.len() - (grows - fits);
        state.change(Op::Write(self.file, offset as usize, bytes[..written].to_vec()));
        match written == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.disk.state().change(Op::SetLen(self.file, bytes as usize));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.syncs += 1;
        if state.fail_sync.is_some_and(|fails| state.syncs > fails) {
            state.fail_sync = None;
            state.change(Op::SyncFailed(self.file));
            return Err(io::Error::other("the disk says no"));
        }
        self.disk.sync_op(&mut state, Op::Sync(self.file));
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut state = self.disk.state();
        if state.locked.contains(&self.file) {
            return Ok(false);
        }
        state.locked.push(self.file);
        *self.locked.lock().unwrap() = true;
        Ok(state.names.values().any(|file| *file == self.file))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if *self.locked.get_mut().unwrap() {
            self.disk.state().locked.retain(|file| *file != self.file);
        }
    }
}
