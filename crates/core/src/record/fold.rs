//! The fold of a channel's log: what is live, what was before, which move is open.
//!
//! The fold works on [`Step`]s, which are entries reduced to what it needs. The protocol's model check folds the same
//! steps, so that what is checked is what runs.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::body::{Hold, HoldScope, PutStatus, Status};
use super::defect::{Checked, Defect, DefectCode, ensure};
use super::entry::{Body, Leaf};
use super::intent::{Deadlines, Intent, Op, Source};
use super::merkle::{Frontier, hash_of};
use super::trail::Trail;
use crate::error::{Error, ErrorKind};
use crate::value::{Channel, Digest, IdempotencyKey, Provenance, Text, Timestamp};

/// A channel's log, folded up to some position.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChannelState {
    /// The channel.
    pub channel: Channel,
    /// How many entries were folded; the next one has this position.
    pub size: u64,
    /// The leaf hash of the last entry; absent in an empty log.
    pub leaf: Option<Leaf>,
    /// The Merkle tree over the entries.
    pub tree: Frontier,
    /// What the last committed move made the channel point at.
    pub live: Option<Digest>,
    /// The live digest before the last committed move that changed it.
    pub previous: Option<Digest>,
    /// The last committed move that changed the live digest.
    pub changed_by: Option<Op>,
    /// The move that is open, if one is.
    pub open: Option<OpenMove>,
    /// The last move that was closed.
    pub closed: Option<Closed>,
    /// Where the last intent stands.
    pub last_intent: Option<u64>,
    /// How many moves were committed.
    pub committed: u64,
    /// The holds that were not ended. One may have ended by itself: see [`ChannelState::held_at`].
    pub holds: Vec<ActiveHold>,
    /// The digests that are blocked, in the order in which they were.
    pub blocked: Vec<Digest>,
    /// The policies that have an entry.
    pub policies: Vec<Digest>,
    /// The newest policy entry.
    pub policy: Option<PolicyInForce>,
    /// Where the log goes on, if it was migrated.
    pub migrated: Option<MigratedTo>,
    /// The values that the tag had, or may have had, and has no more.
    pub trail: Trail,
}

/// A hold that was not ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ActiveHold {
    /// Its position, which is its id.
    pub seq: u64,
    /// Which moves it stops.
    pub scope: HoldScope,
    /// Why.
    pub reason: Text,
    /// Who.
    pub provenance: Provenance,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How far the clocks of two machines may differ unnoticed, in milliseconds: 5 min.
pub const CLOCK_TOLERANCE_MS: u64 = 5 * 60 * 1000;

impl ActiveHold {
    /// True if it is over at `now`. Its end is compared with the clock of whoever asks, which may be ahead of the one that
    /// the end was meant by: so it counts for [`CLOCK_TOLERANCE_MS`] longer.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until.plus(Duration::from_millis(CLOCK_TOLERANCE_MS)) <= now)
    }

    /// The hold as a finding says it at `now`: past its end it says why it counts.
    pub(crate) fn said_at(&self, now: Timestamp) -> String {
        match self.until {
            Some(until) if until <= now => format!("{self} (it counts for 5 min longer, as clocks may differ)"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for ActiveHold {
    /// `held for promotions by ada until it is ended (hold 17): incident 7`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ActiveHold { seq, scope, reason, provenance, until } = self;
        let moves = match scope {
            HoldScope::Promotions => "promotions",
            HoldScope::All => "all moves",
        };
        let until = until.map_or_else(|| "it is ended".to_owned(), |until| until.to_string());
        write!(f, "held for {moves} by {} until {until} (hold {seq}): {reason}", provenance.actor.id)
    }
}

/// The newest policy entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyInForce {
    /// Its position.
    pub seq: u64,
    /// The policy.
    pub digest: Digest,
    /// True if a move under another policy is refused.
    pub binding: bool,
}

/// Where a log goes on, as its last entry says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MigratedTo {
    /// The position of that entry.
    pub seq: u64,
    /// The ledger.
    pub ledger: Text,
}

