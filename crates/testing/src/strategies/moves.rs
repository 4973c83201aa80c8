//! Strategies of the entries of a move: intents, outcomes and takeovers.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::values::{channel, count, digest, environment, key, provenance, reference, sha256, text, timestamp};
use tagwarden::log::{
    Deadlines, Decision, Expected, Intent, MoveSet, OnFailure, Op, OrderValue, Outcome, Predecessor, PutStatus,
    RecordedCheck, RecordedError, RecordedFinding, RecordedOverride, RecordedPolicy, ReleaseOrder, Source, Status,
    Takeover, TakeoverOp, TargetManifest, UpstreamLog, Verdict,
};

pub(super) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![Just(Op::Promote), Just(Op::Rollback), Just(Op::Bootstrap), Just(Op::Repair), Just(Op::Adopt)]
}

/// An intent of any operation.
pub fn intent() -> impl Strategy<Value = Intent> {
    let what = (op(), text(), key(), sha256(), option::of(digest()), target());
    let why = (source(), provenance(), text(), any::<bool>(), decision());
    let more = (option::of(expected()), option::of(order()), vec(upstream(), 0..2), option::of(set()));
    let how = (option::of(digest()), option::of(predecessor()), text(), deadlines());
    (what, why, more, how).prop_map(|(what, why, more, how)| {
        let (op, move_id, key, request, previous, target) = what;
        let (source, provenance, reason, given, decision) = why;
        let (expected, order, upstream, set) = more;
        let (replaced, predecessor, owner, deadlines) = how;
        Intent {
            op,
            move_id,
            key,
            request,
            previous: if op == Op::Bootstrap { None } else { previous },
            target,
            source,
            provenance,
            reason: if given || op == Op::Adopt { Some(reason) } else { None },
            expected,
            order,
            upstream,
            decision,
            replaced: if op == Op::Repair { replaced } else { None },
            predecessor: if op == Op::Bootstrap { predecessor } else { None },
            set,
            owner,
            epoch: 0,
            deadlines,
        }
    })
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![Just(Expected::Absent), digest().prop_map(Expected::Digest)]
}

fn order() -> impl Strategy<Value = ReleaseOrder> {
    let number = (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(OrderValue::Number);
    let value = prop_oneof![number, text().prop_map(OrderValue::Text)];
    (text(), value, option::of(text())).prop_map(|(by, value, series)| ReleaseOrder { by, value, series })
}

fn upstream() -> impl Strategy<Value = UpstreamLog> {
    (environment(), channel(), count(), sha256()).prop_map(|(environment, channel, size, root)| UpstreamLog {
        environment,
        channel,
        size,
        root,
    })
}

fn set() -> impl Strategy<Value = MoveSet> {
    let on_failure = prop_oneof![Just(OnFailure::Resume), Just(OnFailure::Restore)];
    (text(), vec(channel(), 1..3), on_failure).prop_map(|(id, channels, on_failure)| MoveSet {
        id,
        channels,
        on_failure,
    })
}

fn target() -> impl Strategy<Value = TargetManifest> {
    let annotations = proptest::collection::btree_map(text(), text(), 0..3);
    (digest(), text(), 0..=4_194_304_u64, option::of(text()), annotations).prop_map(
        |(digest, media_type, size, artifact_type, annotations)| TargetManifest {
            digest,
            media_type,
            size,
            artifact_type,
            annotations,
        },
    )
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![reference().prop_map(Source::Reference), channel().prop_map(Source::Channel)]
}

fn predecessor() -> impl Strategy<Value = Predecessor> {
    (channel(), count(), sha256()).prop_map(|(channel, size, root)| Predecessor { channel, size, root })
}

fn decision() -> impl Strategy<Value = Decision> {
    let policy = (text(), sha256()).prop_map(|(name, digest)| RecordedPolicy { name, digest });
    let verdict = prop_oneof![Just(Verdict::Pass), Just(Verdict::Warn), Just(Verdict::Refuse)];
    let finding = (text(), verdict, option::of(text()), text());
    let finding = finding.prop_map(|(guardrail, verdict, code, why)| RecordedFinding { guardrail, verdict, code, why });
    let overrides = (text(), text()).prop_map(|(guardrail, reason)| RecordedOverride { guardrail, reason });
    let checks = (channel(), count()).prop_map(|(channel, seq)| RecordedCheck { channel, seq });
    (timestamp(), policy, vec(finding, 0..4), vec(overrides, 0..2), vec(count(), 0..3), vec(checks, 0..2)).prop_map(
        |(at, policy, findings, overrides, approvals, checks)| Decision {
            at,
            policy,
            findings,
            overrides,
            approvals,
            checks,
        },
    )
}

/// An outcome of any status.
pub fn outcome() -> impl Strategy<Value = Outcome> {
    let status = prop_oneof![Just(Status::Committed), Just(Status::Failed), Just(Status::Aborted)];
    let error = (text(), text()).prop_map(|(code, text)| RecordedError { code, text });
    let of = (text(), count(), text(), count(), status);
    let put = prop_oneof![
        Just(PutStatus::None),
        Just(PutStatus::Refused),
        Just(PutStatus::Unknown),
        Just(PutStatus::Accepted)
    ];
    let end = (option::of(digest()), 0..100_u64, put, any::<bool>(), option::of(error));
    (of, end).prop_map(|(of, end)| {
        let (move_id, intent_seq, owner, epoch, status) = of;
        let (observed, attempts, put, recovered, error) = end;
        Outcome { move_id, intent_seq, owner, epoch, status, put, observed, attempts, recovered, error }
    })
}

/// Deadlines, each from 1 ms to one hour.
pub fn deadlines() -> impl Strategy<Value = Deadlines> {
    let ms = || 1..=Deadlines::MAX_MS;
    (ms(), ms(), ms(), ms()).prop_map(|(ttl_ms, grace_ms, quiet_ms, settle_ms)| Deadlines {
        ttl_ms,
        grace_ms,
        quiet_ms,
        settle_ms,
    })
}

pub(super) fn takeover() -> impl Strategy<Value = Takeover> {
    let op = prop_oneof![op().prop_map(TakeoverOp::from), Just(TakeoverOp::Recover), Just(TakeoverOp::Abort)];
    (op, text(), count(), text(), 1..100_u64, text(), provenance(), deadlines()).prop_map(
        |(op, move_id, intent_seq, owner, epoch, previous_owner, provenance, deadlines)| Takeover {
            op,
            move_id,
            intent_seq,
            owner,
            epoch,
            previous_owner,
            provenance,
            deadlines,
        },
    )
}
