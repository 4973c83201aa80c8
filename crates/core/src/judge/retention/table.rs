//! `Table`: what is known about each digest, in the order of digests.
//!
//! A repository has 100,000 tags and more, so a row is small and nothing grows faster than the input: rows are written
//! down as they come, and put in order once, by parts. Digests are spread evenly, so a part has about
//! [`Table::PART`] rows whatever their number; where they are made to share a prefix, a part is a longer sort.

use crate::value::{Digest, Tag};

/// Rows by digest.
#[derive(Clone, Debug)]
pub(super) struct Table {
    rows: Vec<(Key, Row)>,
    /// Where each part begins, and the end. SHA-512 digests are the last part.
    starts: Vec<usize>,
    bits: u32,
}

/// What is kept about one digest: 24 bytes, beside a key of 40.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The first, in text order, of the tags that name it, pins aside.
    pub(super) tag: Option<Tag>,
    /// Where its note stands in the plan's, plus one; 0 while there is none.
    pub(super) note: u32,
    pub(super) seen: Seen,
    pub(super) pinned: bool,
    pub(super) child: bool,
}

/// How its shape was seen; where it was given twice, the more careful one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    #[default]
    No,
    Single,
    Index,
    Unreadable,
}

/// A digest in 40 bytes instead of 65, because SHA-512 is rare. It is ordered as digests are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Sha256([u8; 32]),
    Other(Box<Digest>),
}

impl Row {
    /// True if something in the registry names it.
    pub(super) fn held(&self) -> bool {
        self.tag.is_some() || self.pinned || self.child
    }

    /// Takes in what else is known about the same digest.
    pub(super) fn merge(&mut self, other: Row) {
        self.tag = match (self.tag.take(), other.tag) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.note = self.note.max(other.note);
        self.seen = self.seen.max(other.seen);
        self.pinned |= other.pinned;
        self.child |= other.child;
    }
}

impl From<&Digest> for Key {
    fn from(digest: &Digest) -> Key {
        match <[u8; 32]>::try_from(digest.as_bytes()) {
            Ok(value) => Key::Sha256(value),
            Err(_) => Key::Other(Box::new(*digest)),
        }
    }
}

impl Key {
    pub(super) fn digest(&self) -> Digest {
        match self {
            Key::Sha256(value) => Digest::from_sha256(*value),
            Key::Other(digest) => **digest,
        }
    }

    /// Which of `2^bits + 1` parts it belongs to; the parts are in the order of keys.
    fn part(&self, bits: u32) -> usize {
        match self {
            Key::Sha256(value) => {
                let first = value.iter().take(4).fold(0_usize, |first, byte| first << 8 | usize::from(*byte));
                first >> (32 - bits)
            }
            Key::Other(_) => 1 << bits,
        }
    }
}

impl Table {
    /// How many rows a part has, on average: 16 to 32.
    const PART: usize = 32;

    /// The table of rows in any order, several for one digest perhaps.
    pub(super) fn of(mut rows: Vec<(Key, Row)>) -> Table {
        let bits = (rows.len() / Table::PART).next_power_of_two().ilog2().min(24);
        let (mut order, ends) = by_part(&rows, bits);
        let mut sorted: Vec<(Key, Row)> = Vec::with_capacity(rows.len());
        let mut starts = Vec::with_capacity(ends.len() + 1);
        let mut begin = 0;
        for end in ends {
            starts.push(sorted.len());
            let part = order.get_mut(begin..end).unwrap_or_default();
            part.sort_unstable_by(|a, b| rows.get(*a).map(|(key, _)| key).cmp(&rows.get(*b).map(|(key, _)| key)));
            for at in part {
                let Some((key, row)) = rows.get_mut(*at) else { continue };
                let row = std::mem::take(row);
                match sorted.last_mut() {
                    Some((last, known)) if last == key => known.merge(row),
                    _ => sorted.push((key.clone(), row)),
                }
            }
            begin = end;
        }
        starts.push(sorted.len());
        sorted.shrink_to_fit();
        Table { rows: sorted, starts, bits }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<&Row> {
        let at = self.find(digest)?;
        self.rows.get(at).map(|(_, row)| row)
    }

    pub(super) fn get_mut(&mut self, digest: &Digest) -> Option<&mut Row> {
        let at = self.find(digest)?;
        self.rows.get_mut(at).map(|(_, row)| row)
    }

    /// Every row, in the order of digests.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Digest, &Row)> {
        self.rows.iter().map(|(key, row)| (key.digest(), row))
    }

