//! Proptest strategies for values and for the bodies of entries.
//!
//! Each strategy covers the whole grammar of its value and shrinks to a short value. Test your own backend with these
//! and the [requirements](crate::conformance).

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use tagwarden::log::{
    Approval, Approver, Block, Body, Check, CheckName, CheckVerdict, Deadlines, Decision, Deployment, Expected, Hold,
    HoldScope, Intent, Migrated, MoveSet, Observation, ObservationCause, OnFailure, Op, OrderValue, Outcome,
    PolicyEntry, Predecessor, PutStatus, RecordedCheck, RecordedError, RecordedFinding, RecordedOverride,
    RecordedPolicy, ReleaseOrder, Source, Status, Takeover, TakeoverOp, TargetManifest, Unblock, Unhold, UpstreamLog,
    Verdict,
};
use tagwarden::{
    Actor, ActorKind, Algorithm, Channel, Commit, Digest, Environment, IdempotencyKey, Identity, Job, Line, Provenance,
    Reference, ReleaseLabel, Repository, Run, Tag, Timestamp,
};

/// A digest of either algorithm, mostly SHA-256.
pub fn digest() -> impl Strategy<Value = Digest> {
    let of = |algorithm: Algorithm| move |seed: u64| algorithm.digest(&seed.to_be_bytes());
    prop_oneof![
        4 => any::<u64>().prop_map(of(Algorithm::Sha256)),
        1 => any::<u64>().prop_map(of(Algorithm::Sha512)),
    ]
}

/// A SHA-256 digest, the algorithm of the ledger's own hashes.
pub fn sha256() -> impl Strategy<Value = Digest> {
    any::<u64>().prop_map(|seed| Digest::of(&seed.to_be_bytes()))
}

/// A tag of 1 to 128 characters that is not a pin.
pub fn tag() -> impl Strategy<Value = Tag> {
    parsed("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}").prop_filter("a pin", |tag: &Tag| !tag.as_str().starts_with("tw-pin."))
}

/// A repository with a host name or address, with or without a port, and one to four components.
pub fn repository() -> impl Strategy<Value = Repository> {
    parsed(concat!(
        r"(localhost|127\.0\.0\.1|[a-z0-9]{1,8}(-[a-z0-9]{1,4})?\.[a-z]{2,6})(:[1-9][0-9]{3})?",
        r"(/[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}){1,4}",
    ))
}

/// A reference by tag or by digest.
pub fn reference() -> impl Strategy<Value = Reference> {
    prop_oneof![
        (repository(), tag()).prop_map(|(repository, tag)| repository.tag(tag)),
        (repository(), digest()).prop_map(|(repository, digest)| repository.digest(digest)),
    ]
}

/// A channel.
pub fn channel() -> impl Strategy<Value = Channel> {
    (repository(), tag()).prop_filter_map("a pin", |(repository, tag)| Channel::new(repository, tag).ok())
}

/// The name of an environment.
pub fn environment() -> impl Strategy<Value = Environment> {
    parsed("[a-z0-9][a-z0-9-]{0,62}")
}

/// A line of text of 1 to 64 characters of any script.
pub fn text() -> impl Strategy<Value = Line> {
    parsed(r"\PC{1,64}")
}

/// An idempotency key.
pub fn key() -> impl Strategy<Value = IdempotencyKey> {
    parsed(r"\PC{1,128}")
}

/// A commit of 7 to 64 hex digits.
pub fn commit() -> impl Strategy<Value = Commit> {
    parsed("[0-9a-f]{7,64}")
}

/// A release label.
pub fn release() -> impl Strategy<Value = ReleaseLabel> {
    parsed(r"\PC{1,128}")
}

/// A moment of the years 1970 to 9999, to the millisecond.
pub fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0..253_402_300_800_000_i64).prop_map(Timestamp::from_unix_ms)
}

/// A provenance. Optional parts may be absent.
pub fn provenance() -> impl Strategy<Value = Provenance> {
    let job = (text(), option::of(text())).prop_map(|(id, name)| Job { id, name });
    let run = (text(), text(), option::of(1..100_u32), option::of(text()), option::of(text()), option::of(job));
    let run = run.prop_map(|(provider, run_id, attempt, url, workflow, job)| Run {
        provider,
        run_id,
        attempt,
        url,
        workflow,
        job,
    });
    let kind = prop_oneof![Just(ActorKind::Human), Just(ActorKind::Workload)];
    let actor = (text(), kind).prop_map(|(id, kind)| Actor { id, kind });
    let claims = proptest::collection::btree_map(text(), text(), 0..3);
    let identity = (text(), text(), text(), claims, sha256());
    let identity = identity.prop_map(|(issuer, subject, audience, claims, token_sha256)| Identity {
        issuer,
        subject,
        audience,
        claims,
        token_sha256,
    });
    let rest = (option::of(text()), option::of(commit()), option::of(release()), option::of(identity));
    (run, actor, rest).prop_map(|(pipeline, actor, (repository_url, commit, release, identity))| Provenance {
        pipeline,
        actor,
        repository_url,
        commit,
        release,
        identity,
    })
}

