//! The index of one log: a file with a state of the channel and a hash table of terms.
//!
//! ```text
//! 0        head A   64 KiB: magic, generation, capacity, used cells, length of the state, SHA-256, state as JSON
//! 65536    head B   the same; the later generation that is whole counts
//! 131072   cells    `capacity` of 16 bytes
//! ```
//!
//! The cells are synced before the head that counts them is written. The new head overwrites the older of the two
//! heads. After a crash the previous head is valid, and the cells of positions above its size do not count. A table
//! that gets too full is written again to a new file, which is renamed over the old one.

use std::io;
use std::path::PathBuf;

use super::disk::{DiskFile, OpenMode};
use super::place::{Place, Repair};
use super::table::{self, CELL, Cells, MemoryCells};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Term;
use crate::log::{ChannelState, EntryHash};
use crate::value::Digest;

const MAGIC: &[u8; 8] = b"twindex1";
const HEAD: u64 = 64 * 1024;
const CELLS: u64 = 2 * HEAD;
/// Length of the fields before the state: magic, four numbers and a SHA-256.
const FIXED: usize = 8 + 4 * 8 + 32;
const MIN_CELLS: u64 = 4096;
/// 1 GiB of cells. A log with more terms than fit is scanned.
const MAX_CELLS: u64 = 1 << 26;

/// A head with a valid checksum.
#[derive(Clone, Debug, PartialEq)]
struct Head {
    generation: u64,
    capacity: u64,
    used: u64,
    state: ChannelState,
}

/// The cells of an index file.
#[derive(Debug)]
struct FileCells<'a> {
    file: &'a dyn DiskFile,
    capacity: u64,
}

/// The state in the index; none if the index cannot be used.
pub(super) fn state(place: &Place) -> Option<ChannelState> {
    open(place, OpenMode::Read).ok().flatten().map(|(_, head)| head.state)
}

/// The positions under `term` below the size of the index, newest first.
///
/// LEDGER_UNAVAILABLE if the index is gone or broken: the caller has its state already, and an empty answer would mean
/// that the term is not in the log.
pub(super) fn find(place: &Place, term: Term) -> Result<Vec<u64>> {
    let found = open(place, OpenMode::Read).and_then(|opened| match opened {
        Some((file, head)) => {
            let cells = FileCells { file: file.as_ref(), capacity: head.capacity };
            table::find(&cells, head.state.size, term)
        }
        None => Err(io::Error::other("the index is gone, or was never there")),
    });
    found.map_err(|e| place.io("look up in", &path(place), e))
}

/// Extends the index; see [`crate::ledger::Index::extend`]. `leaf_at` returns the leaf hash of the log's entry at a
/// position.
pub(super) fn extend(
    place: &Place,
    from: u64,
    state: &ChannelState,
    terms: &[(Term, u64)],
    leaf_at: impl FnOnce(u64) -> Option<EntryHash>,
) -> Result<()> {
    if state.size <= from || state.channel != place.channel {
        return Ok(());
    }
    if terms.iter().any(|(_, seq)| *seq < from || *seq >= state.size) {
        let message = format!("a term of an entry that is not from {from} to {}", state.size);
        return Err(place.locate(Error::new(ErrorKind::InternalFault, message)));
    }
    if let Err(e) = try_extend(place, from, state, terms, leaf_at) {
        place.note(Repair::IndexLeft { why: e.to_string() });
    }
    Ok(())
}

fn try_extend(
    place: &Place,
    from: u64,
    state: &ChannelState,
    terms: &[(Term, u64)],
    leaf_at: impl FnOnce(u64) -> Option<EntryHash>,
) -> io::Result<()> {
    let dir = place.dir.join("index");
    place.disk.make_dir(&dir)?;
    // A process that holds the lock does the same work. Closing the file releases the lock.
    let lock = place.disk.open(&with_extension(place, "lock"), OpenMode::Create)?;
    if !lock.try_lock()? {
        return Ok(());
    }
    let more = terms.len() as u64;
    let extended = match open(place, OpenMode::Write)? {
        Some((file, head)) if head.state.size == from => {
            let needed = cells_for(head.used.saturating_add(more));
            match needed > head.capacity {
                true => rewrite(place, Some((file.as_ref(), &head)), needed, state, terms),
                false => in_place(file.as_ref(), &head, state, terms),
            }
        }
        Some((_, head)) if from > 0 || head.state.leaf == head.state.size.checked_sub(1).and_then(leaf_at) => Ok(()),
        None if from > 0 => Ok(()),
        _ => rewrite(place, None, cells_for(more), state, terms),
    };
    extended.and(lock.unlock())
}

fn in_place(file: &dyn DiskFile, head: &Head, state: &ChannelState, terms: &[(Term, u64)]) -> io::Result<()> {
    let mut cells = FileCells { file, capacity: head.capacity };
    let filled = table::insert(&mut cells, head.state.size, terms)?;
    file.sync()?;
    let next = Head {
        generation: head.generation + 1,
        capacity: head.capacity,
        used: head.used + filled,
        state: state.clone(),
    };
    next.write(file)?;
    file.sync()
}

