//! Rules of the log format, checked on random logs.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::encode::canonical;
use super::*;
use crate::testing::entries;
use crate::value::{Channel, Digest, Line, Provenance, Timestamp};

pub(crate) fn channel() -> Channel {
    "registry.example.com/acme/shop:prod".parse().unwrap()
}

fn id(n: u64) -> Uuid {
    Uuid::from_u128(0x0193_f1c2_0000_7000_8000_0000_0000_0000 + u128::from(n))
}

fn text(text: impl AsRef<str>) -> Line {
    text.as_ref().parse().unwrap()
}

fn author() -> Provenance {
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

/// The next entry to append, if it fits the state.
#[derive(Clone, Debug)]
enum Act {
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
fn log(acts: &[Act]) -> Vec<EncodedEntry> {
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

fn lines(log: &[EncodedEntry]) -> Vec<u8> {
    log.iter().flat_map(|sealed| [&sealed.bytes()[..], b"\n"].concat()).collect()
}

pub(crate) fn logs() -> impl Strategy<Value = Vec<EncodedEntry>> {
    prop::collection::vec(act(), 1..40).prop_map(|acts| log(&acts))
}

/// Any value that has a canonical form.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991i64..=9_007_199_254_740_991).prop_map(Value::from),
        (-20i64..20).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z\"\\\\]{0,20}".prop_map(Value::from),
    ];
    let key = || prop_oneof!["[a-z]{0,3}", any::<String>(), "[a\u{fb33}\u{1f600}\u{e000}\"\\\\\n]{0,3}"];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn canonical_bytes_are_json_and_say_the_same(inner in json_value()) {
        let object = json!({ "x": inner });
        let bytes = canonical(&object).unwrap();
        prop_assert_eq!(&serde_json::from_slice::<Value>(&bytes).unwrap(), &object);
    }

    #[test]
    fn what_is_sealed_is_accepted_and_says_what_the_entry_says(log in logs()) {
        let mut state = ChannelState::empty(channel());
        for sealed in &log {
            let entry = Entry::open(sealed.bytes()).unwrap();
            let checked = check(&state.channel, state.size, state.leaf, sealed.bytes()).unwrap();
            prop_assert_eq!(checked, (sealed.leaf(), entry.clone()));
            prop_assert_eq!(&state.take(sealed.bytes()).unwrap(), &entry);
            prop_assert_eq!(&entry.seal().unwrap(), sealed);
        }
    }

    #[test]
    fn every_prefix_of_a_log_verifies_and_folds_to_the_same(log in logs()) {
        let mut state = ChannelState::empty(channel());
        let mut again = state.clone();
        for size in 0..=log.len() {
            let report = LogReport::of_jsonl(Some(channel()), &lines(&log[..size]));
            prop_assert_eq!(&report.defect, &None);
            prop_assert_eq!((report.entries, report.live, report.previous), (size as u64, state.live, state.previous));
            prop_assert_eq!(report.open_intent, state.open.as_ref().map(|open| open.seq));
            prop_assert_eq!(report.committed, state.committed);
            let leaves: Vec<_> = log[..size].iter().map(|sealed| merkle::leaf_hash(sealed.bytes())).collect();
            prop_assert_eq!(report.root.as_bytes(), merkle::root(&leaves));
            prop_assert_eq!(&again, &state);
            if let Some(next) = log.get(size) {
                state.take(next.bytes()).unwrap();
                let entry = Entry::open(next.bytes()).unwrap();
                again.fold(next.leaf(), entry.at, &entry.body).unwrap();
            }
        }
    }

    #[test]
    fn the_events_of_a_window_are_those_of_the_whole_log(log in logs(), from in any::<prop::sample::Index>()) {
        let entries: Vec<Entry> = log.iter().map(|sealed| Entry::open(sealed.bytes()).unwrap()).collect();
        let whole = events(&entries);
        let report = LogReport::of_jsonl(None, &lines(&log));
        prop_assert_eq!(whole.iter().filter(|event| event.outcome.is_some()).count() as u64, report.moves);
        let from = from.index(entries.len().max(1)).min(entries.len());
        let window = events(&entries[from..]);
        let want: Vec<_> = whole.iter().filter(|event| event.seq >= from as u64).cloned().collect();
        prop_assert_eq!(&window, &want);
    }
}

/// tamper-evident: entries are never changed or removed; a changed, missing or reordered entry is found by `verify`.
#[test]
fn tamper_evident_every_flip_of_a_bit_is_found_where_it_is_or_at_the_next_parent() {
    use Act::*;
    let acts = [
        Promote { to: 1, channel: false, reason: "first \"é\"".to_owned() },
        Close(Status::Committed),
        Promote { to: 2, channel: true, reason: "second".to_owned() },
        Takeover,
        Close(Status::Committed),
        Observe,
        Hold(HoldScope::All),
    ];
    let log = log(&acts);
    assert_eq!(log.len(), 1 + acts.len(), "the policy comes first");
    let mut before = ChannelState::empty(channel());
    for (seq, sealed) in log.iter().enumerate() {
        for at in 0..sealed.bytes().len() {
            for bit in 0..8 {
                let mut flipped = sealed.bytes().to_vec();
                flipped[at] ^= 1 << bit;
                let mut state = before.clone();
                let found = state.take(&flipped).map_err(|defect| defect.seq).err();
                match (found, log.get(seq + 1)) {
                    (Some(found), _) => assert_eq!(found, seq as u64, "byte {at}, bit {bit}"),
                    (None, Some(next)) => {
                        let defect = state.take(next.bytes()).unwrap_err();
                        assert_eq!((defect.seq, defect.code), (seq as u64 + 1, DefectCode::Parent), "byte {at}");
                    }
                    // A change in the last entry can only be found with a checkpoint.
                    (None, None) => {}
                }
            }
        }
        before.take(sealed.bytes()).unwrap();
    }
}

#[test]
fn tamper_evident_what_is_missing_or_out_of_order_is_found() {
    let log = log(&[
        Act::Promote { to: 1, channel: false, reason: "r".to_owned() },
        Act::Close(Status::Committed),
        Act::Observe,
        Act::Observe,
    ]);
    let code =
        |log: &[EncodedEntry]| LogReport::of_jsonl(None, &lines(log)).defect.map(|defect| (defect.seq, defect.code));
    assert_eq!(code(&log), None);
    for seq in 0..log.len() - 1 {
        let mut without = log.clone();
        without.remove(seq);
        assert_eq!(code(&without), Some((seq as u64, DefectCode::Sequence)));
        let mut swapped = log.clone();
        swapped.swap(seq, seq + 1);
        assert_eq!(code(&swapped), Some((seq as u64, DefectCode::Sequence)));
    }
}

#[test]
fn ids_and_keys_are_in_a_log_once() {
    let report = |change: &dyn Fn(&mut Entry)| {
        let log = log(&[
            Act::Promote { to: 1, channel: false, reason: "r".to_owned() },
            Act::Close(Status::Committed),
            Act::Promote { to: 2, channel: false, reason: "r".to_owned() },
        ]);
        let mut last = Entry::open(log[3].bytes()).unwrap();
        change(&mut last);
        let log = [&log[..3], &[last.seal().unwrap()]].concat();
        LogReport::of_jsonl(None, &lines(&log)).defect.map(|defect| defect.to_string())
    };
    assert_eq!(report(&|_| {}), None);
    assert_eq!(
        report(&|entry| entry.id = id(1)).unwrap(),
        "seq 3: ID_REUSED: the id 0193f1c2-0000-7000-8000-000000000001 stands in the log twice"
    );
    let key = |entry: &mut Entry| match &mut entry.body {
        Body::Intent(intent) => intent.key = "key-1".parse().unwrap(),
        _ => unreachable!(),
    };
    assert_eq!(report(&key).unwrap(), "seq 3: KEY_REUSED: the key moved the channel at 1 before");
}