/// The body of an entry of any kind. Each body is valid by itself, but several of them are not a valid log.
pub fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        intent().prop_map(|intent| Body::Intent(Box::new(intent))),
        outcome().prop_map(Body::Outcome),
        takeover().prop_map(Body::Takeover),
        observation().prop_map(Body::Observation),
        approval().prop_map(Body::Approval),
        hold().prop_map(Body::Hold),
        (count(), text(), provenance()).prop_map(|(hold, reason, provenance)| Body::Unhold(Unhold {
            hold,
            reason,
            provenance
        })),
        check().prop_map(Body::Check),
        (digest(), text(), provenance(), option::of(text()))
            .prop_map(|(digest, reason, provenance, url)| Body::Block(Block { digest, reason, provenance, url })),
        (digest(), text(), provenance()).prop_map(|(digest, reason, provenance)| Body::Unblock(Unblock {
            digest,
            reason,
            provenance
        })),
        policy().prop_map(Body::Policy),
        (text(), text(), any::<bool>(), timestamp())
            .prop_map(|(cluster, revision, ready, at)| Body::Deployment(Deployment { cluster, revision, ready, at })),
        migrated().prop_map(Body::Migrated),
    ]
}

fn approval() -> impl Strategy<Value = Approval> {
    let approver = (text(), text(), option::of(text())).prop_map(|(id, provider, url)| Approver { id, provider, url });
    let what = (op(), digest(), option::of(digest()), sha256());
    let who = (provenance(), option::of(approver), option::of(timestamp()), option::of(text()));
    (what, who).prop_map(|((op, target, previous, policy), (provenance, approver, expires_at, comment))| Approval {
        op,
        target,
        previous,
        policy,
        provenance,
        approver,
        expires_at,
        comment,
    })
}

fn hold() -> impl Strategy<Value = Hold> {
    let scope = prop_oneof![Just(HoldScope::Promotions), Just(HoldScope::All)];
    (scope, text(), provenance(), option::of(timestamp())).prop_map(|(scope, reason, provenance, until)| Hold {
        scope,
        reason,
        provenance,
        until,
    })
}

fn check() -> impl Strategy<Value = Check> {
    let verdict = prop_oneof![Just(CheckVerdict::Pass), Just(CheckVerdict::Fail)];
    let name = parsed::<CheckName>("[a-z0-9][a-z0-9._-]{0,63}");
    (name, verdict, digest(), provenance(), option::of(text()), option::of(timestamp())).prop_map(
        |(name, verdict, digest, provenance, url, expires_at)| Check {
            name,
            verdict,
            digest,
            provenance,
            url,
            expires_at,
        },
    )
}

fn policy() -> impl Strategy<Value = PolicyEntry> {
    (text(), text(), any::<bool>(), provenance()).prop_map(|(name, text, binding, provenance)| {
        let text = text.to_string();
        PolicyEntry { name, digest: Digest::of(text.as_bytes()), text, binding, provenance }
    })
}

fn migrated() -> impl Strategy<Value = Migrated> {
    (text(), count(), sha256(), provenance(), option::of(text()))
        .prop_map(|(ledger, size, root, provenance, reason)| Migrated { ledger, size, root, provenance, reason })
}

fn op() -> impl Strategy<Value = Op> {
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

fn takeover() -> impl Strategy<Value = Takeover> {
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

fn observation() -> impl Strategy<Value = Observation> {
    (option::of(digest()), option::of(digest()))
        .prop_filter("nothing differs", |(expected, observed)| expected != observed)
        .prop_map(|(expected, observed)| Observation { expected, observed, cause: ObservationCause::Drift })
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

/// A position or size: any integer that JSON represents exactly, 0 to 2^53 - 1.
fn count() -> impl Strategy<Value = u64> {
    0..=9_007_199_254_740_991_u64
}

/// Values from texts that match the regular expression and that the value's own parser accepts.
fn parsed<T: std::str::FromStr + std::fmt::Debug>(regex: &'static str) -> impl Strategy<Value = T> {
    regex.prop_filter_map("the value's own grammar", |text: String| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tagwarden::log::Entry;

    proptest! {
        #[test]
        fn values_come_back_through_their_own_door(
            reference in reference(),
            channel in channel(),
            environment in environment(),
            timestamp in timestamp(),
        ) {
            prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
            prop_assert_eq!(channel.to_string().parse::<Channel>().unwrap(), channel);
            prop_assert_eq!(environment.to_string().parse::<Environment>().unwrap(), environment);
            prop_assert_eq!(timestamp.to_string().parse::<Timestamp>().unwrap(), timestamp);
        }

        #[test]
        fn an_entry_of_any_body_is_read_as_it_was_sealed(
            channel in channel(), seq in count(), at in timestamp(), body in body()
        ) {
            let parent = (seq > 0).then(|| Digest::of(b"parent"));
            let entry = Entry { channel, seq, id: uuid::Uuid::now_v7(), at, parent, body };
            let sealed = entry.seal().unwrap();
            prop_assert_eq!(Entry::open(sealed.bytes()).unwrap(), entry);
        }
    }
}
