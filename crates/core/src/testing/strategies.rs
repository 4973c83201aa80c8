//! Proptest strategies for the values, and for what an entry says.
//!
//! Each covers the whole grammar of its value and shrinks to a short one. Together with
//! [laws](crate::conformance) they are what a backend of your own is tested with.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::record::{
    Adoption, Approval, Body, Deadlines, Decision, ErrorNote, FindingNote, Hold, Intent, MovedTo, Observation,
    ObservationCause, Op, Outcome, PolicyNote, Predecessor, Release, Source, Status, Subject, Takeover, Verdict,
};
use crate::value::{
    Actor, ActorKind, Algorithm, Channel, Commit, Digest, Environment, Hasher, IdempotencyKey, Identity, Provenance,
    Reference, ReleaseLabel, Repository, Run, Tag, Text, Timestamp,
};

/// A digest of either algorithm, mostly SHA-256.
pub fn digest() -> impl Strategy<Value = Digest> {
    let of = |algorithm| {
        move |seed: u64| {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(&seed.to_be_bytes());
            hasher.finish()
        }
    };
    prop_oneof![
        4 => any::<u64>().prop_map(of(Algorithm::Sha256)),
        1 => any::<u64>().prop_map(of(Algorithm::Sha512)),
    ]
}

/// A digest of SHA-256, as the ledger's own hashes are.
pub fn sha256() -> impl Strategy<Value = Digest> {
    any::<u64>().prop_map(|seed| Digest::of(&seed.to_be_bytes()))
}