impl MigratedTo {
    /// LEDGER_MIGRATED: nothing more can be written into the log of `channel`.
    pub fn error(&self, channel: &Channel) -> Error {
        let MigratedTo { seq, ledger } = self;
        let message =
            format!("the log of {channel} was migrated at seq {seq}: it goes on in {ledger}; use that ledger");
        Error::new(ErrorKind::LedgerMigrated, message).with("channel", channel).with("seq", seq).with("ledger", ledger)
    }
}

/// The move that holds a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpenMove {
    /// Where its intent stands.
    pub seq: u64,
    /// What it does.
    pub op: Op,
    /// Its id.
    pub move_id: Text,
    /// Its idempotency key.
    pub key: IdempotencyKey,
    /// The SHA-256 of its request.
    pub request: Digest,
    /// The live digest before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The digest it points the channel at.
    pub target: Digest,
    /// What the tag pointed at instead of the live digest, in a repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Digest>,
    /// True if it takes the tag as it is and never puts: an adoption, or a bootstrap without a target.
    pub as_it_is: bool,
    /// The worker that holds it.
    pub owner: Text,
    /// How often it was taken over.
    pub epoch: u64,
    /// The worker's times.
    pub deadlines: Deadlines,
    /// The longest quiet time of all workers that held it, in milliseconds.
    pub quiet_ms: u64,
    /// The longest settle time of all workers that held it, in milliseconds.
    pub settle_ms: u64,
}

impl OpenMove {
    /// The move that `intent` at `seq` opens.
    pub fn of(seq: u64, channel: &Channel, intent: &Intent) -> OpenMove {
        let itself = matches!(&intent.source, Source::Reference(source) if *source == channel.reference());
        OpenMove {
            seq,
            op: intent.op,
            move_id: intent.move_id.clone(),
            key: intent.key.clone(),
            request: intent.request,
            previous: intent.previous,
            target: intent.target.digest,
            replaced: intent.replaced,
            as_it_is: OpenMove::takes_as_it_is(intent.op, itself),
            owner: intent.owner.clone(),
            epoch: intent.epoch,
            deadlines: intent.deadlines,
            quiet_ms: intent.deadlines.quiet_ms,
            settle_ms: intent.deadlines.settle_ms,
        }
    }

    /// Whether a move takes the tag as it is; `itself` says that its source is the channel's own tag.
    pub(super) fn takes_as_it_is(op: Op, itself: bool) -> bool {
        op == Op::Adopt || (op == Op::Bootstrap && itself)
    }

    /// What the tag points at while this move has not landed.
    pub fn before(&self) -> Option<Digest> {
        match self.op {
            Op::Repair => self.replaced,
            _ => self.previous,
        }
    }
}

/// A move that was closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Closed {
    /// Where its intent stands.
    pub seq: u64,
    /// Its id.
    pub move_id: Text,
    /// Who closed it.
    pub owner: Text,
    /// How it ended.
    pub status: Status,
    /// What it had made the tag point at, or was to.
    pub target: Digest,
}