/// Writes a new table with more room, and replaces the old file by it.
fn rewrite(
    place: &Place,
    old: Option<(&dyn DiskFile, &Head)>,
    capacity: u64,
    state: &ChannelState,
    terms: &[(Term, u64)],
) -> io::Result<()> {
    if capacity > MAX_CELLS {
        return Err(io::Error::other(format!("more terms than {MAX_CELLS} cells hold")));
    }
    let mut cells = MemoryCells::new(capacity);
    let (mut used, mut size, mut generation) = (0, 0, 0);
    if let Some((file, head)) = old {
        let mut at = 0;
        while at < head.capacity {
            let count = (head.capacity - at).min(MIN_CELLS);
            let mut run = vec![0; usize::try_from(count).unwrap_or(0) * CELL];
            FileCells { file, capacity: head.capacity }.load(at, &mut run)?;
            for cell in run.chunks_exact(CELL).filter_map(table::decode).filter(|(_, seq)| *seq < head.state.size) {
                table::copy(&mut cells, cell)?;
                used += 1;
            }
            at += count;
        }
        (size, generation) = (head.state.size, head.generation);
    }
    used += table::insert(&mut cells, size, terms)?;

    let anew = with_extension(place, "new");
    let file = place.disk.open(&anew, OpenMode::Anew)?;
    for (at, run) in cells.0.chunks(1 << 20).enumerate() {
        file.write_at(run, CELLS + ((at as u64) << 20))?;
    }
    Head { generation: generation + 1, capacity, used, state: state.clone() }.write(file.as_ref())?;
    file.sync()?;
    place.disk.rename(&anew, &path(place))?;
    place.disk.sync_dir(&place.dir.join("index"))
}

/// The number of cells with which a table of `used` full cells is at most 7/10 full.
fn cells_for(used: u64) -> u64 {
    (used.saturating_mul(10) / 7 + 1).next_power_of_two().max(MIN_CELLS)
}

fn path(place: &Place) -> PathBuf {
    with_extension(place, "index")
}

fn with_extension(place: &Place, extension: &str) -> PathBuf {
    // Do not use `Path::with_extension`: it would replace the part after the last dot of the host name.
    let mut path = place.index.clone().into_os_string();
    path.push(".");
    path.push(extension);
    path.into()
}

/// The index file and its current head; none if there is no file or no valid head.
fn open(place: &Place, access: OpenMode) -> io::Result<Option<(Box<dyn DiskFile>, Head)>> {
    let file = match place.disk.open(&path(place), access) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let length = file.stat()?.bytes;
    let heads = [Head::read(file.as_ref(), 0)?, Head::read(file.as_ref(), HEAD)?];
    let latest = heads.into_iter().flatten().max_by_key(|head| head.generation);
    let usable = latest.filter(|head| {
        head.state.channel == place.channel
            && head.capacity.checked_mul(CELL as u64).is_some_and(|bytes| CELLS.saturating_add(bytes) <= length)
    });
    Ok(usable.map(|head| (file, head)))
}

impl Head {
    /// The head at `offset`, if it is valid.
    fn read(file: &dyn DiskFile, offset: u64) -> io::Result<Option<Head>> {
        // Read 4 KiB first: most states have a few hundred bytes.
        let mut buffer = vec![0; 4096];
        let read = file.read_at(&mut buffer, offset)?;
        buffer.truncate(read);
        let length = number(&buffer, 4).and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        let Some(whole) = FIXED.checked_add(length).filter(|whole| *whole as u64 <= HEAD) else { return Ok(None) };
        if whole > buffer.len() {
            buffer.resize(whole, 0);
            let read = file.read_at(&mut buffer, offset)?;
            buffer.truncate(read);
        }
        Ok(buffer.get(..whole).and_then(Head::parse))
    }

    fn parse(bytes: &[u8]) -> Option<Head> {
        let (fixed, json) = bytes.split_at_checked(FIXED)?;
        let (numbers, sum) = fixed.split_at_checked(FIXED - 32)?;
        if !numbers.starts_with(MAGIC) || checksum(numbers, json).as_bytes() != sum {
            return None;
        }
        Some(Head {
            generation: number(bytes, 1)?,
            capacity: number(bytes, 2)?,
            used: number(bytes, 3)?,
            state: serde_json::from_slice(json).ok()?,
        })
    }

    fn write(&self, file: &dyn DiskFile) -> io::Result<()> {
        let json = serde_json::to_vec(&self.state)?;
        let mut bytes = MAGIC.to_vec();
        for number in [self.generation, self.capacity, self.used, json.len() as u64] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(checksum(&bytes, &json).as_bytes());
        bytes.extend_from_slice(&json);
        match bytes.len() as u64 <= HEAD {
            true => file.write_at(&bytes, (self.generation % 2) * HEAD),
            false => Err(io::Error::other("the state is larger than a head of the index")),
        }
    }
}

/// The n-th 8-byte number, from 0.
fn number(bytes: &[u8], nth: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(nth * 8..nth * 8 + 8)?.try_into().ok()?))
}

fn checksum(numbers: &[u8], json: &[u8]) -> Digest {
    let mut hasher = crate::value::Hasher::new(crate::value::Algorithm::Sha256);
    hasher.update(numbers);
    hasher.update(json);
    hasher.finish()
}

impl Cells for FileCells<'_> {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn load(&self, cell: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self.file.read_at(buffer, CELLS + cell * CELL as u64)? {
            read if read == buffer.len() => Ok(()),
            _ => Err(io::Error::other("the index is shorter than its head says")),
        }
    }

    fn store(&mut self, cell: u64, bytes: [u8; CELL]) -> io::Result<()> {
        self.file.write_at(&bytes, CELLS + cell * CELL as u64)
    }
}

#[cfg(test)]
mod tests;
