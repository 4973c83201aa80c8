//! The check of a whole log: every entry, the hash chain, the ids and keys that must be unique, and the root over all
//! entries.
//!
//! The content of an entry (its JSON, its fields, its leaf hash) does not depend on other entries, so entries are read
//! on all cores. The state is then computed from one entry at a time, in the order of the log.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use serde::Serialize;

use super::defect::{Broken, Checked, Defect, DefectCode, ensure};
use super::entry::{EntryHash, MAX_ENTRY};
use super::intent::Op;
use super::read::{ReadEntry, read};
use super::state::{ChannelState, Transition};
use crate::value::{Channel, Digest, IdempotencyKey, Line, Timestamp};

/// The result of the check of a whole log. In JSON, absent fields are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// The log's channel; absent if the log is empty and no channel was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The number of entries whose bytes, position and parent are right. An entry that breaks another rule is counted,
    /// but it changed nothing in the state.
    pub entries: u64,
    /// The number of bytes after the last newline, from an append that was not acknowledged. They are not a defect.
    pub torn_bytes: u64,
    /// The number of closed moves.
    pub moves: u64,
    /// The number of committed moves.
    pub committed: u64,
    /// The live digest: the target of the last committed move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Digest>,
    /// The live digest before the last committed move that changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The position of the intent of the open move; absent if no move is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_intent: Option<u64>,
    /// The holds that no [`Unhold`](super::Unhold) ended, by position. A hold with an end time may be over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<u64>,
    /// The blocked digests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Digest>,
    /// The position of the entry that says that the log was migrated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrated: Option<u64>,
    /// The ledger in which the log continues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrated_to: Option<Line>,
    /// The RFC 6962 root over the counted entries.
    pub root: Digest,
    /// The number of entries with an earlier time than the entry before. This is a warning, not a defect: times are for
    /// information only, and entries are ordered by position.
    pub clock_went_back: u64,
    /// The first broken rule; absent if none is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defect: Option<Defect>,
    /// Every broken rule, in the order of the log; the check stops after 100. Nothing can be judged after broken bytes,
    /// a wrong position or a wrong parent, so such a defect is the last one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub defects: Vec<Defect>,
}

impl LogReport {
    /// The report on a whole exported log: one entry a line, each with its newline. With `channel`, an entry of another
    /// channel is a defect; without it, the first entry names the channel.
    pub fn of_jsonl(channel: Option<Channel>, bytes: &[u8]) -> LogReport {
        let mut verifier = Verifier::new(channel);
        verifier.feed_jsonl(bytes);
        verifier.finish()
    }
}

/// The check stops after this number of defects.
const MAX_DEFECTS: usize = 100;

/// Checks a log of any length, fed in parts.
///
/// # Memory
/// 16 bytes an entry for its id (up to 48 if ids do not rise), and for each committed move about 30 for its key and 15
/// for its digest (up to three times that while a table grows). The entries themselves are not kept. Ids are compared
/// whole; keys and digests by 64 bits of a SHA-256.
#[derive(Debug)]
pub struct Verifier {
    fold: Option<Fold>,
    /// The beginning of an unfinished line, cut at one byte more than the largest entry.
    line: Vec<u8>,
    /// The length of that line so far, in bytes.
    line_bytes: u64,
    /// The defects found so far.
    defects: Vec<Defect>,
    /// True if no later entry can be judged, or if 100 defects are listed.
    ended: bool,
    threads: usize,
}

