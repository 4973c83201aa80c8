//! The check of a whole log: every entry, the chain, what must be unique, and the root over all of it.
//!
//! What an entry says by itself (its JSON, its fields, its leaf hash) does not depend on the others, so it is read on
//! all cores; only the fold of what was read goes one entry at a time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use bytes::Bytes;
use serde::Serialize;

use super::body::{Bad, Form, Home};
use super::entry::MAX_ENTRY;
use super::fold::{ChannelState, Defect, DefectCode};
use super::log::{Counted, Fault, KeyHash, Seen, channel_of, read};
use super::merkle::Frontier;
use super::tape::Tape;
use crate::value::{Channel, Digest, Text, Timestamp};

/// What the check of a whole log found. As JSON, what is absent is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// The log's channel; absent if the log is empty and nobody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// How many entries hold: their bytes, their place and their parent. A last one that breaks a rule of what it
    /// says is counted.
    pub entries: u64,
    /// Bytes of a last line without its newline: an append that never returned, not a defect.
    pub torn_bytes: u64,
    /// How many moves were closed.
    pub moves: u64,
    /// How many of them were committed.
    pub committed: u64,
    /// What the last committed move made the channel point at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Digest>,
    /// The live digest before the last committed move that changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// Where the intent of the open move stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_intent: Option<u64>,
    /// Where the entry stands that says the log goes on elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<u64>,
    /// The ledger in which it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<Text>,
    /// The RFC 6962 root over the entries that hold.
    pub root: Digest,
    /// How many entries say an earlier time than the entry before them. A warning: time informs, it never orders.
    pub clock_went_back: u64,
    /// The first rule that is broken, if one is; nothing after it was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defect: Option<Defect>,
}

impl LogReport {
    /// The report on a whole log as it is exported: one entry a line, each with its newline. With `channel`, entries of
    /// another one are a defect; without, the first entry says.
    pub fn of_jsonl(channel: Option<Channel>, bytes: &[u8]) -> LogReport {
        let mut verifier = Verifier::new(channel);
        verifier.feed_jsonl(bytes);
        verifier.finish()
    }
}

/// Checks a log of any length, fed in parts.
///
/// # Memory
/// 16 bytes an entry for its id (up to 48 where ids do not rise), and about 40 a committed move for its key (for a moment
/// up to three times that, when a table grows); what is fed is not kept. Ids are compared whole; keys by 128 bits of
/// their SHA-256.
#[derive(Debug)]
pub struct Verifier {
    home: Option<Home>,
    fold: Option<Fold>,
    /// The beginning of a line that has not ended, at most one byte more than an entry may have.
    line: Vec<u8>,
    /// How long that line is so far.
    line_bytes: u64,
    defect: Option<Defect>,
    threads: usize,
}

/// How many bytes of a log are read in one go by one thread.
const PIECE_BYTES: usize = 64 * 1024;
/// The same in entries, for logs that come entry by entry.
const PIECE_ENTRIES: usize = 64;

impl Verifier {
    /// A verifier of the log of `channel`, or of the channel that the first entry names.
    pub fn new(channel: Option<Channel>) -> Verifier {
        let mut verifier = Verifier {
            home: None,
            fold: None,
            line: Vec::new(),
            line_bytes: 0,
            defect: None,
            threads: thread::available_parallelism().map_or(1, usize::from),
        };
        if let Some(channel) = channel {
            verifier.open(channel);
        }
        verifier
    }

    /// Checks the next entries. Parts of some thousand entries keep all cores at work.
    pub fn feed(&mut self, entries: &[Bytes]) {
        if let Some(first) = entries.first() {
            self.name(first);
        }
        let pieces: Vec<&[Bytes]> = entries.chunks(PIECE_ENTRIES).collect();
        self.run(&pieces, |piece| piece.iter().map(|entry| entry.as_ref()));
    }

    /// Checks the next bytes of a log that is kept as lines; a part may end anywhere. Parts of some MiB keep all cores
    /// at work.
    pub fn feed_jsonl(&mut self, mut bytes: &[u8]) {
        if self.line_bytes > 0 {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                return self.keep(bytes);
            };
            let (head, rest) = bytes.split_at(end);
            self.keep(head);
            let line = std::mem::take(&mut self.line);
            self.line_bytes = 0;
            self.name(&line);
            self.run(&[&line[..]], std::iter::once);
            bytes = rest.get(1..).unwrap_or_default();
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (whole, rest) = bytes.split_at(whole);
        if let Some(first) = Lines(whole).next() {
            self.name(first);
        }
        self.run(&pieces(whole), Lines);
        self.keep(rest);
    }

    /// What was found.
    pub fn finish(self) -> LogReport {
        self.report()
    }

