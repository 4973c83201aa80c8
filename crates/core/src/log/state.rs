//! The state of a channel, computed from its log entry by entry: the live digest, the previous one, the open move.
//!
//! The state is computed from [`Transition`]s, which are entries reduced to the fields that the state needs. The protocol's
//! model check applies the same steps, so it checks the code that runs.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::body::{Hold, HoldScope, PutStatus, Status};
use super::defect::{Checked, Defect, DefectCode, ensure};
use super::entry::{Body, EntryHash};
use super::intent::{Deadlines, Intent, Op, Source};
use super::merkle::{Frontier, hash_of};
use super::trail::Trail;
use crate::error::{Error, ErrorKind};
use crate::value::{Channel, Digest, IdempotencyKey, Line, Provenance, Timestamp};

/// The state of a channel after the entries of its log up to some position.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChannelState {
    /// The channel.
    pub channel: Channel,
    /// The number of entries applied, which is the position of the next one.
    pub size: u64,
    /// The leaf hash of the last entry; absent in an empty log.
    pub leaf: Option<EntryHash>,
    /// The Merkle tree over the entries.
    pub tree: Frontier,
    /// The live digest: the target of the last committed move.
    pub live: Option<Digest>,
    /// The live digest before the last committed move that changed it.
    pub previous: Option<Digest>,
    /// The operation of the last committed move that changed the live digest.
    pub changed_by: Option<Op>,
    /// The open move, if there is one.
    pub open: Option<OpenMove>,
    /// The last move that was closed.
    pub closed: Option<ClosedMove>,
    /// The position of the last intent.
    pub last_intent: Option<u64>,
    /// The number of committed moves.
    pub committed: u64,
    /// The holds that no [`Unhold`](super::Unhold) ended. A hold may be over by its own end time: see
    /// [`ChannelState::held_at`].
    pub holds: Vec<ActiveHold>,
    /// The blocked digests, in the order in which they were blocked.
    pub blocked: Vec<Digest>,
    /// The digests of the policies that have an entry.
    pub policies: Vec<Digest>,
    /// The newest policy entry.
    pub policy: Option<PolicyInForce>,
    /// The ledger in which the log continues, if it was migrated.
    pub migrated: Option<MigratedTo>,
    /// The past values and may-be values of the tag.
    pub trail: Trail,
}

/// A hold that no [`Unhold`](super::Unhold) ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ActiveHold {
    /// Its position, which is its id.
    pub seq: u64,
    /// The moves that it stops.
    pub scope: HoldScope,
    /// The reason.
    pub reason: Line,
    /// The actor and the pipeline run.
    pub provenance: Provenance,
    /// The time at which it ends by itself; absent: only an [`Unhold`](super::Unhold) ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The allowed difference between the clocks of two machines, in milliseconds: 5 min.
pub const CLOCK_TOLERANCE_MS: u64 = 5 * 60 * 1000;

impl ActiveHold {
    /// True if the hold is over at `now`. The end time may come from another machine's clock, and the clock of `now`
    /// may be ahead of that one, so the hold counts for [`CLOCK_TOLERANCE_MS`] longer.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until.plus(Duration::from_millis(CLOCK_TOLERANCE_MS)) <= now)
    }

    /// The text of the hold in a finding at `now`; after its end time it adds why it still counts.
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
    /// Its digest.
    pub digest: Digest,
    /// True if moves under any other policy are refused.
    pub binding: bool,
}

/// The ledger in which a migrated log continues.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MigratedTo {
    /// The position of the log's last entry, which names that ledger.
    pub seq: u64,
    /// The ledger.
    pub ledger: Line,
}

impl MigratedTo {
    /// LEDGER_MIGRATED: nothing more can be appended to the log of `channel`.
    pub fn error(&self, channel: &Channel) -> Error {
        let MigratedTo { seq, ledger } = self;
        let message =
            format!("the log of {channel} was migrated at seq {seq}: it goes on in {ledger}; use that ledger");
        Error::new(ErrorKind::LedgerMigrated, message)
            .with_context("channel", channel)
            .with_context("seq", seq)
            .with_context("ledger", ledger)
    }
}

