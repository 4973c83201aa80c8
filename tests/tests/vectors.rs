//! The test data of an independent implementation gives the results that come with it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tagwarden::record::merkle::{
    Hash, consistency_proof, inclusion_proof, leaf_hash, root, verify_consistency, verify_inclusion,
};
use tagwarden::record::{ChannelState, Entry, LogReport, Step, Verifier, check};
use tagwarden_tests::{file, verify_ledger};

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(file("vectors/log").join(format!("{name}.jsonl"))).unwrap()
}

fn expected() -> BTreeMap<String, Value> {
    serde_json::from_slice(&std::fs::read(file("vectors/log/expected.json")).unwrap()).unwrap()
}

/// A report in the words of `expected.json`.
fn in_its_words(report: &LogReport) -> Value {
    json!({
        "defect": report.defect.as_ref().map(|defect| json!({"seq": defect.seq, "code": defect.code.as_str()})),
        "torn_bytes": report.torn_bytes,
        "entries": report.entries,
        "live": report.live,
        "open_intent": report.open_intent,
        "root": BASE64_STANDARD.encode(report.root.as_bytes()),
    })
}

#[test]
fn every_log_gives_the_expected_result() {
    let expected = expected();
    assert!(expected.len() >= 37, "{} vectors", expected.len());
    for (name, want) in expected {
        let report = LogReport::of_jsonl(None, &vector(&name));
        assert_eq!(in_its_words(&report), want, "{name}: {report:?}");
        let known = LogReport::of_jsonl(Some("registry.example.com/acme/shop:prod".parse().unwrap()), &vector(&name));
        assert_eq!(in_its_words(&known), want, "{name}, with its channel given: {known:?}");
    }
}

#[test]
fn it_does_not_matter_how_a_log_is_fed() {
    for (name, want) in expected() {
        let bytes = vector(&name);
        for size in [1, 7, 1000, 40_000] {
            let mut verifier = Verifier::new(None);
            bytes.chunks(size).for_each(|part| verifier.feed_jsonl(part));
            assert_eq!(in_its_words(&verifier.finish()), want, "{name} in parts of {size} bytes");
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<_> = bytes[..whole]
            .split_inclusive(|b| *b == b'\n')
            .map(|line| line[..line.len() - 1].to_vec().into())
            .collect();
        let mut verifier = Verifier::new(None);
        lines.chunks(5).for_each(|part| verifier.feed(part));
        let mut want = want;
        want["torn_bytes"] = json!(0);
        assert_eq!(in_its_words(&verifier.finish()), want, "{name} entry by entry");
    }
}

#[test]
fn the_independent_verifier_reports_the_same() {
    for name in ["good", "open-intent", "empty", "torn-tail", "time-backwards", "unknown-field", "moved"] {
        let theirs = verify_ledger(&file("vectors/log").join(format!("{name}.jsonl"))).unwrap();
        let ours = LogReport::of_jsonl(None, &vector(name));
        assert_eq!(theirs["moves"], json!(ours.moves), "{name}");
        assert_eq!(theirs["committed"], json!(ours.committed), "{name}");
        assert_eq!(theirs["previous"], json!(ours.previous), "{name}");
        assert_eq!(theirs["channel"], json!(ours.channel), "{name}");
    }
    let error = verify_ledger(&file("vectors/log/bit-flip.jsonl")).unwrap_err();
    assert!(error.contains("\"PARENT\""), "{error}");
}

#[test]
fn time_that_goes_back_is_a_warning() {
    let back = |name| LogReport::of_jsonl(None, &vector(name)).clock_went_back;
    assert_eq!(back("good"), 0);
    assert!(back("time-backwards") > 0);
}

#[test]
fn entry_by_entry_the_good_log_folds_to_the_same() {
    let bytes = vector("good");
    let mut state = ChannelState::empty("registry.example.com/acme/shop:prod".parse().unwrap());
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entry = Entry::open(line).unwrap();
        let want = Step::of(entry.seq, &entry.channel, &entry.body);
        let (leaf, step) = check(&state.channel, state.size, state.leaf, line).unwrap();
        assert_eq!(step, want, "what is read from the tape is what the entry says");
        assert_eq!(state.take(line).unwrap(), want);
        assert_eq!(state.leaf, Some(leaf));
        assert_eq!(entry.seal().unwrap().bytes(), line, "sealed again, the bytes are the same");
    }
    let report = LogReport::of_jsonl(None, &bytes);
    assert_eq!((state.size, state.live, state.previous), (report.entries, report.live, report.previous));
}

fn hash(text: &Value) -> Hash {
    BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn hashes(list: &Value) -> Vec<Hash> {
    list.as_array().unwrap().iter().map(hash).collect()
}

#[test]
fn merkle_roots_and_proofs_are_as_listed() {
    let vectors: Value = serde_json::from_slice(&std::fs::read(file("vectors/merkle.json")).unwrap()).unwrap();
    let leaves: Vec<Hash> = (0..64).map(|i| leaf_hash(format!("event-{i}").as_bytes())).collect();
    let leaves = |size: &Value| &leaves[..size.as_u64().unwrap() as usize];
    assert_eq!(root(&[]), hash(&vectors["empty_root"]));
    for (size, want) in vectors["roots"].as_object().unwrap() {
        assert_eq!(root(leaves(&json!(size.parse::<u64>().unwrap()))), hash(want), "{size} leaves");
    }
    for case in vectors["inclusion"].as_array().unwrap() {
        let (leaves, index, proof) = (leaves(&case["size"]), case["index"].as_u64().unwrap(), hashes(&case["proof"]));
        assert_eq!(inclusion_proof(leaves, index).unwrap(), proof, "{case}");
        let (leaf, size) = (&leaves[index as usize], leaves.len() as u64);
        verify_inclusion(leaf, index, size, &proof, &root(leaves)).unwrap();
    }
    for case in vectors["consistency"].as_array().unwrap() {
        let (old, new, proof) = (leaves(&case["from"]), leaves(&case["to"]), hashes(&case["proof"]));
        assert_eq!(consistency_proof(new, old.len() as u64).unwrap(), proof, "{case}");
        verify_consistency(old.len() as u64, &root(old), new.len() as u64, &root(new), &proof).unwrap();
    }
}
