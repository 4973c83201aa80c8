//! The effect of each kind of entry on the state of a channel, and the rules that the entry must obey.

use super::{
    ActiveBlock, ActiveHold, ChannelState, ClosedMove, MayBe, MayBeCause, MigratedTo, OpenMove, PolicyInForce,
};
use crate::log::defect::{Broken, Checked, DefectCode, ensure};
use crate::log::{Block, Body, Hold, Intent, Observation, Op, Outcome, PutStatus, Status, Takeover, TakeoverOp};
use crate::value::{Digest, Line, Timestamp, public};

impl ChannelState {
    /// Applies a body at the next position, written at `at`, if it breaks no rule.
    pub(super) fn apply(&mut self, at: Timestamp, body: Result<&Body, &Broken>) -> Checked<()> {
        let seq = self.size;
        if let Some(MigratedTo { seq, .. }) = self.migrated {
            return Err((DefectCode::AfterMigrated, format!("the log was migrated at {seq}")));
        }
        match body.map_err(Broken::clone)? {
            Body::Intent(intent) => {
                self.check_intent(intent)?;
                self.last_intent = Some(seq);
                self.open = Some(OpenMove::of(seq, &self.channel, intent));
            }
            Body::Takeover(next) => {
                let Takeover { owner, epoch, previous_owner, deadlines, .. } = next;
                let open = self.open_move(next.intent_seq, &next.move_id, DefectCode::Takeover)?;
                let fits = *epoch == open.epoch + 1 && *previous_owner == open.owner;
                ensure!(fits, Takeover, "epoch {epoch} from {previous_owner} after {} of {}", open.epoch, open.owner);
                open.owner = owner.clone();
                open.epoch = *epoch;
                open.deadlines = *deadlines;
                open.quiet_ms = open.quiet_ms.max(deadlines.quiet_ms);
                open.settle_ms = open.settle_ms.max(deadlines.settle_ms);
                if matches!(next.op, TakeoverOp::Rollback | TakeoverOp::Abort) {
                    open.given_up = open.given_up.or(Some(seq));
                }
            }
            Body::Outcome(outcome) => {
                self.open_move(outcome.intent_seq, &outcome.move_id, DefectCode::Outcome)?.check_end(outcome)?;
                self.close(outcome, at);
            }
            Body::Observation(Observation { observed, .. }) if *observed != self.live => {
                self.trail.note_may_be(MayBe { value: *observed, seq, cause: MayBeCause::Observation });
            }
            Body::Hold(Hold { scope, reason, provenance, until }) => {
                let (scope, until, reason, provenance) = (*scope, *until, reason.clone(), provenance.clone());
                self.holds.push(ActiveHold { seq, scope, reason, provenance, until });
            }
            Body::Unhold(unhold) => {
                let hold = unhold.hold;
                let active: Vec<_> = self.holds.iter().map(|hold| hold.seq).collect();
                ensure!(active.contains(&hold), Hold, "hold {hold} is not in force; {active:?} are");
                self.holds.retain(|active| active.seq != hold);
            }
            Body::Block(block) if self.block_of(&block.digest).is_none() => {
                let Block { digest, reason, provenance, url } = block.clone();
                // An entry of an early version may have credentials in it.
                let url = url.and_then(|url| public(url.as_str()).parse().ok());
                self.blocked.push(ActiveBlock { seq, digest, reason, provenance, url });
            }
            Body::Unblock(unblock) => {
                let digest = unblock.digest;
                ensure!(self.block_of(&digest).is_some(), Block, "{digest} is not blocked");
                self.blocked.retain(|block| block.digest != digest);
            }
            Body::Policy(policy) => {
                if !self.policies.contains(&policy.digest) {
                    self.policies.push(policy.digest);
                }
                self.policy = Some(PolicyInForce { seq, digest: policy.digest, binding: policy.binding });
            }
            Body::Migrated(to) => {
                self.check_not_open("migrated")?;
                ensure!(to.size == seq, Migrated, "it names {} entries, and {seq} are before it", to.size);
                let here = self.root();
                ensure!(to.root == here, Migrated, "it names the root {}, and {here} is before it", to.root);
                self.migrated = Some(MigratedTo { seq, ledger: to.ledger.clone() });
            }
            Body::Observation(_) | Body::Block(_) | Body::Approval(_) | Body::Check(_) | Body::Deployment(_) => {}
        }
        Ok(())
    }

