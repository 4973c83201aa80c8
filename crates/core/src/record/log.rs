//! A channel's log: from stored bytes to checked entries, one after the other.
//!
//! [`ChannelState::take`] is the only way from bytes to state: it checks all that the format asks of an entry, in the
//! order of `docs/ledger-format.md`, and folds it. Only what needs the whole log, ids and keys that stand in it twice,
//! is left to the [`Verifier`](super::Verifier).

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::body::{self, Bad, Form, Home, Said};
use super::entry::{Body, Entry, Leaf, MAX_ENTRY};
use super::fold::{ChannelState, Defect, DefectCode, GoesOn, Step};
use super::json::Flaw;
use super::merkle::{Hash, leaf_hash};
use super::tape::{Data, Tape, Value};
use crate::value::{Channel, Timestamp, hex};

/// What one entry's bytes say by themselves, without the log they are in.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) leaf: Hash,
    /// The position that it names.
    pub(super) seq: i64,
    pub(super) parent: Parent,
    /// What breaks a rule that comes after that of the position: channel, id, time.
    pub(super) head: Form<Head>,
    /// What breaks a rule that comes after that of the parent: kind and body.
    pub(super) said: Form<Said<'a>>,
    /// For an intent with a defect: true if it holds the channel all the same.
    pub(super) opens: bool,
    /// The key of an intent.
    pub(super) key: Option<KeyHash>,
}

impl Seen<'_> {
    /// What it says, for an entry at `seq`.
    fn step(&self, seq: u64) -> Form<Step> {
        self.said.as_ref().map_err(Bad::clone)?.step(seq)
    }
}

/// The first 128 bits of a key's SHA-256.
pub(super) type KeyHash = [u8; 16];

#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) id: u128,
    pub(super) at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    Absent,
    Is(Hash),
    NotALeaf,
}

/// Reads the bytes of an entry of the log `home`. An error is a defect that leaves the entry uncounted.
pub(super) fn read<'a>(home: &Home, tape: &mut Tape<'a>, bytes: &'a [u8]) -> Form<Seen<'a>> {
    let broken = |code, why: String| Err(Bad { code, why });
    if bytes.len() > MAX_ENTRY {
        return broken(DefectCode::TooLarge, format!("over {MAX_ENTRY} bytes"));
    }
    let too_new = || broken(DefectCode::TooNew, "the version is not 1".to_owned());
    match tape.read(bytes) {
        Ok(()) => {}
        Err(Flaw::NotJson(why)) => return broken(DefectCode::NotJson, why),
        Err(Flaw::NotCanonical { version: Some(1), why }) => return broken(DefectCode::NotCanonical, why),
        Err(Flaw::NotCanonical { .. }) => return too_new(),
    }
    let entry = tape.top();
    if entry.children().seek("v").map(Value::data) != Some(Data::Integer(1)) {
        return too_new();
    }
    if let Some(at) = tape.forbidden() {
        let why = format!("a control or bidirectional character at byte {at}");
        return broken(DefectCode::ControlCharacter, why);
    }
    let mut fields = entry.children();
    let at = body::string(&mut fields, "at")?;
    let says = fields.seek("body").filter(|body| body.data() == Data::Object);
    let says = says.ok_or_else(|| body::missing("body"))?;
    let channel = body::string(&mut fields, "channel")?;
    let id = body::string(&mut fields, "id")?;
    let kind = body::string(&mut fields, "kind")?;
    let parent = match fields.seek("parent").map(Value::data) {
        None => Parent::Absent,
        Some(Data::Text(text)) => parent(text),
        Some(_) => Parent::NotALeaf,
    };
    let Some(Data::Integer(seq)) = fields.seek("seq").map(Value::data) else {
        return Err(body::missing("seq"));
    };
    let said = body::said(home, &kind, says);
    Ok(Seen {
        leaf: leaf_hash(bytes),
        seq,
        parent,
        head: head(home, &channel, &id, &at),
        key: match &said {
            Ok(Said::Intent { key, .. }) => Sha256::digest(&**key).first_chunk().copied(),
            _ => None,
        },
        opens: said.is_err() && kind == "intent" && body::opens(says),
        said,
    })
}

/// The channel that an entry names, whatever else it says; for a log whose channel is not known yet.
pub(super) fn channel_of(bytes: &[u8]) -> Option<Channel> {
    let mut tape = Tape::new();
    tape.read(bytes.get(..MAX_ENTRY.min(bytes.len()))?).ok()?;
    tape.top().children().seek("channel")?.text()?.parse().ok()
}

fn parent(text: &str) -> Parent {
    text.strip_prefix("sha256:").and_then(|digits| hex(digits.as_bytes())).map_or(Parent::NotALeaf, Parent::Is)
}

fn head(home: &Home, channel: &str, id: &str, at: &str) -> Form<Head> {
    let bad = |code, why| Err(Bad { code, why });
    if channel != home.text {
        return match channel.parse::<Channel>() {
            Err(e) => bad(DefectCode::Field, e.to_string()),
            Ok(_) => bad(DefectCode::Channel, format!("{channel} in the log of {}", home.text)),
        };
    }
    let Some(id) = uuid_v7(id) else {
        return bad(DefectCode::Field, format!("the id {id:?} is not a UUIDv7 in lower case"));
    };
    match Timestamp::of_written(at) {
        Some(at) => Ok(Head { id, at }),
        None => bad(DefectCode::Field, format!("at: {at:?} is not a time such as 2026-11-23T06:12:31.123Z")),
    }
}

