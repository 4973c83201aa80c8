//! Shared by the ledger benchmarks: logs of any length.

use bytes::Bytes;
use tagwarden::log::{Body, ChannelState, Deployment, PolicyEntry, RecordedPolicy};
use tagwarden::policy::Policy;
use tagwarden::{Channel, Digest, Provenance, Timestamp};
use tagwarden_testing::entries;

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

/// The intent and the outcome of a move to `to`, judged by the standard policy.
fn moved(state: &ChannelState, to: Digest) -> [Body; 2] {
    let mut intent = entries::intent(&state.channel, state.size, state.live, to).unwrap();
    intent.decision.policy = Policy::standard().note();
    let outcome = entries::outcome(state.size, &intent);
    [Body::Intent(Box::new(intent)), Body::Outcome(outcome)]
}
