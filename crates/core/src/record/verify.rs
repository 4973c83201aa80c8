//! The check of a whole log: every entry, the chain, what must be unique, and the root over all of it.
//!
//! What an entry says by itself (its JSON, its fields, its leaf hash) does not depend on the others, so it is read on
//! all cores; only the fold of what was read goes one entry at a time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use serde::Serialize;

use super::defect::{Broken, Checked, Defect, DefectCode, ensure};
use super::entry::{Leaf, MAX_ENTRY};
use super::fold::{ChannelState, Step};
use super::intent::Op;
use super::read::{ReadEntry, read};
use crate::value::{Channel, Digest, IdempotencyKey, Text, Timestamp};

/// What the check of a whole log found. As JSON, what is absent is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// The log's channel; absent if the log is empty and it was not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// How many entries count: their bytes, their position and their parent are right. One that breaks another rule is
    /// counted, and changed nothing in the state.
    pub entries: u64,
    /// Bytes after the last entry that counts: an append that was not acknowledged, such as a last line without its
    /// newline. Not a defect.
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
    /// The holds that were not ended, by position. One with an end may be over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<u64>,
    /// The digests that are blocked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Digest>,
    /// The position of the entry that says that the log was migrated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrated: Option<u64>,
    /// The ledger in which it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrated_to: Option<Text>,
    /// The RFC 6962 root over the entries that count.
    pub root: Digest,
    /// How many entries say an earlier time than the entry before them. A warning: time informs, it never orders.
    pub clock_went_back: u64,
    /// The first rule that is broken, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defect: Option<Defect>,
    /// Every rule that is broken, in the order of the log; after 100 the check stops. After broken bytes, a wrong position
    /// or a wrong parent nothing can be judged, so such a defect is the last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub defects: Vec<Defect>,
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

/// How many defects are listed before the check stops.
const MAX_DEFECTS: usize = 100;

/// Checks a log of any length, fed in parts.
///
/// # Memory
/// 16 bytes an entry for its id (up to 48 where ids do not rise), and for each committed move about 30 for its key and 15
/// for its digest (for a moment up to three times that, when a table grows); what is fed is not kept. Ids are compared
/// whole; keys and digests by 64 bits of a SHA-256.
#[derive(Debug)]
pub struct Verifier {
    fold: Option<Fold>,
    /// The beginning of a line that has not ended, at most one byte more than an entry may have.
    line: Vec<u8>,
    /// How long that line is so far.
    line_bytes: u64,
    /// The defects so far.
    defects: Vec<Defect>,
    /// True once nothing more can be judged.
    ended: bool,
    threads: usize,
}

/// How many bytes of a log are read in one go by one thread.
const PIECE_BYTES: usize = 64 * 1024;
/// The same in entries, for logs that come entry by entry.
const PIECE_ENTRIES: usize = 64;

impl Verifier {
    /// A verifier of the log of `channel`, or of the channel that the first entry names.
    pub fn new(channel: Option<Channel>) -> Verifier {
        Verifier {
            fold: channel.map(Fold::new),
            line: Vec::new(),
            line_bytes: 0,
            defects: Vec::new(),
            ended: false,
            threads: thread::available_parallelism().map_or(1, usize::from),
        }
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
        let migrated = state.and_then(|state| state.migrated.as_ref());
        LogReport {
            channel: state.map(|state| state.channel.clone()),
            entries: state.map_or(0, |state| state.size),
            torn_bytes: self.line_bytes,
            moves: fold.map_or(0, |fold| fold.moves),
            committed: state.map_or(0, |state| state.committed),
            live: state.and_then(|state| state.live),
            previous: state.and_then(|state| state.previous),
            open_intent: state.and_then(|state| state.open.as_ref()).map(|open| open.seq),
            holds: state.map_or_else(Vec::new, |state| state.holds.iter().map(|hold| hold.seq).collect()),
            blocked: state.map_or_else(Vec::new, |state| state.blocked.clone()),
            migrated: migrated.map(|migrated| migrated.seq),
            migrated_to: migrated.map(|migrated| migrated.ledger.clone()),
            root: state.map_or_else(|| Digest::of(b""), ChannelState::root),
            clock_went_back: fold.map_or(0, |fold| fold.clock_went_back),
            defect: self.defects.first().cloned(),
            defects: self.defects.clone(),
        }
    }