    fn check_not_open(&self, what: &str) -> Checked<()> {
        match &self.open {
            Some(open) => Err((DefectCode::Interleaved, format!("{what} while {} is open", open.seq))),
            None => Ok(()),
        }
    }

    /// The open move, if its intent is at `intent_seq` and its id is `move_id`.
    fn open_move(&mut self, intent_seq: u64, move_id: &Line, code: DefectCode) -> Checked<&mut OpenMove> {
        let open = self.open.as_mut().filter(|open| open.seq == intent_seq && open.move_id == *move_id);
        open.ok_or_else(|| (code, "of an intent that is not open".to_owned()))
    }

    pub(in crate::log) fn check_intent(&self, next: &Intent) -> Checked<()> {
        let (policy, target) = (next.decision.policy.digest, next.target.digest);
        self.check_not_open("intent")?;
        ensure!(self.policies.contains(&policy), Policy, "policy {policy} has no entry before it");
        if let Some(PolicyInForce { digest, binding: true, .. }) = self.policy {
            ensure!(policy == digest, Policy, "policy {policy}, but {digest} is binding");
        }
        let (op, live) = (next.op, self.live);
        let fits = (op == Op::Bootstrap) == live.is_none();
        ensure!(fits, Bootstrap, "{} in a log whose live digest is {}", op.as_str(), or_none(live));
        ensure!(next.previous == live, Previous, "previous {} but live is {}", or_none(next.previous), or_none(live));
        ensure!(op == Op::Repair || next.replaced.is_none(), Previous, "only a repair replaces");
        let back = Some(target) == live && next.replaced != live;
        ensure!(op != Op::Repair || back, Previous, "a repair puts the live digest back");
        Ok(())
    }

    /// Closes the open move with the outcome at the next position.
    fn close(&mut self, outcome: &Outcome, at: Timestamp) {
        let Some(open) = self.open.take() else { return };
        self.trail.close(&open, outcome, at, self.size);
        self.note_return(&open, outcome.status);
        let OpenMove { seq, op, move_id, previous, target, owner, set, .. } = open;
        if outcome.status == Status::Committed {
            if previous != Some(target) {
                self.previous = previous;
                self.changed_by = Some(op);
                self.changed_in = set;
            }
            self.live = Some(target);
            self.committed += 1;
        }
        self.closed = Some(ClosedMove { seq, move_id, owner, status: outcome.status, target });
    }
}

impl OpenMove {
    /// Checks that `end` may close this move.
    fn check_end(&self, end: &Outcome) -> Checked<()> {
        let Outcome { owner, epoch, status, put, observed, .. } = end;
        let held = self.owner == *owner && self.epoch == *epoch;
        ensure!(held, Outcome, "by {owner} at epoch {epoch}, but {} holds it at {}", self.owner, self.epoch);
        let (target, put_was) = (self.target, put.as_str());
        let seen = *status != Status::Committed || *observed == Some(target);
        ensure!(seen, Outcome, "committed {target} but observed {}", or_none(*observed));
        let puts_nothing = self.op != Op::Adopt || *put == PutStatus::None;
        ensure!(puts_nothing, Outcome, "an adoption puts nothing, and the put was {put_was}");
        let none_landed = *status != Status::Failed || matches!(put, PutStatus::None | PutStatus::Refused);
        ensure!(none_landed, Outcome, "failed, but the put was {put_was}");
        Ok(())
    }
}

fn or_none(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string())
}