/// A tag of 1 to 128 characters; it may look like anything but a pin.
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
pub fn text() -> impl Strategy<Value = Text> {
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

/// A provenance, with any of what may be absent.
pub fn provenance() -> impl Strategy<Value = Provenance> {
    let run = (text(), text(), option::of(1..100_u32), option::of(text()));
    let run = run.prop_map(|(provider, run_id, attempt, url)| Run { provider, run_id, attempt, url });
    let kind = prop_oneof![Just(ActorKind::Human), Just(ActorKind::Workload)];
    let actor = (text(), kind).prop_map(|(id, kind)| Actor { id, kind });
    let identity = (text(), text(), text(), sha256());
    let identity = identity.prop_map(|(issuer, subject, audience, claims_sha256)| Identity {
        issuer,
        subject,
        audience,
        claims_sha256,
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

/// What an entry of any kind says. Each is right by itself; that they follow one another is a log's own law.
pub fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        intent().prop_map(|intent| Body::Intent(Box::new(intent))),
        outcome().prop_map(Body::Outcome),
        takeover().prop_map(Body::Takeover),
        observation().prop_map(Body::Observation),
        (text(), option::of(digest()), digest(), option::of(timestamp()))
            .prop_map(|(by, from, to, expires_at)| Body::Approval(Approval { by, from, to, expires_at })),
        (text(), text(), option::of(timestamp())).prop_map(|(reason, by, until)| Body::Hold(Hold {
            reason,
            by,
            until
        })),
        (text(), text()).prop_map(|(reason, by)| Body::Release(Release { reason, by })),
        (text(), text(), any::<bool>(), timestamp())
            .prop_map(|(cluster, revision, ready, at)| Body::Adoption(Adoption { cluster, revision, ready, at })),
        (text(), count(), sha256()).prop_map(|(to, size, root)| Body::Moved(MovedTo { to, size, root })),
    ]
}

/// An intent of any operation.
pub fn intent() -> impl Strategy<Value = Intent> {
    let op = prop_oneof![Just(Op::Promote), Just(Op::Rollback), Just(Op::Bootstrap), Just(Op::Repair), Just(Op::Adopt)];
    let what = (op, text(), key(), sha256(), option::of(digest()), subject());
    let why = (source(), provenance(), option::of(text()), decision());
    let how = (option::of(digest()), option::of(predecessor()), text(), deadlines());
    (what, why, how).prop_map(|(what, why, how)| {
        let (op, move_id, key, request, from, to) = what;
        let (source, provenance, reason, decision) = why;
        let (replaced, predecessor, owner, deadlines) = how;
        Intent {
            op,
            move_id,
            key,
            request,
            from: if op == Op::Bootstrap { None } else { from },
            to,
            source,
            provenance,
            reason,
            decision,
            replaced: if op == Op::Repair { replaced } else { None },
            predecessor: if op == Op::Bootstrap { predecessor } else { None },
            owner,
            epoch: 0,
            deadlines,
        }
    })
}

/// An outcome of any status.
pub fn outcome() -> impl Strategy<Value = Outcome> {
    let status = prop_oneof![Just(Status::Committed), Just(Status::Failed), Just(Status::Aborted)];
    let error = (text(), text()).prop_map(|(code, text)| ErrorNote { code, text });
    let of = (text(), count(), text(), count(), status);
    let end = (option::of(digest()), 0..100_u64, any::<bool>(), any::<bool>(), option::of(error));
    (of, end).prop_map(|(of, end)| {
        let (move_id, intent_seq, owner, epoch, status) = of;
        let (observed, attempts, ambiguous, recovered, error) = end;
        Outcome { move_id, intent_seq, owner, epoch, status, observed, attempts, ambiguous, recovered, error }
    })
}

/// Times from 1 ms to one hour each.
pub fn deadlines() -> impl Strategy<Value = Deadlines> {
    let ms = || 1..=Deadlines::MAX_MS;
    (ms(), ms(), ms()).prop_map(|(ttl_ms, grace_ms, quiet_ms)| Deadlines { ttl_ms, grace_ms, quiet_ms })
}

fn takeover() -> impl Strategy<Value = Takeover> {
    (text(), count(), text(), 1..100_u64, text(), deadlines()).prop_map(
        |(move_id, intent_seq, owner, epoch, previous_owner, deadlines)| Takeover {
            move_id,
            intent_seq,
            owner,
            epoch,
            previous_owner,
            deadlines,
        },
    )
}

fn observation() -> impl Strategy<Value = Observation> {
    let cause = prop_oneof![Just(ObservationCause::Drift), Just(ObservationCause::Verify)];
    (option::of(digest()), option::of(digest()), cause).prop_map(|(expected, observed, cause)| Observation {
        expected,
        observed,
        cause,
        attributed: None,
    })
}

fn subject() -> impl Strategy<Value = Subject> {
    (digest(), text(), 0..=4_194_304_u64).prop_map(|(digest, media_type, size)| Subject { digest, media_type, size })
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![reference().prop_map(Source::Reference), channel().prop_map(Source::Channel)]
}

fn predecessor() -> impl Strategy<Value = Predecessor> {
    (channel(), count(), sha256()).prop_map(|(channel, size, root)| Predecessor { channel, size, root })
}

fn decision() -> impl Strategy<Value = Decision> {
    let policy = (text(), sha256()).prop_map(|(name, digest)| PolicyNote { name, digest });
    let verdict = prop_oneof![Just(Verdict::Pass), Just(Verdict::Warn), Just(Verdict::Refuse)];
    let finding = (text(), verdict, option::of(text()), text());
    let finding = finding.prop_map(|(guardrail, verdict, code, why)| FindingNote { guardrail, verdict, code, why });
    (policy, vec(finding, 0..4), vec(count(), 0..3)).prop_map(|(policy, findings, approvals)| Decision {
        policy,
        findings,
        overrides: Vec::new(),
        approvals,
    })
}

/// A position or size: any integer that JSON keeps, 0 to 2^53 - 1.
fn count() -> impl Strategy<Value = u64> {
    0..=9_007_199_254_740_991_u64
}

/// What a regular expression writes and the value's own door lets in.
fn parsed<T: std::str::FromStr + std::fmt::Debug>(regex: &'static str) -> impl Strategy<Value = T> {
    regex.prop_filter_map("the value's own grammar", |text: String| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Entry;

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
            let entry = Entry { channel, seq, id: uuid::Uuid::nil(), at, parent, body };
            let sealed = entry.seal().unwrap();
            prop_assert_eq!(Entry::open(sealed.bytes()).unwrap(), entry);
        }
    }
}