/// An entry, reduced to what the fold needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A move begins; its `seq` is set by the fold.
    Intent {
        /// The move.
        open: Box<OpenMove>,
        /// The policy that judged it.
        policy: Digest,
    },
    /// Another worker takes it over.
    Takeover {
        /// The position of the intent.
        intent_seq: u64,
        /// The move.
        move_id: Text,
        /// The new worker.
        owner: Text,
        /// One more than before.
        epoch: u64,
        /// The worker before.
        previous_owner: Text,
        /// The new worker's times.
        deadlines: Deadlines,
    },
    /// It ends.
    Outcome {
        /// The position of the intent.
        intent_seq: u64,
        /// The move.
        move_id: Text,
        /// Who closes it.
        owner: Text,
        /// The owner's epoch.
        epoch: u64,
        /// How.
        status: Status,
        /// What became of its puts.
        put: PutStatus,
        /// What the tag pointed at last.
        observed: Option<Digest>,
        /// When, by the clock of its writer.
        at: Timestamp,
    },
    /// The tag was seen at something else than expected.
    Observation {
        /// What it pointed at.
        observed: Option<Digest>,
    },
    /// Moves are stopped.
    Hold(Box<ActiveHold>),
    /// The end of the hold at this position.
    Unhold(u64),
    /// A digest is declared unfit.
    Block(Digest),
    /// The end of that.
    Unblock(Digest),
    /// The policy that judges from here on; its `seq` is set by the fold.
    Policy(PolicyInForce),
    /// The log goes on elsewhere.
    Migrated {
        /// The ledger.
        ledger: Text,
        /// How many entries are before this one.
        size: u64,
        /// The RFC 6962 root over them.
        root: Digest,
    },
    /// An entry that changes nothing in the state: an approval, a check, a deployment.
    Other,
}

impl Step {
    /// The step of an entry of `channel` at `seq`, written at `at`.
    pub fn of(seq: u64, at: Timestamp, channel: &Channel, body: &Body) -> Step {
        match body {
            Body::Intent(intent) => Step::Intent {
                open: Box::new(OpenMove::of(seq, channel, intent)),
                policy: intent.decision.policy.digest,
            },
            Body::Takeover(takeover) => Step::Takeover {
                intent_seq: takeover.intent_seq,
                move_id: takeover.move_id.clone(),
                owner: takeover.owner.clone(),
                epoch: takeover.epoch,
                previous_owner: takeover.previous_owner.clone(),
                deadlines: takeover.deadlines,
            },
            Body::Outcome(outcome) => Step::Outcome {
                intent_seq: outcome.intent_seq,
                move_id: outcome.move_id.clone(),
                owner: outcome.owner.clone(),
                epoch: outcome.epoch,
                status: outcome.status,
                put: outcome.put,
                observed: outcome.observed,
                at,
            },
            Body::Hold(Hold { scope, reason, provenance, until }) => Step::Hold(Box::new(ActiveHold {
                seq,
                scope: *scope,
                reason: reason.clone(),
                provenance: provenance.clone(),
                until: *until,
            })),
            Body::Unhold(unhold) => Step::Unhold(unhold.hold),
            Body::Block(block) => Step::Block(block.digest),
            Body::Unblock(unblock) => Step::Unblock(unblock.digest),
            Body::Policy(policy) => Step::Policy(PolicyInForce { seq, digest: policy.digest, binding: policy.binding }),
            Body::Migrated(migrated) => {
                Step::Migrated { ledger: migrated.ledger.clone(), size: migrated.size, root: migrated.root }
            }
            Body::Observation(seen) => Step::Observation { observed: seen.observed },
            Body::Approval(_) | Body::Check(_) | Body::Deployment(_) => Step::Other,
        }
    }
}

fn or_none(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string())
}

impl ChannelState {
    /// The state of a log without entries.
    pub fn empty(channel: Channel) -> ChannelState {
        ChannelState {
            channel,
            size: 0,
            leaf: None,
            tree: Frontier::new(),
            live: None,
            previous: None,
            changed_by: None,
            open: None,
            closed: None,
            last_intent: None,
            committed: 0,
            holds: Vec::new(),
            blocked: Vec::new(),
            policies: Vec::new(),
            policy: None,
            migrated: None,
            trail: Trail::default(),
        }
    }

    /// The RFC 6962 root over the entries.
    pub fn root(&self) -> Digest {
        Digest::from_sha256(self.tree.root())
    }

    /// The holds in force at `now`: one is until 5 min after its end, because clocks differ.
    pub fn holds_at(&self, now: Timestamp) -> impl Iterator<Item = &ActiveHold> {
        self.holds.iter().filter(move |hold| !hold.is_over(now))
    }

