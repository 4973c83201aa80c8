//! A channel's log: checks stored bytes and applies them, one entry after the other.
//!
//! [`ChannelState::take`] is the only way from bytes to state: it checks every rule of the format that needs one entry
//! and the state before it, and applies the entry. The [`Verifier`](super::Verifier) checks the rules that need the
//! whole log: ids and keys that occur twice, targets of rollbacks, and the root that a migration names.

use uuid::Uuid;

use super::defect::{Checked, Defect, DefectCode, ensure};
use super::entry::{Body, Entry, EntryHash};
use super::read::{ReadEntry, read};
use super::state::{ChannelState, Transition};
use crate::value::{Channel, Timestamp};

impl ChannelState {
    /// Checks the next entry's stored bytes against the whole format and applies it; returns the step.
    ///
    /// After a defect the state is still good for a report, but no more entries may be applied.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Transition, Defect> {
        let seq = self.size;
        let entry = read(bytes).and_then(|entry| {
            self.follows(&entry)?;
            Ok(entry)
        });
        let (entry, body) = entry.map_err(|broken| broken.at(seq))?.split();
        match body {
            Ok(body) => {
                let step = Transition::of(seq, entry.at, &self.channel, &body);
                self.fold(entry.leaf, step.clone()).map(|()| step)
            }
            Err(broken) => {
                self.fold(entry.leaf, Transition::Other)?;
                Err(broken.at(seq))
            }
        }
    }

    /// The next entry of the log, with this `body`; the channel, position and parent are filled in.
    ///
    /// `id` must be a UUIDv7 that no other entry of the log has.
    pub fn next(&self, body: Body, id: Uuid, at: Timestamp) -> Entry {
        Entry { channel: self.channel.clone(), seq: self.size, id, at, parent: self.leaf, body }
    }

    /// Checks that an entry has the next position, this channel, and the right parent.
    pub(super) fn follows<B>(&self, entry: &ReadEntry<B>) -> Checked<()> {
        let ReadEntry { seq, channel, parent, .. } = entry;
        ensure(*seq == self.size, DefectCode::Sequence, || format!("it says {seq} and stands at {}", self.size))?;
        ensure(*channel == self.channel, DefectCode::Channel, || format!("{channel} in the log of {}", self.channel))?;
        let want = self.leaf.map(|leaf| leaf.to_string());
        ensure(*parent == want, DefectCode::Parent, || format!("it is not {}", want.as_deref().unwrap_or("absent")))
    }
}

/// Checks one entry's stored bytes at position `seq` of a channel's log, after the entry with the leaf hash `parent`.
/// The state of the log is not needed: rules about other entries (an intent while another is open, …) are not checked.
pub fn check(
    channel: &Channel,
    seq: u64,
    parent: Option<EntryHash>,
    bytes: &[u8],
) -> Result<(EntryHash, Transition), Defect> {
    let (entry, body) = linked(channel, seq, parent, bytes)?.split();
    let body = body.map_err(|broken| broken.at(seq))?;
    Ok((entry.leaf, Transition::of(seq, entry.at, channel, &body)))
}

/// Checks the bytes, the position and the parent of one entry, but not its body, and returns its leaf hash.
pub(crate) fn check_link(
    channel: &Channel,
    seq: u64,
    parent: Option<EntryHash>,
    bytes: &[u8],
) -> Result<EntryHash, Defect> {
    linked(channel, seq, parent, bytes).map(|entry| entry.leaf)
}

fn linked(channel: &Channel, seq: u64, parent: Option<EntryHash>, bytes: &[u8]) -> Result<ReadEntry, Defect> {
    let state = ChannelState { size: seq, leaf: parent, ..ChannelState::empty(channel.clone()) };
    let entry = read(bytes).and_then(|entry| {
        state.follows(&entry)?;
        Ok(entry)
    });
    entry.map_err(|broken| broken.at(seq))
}
