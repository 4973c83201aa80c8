//! The test data of an independent implementation gives the results that are stored with it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tagwarden::log::merkle::{
    Hash, consistency_proof, inclusion_proof, leaf_hash, root, verify_consistency, verify_inclusion,
};
use tagwarden::log::{ChannelState, Defect, Entry, LogReport, Verifier, check};
use tagwarden_tests::{file, verify_ledger};

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(file("vectors/log").join(format!("{name}.jsonl"))).unwrap()
}

fn expected() -> BTreeMap<String, Value> {
    serde_json::from_slice(&std::fs::read(file("vectors/log/expected.json")).unwrap()).unwrap()
}

fn of_defect(defect: &Defect) -> Value {
    json!({"seq": defect.seq, "code": defect.code.as_str()})
}

/// A report in the format of `expected.json`.
fn in_its_words(report: &LogReport) -> Value {
    json!({
        "defect": report.defect.as_ref().map(of_defect),
        "defects": report.defects.iter().map(of_defect).collect::<Vec<_>>(),
        "torn_bytes": report.torn_bytes,
        "entries": report.entries,
        "live": report.live,
        "open_intent": report.open_intent,
        "holds": report.holds,
        "blocked": report.blocked,
        "root": BASE64_STANDARD.encode(report.root.as_bytes()),
    })
}

#[test]
fn every_log_gives_the_expected_result() {
    let expected = expected();
    assert!(expected.len() >= 74, "{} vectors", expected.len());
    for (name, want) in expected {
        let report = LogReport::of_jsonl(None, &vector(&name));
        assert_eq!(in_its_words(&report), want, "{name}: {report:?}");
        let known = LogReport::of_jsonl(Some("registry.example.com/acme/shop:prod".parse().unwrap()), &vector(&name));
        assert_eq!(in_its_words(&known), want, "{name}, with its channel given: {known:?}");
    }
}

