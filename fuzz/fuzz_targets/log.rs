//! A whole log: it does not matter how it is fed, and entry by entry it folds to what the report says.
//!
//! The chain would stop nearly every mutation, so parents are set right before the log is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tagwarden::record::{ChannelState, Leaf, LogReport, Sealed, Verifier, canonical};

fuzz_target!(|bytes: &[u8]| {
    agree(bytes);
    agree(&chained(bytes));
});

fn agree(bytes: &[u8]) {
    let report = LogReport::of_jsonl(None, bytes);
    let mut verifier = Verifier::new(None);
    bytes.chunks(97).for_each(|part| verifier.feed_jsonl(part));
    assert_eq!(verifier.finish(), report);

    let Some(channel) = report.channel.clone() else { return };
    let mut state = ChannelState::empty(channel);
    let lines = bytes.split(|byte| *byte == b'\n').take(bytes.iter().filter(|byte| **byte == b'\n').count());
    let defect = lines.map(|line| state.take(line)).find_map(Result::err);
    // Only the whole log shows ids and keys that stand in it twice.
    if report.defect.as_ref().is_none_or(|found| !found.why.contains("twice") && !found.why.contains("before")) {
        assert_eq!(defect.map(|defect| (defect.seq, defect.code)), report.defect.map(|found| (found.seq, found.code)));
        assert_eq!(state.live, report.live);
    }
}

/// The same lines, with the parent that each must have.
fn chained(bytes: &[u8]) -> Vec<u8> {
    let mut parent: Option<Leaf> = None;
    let mut log = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut line = line.to_vec();
        if let Ok(mut value @ Value::Object(_)) = serde_json::from_slice(&line) {
            if let Some(parent) = parent {
                value["parent"] = parent.to_string().into();
            }
            line = canonical(&value).unwrap_or(line);
        }
        parent = Some(Sealed::of(line.clone()).leaf());
        log.extend(line);
        log.push(b'\n');
    }
    log
}