    /// The first hold in force at `now` that stops a move.
    pub fn held_at(&self, now: Timestamp, op: Op) -> Option<&ActiveHold> {
        self.holds_at(now).find(|hold| hold.scope.covers(op))
    }

    /// True if what a policy looks at is the same in both: holds, blocks, and the policy that is in force.
    pub fn judges_like(&self, other: &ChannelState) -> bool {
        self.holds == other.holds && self.blocked == other.blocked && self.policy == other.policy
    }

    /// Takes the next entry in: its leaf hash and its step. An entry that breaks a rule counts in the size, and changes
    /// nothing else.
    ///
    /// Rules that need the whole log (ids, keys and rollback targets) are checked by the verifier, not here.
    pub fn fold(&mut self, leaf: Leaf, step: Step) -> Result<(), Defect> {
        let seq = self.size;
        let applied = self.apply(seq, step).map_err(|broken| broken.at(seq));
        self.count(leaf);
        applied
    }

    /// Counts the next entry, and changes nothing else.
    pub(super) fn count(&mut self, leaf: Leaf) {
        self.size += 1;
        self.leaf = Some(leaf);
        self.tree.push(hash_of(&leaf));
    }

    pub(super) fn check_not_migrated(&self) -> Checked<()> {
        match &self.migrated {
            None => Ok(()),
            Some(MigratedTo { seq, .. }) => {
                ensure(false, DefectCode::AfterMigrated, || format!("the log was migrated at {seq}"))
            }
        }
    }

    fn apply(&mut self, seq: u64, step: Step) -> Checked<()> {
        self.check_not_migrated()?;
        match step {
            Step::Intent { open, policy } => {
                self.check_intent(&open, policy)?;
                self.last_intent = Some(seq);
                self.open = Some(OpenMove { seq, ..*open });
            }
            Step::Takeover { intent_seq, move_id, owner, epoch, previous_owner, deadlines } => {
                let open = self.open.as_mut().filter(|open| open.seq == intent_seq && open.move_id == move_id);
                let Some(open) = open else {
                    return ensure(false, DefectCode::Takeover, || "of an intent that is not open".to_owned());
                };
                ensure(epoch == open.epoch + 1 && previous_owner == open.owner, DefectCode::Takeover, || {
                    format!("epoch {epoch} from {previous_owner} after {} of {}", open.epoch, open.owner)
                })?;
                open.owner = owner;
                open.epoch = epoch;
                open.deadlines = deadlines;
                open.quiet_ms = open.quiet_ms.max(deadlines.quiet_ms);
                open.settle_ms = open.settle_ms.max(deadlines.settle_ms);
            }
            Step::Outcome { intent_seq, move_id, owner, epoch, status, put, observed, at } => {
                let open = self.open.as_ref().filter(|open| open.seq == intent_seq && open.move_id == move_id);
                let Some(open) = open else {
                    return ensure(false, DefectCode::Outcome, || "of an intent that is not open".to_owned());
                };
                ensure(open.owner == owner && open.epoch == epoch, DefectCode::Outcome, || {
                    format!("by {owner} at epoch {epoch}, but {} holds it at {}", open.owner, open.epoch)
                })?;
                open.check_end(status, put, observed)?;
                self.close(seq, status, put, at);
            }
            Step::Observation { observed } => self.trail.observe(observed, self.live, seq),
            Step::Hold(hold) => self.holds.push(ActiveHold { seq, ..*hold }),
            Step::Unhold(hold) => {
                ensure(self.holds.iter().any(|active| active.seq == hold), DefectCode::Hold, || {
                    let active: Vec<_> = self.holds.iter().map(|hold| hold.seq).collect();
                    format!("hold {hold} is not in force; {active:?} are")
                })?;
                self.holds.retain(|active| active.seq != hold);
            }
            Step::Block(digest) => {
                if !self.blocked.contains(&digest) {
                    self.blocked.push(digest);
                }
            }
            Step::Unblock(digest) => {
                ensure(self.blocked.contains(&digest), DefectCode::Block, || format!("{digest} is not blocked"))?;
                self.blocked.retain(|blocked| *blocked != digest);
            }
            Step::Policy(policy) => {
                if !self.policies.contains(&policy.digest) {
                    self.policies.push(policy.digest);
                }
                self.policy = Some(PolicyInForce { seq, ..policy });
            }
            Step::Migrated { ledger, size, root } => {
                if let Some(open) = &self.open {
                    let why = || format!("migrated while {} is open", open.seq);
                    ensure(false, DefectCode::Interleaved, why)?;
                }
                ensure(size == seq, DefectCode::Migrated, || {
                    format!("it names {size} entries, and {seq} are before it")
                })?;
                let here = self.root();
                ensure(root == here, DefectCode::Migrated, || {
                    format!("it names the root {root}, and {here} is before it")
                })?;
                self.migrated = Some(MigratedTo { seq, ledger });
            }
            Step::Other => {}
        }
        Ok(())
    }