    /// What was found so far; more may be fed after.
    pub fn report(&self) -> LogReport {
        let fold = self.fold.as_ref();
        let state = fold.map(|fold| &fold.state);
        let moved = state.and_then(|state| state.moved.as_ref());
        let tree = fold.map_or_else(Frontier::new, |fold| fold.tree.clone());
        LogReport {
            channel: self.home.as_ref().map(|home| home.channel.clone()),
            entries: tree.size(),
            torn_bytes: self.line_bytes,
            moves: fold.map_or(0, |fold| fold.moves),
            committed: state.map_or(0, |state| state.committed),
            live: state.and_then(|state| state.live),
            previous: state.and_then(|state| state.previous),
            open_intent: fold.and_then(Fold::open_intent),
            moved: moved.map(|moved| moved.seq),
            moved_to: moved.map(|moved| moved.to.clone()),
            root: Digest::from_sha256(tree.root()),
            clock_went_back: fold.map_or(0, |fold| fold.clock_went_back),
            defect: self.defect.clone(),
        }
    }

    fn open(&mut self, channel: Channel) {
        self.fold = Some(Fold::new(ChannelState::empty(channel.clone())));
        self.home = Some(Home::new(channel));
    }

    /// Learns the log's channel from its first entry, if it is not known. An entry that does not name one is defective
    /// for any channel, so it is then judged for one that stands for none.
    fn name(&mut self, first: &[u8]) {
        if self.home.is_some() || self.defect.is_some() {
            return;
        }
        match channel_of(first) {
            Some(channel) => self.open(channel),
            None => {
                let (code, why) = match "nowhere.invalid/none:none".parse().map(Home::new) {
                    Ok(home) => match read(&home, &mut Tape::new(), first) {
                        Err(Bad { code, why }) => (code, why),
                        Ok(seen) if seen.seq != 0 => {
                            (DefectCode::Sequence, format!("it says {} and stands at 0", seen.seq))
                        }
                        Ok(Seen { head: Err(Bad { code, why }), .. }) => (code, why),
                        Ok(_) => (DefectCode::Field, "channel: not a channel".to_owned()),
                    },
                    Err(e) => (DefectCode::Field, e.to_string()),
                };
                self.defect = Some(Defect { seq: 0, code, why });
            }
        }
    }

    fn keep(&mut self, part: &[u8]) {
        let room = (MAX_ENTRY + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        self.line_bytes += part.len() as u64;
    }

    /// Reads the entries of all pieces on all cores, and folds them in their order.
    fn run<'a, P, I>(&mut self, pieces: &[P], entries: impl Fn(P) -> I + Sync)
    where
        P: Copy + Send + Sync,
        I: Iterator<Item = &'a [u8]>,
    {
        let (Some(home), Some(fold), None) = (&self.home, &mut self.fold, &self.defect) else { return };
        let taken = AtomicUsize::new(0);
        // What was folded is filled again.
        let spare: Mutex<Vec<Vec<Form<Seen<'a>>>>> = Mutex::default();
        let spare = || spare.lock().unwrap_or_else(PoisonError::into_inner);
        let stop = AtomicBool::new(false);
        // Each takes the next piece that nobody has taken.
        let read_next = |tape: &mut Tape<'a>| -> Option<(usize, Vec<Form<Seen<'a>>>)> {
            let at = taken.fetch_add(1, Ordering::Relaxed);
            let piece = pieces.get(at).filter(|_| !stop.load(Ordering::Relaxed))?;
            let mut found = spare().pop().unwrap_or_default();
            found.extend(entries(*piece).map(|entry| read(home, tape, entry)));
            Some((at, found))
        };
        thread::scope(|scope| {
            let (sender, results) = mpsc::channel();
            for _ in 1..self.threads.min(pieces.len()) {
                let (sender, read_next) = (sender.clone(), &read_next);
                let work = move || {
                    let mut tape = Tape::new();
                    while let Some(result) = read_next(&mut tape) {
                        if sender.send(result).is_err() {
                            break;
                        }
                    }
                };
                // Without more threads it only takes longer.
                if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            drop(sender);
            let mut tape = Tape::new();
            let mut waiting = BTreeMap::new();
            let mut folded = 0;
            while folded < pieces.len() {
                waiting.extend(results.try_iter());
                if let Some(mut piece) = waiting.remove(&folded) {
                    folded += 1;
                    if let Err(defect) = fold.take_all(&piece) {
                        self.defect = Some(defect);
                        stop.store(true, Ordering::Relaxed);
                        return;
                    }
                    piece.clear();
                    spare().push(piece);
                } else if let Some((at, piece)) = read_next(&mut tape).or_else(|| results.recv().ok()) {
                    waiting.insert(at, piece);
                }
            }
        });
    }
}

/// What the fold of a whole log keeps beyond the channel's state.
#[derive(Debug)]
struct Fold {
    state: ChannelState,
    tree: Frontier,
    ids: Ids,
    /// Keys of committed moves, and where their intents stand.
    keys: HashMap<KeyHash, u64>,
    /// The key of the open move.
    open_key: Option<KeyHash>,
    /// A defective intent that holds the channel.
    opened_badly: Option<u64>,
    last: Option<Timestamp>,
    clock_went_back: u64,
    moves: u64,
}

impl Fold {
    fn new(state: ChannelState) -> Fold {
        Fold {
            state,
            tree: Frontier::new(),
            ids: Ids::default(),
            keys: HashMap::new(),
            open_key: None,
            opened_badly: None,
            last: None,
            clock_went_back: 0,
            moves: 0,
        }
    }

