//! What the benchmarks of ledgers share: logs of any length.

use bytes::Bytes;
use tagwarden::record::{
    Body, ChannelState, Deadlines, Decision, Intent, Op, Outcome, PolicyNote, Source, Status, TargetManifest,
};
use tagwarden::registry::MANIFEST_TYPES;
use tagwarden::{Channel, Digest, Provenance, Timestamp};

/// The entries of a log of `size` entries, in order: moves, each to a digest of its own, the last one to `live`.
pub fn entries(channel: &Channel, size: u64, live: Digest) -> impl Iterator<Item = Bytes> {
    let mut state = ChannelState::empty(channel.clone());
    std::iter::from_fn(move || {
        if state.size >= size {
            return None;
        }
        let seq = state.size;
        let to = if seq + 2 >= size { live } else { Digest::of(&seq.to_be_bytes()) };
        Some(moved(&state, to).map(|body| {
            let at = Timestamp::from_unix_ms(1_700_000_000_000 + 1000 * state.size.cast_signed());
            let id = uuid::Uuid::from_u128(0x0193_f1c2_0000_7000_8000_0000_0000_0000 + u128::from(state.size));
            let sealed = state.next(body, id, at).seal().unwrap();
            state.take(sealed.bytes()).unwrap();
            sealed.bytes().clone()
        }))
    })
    .flatten()
}

/// The intent and the outcome of a move to `to`.
fn moved(state: &ChannelState, to: Digest) -> [Body; 2] {
    let seq = state.size;
    let move_id: tagwarden::Text = format!("move-{seq}").parse().unwrap();
    let owner: tagwarden::Text = "bench".parse().unwrap();
    let intent = Intent {
        op: if seq == 0 { Op::Bootstrap } else { Op::Promote },
        move_id: move_id.clone(),
        key: format!("key-{seq}").parse().unwrap(),
        request: Digest::of(move_id.as_str().as_bytes()),
        from: state.live,
        to: TargetManifest { digest: to, media_type: MANIFEST_TYPES[0].parse().unwrap(), size: 500 },
        source: Source::Reference(state.channel.repository().digest(to)),
        provenance: Provenance::new("manual", "bench", "bench").unwrap(),
        reason: None,
        decision: Decision {
            policy: PolicyNote { name: "bench".parse().unwrap(), digest: Digest::of(b"policy") },
            findings: Vec::new(),
            overrides: Vec::new(),
            approvals: Vec::new(),
        },
        replaced: None,
        predecessor: None,
        owner: owner.clone(),
        epoch: 0,
        deadlines: Deadlines { ttl_ms: 60_000, grace_ms: 30_000, quiet_ms: 30_000 },
    };
    let outcome = Outcome {
        move_id,
        intent_seq: seq,
        owner,
        epoch: 0,
        status: Status::Committed,
        observed: Some(to),
        attempts: 1,
        ambiguous: false,
        recovered: false,
        error: None,
    };
    [Body::Intent(Box::new(intent)), Body::Outcome(outcome)]
}