    pub(super) fn check_intent(&self, next: &OpenMove, policy: Digest) -> Checked<()> {
        if let Some(open) = &self.open {
            ensure(false, DefectCode::Interleaved, || format!("intent while {} is open", open.seq))?;
        }
        ensure(self.policies.contains(&policy), DefectCode::Policy, || {
            format!("policy {policy} has no entry before it")
        })?;
        if let Some(PolicyInForce { digest, binding: true, .. }) = self.policy {
            ensure(policy == digest, DefectCode::Policy, || format!("policy {policy}, but {digest} is binding"))?;
        }
        let live = self.live;
        ensure((next.op == Op::Bootstrap) == live.is_none(), DefectCode::Bootstrap, || {
            format!("{} in a log whose live digest is {}", next.op.as_str(), or_none(live))
        })?;
        ensure(next.previous == live, DefectCode::Previous, || {
            format!("previous {} but live is {}", or_none(next.previous), or_none(live))
        })?;
        ensure(next.op == Op::Repair || next.replaced.is_none(), DefectCode::Previous, || {
            "only a repair replaces".to_owned()
        })?;
        let back = Some(next.target) == live && next.replaced != live;
        ensure(next.op != Op::Repair || back, DefectCode::Previous, || "a repair puts the live digest back".to_owned())
    }

    /// Ends the open move, by the outcome at `outcome_seq`.
    fn close(&mut self, outcome_seq: u64, status: Status, put: PutStatus, at: Timestamp) {
        let Some(open) = self.open.take() else { return };
        self.trail.close(&open, status, put, at, outcome_seq);
        let OpenMove { seq, op, move_id, previous, target, owner, .. } = open;
        if status == Status::Committed {
            if previous != Some(target) {
                self.previous = previous;
                self.changed_by = Some(op);
            }
            self.live = Some(target);
            self.committed += 1;
        }
        self.closed = Some(Closed { seq, move_id, owner, status, target });
    }
}

impl OpenMove {
    fn check_end(&self, status: Status, put: PutStatus, observed: Option<Digest>) -> Checked<()> {
        let committed = status == Status::Committed;
        ensure(!committed || observed == Some(self.target), DefectCode::Outcome, || {
            format!("committed {} but observed {}", self.target, or_none(observed))
        })?;
        let said = put.as_str();
        ensure(self.op != Op::Adopt || put == PutStatus::None, DefectCode::Outcome, || {
            format!("an adoption puts nothing, and the put was {said}")
        })?;
        let none_landed = matches!(put, PutStatus::None | PutStatus::Refused);
        ensure(status != Status::Failed || none_landed, DefectCode::Outcome, || {
            format!("failed, but the put was {said}")
        })
    }
}