#[test]
fn chunks_of_a_log_do_not_change_the_result() {
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
    for name in [
        "good",
        "open-intent",
        "empty",
        "torn-tail",
        "time-backwards",
        "unknown-field",
        "taken-over-by-a-rollback",
        "migrated",
    ] {
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
fn good_log_entry_by_entry_gives_the_same_state() {
    let bytes = vector("good");
    let mut state = ChannelState::empty("registry.example.com/acme/shop:prod".parse().unwrap());
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entry = Entry::open(line).unwrap();
        let (leaf, checked) = check(&state.channel, state.size, state.leaf, line).unwrap();
        assert_eq!(checked, entry);
        assert_eq!(state.take(line).unwrap(), entry);
        assert_eq!(state.leaf, Some(leaf));
        assert_eq!(entry.seal().unwrap().bytes(), line, "sealed again, the bytes are the same");
    }
    let report = LogReport::of_jsonl(None, &bytes);
    assert_eq!((state.size, state.live, state.previous), (report.entries, report.live, report.previous));
}

/// Makes changed entries: every field of every kind of entry in a log is removed, and is replaced by other values. Each
/// case is the position and the changed entry.
fn changed(lines: &[&[u8]]) -> Vec<(usize, Value)> {
    let mut cases = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (seq, line) in lines.iter().enumerate() {
        let entry: Value = serde_json::from_slice(line).unwrap();
        if !seen.insert((entry["kind"].to_string(), entry["body"]["op"].to_string(), seq.min(2))) {
            continue;
        }
        let mut paths = Vec::new();
        paths_of(&entry, String::new(), &mut paths);
        for path in paths {
            let (parent, name) = path.rsplit_once('/').unwrap();
            let mut without = entry.clone();
            if let Some(fields) = without.pointer_mut(parent).and_then(Value::as_object_mut) {
                fields.remove(name);
                cases.push((seq, without));
            }
            let others = [
                json!(17),
                json!(1),
                json!(true),
                json!(false),
                json!(""),
                json!("x"),
                json!({}),
                json!([]),
                json!(-1),
            ];
            for other in others {
                let mut changed = entry.clone();
                *changed.pointer_mut(&path).unwrap() = other;
                cases.push((seq, changed));
            }
        }
    }
    cases
}

/// Every field of every kind of entry is removed and replaced. Each entry that the independent verifier refuses is
/// refused here, at the same position. (This implementation also refuses fields that the other one does not check.)
#[test]
fn nothing_is_accepted_that_the_independent_verifier_refuses() {
    let good = vector("good");
    let lines: Vec<&[u8]> = good.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let cases = changed(&lines);
    assert!(cases.len() > 2_000, "{} cases", cases.len());
    let bytes: Vec<Vec<u8>> = cases.iter().map(|(_, entry)| tagwarden::log::canonical(entry).unwrap()).collect();
    let theirs = judged_by_the_other(&cases.iter().map(|(seq, _)| *seq).zip(&bytes).collect::<Vec<_>>());
    let mut agreed = 0;
    for (((seq, _), bytes), theirs) in cases.iter().zip(&bytes).zip(theirs) {
        let mut log = lines[..*seq].join(&b'\n');
        log.extend_from_slice(if *seq > 0 { b"\n" } else { b"" });
        log.extend_from_slice(bytes);
        log.push(b'\n');
        let ours = LogReport::of_jsonl(Some("registry.example.com/acme/shop:prod".parse().unwrap()), &log).defect;
        let what = String::from_utf8_lossy(bytes);
        match (&ours, theirs.as_str()) {
            (None, theirs) => assert_eq!(theirs, "", "accepted: {what}"),
            (Some(ours), theirs) => {
                assert_eq!(ours.seq, *seq as u64, "{what}");
                agreed += usize::from(theirs == ours.code.as_str());
            }
        }
    }
    assert!(agreed > 800, "the codes agree in {agreed} of {} cases", cases.len());
}

/// A changed entry in the middle of a log with a correct chain: both verifiers report the same defects, also in later
/// entries that depend on the changed one, and end with the same state.
#[test]
fn log_continued_after_a_defect_has_the_result_of_the_independent_verifier() {
    let good = vector("good");
    let lines: Vec<&[u8]> = good.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let logs: Vec<Vec<u8>> =
        changed(&lines).iter().step_by(53).map(|(seq, entry)| rechained(&lines, *seq, entry)).collect();
    let theirs = whole_logs_judged_by_the_other(&logs);
    let (mut compared, mut went_on) = (0, 0);
    for (log, theirs) in logs.iter().zip(theirs) {
        let report = LogReport::of_jsonl(Some("registry.example.com/acme/shop:prod".parse().unwrap()), log);
        let ours = in_its_words(&report);
        // This implementation refuses more forms of fields. If an entry breaks two rules, either one may be reported.
        if report.defect.is_some() && theirs["defect"] != ours["defect"] {
            continue;
        }
        assert_eq!(ours, theirs, "{report:?}");
        compared += 1;
        went_on += usize::from(report.defect.is_some_and(|defect| !defect.code.ends_reading()));
    }
    assert!(compared > 70 && went_on > 35, "{compared} of {} logs compared, {went_on} went on", logs.len());
}

/// The log with another entry at `seq`, and with corrected parents.
fn rechained(lines: &[&[u8]], seq: usize, entry: &Value) -> Vec<u8> {
    let mut log = Vec::new();
    let mut parent: Option<String> = None;
    for (at, line) in lines.iter().enumerate() {
        let mut value = if at == seq { entry.clone() } else { serde_json::from_slice(line).unwrap() };
        if let (Some(parent), Some(fields)) = (parent, value.as_object_mut()) {
            fields.insert("parent".to_owned(), json!(parent));
        }
        let bytes = tagwarden::log::canonical(&value).unwrap();
        parent = Some(tagwarden::Digest::Sha256(leaf_hash(&bytes)).to_string());
        log.extend_from_slice(&bytes);
        log.push(b'\n');
    }
    log
}

/// The independent verifier's result for each log, in the format of `expected.json`.
fn whole_logs_judged_by_the_other(logs: &[Vec<u8>]) -> Vec<Value> {
    let script = "import base64, json, sys; sys.path.insert(0, sys.argv[1]); import verify_ledger as v\n\
        for path in sys.argv[2:]:\n    \
            log, torn = v.read(path); defects = [{'seq': seq, 'code': code} for seq, code, _ in log.defects]\n    \
            print(json.dumps({'defect': (defects or [None])[0], 'defects': defects, 'torn_bytes': torn,\n        \
                'entries': len(log.hashes), 'live': log.live, 'open_intent': log.open and log.open['seq'],\n        \
                'holds': log.holds, 'blocked': log.blocked, 'root': base64.b64encode(v.root(log.hashes)).decode()}))";
    let dir = tempfile::tempdir().unwrap();
    let paths = logs.iter().enumerate().map(|(number, log)| {
        let path = dir.path().join(number.to_string());
        std::fs::write(&path, log).unwrap();
        path
    });
    let paths: Vec<_> = paths.collect();
    let run = std::process::Command::new("python3").arg("-c").arg(script).arg(file("tools")).args(paths).output();
    let run = run.expect("python3");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let said: Vec<Value> =
        String::from_utf8(run.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), logs.len());
    said
}

/// The JSON pointers of all values in `entry`.
fn paths_of(value: &Value, path: String, to: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in children {
        let path = format!("{path}/{name}");
        paths_of(value, path.clone(), to);
        to.push(path);
    }
}

/// The independent verifier's code for each case, or nothing. A case is an entry that follows the good log up to its
/// position.
fn judged_by_the_other(cases: &[(usize, &Vec<u8>)]) -> Vec<String> {
    let script = "import copy, json, sys; sys.path.insert(0, sys.argv[1]); import verify_ledger as v\n\
        good = open(sys.argv[2], 'rb').read().split(b'\\n')\n\
        states = [v.Log()]\n\
        for seq, line in enumerate(good[:-1]):\n    \
            states.append(copy.deepcopy(states[-1])); states[-1].add(seq, line)\n\
        for line in open(sys.argv[3], 'rb').read().split(b'\\n')[:-1]:\n    \
            seq, line = line.split(b' ', 1); log = copy.deepcopy(states[int(seq)]); log.add(int(seq), line)\n    \
            print(log.defects[0][1] if log.defects else '')";
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("cases");
    let text: Vec<u8> =
        cases.iter().flat_map(|(seq, bytes)| [format!("{seq} ").as_bytes(), bytes, b"\n"].concat()).collect();
    std::fs::write(&list, text).unwrap();
    let run = std::process::Command::new("python3")
        .arg("-c")
        .arg(script)
        .args([file("tools"), file("vectors/log/good.jsonl"), list])
        .output()
        .expect("python3");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let said: Vec<String> = String::from_utf8(run.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(said.len(), cases.len());
    said
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
