//! Bodies of entries, for tests.

use std::sync::LazyLock;

use crate::log::*;
use crate::testing::entries;
use crate::value::{Channel, Digest, Line, Provenance, Timestamp};

pub(crate) fn channel() -> Channel {
    "registry.example.com/acme/shop:prod".parse().unwrap()
}

pub(super) fn text(text: impl AsRef<str>) -> Line {
    text.as_ref().parse().unwrap()
}

pub(super) fn author() -> Provenance {
    Provenance::new("manual", "incident-7", "ada").unwrap()
}

/// The policy entry that a log needs before its first intent.
pub(crate) fn policy() -> Body {
    policy_of(Digest::of(b"{}"))
}

/// A policy entry with this digest, which only `{}` has.
pub(crate) fn policy_of(digest: Digest) -> Body {
    let (name, text) = (text("default"), "{}".to_owned());
    Body::Policy(PolicyEntry { name, digest, text, binding: false, provenance: author() })
}

/// A body that changes nothing in the state of a log.
pub(crate) fn nothing() -> Body {
    let (cluster, revision) = (text("eu-1"), text("prod"));
    Body::Deployment(Deployment { cluster, revision, ready: true, at: Timestamp::from_unix_ms(0) })
}

/// The end of the hold at `hold`.
pub(crate) fn unhold(hold: u64) -> Body {
    Body::Unhold(Unhold { hold, reason: text("r"), provenance: author() })
}

/// A block of this digest.
pub(crate) fn block(digest: Digest) -> Body {
    Body::Block(Block { digest, reason: text("r"), provenance: author(), url: None })
}

/// The end of the block of this digest.
pub(crate) fn unblock(digest: Digest) -> Body {
    Body::Unblock(Unblock { digest, reason: text("r"), provenance: author() })
}

/// A takeover of `open` by `owner`, who was asked for `op`.
pub(crate) fn takeover(open: &OpenMove, op: TakeoverOp, owner: Line, deadlines: Deadlines) -> Body {
    Body::Takeover(Takeover {
        op,
        move_id: open.move_id.clone(),
        intent_seq: open.seq,
        owner,
        epoch: open.epoch + 1,
        previous_owner: open.owner.clone(),
        provenance: author(),
        deadlines,
    })
}

/// The end of `open`, by the worker that holds it.
pub(crate) fn outcome_of(open: &OpenMove, status: Status, put: PutStatus, observed: Option<Digest>) -> Body {
    Body::Outcome(Outcome {
        move_id: open.move_id.clone(),
        intent_seq: open.seq,
        owner: open.owner.clone(),
        epoch: open.epoch,
        status,
        put,
        observed,
        attempts: 1,
        recovered: false,
        error: None,
    })
}

/// The `nth` intent of a log, which moves the channel from `previous` to `target`.
pub(crate) fn intent(nth: u64, op: Op, previous: Option<Digest>, target: Digest) -> Intent {
    let mut intent = entries::intent(&channel(), nth, previous, target).unwrap();
    intent.op = op;
    intent.reason = (op == Op::Adopt).then(|| text("hotfix"));
    intent.decision.findings = vec![RecordedFinding {
        guardrail: text("promotion-order"),
        verdict: Verdict::Warn,
        code: Some(text("SOAK_SHORT")),
        why: text("soaked 3 of 5 s"),
    }];
    intent
}

/// The intent that opens this move in the log of `channel`, judged by `policy`. It is cheap, for the model check.
pub(crate) fn intent_of(open: OpenMove, channel: &Channel, policy: Digest) -> Body {
    static BASE: LazyLock<Intent> = LazyLock::new(|| intent(0, Op::Promote, None, Digest::of(b"")));
    let OpenMove { op, move_id, key, request, previous, target, replaced, as_it_is, owner, deadlines, set, .. } = open;
    let mut intent = Intent { op, move_id, key, request, previous, replaced, owner, deadlines, ..BASE.clone() };
    intent.set = set.map(|id| MoveSet { id, channels: Vec::new(), on_failure: OnFailure::Restore });
    intent.target.digest = target;
    intent.decision.policy.digest = policy;
    if as_it_is {
        intent.source = Source::Reference(channel.reference());
    }
    Body::Intent(Box::new(intent))
}

/// The outcome of the move that [`intent`] began.
pub(crate) fn outcome(nth: u64, intent_seq: u64, status: Status, observed: Option<Digest>) -> Outcome {
    let put = if status == Status::Committed { PutStatus::Accepted } else { PutStatus::Refused };
    let error = RecordedError { code: text("REGISTRY_REFUSED"), text: text("403 \"denied\"") };
    Outcome {
        status,
        put,
        observed,
        error: (status == Status::Failed).then_some(error),
        ..entries::outcome(intent_seq, &intent(nth, Op::Promote, None, Digest::of(b"")))
    }
}
