use std::path::Path;
use std::sync::Arc;

use super::super::disk::{Disk, HostDisk};
use super::super::place::Notices;
use super::*;

struct Bench {
    _dir: tempfile::TempDir,
    place: Place,
    notices: Notices,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(HostDisk);
    let notices = Notices::default();
    let place = Place::new(disk, dir.path(), "reg.io/a:prod".parse().unwrap(), notices.clone());
    Bench { _dir: dir, place, notices }
}

impl Bench {
    /// The state after the first `size` entries of a log; `log` tells logs apart.
    fn state(&self, log: u8, size: u64) -> ChannelState {
        let leaf = size.checked_sub(1).map(|seq| leaf(log, seq));
        ChannelState { size, leaf, ..ChannelState::empty(self.place.channel.clone()) }
    }

    fn extend(&self, log: u8, from: u64, to: u64) {
        let terms: Vec<_> = (from..to).flat_map(|seq| [(Term(seq), seq), (Term(u64::MAX - seq % 5), seq)]).collect();
        extend(&self.place, from, &self.state(log, to), &terms, |seq| Some(leaf(log, seq))).unwrap();
    }

    fn size(&self) -> Option<u64> {
        state(&self.place).map(|state| state.size)
    }

    fn notices(&self) -> Vec<String> {
        self.notices.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

fn leaf(log: u8, seq: u64) -> EntryHash {
    Digest::of(format!("{log} {seq}").as_bytes())
}

#[test]
fn an_index_grows_and_finds_every_entry() {
    let bench = bench();
    assert_eq!(bench.size(), None);
    let mut size = 0;
    while size < 20_000 {
        let next = size + 1 + size / 3;
        bench.extend(1, size, next);
        size = next;
        assert_eq!(bench.size(), Some(size));
    }
    assert_eq!(state(&bench.place), Some(bench.state(1, size)));
    for seq in [0, 1, size / 2, size - 1] {
        assert_eq!(find(&bench.place, Term(seq)).unwrap(), [seq]);
    }
    assert_eq!(find(&bench.place, Term(size)).unwrap(), [0; 0]);
    let fifth: Vec<_> = (0..size).rev().filter(|seq| seq % 5 == 2).collect();
    assert_eq!(find(&bench.place, Term(u64::MAX - 2)).unwrap(), fifth);
    assert_eq!(bench.notices(), [""; 0]);
}

#[test]
fn an_extension_from_elsewhere_does_nothing() {
    let bench = bench();
    bench.extend(1, 5, 9);
    assert_eq!(bench.size(), None, "there is nothing at 5");
    bench.extend(1, 0, 100);
    bench.extend(1, 50, 150);
    bench.extend(1, 0, 30);
    assert_eq!(bench.size(), Some(100));
    assert_eq!(find(&bench.place, Term(60)).unwrap(), [60]);
}

#[test]
fn an_index_of_another_log_is_begun_anew_from_0() {
    let bench = bench();
    bench.extend(1, 0, 100);
    bench.extend(2, 0, 30);
    assert_eq!(state(&bench.place), Some(bench.state(2, 30)));
    assert_eq!(find(&bench.place, Term(60)).unwrap(), [0; 0]);
}

#[test]
fn what_is_damaged_is_no_index_and_an_answer_is_never_made_up() {
    let bench = bench();
    for size in [100, 200, 300] {
        bench.extend(1, size - 100, size);
    }
    let file = path(&bench.place);
    let whole = std::fs::read(&file).unwrap();
    // The later head has the odd generation, and is damaged here: the earlier head counts, with its own size.
    let mut torn = whole.clone();
    torn[HEAD as usize + 100] ^= 1;
    std::fs::write(&file, &torn).unwrap();
    assert_eq!(bench.size(), Some(200));
    assert_eq!(find(&bench.place, Term(250)).unwrap(), [0; 0]);
    torn[100] ^= 1;
    for bad in [torn.as_slice(), &whole[..whole.len() - 1], b"", b"twindex1"] {
        std::fs::write(&file, bad).unwrap();
        assert_eq!(bench.size(), None);
        let error = find(&bench.place, Term(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerUnavailable);
        assert!(error.to_string().ends_with("cannot look up in: the index is gone, or was never there"), "{error}");
    }
    bench.extend(1, 0, 300);
    assert_eq!((bench.size(), find(&bench.place, Term(250)).unwrap()), (Some(300), vec![250]));
}

#[test]
fn an_index_that_cannot_be_written_is_left_and_noted() {
    let bench = bench();
    std::fs::write(bench.place.dir.join("index"), b"not a directory").unwrap();
    bench.extend(1, 0, 10);
    assert_eq!(bench.size(), None);
    assert_eq!(bench.notices(), ["reg.io/a:prod: the index was left as it was: it is not a directory"]);
}

#[test]
fn a_term_of_an_entry_outside_the_extension_is_a_fault() {
    let bench = bench();
    let error = extend(&bench.place, 0, &bench.state(1, 5), &[(Term(1), 5)], |_| None).unwrap_err();
    assert_eq!(error.to_string(), "a term of an entry that is not from 0 to 5");
}

#[test]
fn the_files_of_an_index_keep_the_dots_of_the_host() {
    let bench = bench();
    assert_eq!(path(&bench.place).file_name(), Path::new("reg.io%2fa%3aprod.index").file_name());
}
