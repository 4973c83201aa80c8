//! Strategies of values.

use proptest::option;
use proptest::prelude::*;

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

/// A position or size: any integer that JSON represents exactly, 0 to 2^53 - 1.
pub(super) fn count() -> impl Strategy<Value = u64> {
    0..=9_007_199_254_740_991_u64
}

/// Values from texts that match the regular expression and that the value's own parser accepts.
pub(super) fn parsed<T: std::str::FromStr + std::fmt::Debug>(regex: &'static str) -> impl Strategy<Value = T> {
    regex.prop_filter_map("the value's own grammar", |text: String| text.parse().ok())
}
