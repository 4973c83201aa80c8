//! The check of a whole log: every entry, the hash chain, the ids and keys that must be unique, and the root over all
//! entries.
//!
//! The content of an entry (its JSON, its fields, its leaf hash) does not depend on other entries, so entries are read
//! on all cores. The state is then computed from one entry at a time, in the order of the log.

use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::thread;

use bytes::Bytes;
use serde::Serialize;

use super::defect::{Checked, Defect, ensure};
use super::entry::{Body, MAX_ENTRY};
use super::envelope::Envelope;
use super::intent::Op;
use super::state::ChannelState;
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

/// The number of entries that are read before they are applied.
const BLOCK: usize = 1024;
/// The least number of entries for which another thread is started.
const SHARE: usize = 64;

/// Checks a log of any length, fed in parts.
///
/// # Memory
/// 16 bytes an entry for its id (up to 48 if ids do not rise), and for each committed move about 30 for its key and 15
/// for its digest (up to three times that while a table grows). The entries themselves are not kept. Ids are compared
/// whole; keys and digests by 64 bits of a SHA-256.
#[derive(Debug, Default)]
pub struct Verifier {
    /// The state of the log; absent until its channel is known.
    state: Option<ChannelState>,
    ids: Ids,
    /// Keys of committed moves, and the positions of their intents.
    keys: HashMap<Short, u64>,
    /// The digests that have been live.
    lived: HashSet<Short>,
    last: Option<Timestamp>,
    clock_went_back: u64,
    moves: u64,
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

impl Verifier {
    /// A verifier of the log of `channel`, or of the channel that the first entry names.
    pub fn new(channel: Option<Channel>) -> Verifier {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Verifier { state: channel.map(ChannelState::empty), threads, ..Verifier::default() }
    }

    /// Checks the next entries. Feed some thousand entries at once to use all cores.
    pub fn feed(&mut self, entries: &[Bytes]) {
        self.run(&entries.iter().map(Bytes::as_ref).collect::<Vec<_>>());
    }

    /// Checks the next bytes of a log that is stored as lines; a part may end in the middle of a line. Feed some MiB at
    /// once to use all cores.
    pub fn feed_jsonl(&mut self, bytes: &[u8]) {
        let mut start = 0;
        let lines = memchr::memchr_iter(b'\n', bytes).map(|end| {
            let line = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            line
        });
        let mut lines: Vec<&[u8]> = lines.collect();
        let begun;
        if self.line_bytes > 0
            && let Some(first) = lines.first_mut()
        {
            self.keep(first);
            self.line_bytes = 0;
            begun = std::mem::take(&mut self.line);
            *first = &begun;
        }
        self.run(&lines);
        self.keep(bytes.get(start..).unwrap_or_default());
    }

    /// The report at the end of the log.
    pub fn finish(self) -> LogReport {
        self.report()
    }

    /// The report so far; more entries may be fed afterwards.
    pub fn report(&self) -> LogReport {
        let state = self.state.as_ref();
        let migrated = state.and_then(|state| state.migrated.as_ref());
        LogReport {
            channel: state.map(|state| state.channel.clone()),
            entries: state.map_or(0, |state| state.size),
            torn_bytes: self.line_bytes,
            moves: self.moves,
            committed: state.map_or(0, |state| state.committed),
            live: state.and_then(|state| state.live),
            previous: state.and_then(|state| state.previous),
            open_intent: state.and_then(|state| state.open.as_ref()).map(|open| open.seq),
            holds: state.map_or_else(Vec::new, |state| state.holds.iter().map(|hold| hold.seq).collect()),
            blocked: state.map_or_else(Vec::new, |state| state.blocked.iter().map(|block| block.digest).collect()),
            migrated: migrated.map(|migrated| migrated.seq),
            migrated_to: migrated.map(|migrated| migrated.ledger.clone()),
            root: state.map_or_else(|| Digest::of(b""), ChannelState::root),
            clock_went_back: self.clock_went_back,
            defect: self.defects.first().cloned(),
            defects: self.defects.clone(),
        }
    }

    fn keep(&mut self, part: &[u8]) {
        let room = (MAX_ENTRY + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        self.line_bytes += part.len() as u64;
    }

    /// Reads entries on all cores, and applies them in order.
    fn run(&mut self, entries: &[&[u8]]) {
        for block in entries.chunks(BLOCK) {
            self.ended = self.ended || !self.run_block(block);
        }
    }

    /// False if no later entry can be judged, or if enough defects are listed.
    fn run_block(&mut self, entries: &[&[u8]]) -> bool {
        let mut shares = entries.chunks(entries.len().div_ceil(self.threads.max(1)).max(SHARE));
        let own = shares.next().unwrap_or_default();
        thread::scope(|scope| {
            // If a thread cannot be started, the check works without it, only more slowly.
            let others: Vec<_> = shares
                .map(|share| (share, thread::Builder::new().spawn_scoped(scope, move || read_all(share)).ok()))
                .collect();
            self.apply_all(read_all(own))
                && others.into_iter().all(|(share, thread)| {
                    let read = thread.map_or_else(|| Ok(read_all(share)), |thread| thread.join());
                    self.apply_all(read.unwrap_or_else(|panic| resume_unwind(panic)))
                })
        })
    }

    /// Applies entries, and lists the rules that they break. False if no later entry can be judged, or if enough
    /// defects are listed.
    fn apply_all(&mut self, entries: Vec<Checked<Envelope>>) -> bool {
        entries.into_iter().all(|entry| {
            let seq = self.state.as_ref().map_or(0, |state| state.size);
            let applied = entry.and_then(|envelope| self.apply(envelope));
            let Err(defect) = applied.map_err(Defect::at(seq)) else { return true };
            let ends = defect.code.ends_reading();
            self.defects.push(defect);
            !ends && self.defects.len() < MAX_DEFECTS
        })
    }

    /// Applies the next entry.
    fn apply(&mut self, envelope: Envelope) -> Checked<()> {
        let Envelope { leaf, id, at, .. } = envelope;
        // If the channel was not given, the first entry names it.
        let state = self.state.get_or_insert_with(|| ChannelState::empty(envelope.channel.clone()));
        envelope.follows(&state.channel, state.size, state.leaf)?;
        self.clock_went_back += u64::from(self.last.is_some_and(|last| at < last));
        self.last = Some(at);
        let unused = self.ids.insert(id.as_u128());
        let judge = || {
            ensure!(unused, IdReused, "the id {id} stands in the log twice");
            let body = envelope.body?;
            if let Body::Intent(intent) = &body {
                // The rules that need only the state come first.
                state.check_intent(intent)?;
                let target = intent.target.digest;
                let lived = intent.op != Op::Rollback || self.lived.contains(&short(&target));
                ensure!(lived, Target, "a rollback to {target}, which was never live here");
                let earlier = self.keys.get(&short_key(&intent.key)).copied();
                let at = earlier.unwrap_or_default();
                ensure!(earlier.is_none(), KeyReused, "the key moved the channel at {at} before");
            }
            Ok(body)
        };
        let judged = judge();
        let (open, committed) = (state.open.clone(), state.committed);
        state.advance(leaf, at, judged.as_ref())?;
        if let (Some(open), None) = (open, &state.open) {
            self.moves += 1;
            if state.committed > committed {
                self.keys.insert(short_key(&open.key), open.seq);
                self.lived.insert(short(&open.target));
            }
        }
        Ok(())
    }
}

fn read_all(entries: &[&[u8]]) -> Vec<Checked<Envelope>> {
    entries.iter().map(|bytes| Envelope::read(bytes)).collect()
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