/// The value of a UUIDv7 in its one spelling: lower case, with hyphens (RFC 9562, section 5.7).
fn uuid_v7(text: &str) -> Option<u128> {
    let bytes: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let (groups, mut rest) = ([8, 4, 4, 4, 12], &bytes[..]);
    let mut digits = [0; 32];
    let mut to = &mut digits[..];
    for (at, length) in groups.into_iter().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix(b"-")?;
        }
        let (group, after) = rest.split_at_checked(length)?;
        let (place, free) = to.split_at_mut_checked(length)?;
        place.copy_from_slice(group);
        (rest, to) = (after, free);
    }
    let value = u128::from_be_bytes(hex(&digits)?);
    ((value >> 76) & 0xf == 7 && (value >> 62) & 0b11 == 0b10).then_some(value)
}

/// A defect on the way into the state.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) bad: Bad,
    /// Whether the entry stands in the log all the same, so that its leaf counts.
    pub(super) counted: Counted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    No,
    Yes,
    /// Yes, and the defective intent holds the channel.
    AndOpen,
}

impl ChannelState {
    /// Checks the next entry's stored bytes against the whole format and takes it in; says what it took.
    ///
    /// Ids and keys that stand in the log twice are not seen here: that needs the whole log. After a defect the state
    /// is good for a report, not for going on.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Step, Defect> {
        let seq = self.size;
        let mut tape = Tape::new();
        let taken = read(&Home::new(self.channel.clone()), &mut tape, bytes)
            .map_err(|bad| Fault { bad, counted: Counted::No })
            .and_then(|seen| {
                self.follows(&seen)?;
                self.take_seen(&seen)?;
                seen.step(seq).map_err(|bad| Fault { bad, counted: Counted::Yes })
            });
        taken.map_err(|Fault { bad: Bad { code, why }, .. }| Defect { seq, code, why })
    }

    /// The entry that says `body` next: its position and parent are filled in.
    ///
    /// `id` must be a UUIDv7 that no other entry of the log has.
    pub fn next(&self, body: Body, id: Uuid, at: Timestamp) -> Entry {
        Entry { channel: self.channel.clone(), seq: self.size, id, at, parent: self.leaf, body }
    }

    /// Whether an entry stands at its position and its channel, id and time are well formed.
    pub(super) fn follows(&self, seen: &Seen<'_>) -> Result<Head, Fault> {
        let fault = |bad| Fault { bad, counted: Counted::No };
        if u64::try_from(seen.seq) != Ok(self.size) {
            let why = format!("it says {} and stands at {}", seen.seq, self.size);
            return Err(fault(Bad { code: DefectCode::Sequence, why }));
        }
        seen.head.clone().map_err(fault)
    }

    /// Takes in an entry that [follows](ChannelState::follows): its parent, its kind and body, the fold.
    pub(super) fn take_seen(&mut self, seen: &Seen<'_>) -> Result<(), Fault> {
        let fault = |code, why, counted| Err(Fault { bad: Bad { code, why }, counted });
        if let Some(GoesOn { seq, .. }) = &self.moved {
            return fault(DefectCode::AfterMoved, format!("the log went on elsewhere at {seq}"), Counted::No);
        }
        let fits = match (&self.leaf, seen.parent) {
            (None, Parent::Absent) => true,
            (Some(leaf), Parent::Is(parent)) => leaf.as_bytes() == parent,
            _ => false,
        };
        if !fits {
            let want = self.leaf.map_or_else(|| "none".to_owned(), |leaf| leaf.to_string());
            return fault(DefectCode::Parent, format!("it is not {want}"), Counted::No);
        }
        let leaf = Leaf::from_sha256(seen.leaf);
        match seen.step(self.size) {
            Ok(step) => self
                .fold(leaf, step)
                .map_err(|Defect { code, why, .. }| Fault { bad: Bad { code, why }, counted: Counted::Yes }),
            Err(bad) => {
                self.size += 1;
                self.leaf = Some(leaf);
                match &self.open {
                    Some(open) if seen.opens => {
                        let why = format!("intent while {} is open", open.seq);
                        fault(DefectCode::Interleaved, why, Counted::Yes)
                    }
                    None if seen.opens => Err(Fault { bad, counted: Counted::AndOpen }),
                    _ => Err(Fault { bad, counted: Counted::Yes }),
                }
            }
        }
    }
}

/// Checks one entry's stored bytes at position `seq` of a channel's log, after the entry with the leaf `parent`, without
/// the state of the log: what the fold would find (an intent while another is open, …) is not seen.
pub fn check(channel: &Channel, seq: u64, parent: Option<Leaf>, bytes: &[u8]) -> Result<(Leaf, Step), Defect> {
    let mut state = ChannelState { size: seq, leaf: parent, ..ChannelState::empty(channel.clone()) };
    let defect = |Bad { code, why }| Defect { seq, code, why };
    let seen = read(&Home::new(channel.clone()), &mut Tape::new(), bytes).map_err(defect)?;
    state.follows(&seen).map_err(|fault| defect(fault.bad))?;
    let step = seen.step(seq);
    let linked = Seen { said: Ok(Said::Other), ..seen };
    state.take_seen(&linked).map_err(|fault| defect(fault.bad))?;
    Ok((Leaf::from_sha256(linked.leaf), step.map_err(defect)?))
}
