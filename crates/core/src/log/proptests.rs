//! Rules of the log format, checked on random logs.

mod acts;
mod bodies;

use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) use self::acts::logs;
use self::acts::{Act, id, log};
pub(crate) use self::bodies::*;
use super::encode::canonical;
use super::*;

fn lines(log: &[EncodedEntry]) -> Vec<u8> {
    log.iter().flat_map(|sealed| [&sealed.bytes()[..], b"\n"].concat()).collect()
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