/// The open move of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpenMove {
    /// The position of its intent.
    pub seq: u64,
    /// Its operation.
    pub op: Op,
    /// Its id.
    pub move_id: Line,
    /// Its idempotency key.
    pub key: IdempotencyKey,
    /// The SHA-256 of its request.
    pub request: Digest,
    /// The live digest before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The digest that it points the channel at.
    pub target: Digest,
    /// In a repair, the digest that the tag pointed at instead of the live one; absent if the tag was absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Digest>,
    /// True if it records the tag's current digest and never puts: an adopt, or a bootstrap whose source is the
    /// channel's own tag.
    pub as_it_is: bool,
    /// The worker that holds it.
    pub owner: Line,
    /// The number of takeovers so far.
    pub epoch: u64,
    /// The time limits of the worker that holds it.
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

    /// True if a move records the tag's current digest and never puts; `itself` is true if its source is the channel's
    /// own tag.
    pub(super) fn takes_as_it_is(op: Op, itself: bool) -> bool {
        op == Op::Adopt || (op == Op::Bootstrap && itself)
    }

    /// The digest of the tag before this move is applied; none for *absent*.
    pub fn before(&self) -> Option<Digest> {
        match self.op {
            Op::Repair => self.replaced,
            _ => self.previous,
        }
    }
}

/// A move that was closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClosedMove {
    /// The position of its intent.
    pub seq: u64,
    /// Its id.
    pub move_id: Line,
    /// The worker that closed it.
    pub owner: Line,
    /// The result of the move.
    pub status: Status,
    /// The digest that the move pointed the tag at, or was meant to.
    pub target: Digest,
}

/// An entry, reduced to the fields that the state needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// A move begins; [`ChannelState::fold`] sets its `seq`.
    Intent {
        /// The move.
        open: Box<OpenMove>,
        /// The digest of the policy that judged it.
        policy: Digest,
    },
    /// Another worker takes the open move over.
    Takeover {
        /// The position of the intent.
        intent_seq: u64,
        /// The id of the move.
        move_id: Line,
        /// The new worker.
        owner: Line,
        /// One more than the epoch before.
        epoch: u64,
        /// The worker that held the move before.
        previous_owner: Line,
        /// The new worker's time limits.
        deadlines: Deadlines,
    },
    /// The open move ends.
    Outcome {
        /// The position of the intent.
        intent_seq: u64,
        /// The id of the move.
        move_id: Line,
        /// The worker that closes it.
        owner: Line,
        /// The owner's epoch.
        epoch: u64,
        /// The result of the move.
        status: Status,
        /// The result of its puts.
        put: PutStatus,
        /// The digest in the last read of the tag; none if the tag was absent or was not read.
        observed: Option<Digest>,
        /// The time of writing, by the writer's clock.
        at: Timestamp,
    },
    /// The tag was seen at a digest other than the live one.
    Observation {
        /// The digest that the tag pointed at; none for *absent*.
        observed: Option<Digest>,
    },
    /// Moves are stopped.
    Hold(Box<ActiveHold>),
    /// The end of the hold at this position.
    Unhold(u64),
    /// A digest is declared unfit.
    Block(Digest),
    /// The end of a block.
    Unblock(Digest),
    /// The policy that judges the moves after this entry; [`ChannelState::fold`] sets its `seq`.
    Policy(PolicyInForce),
    /// The log continues in another ledger.
    Migrated {
        /// The ledger.
        ledger: Line,
        /// The number of entries before this one.
        size: u64,
        /// The RFC 6962 root over those entries.
        root: Digest,
    },
    /// An entry that changes nothing in the state: an approval, a check, a deployment.
    Other,
}