    fn open_intent(&self) -> Option<u64> {
        self.opened_badly.or_else(|| self.state.open.as_ref().map(|open| open.seq))
    }

    fn take_all(&mut self, entries: &[Form<Seen<'_>>]) -> Result<(), Defect> {
        for seen in entries {
            let seq = self.state.size;
            let taken = match seen {
                Ok(seen) => self.take(seq, seen),
                Err(bad) => Err(Fault { bad: bad.clone(), counted: Counted::No }),
            };
            if let Err(Fault { bad: Bad { code, why }, .. }) = taken {
                return Err(Defect { seq, code, why });
            }
        }
        Ok(())
    }

    fn take(&mut self, seq: u64, seen: &Seen<'_>) -> Result<(), Fault> {
        let head = self.state.follows(seen)?;
        if !self.ids.insert(head.id) {
            let why = format!("the id {} stands in the log twice", uuid::Uuid::from_u128(head.id));
            return Err(Fault { bad: Bad { code: DefectCode::Field, why }, counted: Counted::No });
        }
        let (leaf, key) = (seen.leaf, seen.key);
        let (was_open, committed) = (self.state.open.is_some(), self.state.committed);
        let mut taken = self.state.take_seen(seen);
        match &taken {
            Err(Fault { counted: Counted::No, .. }) => return taken,
            Err(Fault { counted: Counted::AndOpen, .. }) => self.opened_badly = Some(seq),
            _ => {}
        }
        self.tree.push(leaf);
        self.clock_went_back += u64::from(self.last.is_some_and(|last| head.at < last));
        self.last = Some(head.at);
        match (was_open, &self.state.open) {
            (false, Some(_)) => {
                self.open_key = key;
                if let Some(earlier) = key.and_then(|key| self.keys.get(&key)).filter(|_| taken.is_ok()) {
                    let why = format!("the key moved the channel at {earlier} before");
                    taken = Err(Fault { bad: Bad { code: DefectCode::KeyReused, why }, counted: Counted::Yes });
                }
            }
            (true, None) => {
                self.moves += 1;
                let intent = self.state.closed.as_ref().map(|closed| closed.seq);
                if let (Some(key), Some(intent), true) =
                    (self.open_key.take(), intent, self.state.committed > committed)
                {
                    self.keys.insert(key, intent);
                }
            }
            _ => {}
        }
        taken
    }
}

/// The ids of a log. Those that rise, as UUIDv7 mostly do, cost their own 16 bytes and no search.
#[derive(Debug, Default)]
struct Ids {
    rising: Vec<u128>,
    others: HashSet<u128>,
}

impl Ids {
    /// Takes an id in; false if it is known.
    fn insert(&mut self, id: u128) -> bool {
        if self.rising.last().is_none_or(|last| *last < id) {
            // No other id can be larger than the largest that rose.
            self.rising.push(id);
            return true;
        }
        self.rising.binary_search(&id).is_err() && self.others.insert(id)
    }
}

/// The lines of bytes that end in a newline.
#[derive(Clone, Copy, Debug)]
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = newline(self.0)?;
        let (line, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..)?;
        Some(line)
    }
}

/// Where the first newline stands.
fn newline(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 128;
    let mut at = 0;
    for block in bytes.chunks(BLOCK) {
        // Without a way out of the inner loop, it takes many bytes at once.
        if block.iter().fold(false, |found, byte| found | (*byte == b'\n')) {
            let words = block.chunks(8).position(|word| word.contains(&b'\n'))? * 8;
            return block.get(words..)?.iter().position(|byte| *byte == b'\n').map(|in_word| at + words + in_word);
        }
        at += BLOCK;
    }
    None
}

/// Parts of about [`PIECE_BYTES`], each of whole lines.
fn pieces(mut lines: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::with_capacity(lines.len() / PIECE_BYTES + 1);
    while !lines.is_empty() {
        let cut = lines.get(PIECE_BYTES..).and_then(newline).map_or(lines.len(), |at| PIECE_BYTES + at + 1);
        let (piece, rest) = lines.split_at(cut);
        pieces.push(piece);
        lines = rest;
    }
    pieces
}
