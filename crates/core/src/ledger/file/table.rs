//! A hash table of terms with open addressing and cells of fixed size, in a file or in memory.
//!
//! A cell is 16 bytes, little-endian: a key, and the position of the entry + 1; an empty cell is zeros. Cells are
//! filled and never emptied. The key of the k-th entry of a term is made from the term and k, so that a term with many
//! entries makes no long runs of full cells. Only entries below the committed size count. Cells above it remain from a
//! crash, and the next extension of the same log writes the same values there.

use std::collections::HashMap;
use std::io;

use crate::ledger::Term;

/// The size of a cell in bytes.
pub(super) const CELL: usize = 16;

/// The number of cells that one read takes.
const RUN: usize = 64;

/// The longest run of full cells that a table may have. A file with a longer run was not written by this code.
const MAX_RUN: u64 = 1 << 16;

/// Storage of cells.
pub(super) trait Cells {
    fn capacity(&self) -> u64;
    /// Fills `buffer` with the cells from `cell` on.
    fn load(&self, cell: u64, buffer: &mut [u8]) -> io::Result<()>;
    fn store(&mut self, cell: u64, bytes: [u8; CELL]) -> io::Result<()>;
}

/// Cells in memory.
#[derive(Debug)]
pub(super) struct MemoryCells(pub(super) Vec<u8>);

impl MemoryCells {
    pub(super) fn new(capacity: u64) -> MemoryCells {
        MemoryCells(vec![0; usize::try_from(capacity).unwrap_or(usize::MAX / CELL).saturating_mul(CELL)])
    }
}

impl Cells for MemoryCells {
    fn capacity(&self) -> u64 {
        (self.0.len() / CELL) as u64
    }