    fn find(&self, digest: &Digest) -> Option<usize> {
        let key = Key::from(digest);
        let part = key.part(self.bits);
        let (start, end) = (*self.starts.get(part)?, *self.starts.get(part + 1)?);
        let at = self.rows.get(start..end)?.binary_search_by(|(known, _)| known.cmp(&key)).ok()?;
        Some(start + at)
    }
}

/// The places of the rows, part by part, and where each part ends: one pass to count, one to place.
fn by_part(rows: &[(Key, Row)], bits: u32) -> (Vec<usize>, Vec<usize>) {
    let mut ends = vec![0_usize; (1 << bits) + 1];
    for (key, _) in rows {
        if let Some(count) = ends.get_mut(key.part(bits)) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for end in &mut ends {
        // Where the part begins: placing its rows moves it on to where it ends.
        sum += std::mem::replace(end, sum);
    }
    let mut order = vec![0_usize; rows.len()];
    for (at, (key, _)) in rows.iter().enumerate() {
        if let Some(next) = ends.get_mut(key.part(bits)) {
            if let Some(place) = order.get_mut(*next) {
                *place = at;
            }
            *next += 1;
        }
    }
    (order, ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Algorithm, Hasher};

    fn sha512(n: u32) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(&n.to_be_bytes());
        hasher.finish()
    }

    fn row(n: u32) -> Row {
        Row { note: n, ..Row::default() }
    }

    #[test]
    fn every_digest_is_found_and_they_come_in_order() {
        for size in [0_u32, 1, 31, 32, 33, 1000, 5000] {
            let digests: Vec<Digest> =
                (0..size).map(|n| if n % 7 == 3 { sha512(n) } else { Digest::of(&n.to_be_bytes()) }).collect();
            let rows = digests.iter().zip(1..).map(|(digest, n)| (Key::from(digest), row(n))).collect();
            let mut table = Table::of(rows);
            let listed: Vec<Digest> = table.iter().map(|(digest, _)| digest).collect();
            let mut sorted = digests.clone();
            sorted.sort();
            assert_eq!(listed, sorted);
            for (digest, n) in digests.iter().zip(1..) {
                assert_eq!(table.get(digest).unwrap().note, n);
                assert_eq!(table.get_mut(digest).unwrap().note, n);
            }
            assert!(table.get(&Digest::of(b"other")).is_none());
            assert!(table.get(&sha512(u32::MAX)).is_none());
        }
    }

    #[test]
    fn digests_that_share_a_prefix_are_found_too() {
        let digest = |n: u16| {
            let mut value = [7; 32];
            value[30..].copy_from_slice(&n.to_be_bytes());
            Digest::from_sha256(value)
        };
        let table = Table::of((0..2000).rev().map(|n| (Key::from(&digest(n)), row(u32::from(n)))).collect());
        assert!((0..2000).all(|n| table.get(&digest(n)).unwrap().note == u32::from(n)));
    }

    #[test]
    fn rows_of_one_digest_become_one() {
        let digest = Digest::of(b"x");
        let tag = |text: &str| Row { tag: Some(text.parse().unwrap()), ..Row::default() };
        let rows = [
            tag("b"),
            Row { pinned: true, ..Row::default() },
            Row { seen: Seen::Single, ..Row::default() },
            tag("a"),
            Row { seen: Seen::Index, child: true, ..Row::default() },
            tag("c"),
        ];
        let table = Table::of(rows.map(|row| (Key::from(&digest), row)).into());
        let row = table.get(&digest).unwrap();
        assert_eq!(row.tag.as_ref().unwrap().as_str(), "a");
        assert!(row.pinned && row.child && row.seen == Seen::Index);
        assert_eq!(table.iter().count(), 1);
    }

    #[test]
    fn a_row_is_small() {
        assert_eq!((size_of::<Key>(), size_of::<Row>()), (40, 24));
    }
}