    /// Learns the log's channel from its first entry, if it is not known.
    fn name(&mut self, first: &[u8]) {
        if self.fold.is_some() || self.ended {
            return;
        }
        match read(first) {
            Ok(entry) => self.fold = Some(Fold::new(entry.channel)),
            Err(broken) => {
                self.defects.push(broken.at(0));
                self.ended = true;
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
        let (Some(fold), false) = (&mut self.fold, self.ended) else { return };
        let taken = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        // Each thread takes the next piece that is not taken.
        let read_next = || -> Option<(usize, Vec<Checked<Candidate>>)> {
            let at = taken.fetch_add(1, Ordering::Relaxed);
            let piece = pieces.get(at).filter(|_| !stop.load(Ordering::Relaxed))?;
            Some((at, entries(*piece).map(|entry| read(entry).map(Candidate::of)).collect()))
        };
        thread::scope(|scope| {
            let (sender, results) = mpsc::channel();
            for _ in 1..self.threads.min(pieces.len()) {
                let (sender, read_next) = (sender.clone(), &read_next);
                let work = move || {
                    while let Some(result) = read_next() {
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
            let mut waiting = BTreeMap::new();
            let mut folded = 0;
            while folded < pieces.len() {
                waiting.extend(results.try_iter());
                if let Some(piece) = waiting.remove(&folded) {
                    folded += 1;
                    if !fold.take_all(piece, &mut self.defects) {
                        self.ended = true;
                        stop.store(true, Ordering::Relaxed);
                        return;
                    }
                } else if let Some((at, piece)) = read_next().or_else(|| results.recv().ok()) {
                    waiting.insert(at, piece);
                }
            }
        });
    }
}

/// An entry that was read, reduced to what the check of a whole log needs.
#[derive(Debug)]
struct Candidate {
    entry: ReadEntry<()>,
    step: Checked<Step>,
}

impl Candidate {
    fn of(entry: ReadEntry) -> Candidate {
        let (entry, body) = entry.split();
        let step = body.map(|body| Step::of(entry.seq, entry.at, &entry.channel, &body));
        Candidate { entry, step }
    }
}

/// The first 64 bits of a SHA-256, so that a long log takes little memory. Of a million keys two share them once in 37
/// million logs.
type Short = u64;

fn short(digest: &Digest) -> Short {
    digest.as_bytes().iter().take(8).fold(0, |short, byte| short << 8 | u64::from(*byte))
}

fn short_key(key: &IdempotencyKey) -> Short {
    short(&Digest::of(key.as_str().as_bytes()))
}

/// What the check of a whole log keeps beyond the channel's state.
#[derive(Debug)]
struct Fold {
    state: ChannelState,
    ids: Ids,
    /// Keys of committed moves, and the positions of their intents.
    keys: HashMap<Short, u64>,
    /// The digests that were live.
    lived: HashSet<Short>,
    last: Option<Timestamp>,
    clock_went_back: u64,
    moves: u64,
}

impl Fold {
    fn new(channel: Channel) -> Fold {
        Fold {
            state: ChannelState::empty(channel),
            ids: Ids::default(),
            keys: HashMap::new(),
            lived: HashSet::new(),
            last: None,
            clock_went_back: 0,
            moves: 0,
        }
    }

    /// Takes entries in, and lists the rules that they break; false if nothing after can be judged, or enough is listed.
    fn take_all(&mut self, entries: Vec<Checked<Candidate>>, defects: &mut Vec<Defect>) -> bool {
        for candidate in entries {
            let seq = self.state.size;
            let taken = candidate.and_then(|Candidate { entry, step }| {
                self.state.follows(&entry)?;
                Ok((entry, step))
            });
            let taken = match taken {
                Ok((entry, step)) => self.take(&entry, step).map_err(|broken| broken.at(seq)),
                Err(broken) => Err(broken.at(seq)),
            };
            if let Err(defect) = taken {
                let ends = defect.code.ends_reading();
                defects.push(defect);
                if ends || defects.len() >= MAX_DEFECTS {
                    return false;
                }
            }
        }
        true
    }

    /// Takes an entry in whose bytes, position and parent are right.
    fn take(&mut self, entry: &ReadEntry<()>, step: Checked<Step>) -> Checked<()> {
        self.clock_went_back += u64::from(self.last.is_some_and(|last| entry.at < last));
        self.last = Some(entry.at);
        let id = entry.id;
        let unused = ensure(self.ids.insert(id.as_u128()), DefectCode::IdReused, || {
            format!("the id {id} stands in the log twice")
        });
        let judged = unused.and_then(|()| self.state.check_not_migrated()).and(step);
        match judged.and_then(|step| self.judge(&step).map(|()| step)) {
            Ok(step) => self.fold(entry.leaf, step),
            Err(broken) => {
                // It counts, and changes nothing.
                self.state.count(entry.leaf);
                Err(broken)
            }
        }
    }

    /// The rules that need the whole log. They come after those that need the state.
    fn judge(&mut self, step: &Step) -> Checked<()> {
        let Step::Intent { open, policy } = step else { return Ok(()) };
        self.state.check_intent(open, *policy)?;
        let never_live = open.op == Op::Rollback && !self.lived.contains(&short(&open.target));
        ensure(!never_live, DefectCode::Target, || {
            format!("a rollback to {}, which was never live here", open.target)
        })?;
        let earlier = self.keys.get(&short_key(&open.key));
        ensure(earlier.is_none(), DefectCode::KeyReused, || {
            format!("the key moved the channel at {} before", earlier.copied().unwrap_or_default())
        })
    }

    fn fold(&mut self, leaf: Leaf, step: Step) -> Checked<()> {
        let committed = self.state.committed;
        let open = match &step {
            Step::Outcome { .. } => self.state.open.clone(),
            _ => None,
        };
        self.state.fold(leaf, step).map_err(|Defect { code, why, .. }| Broken { code, why })?;
        if let Some(open) = open {
            self.moves += 1;
            if self.state.committed > committed {
                self.keys.insert(short_key(&open.key), open.seq);
                self.lived.insert(short(&open.target));
            }
        }
        Ok(())
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