    fn load(&self, cell: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(cell).unwrap_or(usize::MAX).saturating_mul(CELL);
        let bytes = self.0.get(start..start.saturating_add(buffer.len())).ok_or_else(out_of_range)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn store(&mut self, cell: u64, bytes: [u8; CELL]) -> io::Result<()> {
        let start = usize::try_from(cell).unwrap_or(usize::MAX).saturating_mul(CELL);
        self.0.get_mut(start..start.saturating_add(CELL)).ok_or_else(out_of_range)?.copy_from_slice(&bytes);
        Ok(())
    }
}

fn out_of_range() -> io::Error {
    io::Error::other("the index has no such cell")
}

/// The result of a probe for a key: the cell, and the position if the cell is full.
struct Probe {
    cell: u64,
    seq: Option<u64>,
}

/// The positions below `size` under `term`, newest first.
pub(super) fn find(cells: &impl Cells, size: u64, term: Term) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    while let Some(seq) = committed(cells, size, key(term, found.len() as u64))? {
        found.push(seq);
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    Ok(found)
}

/// Adds positions, all of which are `size` or greater. Returns the number of cells that were filled.
pub(super) fn insert(cells: &mut impl Cells, size: u64, terms: &[(Term, u64)]) -> io::Result<u64> {
    let mut next: HashMap<Term, u64> = HashMap::new();
    let mut filled = 0;
    for (term, seq) in terms {
        let nth = match next.get(term) {
            Some(nth) => *nth,
            None => count(cells, size, *term)?,
        };
        let key = key(*term, nth);
        let probe = probe(cells, key)?;
        filled += u64::from(probe.seq.is_none());
        cells.store(probe.cell, encode(key, *seq))?;
        next.insert(*term, nth + 1);
    }
    Ok(filled)
}

/// Adds a cell of another table.
pub(super) fn copy(cells: &mut impl Cells, (key, seq): (u64, u64)) -> io::Result<()> {
    let probe = probe(cells, key)?;
    cells.store(probe.cell, encode(key, seq))
}

/// The key and position in a cell; none if it is empty.
pub(super) fn decode(cell: &[u8]) -> Option<(u64, u64)> {
    let key = u64::from_le_bytes(cell.get(..8)?.try_into().ok()?);
    let next = u64::from_le_bytes(cell.get(8..CELL)?.try_into().ok()?);
    Some((key, next.checked_sub(1)?))
}

fn encode(key: u64, seq: u64) -> [u8; CELL] {
    let mut cell = [0; CELL];
    let (first, last) = cell.split_at_mut(8);
    first.copy_from_slice(&key.to_le_bytes());
    last.copy_from_slice(&seq.saturating_add(1).to_le_bytes());
    cell
}

/// The number of committed entries of `term`. They are numbered without gaps, so double the number until one is
/// missing, then search by halves.
fn count(cells: &impl Cells, size: u64, term: Term) -> io::Result<u64> {
    let has = |nth: u64| Ok::<_, io::Error>(committed(cells, size, key(term, nth))?.is_some());
    let mut high = 0;
    while has(high)? {
        high = high * 2 + 1;
    }
    let mut low = high.div_ceil(2);
    while low < high {
        let middle = low + (high - low) / 2;
        match has(middle)? {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(high)
}

fn committed(cells: &impl Cells, size: u64, key: u64) -> io::Result<Option<u64>> {
    Ok(probe(cells, key)?.seq.filter(|seq| *seq < size))
}

/// Searches for `key` from its home cell up to the first empty cell.
fn probe(cells: &impl Cells, key: u64) -> io::Result<Probe> {
    let capacity = cells.capacity();
    let home = u64::try_from((u128::from(key) * u128::from(capacity)) >> 64).unwrap_or(0);
    let mut buffer = [0; RUN * CELL];
    let mut passed = 0;
    while passed < MAX_RUN.min(capacity) {
        let first = (home + passed) % capacity;
        let count = (capacity - first).min(RUN as u64);
        let run = buffer.get_mut(..count as usize * CELL).ok_or_else(out_of_range)?;
        cells.load(first, run)?;
        for (at, cell) in run.chunks_exact(CELL).enumerate() {
            let cell_at = first + at as u64;
            match decode(cell) {
                None => return Ok(Probe { cell: cell_at, seq: None }),
                Some((found, seq)) if found == key => return Ok(Probe { cell: cell_at, seq: Some(seq) }),
                Some(_) => {}
            }
        }
        passed += count;
    }
    Err(io::Error::other("the index has no empty cell where there must be one"))
}

/// The key of the n-th entry of a term, from 0 (SplitMix64).
fn key(term: Term, nth: u64) -> u64 {
    let mut mixed = term.0.wrapping_add(nth.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_found_newest_first_and_nothing_else() {
        let mut cells = MemoryCells::new(4096);
        let terms: Vec<_> = (0..2000).map(|seq| (Term(seq % 700), seq)).collect();
        for (at, batch) in terms.chunks(300).enumerate() {
            assert_eq!(insert(&mut cells, at as u64 * 300, batch).unwrap(), batch.len() as u64);
        }
        assert_eq!(find(&cells, 2000, Term(3)).unwrap(), [1403, 703, 3]);
        assert_eq!(find(&cells, 1000, Term(3)).unwrap(), [703, 3]);
        assert!(find(&cells, 2000, Term(700)).unwrap().is_empty());
    }

    #[test]
    fn a_term_with_many_entries_stays_cheap() {
        let mut cells = MemoryCells::new(1 << 18);
        for at in 0..100 {
            let batch: Vec<_> = (at * 1000..(at + 1) * 1000).map(|seq| (Term(1), seq)).collect();
            insert(&mut cells, at * 1000, &batch).unwrap();
        }
        assert_eq!(find(&cells, 100_000, Term(1)).unwrap().len(), 100_000);
    }

    #[test]
    fn what_a_crash_left_of_an_extension_is_taken_in_by_the_next() {
        let terms: Vec<_> = (0..500).map(|seq| (Term(seq % 7), seq)).collect();
        let mut whole = MemoryCells::new(2048);
        insert(&mut whole, 0, &terms).unwrap();
        // Any subset of the cells for positions from 200 on may have reached the disk.
        let mut torn = MemoryCells::new(2048);
        insert(&mut torn, 0, &terms[..200]).unwrap();
        for (at, cell) in whole.0.chunks_exact(CELL).enumerate() {
            if decode(cell).is_some_and(|(key, seq)| seq >= 200 && key % 3 == 0) {
                torn.store(at as u64, cell.try_into().unwrap()).unwrap();
            }
        }
        insert(&mut torn, 200, &terms[200..]).unwrap();
        for term in 0..7 {
            assert_eq!(find(&torn, 500, Term(term)).unwrap(), find(&whole, 500, Term(term)).unwrap());
        }
    }

    #[test]
    fn a_full_table_is_an_error_not_an_endless_search() {
        let mut cells = MemoryCells::new(8);
        let terms: Vec<_> = (0..9).map(|seq| (Term(seq), seq)).collect();
        let error = insert(&mut cells, 0, &terms).unwrap_err();
        assert_eq!(error.to_string(), "the index has no empty cell where there must be one");
    }
}