/// The number of bytes that one thread reads in one go.
const PIECE_BYTES: usize = 64 * 1024;
/// The number of entries that one thread reads in one go, for logs that are fed entry by entry.
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

    /// Checks the next entries. Feed some thousand entries at once to use all cores.
    pub fn feed(&mut self, entries: &[Bytes]) {
        if let Some(first) = entries.first() {
            self.name(first);
        }
        let pieces: Vec<&[Bytes]> = entries.chunks(PIECE_ENTRIES).collect();
        self.run(&pieces, |piece| piece.iter().map(|entry| entry.as_ref()));
    }

    /// Checks the next bytes of a log that is stored as lines; a part may end in the middle of a line. Feed some MiB at
    /// once to use all cores.
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

    /// The report at the end of the log.
    pub fn finish(self) -> LogReport {
        self.report()
    }

    /// The report so far; more entries may be fed afterwards.
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

    /// Takes the log's channel from its first entry, if the channel is not known yet.
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

    /// Reads the entries of all pieces on all cores, and applies them in order.
    fn run<'a, P, I>(&mut self, pieces: &[P], entries: impl Fn(P) -> I + Sync)
    where
        P: Copy + Send + Sync,
        I: Iterator<Item = &'a [u8]>,
    {
        let (Some(fold), false) = (&mut self.fold, self.ended) else { return };
        let taken = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        // Each thread takes the next piece that no thread has taken.
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
                // If a thread cannot be started, the check works without it, only more slowly.
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

/// An entry that was read, reduced to the fields that the check of a whole log needs.
#[derive(Debug)]
struct Candidate {
    entry: ReadEntry<()>,
    step: Checked<Transition>,
}

impl Candidate {
    fn of(entry: ReadEntry) -> Candidate {
        let (entry, body) = entry.split();
        let step = body.map(|body| Transition::of(entry.seq, entry.at, &entry.channel, &body));
        Candidate { entry, step }
    }
}

/// The first 64 bits of a SHA-256, so that a long log needs little memory. In a log with a million keys, the chance
/// that two of them share these bits is 1 in 37 million.
type Short = u64;

fn short(digest: &Digest) -> Short {
    digest.as_bytes().iter().take(8).fold(0, |short, byte| short << 8 | u64::from(*byte))
}

fn short_key(key: &IdempotencyKey) -> Short {
    short(&Digest::of(key.as_str().as_bytes()))
}

/// The data that the check of a whole log keeps in addition to the channel's state.
#[derive(Debug)]
struct Fold {
    state: ChannelState,
    ids: Ids,
    /// Keys of committed moves, and the positions of their intents.
    keys: HashMap<Short, u64>,
    /// The digests that have been live.
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

    /// Applies entries, and lists the rules that they break. False if no later entry can be judged, or if enough
    /// defects are listed.
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

    /// Applies an entry whose bytes, position and parent are right.
    fn take(&mut self, entry: &ReadEntry<()>, step: Checked<Transition>) -> Checked<()> {
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
                // The entry is counted, and changes nothing else.
                self.state.count(entry.leaf);
                Err(broken)
            }
        }
    }

    /// Checks the rules that need the whole log. Rules that need only the state are checked first.
    fn judge(&mut self, step: &Transition) -> Checked<()> {
        let Transition::Intent { open, policy } = step else { return Ok(()) };
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

    fn fold(&mut self, leaf: EntryHash, step: Transition) -> Checked<()> {
        let committed = self.state.committed;
        let open = match &step {
            Transition::Outcome { .. } => self.state.open.clone(),
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

/// The ids of a log. Ids that rise, as UUIDv7 mostly do, need 16 bytes each and no search.
#[derive(Debug, Default)]
struct Ids {
    rising: Vec<u128>,
    others: HashSet<u128>,
}

impl Ids {
    /// Adds an id; false if the log has it already.
    fn insert(&mut self, id: u128) -> bool {
        if self.rising.last().is_none_or(|last| *last < id) {
            // The new id is larger than all ids so far, so it cannot be a repetition.
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

/// The index of the first newline.
fn newline(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 128;
    let mut at = 0;
    for block in bytes.chunks(BLOCK) {
        // The inner loop has no early exit, so that the compiler can use SIMD instructions.
        if block.iter().fold(false, |found, byte| found | (*byte == b'\n')) {
            let words = block.chunks(8).position(|word| word.contains(&b'\n'))? * 8;
            return block.get(words..)?.iter().position(|byte| *byte == b'\n').map(|in_word| at + words + in_word);
        }
        at += BLOCK;
    }
    None
}

/// The lines in pieces of about [`PIECE_BYTES`], each of whole lines.
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
