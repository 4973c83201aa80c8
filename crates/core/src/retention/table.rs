//! `Table`: the facts about each digest, sorted by digest.
//!
//! A repository can have more than 100,000 tags, so a row is small, and the time must not grow faster than the input.
//! Rows are appended in any order to one of 257 parts, by the first byte of their digest, and each part is sorted once.
//! So random access stays within the memory of one part, and a part's temporary memory is reused for the next part.

use crate::value::{Digest, Tag};

/// Rows sorted by digest, one row for each digest.
#[derive(Clone, Debug)]
pub(super) struct Table(Parts);

/// Rows in the order in which they came. A digest may have several.
#[derive(Clone, Debug)]
pub(super) struct Rows(Parts);

/// The rows by the first byte of their digest. The last part is for SHA-512, which sorts after all others.
type Parts = [Vec<(Key, Row)>; 257];

/// The facts about one digest: 24 bytes, beside a key of 40 bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The first tag, in text order, that names it and is not its pin.
    pub(super) tag: Option<Tag>,
    /// The place of its note in the plan's notes, plus one; 0 if it has none.
    pub(super) note: u32,
    pub(super) seen: Seen,
    pub(super) pinned: bool,
    pub(super) child: bool,
}

/// The kind of a digest's manifest. If two kinds are given, the one that is later in this list counts: it keeps more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    #[default]
    No,
    Single,
    Index,
    Unreadable,
}

/// A digest in 40 bytes instead of 65, because SHA-512 is rare. It sorts as digests do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Sha256([u8; 32]),
    Other(Box<Digest>),
}

impl Row {
    /// True if a tag, a pin or an index in the registry names it.
    pub(super) fn held(&self) -> bool {
        self.tag.is_some() || self.pinned || self.child
    }

    /// Adds the facts of another row of the same digest.
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

    /// The number of its part in [`Rows`]. The parts have the order of keys.
    fn part(&self) -> usize {
        match self {
            Key::Sha256([first, ..]) => usize::from(*first),
            Key::Other(_) => 256,
        }
    }

    /// The 8 bytes that differ between nearly all keys of a part. They sort as the keys of the part do.
    fn spread(&self) -> u64 {
        let bytes = match self {
            Key::Sha256([_, rest @ ..]) => rest.first_chunk(),
            Key::Other(digest) => digest.as_bytes().first_chunk(),
        };
        bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

impl Default for Rows {
    fn default() -> Rows {
        Rows([const { Vec::new() }; 257])
    }
}

impl Rows {
    /// Adds facts about a digest.
    pub(super) fn say(&mut self, digest: &Digest, row: Row) {
        let key = Key::from(digest);
        let Some(part) = self.0.get_mut(key.part()) else { return };
        match part.last_mut() {
            // Most callers add all facts about a digest one after the other.
            Some((last, known)) if *last == key => known.merge(row),
            _ => part.push((key, row)),
        }
    }

    /// Merges the rows of each digest into one, and sorts them.
    pub(super) fn settle(self) -> Table {
        Table(self.0.map(settle))
    }
}

impl Table {
    pub(super) fn get(&self, digest: &Digest) -> Option<&Row> {
        let key = Key::from(digest);
        let part = self.0.get(key.part())?;
        let at = part.binary_search_by(|(known, _)| known.cmp(&key)).ok()?;
        part.get(at).map(|(_, row)| row)
    }

    /// Every row, sorted by digest.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Digest, &Row)> {
        self.0.iter().flatten().map(|(key, row)| (key.digest(), row))
    }
}

/// Sorts the rows of one part, and merges the rows of each digest into one.
///
/// Digests are spread evenly, so they are first placed by their leading bits, so many that about 16 to 32 digests share
/// a place, and then sorted within the place: the work for one row does not grow with the number of rows. Digests that
/// were made to share a prefix share a place, which only makes that sort longer.
fn settle(mut part: Vec<(Key, Row)>) -> Vec<(Key, Row)> {
    const SHARE: usize = 32;
    let bits = (part.len() / SHARE).next_power_of_two().ilog2();
    let place = |spread: u64| usize::try_from(spread.checked_shr(64 - bits).unwrap_or(0)).unwrap_or(usize::MAX);
    let mut ends = vec![0_usize; 1 << bits];
    for (key, _) in &part {
        if let Some(count) = ends.get_mut(place(key.spread())) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for end in &mut ends {
        // The value is now the beginning of the place. Each row that is put there advances it, until it is the end.
        sum += std::mem::replace(end, sum);
    }
    let mut order = vec![(0_u64, 0_usize); part.len()];
    for (at, (key, _)) in part.iter().enumerate() {
        let spread = key.spread();
        if let Some(next) = ends.get_mut(place(spread)) {
            if let Some(slot) = order.get_mut(*next) {
                *slot = (spread, at);
            }
            *next += 1;
        }
    }
    let mut begin = 0;
    for end in ends {
        let key = |at: usize| part.get(at).map(|(key, _)| key);
        let sharing = order.get_mut(begin..end).unwrap_or_default();
        sharing.sort_unstable_by(|(a, at_a), (b, at_b)| a.cmp(b).then_with(|| key(*at_a).cmp(&key(*at_b))));
        begin = end;
    }
    let mut settled: Vec<(Key, Row)> = Vec::with_capacity(part.len());
    for (_, at) in order {
        let Some((key, row)) = part.get_mut(at) else { continue };
        let row = std::mem::take(row);
        match settled.last_mut() {
            Some((last, known)) if last == key => known.merge(row),
            _ => settled.push((key.clone(), row)),
        }
    }
    settled.shrink_to_fit();
    settled
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

    fn table(rows: impl IntoIterator<Item = (Digest, Row)>) -> Table {
        let mut all = Rows::default();
        rows.into_iter().for_each(|(digest, row)| all.say(&digest, row));
        all.settle()
    }

    fn row(n: u32) -> Row {
        Row { note: n, ..Row::default() }
    }

    #[test]
    fn every_digest_is_found_and_they_come_in_order() {
        for size in [0_u32, 1, 31, 32, 33, 1000, 20_000] {
            let digests: Vec<Digest> =
                (0..size).map(|n| if n % 7 == 3 { sha512(n) } else { Digest::of(&n.to_be_bytes()) }).collect();
            let table = table(digests.iter().copied().zip((1..).map(row)));
            let listed: Vec<Digest> = table.iter().map(|(digest, _)| digest).collect();
            let mut sorted = digests.clone();
            sorted.sort();
            assert_eq!(listed, sorted);
            for (digest, n) in digests.iter().zip(1..) {
                assert_eq!(table.get(digest).unwrap().note, n);
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
        let table = table((0..2000).rev().map(|n| (digest(n), row(u32::from(n)))));
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
        // A row of another digest of the same part is between them, so that they are not next to each other.
        let other = Digest::from_sha256([digest.as_bytes()[0]; 32]);
        let between = |row| [(digest, row), (other, Row::default())];
        let table = table(rows.into_iter().flat_map(between));
        let row = table.get(&digest).unwrap();
        assert_eq!(row.tag.as_ref().unwrap().as_str(), "a");
        assert!(row.pinned && row.child && row.seen == Seen::Index);
        assert_eq!(table.iter().count(), 2);
    }

    #[test]
    fn a_row_is_small() {
        assert_eq!((size_of::<Key>(), size_of::<Row>()), (40, 24));
    }
}
