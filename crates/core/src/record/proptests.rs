//! Laws of the log format, over random logs.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::json::{Flaw, canonical};
use super::tape::{self, Data, Tape};
use super::*;
use crate::value::{Channel, Digest, Provenance, Timestamp};

pub(crate) fn channel() -> Channel {
    "registry.example.com/acme/shop:prod".parse().unwrap()
}

fn id(n: u64) -> Uuid {
    Uuid::from_u128(0x0193_f1c2_0000_7000_8000_0000_0000_0000 + u128::from(n))
}

/// What is appended next, as far as it fits the state.
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
    Hold,
    Release,
    Adoption,
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
        1 => Just(Act::Hold),
        1 => Just(Act::Release),
        1 => Just(Act::Adoption),
    ]
}

fn digest(n: u8) -> Digest {
    Digest::of(&[n])
}

/// The body of an act, if it may stand next.
fn body(state: &ChannelState, act: &Act) -> Option<Body> {
    let n = state.size;
    let text = |text: &str| text.parse().unwrap();
    let intent = |op, to, source, replaced, reason: Option<&str>| {
        Body::Intent(Box::new(Intent {
            op,
            move_id: text(&id(1_000_000 + n).to_string()),
            key: format!("run-{n}").parse().unwrap(),
            request: digest(0),
            from: state.live,
            to: Subject { digest: to, media_type: text("application/vnd.oci.image.manifest.v1+json"), size: 1269 },
            source,
            provenance: Provenance::new("manual", "incident-7", "ada").unwrap(),
            reason: reason.map(text),
            decision: Decision {
                policy: PolicyNote { name: text("default"), digest: digest(1) },
                findings: vec![FindingNote {
                    guardrail: text("promotion-order"),
                    verdict: Verdict::Warn,
                    code: Some(text("SOAK_SHORT")),
                    why: text("soaked 3 of 5 s"),
                }],
                overrides: vec![],
                approvals: vec![],
            },
            replaced,
            predecessor: None,
            owner: text("worker"),
            epoch: 0,
            deadlines: Deadlines::default(),
        }))
    };
    let tag = || Source::Reference("registry.example.com/acme/shop:1.4.2".parse().unwrap());
    match (act, &state.open, state.live) {
        (Act::Promote { to, channel: false, reason }, None, live) => {
            let op = if live.is_some() { Op::Promote } else { Op::Bootstrap };
            Some(intent(op, digest(*to), tag(), None, Some(reason)))
        }
        (Act::Promote { to, channel: true, .. }, None, live) => {
            let op = if live.is_some() { Op::Promote } else { Op::Bootstrap };
            let source = match op {
                Op::Bootstrap => Source::Reference(channel().reference()),
                _ => Source::Channel("registry.example.com/acme/shop:dev".parse().unwrap()),
            };
            Some(intent(op, digest(*to), source, None, None))
        }
        (Act::Rollback, None, Some(_)) => Some(intent(Op::Rollback, state.previous?, tag(), None, None)),
        (Act::Repair { replaced }, None, Some(live)) => {
            Some(intent(Op::Repair, live, tag(), replaced.map(digest), Some("back")))
        }
        (Act::Adopt { to }, None, Some(_)) => Some(intent(Op::Adopt, digest(*to), tag(), None, Some("hotfix"))),
        (Act::Takeover, Some(open), _) => Some(Body::Takeover(Takeover {
            move_id: open.move_id.clone(),
            intent_seq: open.seq,
            owner: text(&format!("worker-{n}")),
            epoch: open.epoch + 1,
            previous_owner: open.owner.clone(),
            deadlines: Deadlines { quiet_ms: n + 1, ..Deadlines::default() },
        })),
        (Act::Close(status), Some(open), _) => Some(Body::Outcome(Outcome {
            move_id: open.move_id.clone(),
            intent_seq: open.seq,
            owner: open.owner.clone(),
            epoch: open.epoch,
            status: *status,
            observed: (*status == Status::Committed).then_some(open.to),
            attempts: 1,
            ambiguous: false,
            recovered: open.epoch > 0,
            error: (*status == Status::Failed)
                .then(|| ErrorNote { code: text("REGISTRY_REFUSED"), text: text("403 \"denied\"") }),
        })),
        (Act::Observe, ..) => Some(Body::Observation(Observation {
            expected: state.live,
            observed: None,
            cause: ObservationCause::Drift,
            attributed: Some(Attribution {
                source: text("events"),
                actor: text("bob"),
                at: Timestamp::from_unix_ms(0),
            }),
        })),
        (Act::Approve, ..) => Some(Body::Approval(Approval {
            by: text("ada"),
            from: state.live,
            to: digest(7),
            expires_at: Some(Timestamp::from_unix_ms(1)),
        })),
        (Act::Hold, ..) => Some(Body::Hold(Hold { reason: text("incident"), by: text("Zoë"), until: None })),
        (Act::Release, ..) => Some(Body::Release(Release { reason: text("over"), by: text("Zoë") })),
        (Act::Adoption, ..) => Some(Body::Adoption(Adoption {
            cluster: text("eu-1"),
            revision: text("prod@sha256:00"),
            ready: true,
            at: Timestamp::from_unix_ms(2),
        })),
        _ => None,
    }
}