impl Transition {
    /// The step of an entry of `channel` at `seq`, written at `at`.
    pub fn of(seq: u64, at: Timestamp, channel: &Channel, body: &Body) -> Transition {
        match body {
            Body::Intent(intent) => Transition::Intent {
                open: Box::new(OpenMove::of(seq, channel, intent)),
                policy: intent.decision.policy.digest,
            },
            Body::Takeover(takeover) => Transition::Takeover {
                intent_seq: takeover.intent_seq,
                move_id: takeover.move_id.clone(),
                owner: takeover.owner.clone(),
                epoch: takeover.epoch,
                previous_owner: takeover.previous_owner.clone(),
                deadlines: takeover.deadlines,
            },
            Body::Outcome(outcome) => Transition::Outcome {
                intent_seq: outcome.intent_seq,
                move_id: outcome.move_id.clone(),
                owner: outcome.owner.clone(),
                epoch: outcome.epoch,
                status: outcome.status,
                put: outcome.put,
                observed: outcome.observed,
                at,
            },
            Body::Hold(Hold { scope, reason, provenance, until }) => Transition::Hold(Box::new(ActiveHold {
                seq,
                scope: *scope,
                reason: reason.clone(),
                provenance: provenance.clone(),
                until: *until,
            })),
            Body::Unhold(unhold) => Transition::Unhold(unhold.hold),
            Body::Block(block) => Transition::Block(block.digest),
            Body::Unblock(unblock) => Transition::Unblock(unblock.digest),
            Body::Policy(policy) => {
                Transition::Policy(PolicyInForce { seq, digest: policy.digest, binding: policy.binding })
            }
            Body::Migrated(migrated) => {
                Transition::Migrated { ledger: migrated.ledger.clone(), size: migrated.size, root: migrated.root }
            }
            Body::Observation(seen) => Transition::Observation { observed: seen.observed },
            Body::Approval(_) | Body::Check(_) | Body::Deployment(_) => Transition::Other,
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

    /// The holds in force at `now`. A hold counts until 5 min after its end time, because clocks differ.
    pub fn holds_at(&self, now: Timestamp) -> impl Iterator<Item = &ActiveHold> {
        self.holds.iter().filter(move |hold| !hold.is_over(now))
    }

    /// The first hold in force at `now` that stops a move.
    pub fn held_at(&self, now: Timestamp, op: Op) -> Option<&ActiveHold> {
        self.holds_at(now).find(|hold| hold.scope.covers(op))
    }

    /// True if both states have the same holds, blocks and policy in force, so that a policy judges a move the same
    /// way.
    pub fn judges_like(&self, other: &ChannelState) -> bool {
        self.holds == other.holds && self.blocked == other.blocked && self.policy == other.policy
    }

    /// Applies the next entry: its leaf hash and its step. An entry that breaks a rule is counted in the size and
    /// changes nothing else.
    ///
    /// The [`Verifier`](super::Verifier) checks the rules that need the whole log (ids, keys and rollback targets), not
    /// this method.
    pub fn fold(&mut self, leaf: EntryHash, step: Transition) -> Result<(), Defect> {
        let seq = self.size;
        let applied = self.apply(seq, step).map_err(|broken| broken.at(seq));
        self.count(leaf);
        applied
    }

    /// Counts the next entry in size, leaf and tree, and changes nothing else.
    pub(super) fn count(&mut self, leaf: EntryHash) {
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

    fn apply(&mut self, seq: u64, step: Transition) -> Checked<()> {
        self.check_not_migrated()?;
        match step {
            Transition::Intent { open, policy } => {
                self.check_intent(&open, policy)?;
                self.last_intent = Some(seq);
                self.open = Some(OpenMove { seq, ..*open });
            }
            Transition::Takeover { intent_seq, move_id, owner, epoch, previous_owner, deadlines } => {
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
            Transition::Outcome { intent_seq, move_id, owner, epoch, status, put, observed, at } => {
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
            Transition::Observation { observed } => self.trail.observe(observed, self.live, seq),
            Transition::Hold(hold) => self.holds.push(ActiveHold { seq, ..*hold }),
            Transition::Unhold(hold) => {
                ensure(self.holds.iter().any(|active| active.seq == hold), DefectCode::Hold, || {
                    let active: Vec<_> = self.holds.iter().map(|hold| hold.seq).collect();
                    format!("hold {hold} is not in force; {active:?} are")
                })?;
                self.holds.retain(|active| active.seq != hold);
            }
            Transition::Block(digest) => {
                if !self.blocked.contains(&digest) {
                    self.blocked.push(digest);
                }
            }
            Transition::Unblock(digest) => {
                ensure(self.blocked.contains(&digest), DefectCode::Block, || format!("{digest} is not blocked"))?;
                self.blocked.retain(|blocked| *blocked != digest);
            }
            Transition::Policy(policy) => {
                if !self.policies.contains(&policy.digest) {
                    self.policies.push(policy.digest);
                }
                self.policy = Some(PolicyInForce { seq, ..policy });
            }
            Transition::Migrated { ledger, size, root } => {
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
            Transition::Other => {}
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

    /// Closes the open move with the outcome at `outcome_seq`.
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
        self.closed = Some(ClosedMove { seq, move_id, owner, status, target });
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
