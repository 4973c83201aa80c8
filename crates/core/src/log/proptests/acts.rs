//! Random logs.

use proptest::prelude::*;
use uuid::Uuid;

use super::bodies::*;
use crate::log::*;
use crate::value::{Digest, Timestamp};

/// The next entry to append, if it fits the state.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Promote { to: u8, channel: bool, reason: String },
    Rollback,
    Repair { replaced: Option<u8> },
    Adopt { to: u8 },
    Takeover,
    Close(Status),
    Observe,
    Approve,
    Check,
    Block(u8),
    Unblock,
    Hold(HoldScope),
    Unhold,
    Deployment,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (any::<u8>(), any::<bool>(), "[ -~é😀\u{fb33}]{1,40}")
            .prop_map(|(to, channel, reason)| Act::Promote { to, channel, reason }),
        1 => Just(Act::Rollback),
        1 => any::<Option<u8>>().prop_map(|replaced| Act::Repair { replaced }),
        1 => any::<u8>().prop_map(|to| Act::Adopt { to }),
        2 => Just(Act::Takeover),
        6 => prop_oneof![4 => Just(Status::Committed), 1 => Just(Status::Failed), 1 => Just(Status::Aborted)]
            .prop_map(Act::Close),
        1 => Just(Act::Observe),
        1 => Just(Act::Approve),
        1 => Just(Act::Check),
        1 => any::<u8>().prop_map(Act::Block),
        1 => Just(Act::Unblock),
        1 => prop_oneof![Just(HoldScope::Promotions), Just(HoldScope::All)].prop_map(Act::Hold),
        1 => Just(Act::Unhold),
        1 => Just(Act::Deployment),
    ]
}

fn digest(n: u8) -> Digest {
    Digest::of(&[n])
}

/// The body of an act, if the state allows it as the next entry.
fn body(state: &ChannelState, act: &Act) -> Option<Body> {
    let n = state.size;
    let intent = |op, target, source: Option<Source>, reason: Option<&str>| {
        let new = intent(n, op, state.live, target);
        let source = source.unwrap_or(new.source.clone());
        Intent { source, reason: reason.map(text), ..new }
    };
    let begin = |intent| Some(Body::Intent(Box::new(intent)));
    let tag = || Some(Source::Reference("registry.example.com/acme/shop:1.4.2".parse().unwrap()));
    match (act, &state.open, state.live) {
        (Act::Promote { to, channel: false, reason }, None, live) => {
            let op = if live.is_some() { Op::Promote } else { Op::Bootstrap };
            begin(intent(op, digest(*to), tag(), Some(reason)))
        }
        (Act::Promote { to, channel: true, .. }, None, live) => {
            let op = if live.is_some() { Op::Promote } else { Op::Bootstrap };
            let source = match op {
                Op::Bootstrap => Source::Reference(channel().reference()),
                _ => Source::Channel("registry.example.com/acme/shop:dev".parse().unwrap()),
            };
            begin(intent(op, digest(*to), Some(source), None))
        }
        (Act::Rollback, None, Some(_)) => begin(intent(Op::Rollback, state.previous?, None, None)),
        (Act::Repair { replaced }, None, Some(live)) => {
            let replaced = replaced.map(digest).filter(|replaced| *replaced != live);
            begin(Intent { replaced, ..intent(Op::Repair, live, None, Some("back")) })
        }
        (Act::Adopt { to }, None, Some(_)) => begin(intent(Op::Adopt, digest(*to), tag(), Some("hotfix"))),
        (Act::Takeover, Some(open), _) => Some(Body::Takeover(Takeover {
            op: TakeoverOp::Recover,
            move_id: open.move_id.clone(),
            intent_seq: open.seq,
            owner: text(format!("worker-{n}")),
            epoch: open.epoch + 1,
            previous_owner: open.owner.clone(),
            provenance: author(),
            deadlines: Deadlines { quiet_ms: n + 1, ..Deadlines::default() },
        })),
        (Act::Close(status), Some(open), _) => Some(Body::Outcome(Outcome {
            move_id: open.move_id.clone(),
            owner: open.owner.clone(),
            epoch: open.epoch,
            recovered: open.epoch > 0,
            put: match (open.op, status) {
                (Op::Adopt, _) => PutStatus::None,
                (_, Status::Failed) => PutStatus::Refused,
                _ => PutStatus::Unknown,
            },
            ..outcome(n, open.seq, *status, (*status == Status::Committed).then_some(open.target))
        })),
        (Act::Observe, ..) => {
            let observed = if state.live.is_some() { None } else { Some(digest(9)) };
            Some(Body::Observation(Observation { expected: state.live, observed, cause: ObservationCause::Drift }))
        }
        (Act::Approve, ..) => Some(Body::Approval(Approval {
            op: Op::Promote,
            target: digest(7),
            previous: state.live,
            policy: Digest::of(b"{}"),
            provenance: author(),
            approver: Some(Approver { id: text("bob"), provider: text("github"), url: None }),
            expires_at: Some(Timestamp::from_unix_ms(1)),
            comment: None,
        })),
        (Act::Check, ..) => Some(Body::Check(Check {
            name: "smoke".parse().unwrap(),
            verdict: CheckVerdict::Pass,
            digest: digest(7),
            provenance: author(),
            url: None,
            expires_at: None,
        })),
        (Act::Block(n), ..) => {
            let (digest, reason, provenance) = (digest(*n), text("loses orders"), author());
            Some(Body::Block(Block { digest, reason, provenance, url: None }))
        }
        (Act::Unblock, ..) => {
            let (digest, reason, provenance) = (state.blocked.first()?.digest, text("it was the database"), author());
            Some(Body::Unblock(Unblock { digest, reason, provenance }))
        }
        (Act::Hold(scope), ..) => {
            let (scope, reason, provenance) = (*scope, text("incident"), author());
            Some(Body::Hold(Hold { scope, reason, provenance, until: None }))
        }
        (Act::Unhold, ..) => {
            let (hold, reason, provenance) = (state.holds.first()?.seq, text("over"), author());
            Some(Body::Unhold(Unhold { hold, reason, provenance }))
        }
        (Act::Deployment, ..) => Some(Body::Deployment(Deployment {
            cluster: text("eu-1"),
            revision: text("prod@sha256:00"),
            ready: true,
            at: Timestamp::from_unix_ms(2),
        })),
        _ => None,
    }
}

/// A log of the acts that fit, as sealed entries.
pub(super) fn log(acts: &[Act]) -> Vec<EncodedEntry> {
    let mut state = ChannelState::empty(channel());
    let mut log = Vec::new();
    for act in std::iter::once(None).chain(acts.iter().map(Some)) {
        let Some(body) = act.map_or_else(|| Some(policy()), |act| body(&state, act)) else { continue };
        let at = Timestamp::from_unix_ms(1_800_000_000_000 + state.size as i64);
        let sealed = state.next(body, id(state.size), at).seal().unwrap();
        state.take(sealed.bytes()).unwrap();
        log.push(sealed);
    }
    log
}

pub(super) fn id(n: u64) -> Uuid {
    Uuid::from_u128(0x0193_f1c2_0000_7000_8000_0000_0000_0000 + u128::from(n))
}

pub(crate) fn logs() -> impl Strategy<Value = Vec<EncodedEntry>> {
    prop::collection::vec(act(), 1..40).prop_map(|acts| log(&acts))
}
