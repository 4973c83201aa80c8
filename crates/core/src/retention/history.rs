//! `ChannelUsage`: the digests that one channel's log names.

use std::collections::BTreeSet;

use crate::log::{Body, Entry, Status};
use crate::value::{Channel, Digest, Timestamp};

/// The digests that one channel's log names: the live one, those of the open intent, those that were live, and the
/// targets of moves without effect.
///
/// It is built from entries that were verified before ([`ChannelUsage::take`]), or its fields are set directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelUsage {
    /// The channel.
    pub channel: Channel,
    /// The number of entries that were taken.
    pub size: u64,
    /// The live digest: the target of the last committed move.
    pub live: Option<Digest>,
    /// The digests of the open intent.
    pub open: Option<OpenDigests>,
    /// Every period in which a digest was live, in any order.
    pub lived: Vec<LivePeriod>,
    /// Targets of moves that were closed without effect, in any order.
    pub tried: Vec<FailedTarget>,
    /// The digests that are blocked on the channel: by its own log, and, as far as they were added, by those of earlier
    /// environments.
    pub blocked: BTreeSet<Digest>,
    /// The position of the entry that says that the log goes on in another ledger; none if the log was not migrated.
    pub migrated: Option<u64>,
}

/// The digests that an open intent names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenDigests {
    /// The position of the intent in the log.
    pub seq: u64,
    /// The live digest before it.
    pub previous: Option<Digest>,
    /// Its target.
    pub target: Digest,
    /// In a repair: the digest that the tag pointed at instead of the live digest.
    pub replaced: Option<Digest>,
}

/// A period in which a digest was live in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LivePeriod {
    /// The position of the intent that made it live. The period with the higher position is the newer one; times do not
    /// count.
    pub seq: u64,
    /// The digest.
    pub digest: Digest,
    /// The time at which the move was committed.
    pub from: Timestamp,
    /// The time at which the next digest became live; none while this one is live.
    pub until: Option<Timestamp>,
}

/// The target of a move that was closed without effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FailedTarget {
    /// The position of the intent in the log.
    pub seq: u64,
    /// The target.
    pub digest: Digest,
    /// The time at which the move was closed.
    pub at: Timestamp,
}

impl ChannelUsage {
    /// The history of a log without entries.
    pub fn empty(channel: Channel) -> ChannelUsage {
        let (lived, tried, blocked) = (Vec::new(), Vec::new(), BTreeSet::new());
        ChannelUsage { channel, size: 0, live: None, open: None, lived, tried, blocked, migrated: None }
    }

    /// Takes the next entry. The chain and the format are not checked here: a
    /// [`ChannelState`](crate::log::ChannelState) that folds the same entries checks them.
    pub fn take(&mut self, entry: &Entry) {
        self.size = entry.seq.saturating_add(1);
        match &entry.body {
            Body::Intent(intent) => {
                let (previous, target, replaced) = (intent.previous, intent.target.digest, intent.replaced);
                self.open = Some(OpenDigests { seq: entry.seq, previous, target, replaced });
            }
            Body::Outcome(outcome) => {
                let Some(open) = self.open.take_if(|open| open.seq == outcome.intent_seq) else { return };
                let (seq, digest, at) = (open.seq, open.target, entry.at);
                if outcome.status != Status::Committed {
                    self.tried.push(FailedTarget { seq, digest, at });
                } else if self.live != Some(digest) {
                    if let Some(last) = self.lived.last_mut() {
                        last.until = Some(at);
                    }
                    self.live = Some(digest);
                    self.lived.push(LivePeriod { seq, digest, from: at, until: None });
                }
            }
            Body::Block(block) => _ = self.blocked.insert(block.digest),
            Body::Unblock(unblock) => _ = self.blocked.remove(&unblock.digest),
            Body::Migrated(_) => self.migrated = Some(entry.seq),
            // The others name no digest that a channel points at.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Intent, Op, proptests};

    const CHANNEL: &str = "reg.io/acme/shop:prod";

    fn at(seq: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_000 * i64::try_from(seq).unwrap())
    }

    fn entry(seq: u64, body: Body) -> Entry {
        let id = uuid::Uuid::from_u128(u128::from(seq));
        Entry { channel: CHANNEL.parse().unwrap(), seq, id, at: at(seq), parent: None, body }
    }

    fn intent(seq: u64, op: Op, from: Option<&[u8]>, to: &[u8]) -> Entry {
        let intent = proptests::intent(seq, op, from.map(Digest::of), Digest::of(to));
        let replaced = (op == Op::Repair).then(|| Digest::of(b"foreign"));
        entry(seq, Body::Intent(Box::new(Intent { replaced, ..intent })))
    }

    fn outcome(seq: u64, status: Status) -> Entry {
        entry(seq, Body::Outcome(proptests::outcome(seq - 1, seq - 1, status, None)))
    }

    #[test]
    fn a_log_becomes_stretches_tries_and_what_is_open() {
        let mut history = ChannelUsage::empty(CHANNEL.parse().unwrap());
        for entry in [
            intent(0, Op::Bootstrap, None, b"a"),
            outcome(1, Status::Committed),
            intent(2, Op::Promote, Some(b"a"), b"b"),
            outcome(3, Status::Committed),
            intent(4, Op::Promote, Some(b"b"), b"c"),
            outcome(5, Status::Aborted),
            intent(6, Op::Repair, Some(b"b"), b"b"),
            outcome(7, Status::Committed),
            intent(8, Op::Rollback, Some(b"b"), b"a"),
            outcome(9, Status::Committed),
            intent(10, Op::Repair, Some(b"a"), b"a"),
        ] {
            history.take(&entry);
        }
        let (a, b, c) = (Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c"));
        assert_eq!((history.size, history.live), (11, Some(a)));
        assert_eq!(
            history.lived,
            [
                LivePeriod { seq: 0, digest: a, from: at(1), until: Some(at(3)) },
                LivePeriod { seq: 2, digest: b, from: at(3), until: Some(at(9)) },
                LivePeriod { seq: 8, digest: a, from: at(9), until: None },
            ],
            "a repair begins no new stretch"
        );
        assert_eq!(history.tried, [FailedTarget { seq: 4, digest: c, at: at(5) }]);
        let replaced = Some(Digest::of(b"foreign"));
        assert_eq!(history.open, Some(OpenDigests { seq: 10, previous: Some(a), target: a, replaced }));
    }
}
