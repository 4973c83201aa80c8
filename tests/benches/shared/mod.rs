//! Shared by the ledger benchmarks: logs of any length.

use bytes::Bytes;
use tagwarden::log::{
    Body, ChannelState, Deadlines, Decision, Deployment, Intent, Op, Outcome, PolicyEntry, PutStatus, RecordedPolicy,
    Source, Status, TargetManifest,
};
use tagwarden::policy::Policy;
use tagwarden::registry::MANIFEST_TYPES;
use tagwarden::{Channel, Digest, Provenance, Timestamp};

/// The entries of a log of `size` entries, in order: the policy, then moves. Each move has a digest of its own, and the
/// last one moves to `live`.
pub fn entries(channel: &Channel, size: u64, live: Digest) -> impl Iterator<Item = Bytes> {
    let mut state = ChannelState::empty(channel.clone());
    std::iter::from_fn(move || {
        if state.size >= size {
            return None;
        }
        let seq = state.size;
        let to = if seq + 2 >= size { live } else { Digest::of(&seq.to_be_bytes()) };
        let bodies = if seq == 0 { before_the_moves(size) } else { moved(&state, to).into() };
        let sealed = bodies.into_iter().map(|body| {
            let at = Timestamp::from_unix_ms(1_700_000_000_000 + 1000 * state.size.cast_signed());
            let id = uuid::Uuid::from_u128(0x0193_f1c2_0000_7000_8000_0000_0000_0000 + u128::from(state.size));
            let sealed = state.next(body, id, at).seal().unwrap();
            state.take(sealed.bytes()).unwrap();
            sealed.bytes().clone()
        });
        Some(sealed.collect::<Vec<_>>())
    })
    .flatten()
}

/// The entries before the first move: the policy, and a deployment if the number of entries is even.
fn before_the_moves(size: u64) -> Vec<Body> {
    let policy = Policy::standard();
    let (RecordedPolicy { name, digest }, text) = (policy.note(), policy.text());
    let provenance = Provenance::new("manual", "bench", "bench").unwrap();
    let policy = Body::Policy(PolicyEntry { name, digest, text, binding: false, provenance });
    let (cluster, revision) = ("bench".parse().unwrap(), "prod".parse().unwrap());
    let at = Timestamp::from_unix_ms(1_700_000_000_000);
    let deployment = Body::Deployment(Deployment { cluster, revision, ready: true, at });
    if size.is_multiple_of(2) { vec![policy, deployment] } else { vec![policy] }
}

/// The intent and the outcome of a move to `to`.
fn moved(state: &ChannelState, to: Digest) -> [Body; 2] {
    let seq = state.size;
    let move_id: tagwarden::Line = format!("move-{seq}").parse().unwrap();
    let owner: tagwarden::Line = "bench".parse().unwrap();
    let intent = Intent {
        op: if state.live.is_none() { Op::Bootstrap } else { Op::Promote },
        move_id: move_id.clone(),
        key: format!("key-{seq}").parse().unwrap(),
        request: Digest::of(move_id.as_str().as_bytes()),
        previous: state.live,
        target: TargetManifest::new(to, MANIFEST_TYPES[0].parse().unwrap(), 500),
        source: Source::Reference(state.channel.repository().digest(to)),
        provenance: Provenance::new("manual", "bench", "bench").unwrap(),
        reason: None,
        expected: None,
        order: None,
        upstream: Vec::new(),
        decision: Decision {
            at: Timestamp::from_unix_ms(1_700_000_000_000),
            policy: Policy::standard().note(),
            findings: Vec::new(),
            overrides: Vec::new(),
            approvals: Vec::new(),
            checks: Vec::new(),
        },
        replaced: None,
        predecessor: None,
        set: None,
        owner: owner.clone(),
        epoch: 0,
        deadlines: Deadlines::default(),
    };
    let outcome = Outcome {
        move_id,
        intent_seq: seq,
        owner,
        epoch: 0,
        status: Status::Committed,
        observed: Some(to),
        attempts: 1,
        put: PutStatus::Accepted,
        recovered: false,
        error: None,
    };
    [Body::Intent(Box::new(intent)), Body::Outcome(outcome)]
}