/// A log of what fits, as sealed entries.
fn log(acts: &[Act]) -> Vec<Sealed> {
    let mut state = ChannelState::empty(channel());
    let mut log = Vec::new();
    for act in acts {
        let Some(body) = body(&state, act) else { continue };
        let at = Timestamp::from_unix_ms(1_800_000_000_000 + state.size as i64);
        let sealed = state.next(body, id(state.size), at).seal().unwrap();
        state.take(sealed.bytes()).unwrap();
        log.push(sealed);
    }
    log
}

fn lines(log: &[Sealed]) -> Vec<u8> {
    log.iter().flat_map(|sealed| [&sealed.bytes()[..], b"\n"].concat()).collect()
}

pub(crate) fn logs() -> impl Strategy<Value = Vec<Sealed>> {
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

/// What a tape says, as a value again.
fn value(on_tape: tape::Value<'_, '_>) -> Value {
    match on_tape.data() {
        Data::Text(_) | Data::Escaped(_) => on_tape.text().unwrap().into_owned().into(),
        Data::Integer(number) => number.into(),
        Data::Bool(flag) => flag.into(),
        Data::Array => on_tape.children().map(value).collect(),
        Data::Object => {
            let key = |child: tape::Value<'_, '_>| match child.key().contains('\\') {
                true => serde_json::from_str(&format!("\"{}\"", child.key())).unwrap(),
                false => child.key().to_owned(),
            };
            Value::Object(on_tape.children().map(|child| (key(child), value(child))).collect::<Map<_, _>>())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_canonically_is_read_back(inner in json_value()) {
        let object = json!({ "x": inner });
        let bytes = canonical(&object).unwrap();
        prop_assert_eq!(&serde_json::from_slice::<Value>(&bytes).unwrap(), &object, "it is JSON, and says the same");
        let mut tape = Tape::new();
        tape.read(&bytes).unwrap();
        prop_assert_eq!(value(tape.top()), object);
    }

    #[test]
    fn the_reader_takes_only_what_is_canonical(inner in json_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = canonical(&json!({ "x": inner })).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        match Tape::new().read(&bytes) {
            Ok(()) => {
                let value: Value = serde_json::from_slice(&bytes).unwrap();
                prop_assert_eq!(canonical(&value).unwrap(), bytes);
            }
            Err(Flaw::NotCanonical { .. }) => {
                let value: Result<Value, _> = serde_json::from_slice(&bytes);
                let form = value.ok().and_then(|value| canonical(&value).ok());
                prop_assert_ne!(form, Some(bytes));
            }
            Err(Flaw::NotJson(_)) => {
                // serde_json lets the last of two equal keys win.
                let value: Result<Value, _> = serde_json::from_slice(&bytes);
                prop_assert!(value.is_err() || canonical(&value.unwrap()).unwrap() != bytes);
            }
        }
    }

    #[test]
    fn what_is_sealed_is_accepted_and_says_what_the_entry_says(log in logs()) {
        let mut state = ChannelState::empty(channel());
        for sealed in &log {
            let entry = Entry::open(sealed.bytes()).unwrap();
            let want = Step::of(entry.seq, &entry.channel, &entry.body);
            let checked = check(&state.channel, state.size, state.leaf, sealed.bytes()).unwrap();
            prop_assert_eq!(checked, (sealed.leaf(), want.clone()));
            prop_assert_eq!(state.take(sealed.bytes()).unwrap(), want);
            prop_assert_eq!(&entry.seal().unwrap(), sealed);
        }
    }

    #[test]
    fn every_prefix_of_a_log_verifies_and_folds_to_the_same(log in logs()) {
        let mut state = ChannelState::empty(channel());
        for size in 0..=log.len() {
            let report = LogReport::of_jsonl(Some(channel()), &lines(&log[..size]));
            prop_assert_eq!(&report.defect, &None);
            prop_assert_eq!((report.entries, report.live, report.previous), (size as u64, state.live, state.previous));
            prop_assert_eq!(report.open_intent, state.open.as_ref().map(|open| open.seq));
            prop_assert_eq!(report.committed, state.committed);
            let leaves: Vec<_> = log[..size].iter().map(|sealed| merkle::leaf_hash(sealed.bytes())).collect();
            prop_assert_eq!(report.root.as_bytes(), merkle::root(&leaves));
            let mut again = ChannelState::empty(channel());
            for sealed in &log[..size] {
                let entry = Entry::open(sealed.bytes()).unwrap();
                again.fold(sealed.leaf(), Step::of(entry.seq, &entry.channel, &entry.body)).unwrap();
            }
            prop_assert_eq!(&again, &state);
            if let Some(next) = log.get(size) {
                state.take(next.bytes()).unwrap();
            }
        }
    }

    #[test]
    fn the_events_of_a_window_are_those_of_the_whole_log(log in logs(), from in any::<prop::sample::Index>()) {
        let entries: Vec<Entry> = log.iter().map(|sealed| Entry::open(sealed.bytes()).unwrap()).collect();
        let whole = events(&entries);
        prop_assert_eq!(whole.cut, None);
        let report = LogReport::of_jsonl(None, &lines(&log));
        prop_assert_eq!(whole.events.iter().filter(|event| event.outcome.is_some()).count() as u64, report.moves);
        let from = from.index(entries.len().max(1)).min(entries.len());
        let window = events(&entries[from..]);
        let want: Vec<_> = whole.events.iter().filter(|event| event.seq >= from as u64).cloned().collect();
        prop_assert_eq!(&window.events, &want);
        if let Some(cut) = window.cut {
            prop_assert!(cut < from as u64);
            let more = events(&entries[cut as usize..]);
            prop_assert_eq!(more.cut, None);
            prop_assert_eq!(more.events.len(), want.len() + 1);
        }
    }
}

/// I8: entries are never changed or removed; a changed, missing or reordered entry is found by `verify`.
#[test]
fn i8_every_flip_of_a_bit_is_found_where_it_is_or_at_the_next_parent() {
    use Act::*;
    let acts = [
        Promote { to: 1, channel: false, reason: "first \"é\"".to_owned() },
        Close(Status::Committed),
        Promote { to: 2, channel: true, reason: "second".to_owned() },
        Takeover,
        Close(Status::Committed),
        Observe,
        Hold,
    ];
    let log = log(&acts);
    assert_eq!(log.len(), acts.len());
    for (seq, sealed) in log.iter().enumerate() {
        for at in 0..sealed.bytes().len() {
            for bit in 0..8 {
                let mut flipped = sealed.bytes().to_vec();
                flipped[at] ^= 1 << bit;
                let mut state = ChannelState::empty(channel());
                log[..seq].iter().for_each(|sealed| drop(state.take(sealed.bytes()).unwrap()));
                let found = state.take(&flipped).map_err(|defect| defect.seq).err();
                match (found, log.get(seq + 1)) {
                    (Some(found), _) => assert_eq!(found, seq as u64, "byte {at}, bit {bit}"),
                    (None, Some(next)) => {
                        let defect = state.take(next.bytes()).unwrap_err();
                        assert_eq!((defect.seq, defect.code), (seq as u64 + 1, DefectCode::Parent), "byte {at}");
                    }
                    // Of the last entry, only a checkpoint could tell.
                    (None, None) => {}
                }
            }
        }
    }
}

#[test]
fn i8_what_is_missing_or_out_of_order_is_found() {
    let log = log(&[
        Act::Promote { to: 1, channel: false, reason: "r".to_owned() },
        Act::Close(Status::Committed),
        Act::Observe,
        Act::Observe,
    ]);
    let code = |log: &[Sealed]| LogReport::of_jsonl(None, &lines(log)).defect.map(|defect| (defect.seq, defect.code));
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
fn ids_and_keys_stand_in_a_log_once() {
    let report = |change: &dyn Fn(&mut Entry)| {
        let log = log(&[
            Act::Promote { to: 1, channel: false, reason: "r".to_owned() },
            Act::Close(Status::Committed),
            Act::Promote { to: 2, channel: false, reason: "r".to_owned() },
        ]);
        let mut last = Entry::open(log[2].bytes()).unwrap();
        change(&mut last);
        let log = [&log[..2], &[last.seal().unwrap()]].concat();
        LogReport::of_jsonl(None, &lines(&log)).defect.map(|defect| defect.to_string())
    };
    assert_eq!(report(&|_| {}), None);
    assert_eq!(
        report(&|entry| entry.id = id(1)).unwrap(),
        "seq 2: FIELD: the id 0193f1c2-0000-7000-8000-000000000001 stands in the log twice"
    );
    let key = |entry: &mut Entry| match &mut entry.body {
        Body::Intent(intent) => intent.key = "run-0".parse().unwrap(),
        _ => unreachable!(),
    };
    assert_eq!(report(&key).unwrap(), "seq 2: KEY_REUSED: the key moved the channel at 0 before");
}
