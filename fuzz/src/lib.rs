//! One function a fuzz target: it takes any bytes and panics if a law of the reader does not hold.
//!
//! `fuzz_targets` gives libFuzzer each of them, `tests/corpus.rs` replays `corpus/` through the same functions.

use serde_json::Value;
use tagwarden::record::{ChannelState, DefectCode, Entry, Leaf, LogReport, Sealed, Step, Verifier, canonical, check};
use tagwarden::registry::Manifest;
use tagwarden::registry::oci::fuzz;
use tagwarden::{Channel, Digest, ErrorKind, Reference, Repository, Tag, Timestamp};

/// How many defects a report lists.
const MAX_DEFECTS: usize = 100;

/// The program of one target. Without `--cfg fuzzing`, as in an ordinary build, it ends with an error.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $crate::$name(bytes));

        #[cfg(not(fuzzing))]
        fn main() {
            eprintln!("error: this program was built without --cfg fuzzing; tests/fuzz builds it with that");
            std::process::exit(2);
        }
    };
}

/// The functions that read text are given none of what is not UTF-8.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// A digest has one spelling, and an error is of the kind for values.
pub fn digest(bytes: &[u8]) {
    match text(bytes).parse::<Digest>() {
        Ok(digest) => assert_eq!(digest.to_string(), text(bytes)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ValueInvalid),
    }
}

/// Names have one spelling: a value is written as it was read.
pub fn reference(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string(), text);
    }
    if let Ok(repository) = text.parse::<Repository>() {
        assert_eq!(repository.to_string(), text);
        assert_eq!(format!("{}/{}", repository.registry(), repository.path()), text);
    }
    if let Ok(channel) = text.parse::<Channel>() {
        assert_eq!(channel.to_string(), text);
        assert_eq!(channel.reference().to_string(), text);
    }
    if let Ok(tag) = text.parse::<Tag>() {
        assert_eq!(tag.to_string(), text);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
    }
}

/// One entry: what is accepted is canonical, can be opened, and says the same in both readings.
pub fn entry(bytes: &[u8]) {
    let value = serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    // What the entry itself names, so that not every input stops at the position.
    let channel: Option<Channel> = value["channel"].as_str().and_then(|text| text.parse().ok());
    let channel = channel.unwrap_or_else(|| "reg.io/a:prod".parse().unwrap());
    let parent: Option<Digest> = value["parent"].as_str().and_then(|text| text.parse().ok());
    let seq = value["seq"].as_u64().unwrap_or(0);
    if let Ok((_, step)) = check(&channel, seq, parent, bytes) {
        assert_eq!(canonical(&value).unwrap(), bytes);
        let entry = Entry::open(bytes).unwrap();
        assert_eq!(Step::of(entry.seq, entry.at, &entry.channel, &entry.body), step);
    }
}

/// A whole log: it does not matter how it is fed, and entry by entry it folds to what the report says.
///
/// The chain would stop nearly every mutation, so parents are set right before the log is read a second time.
pub fn log(bytes: &[u8]) {
    agree(bytes);
    agree(&chained(bytes));
}

fn agree(bytes: &[u8]) {
    let report = LogReport::of_jsonl(None, bytes);
    let mut verifier = Verifier::new(None);
    bytes.chunks(97).for_each(|part| verifier.feed_jsonl(part));
    assert_eq!(verifier.finish(), report);

    // Each defect has its own entry, up to one after which nothing can be judged.
    assert!(report.defects.is_sorted_by(|one, next| one.seq < next.seq), "{:?}", report.defects);
    let ends = report.defects.iter().position(|defect| defect.code.ends_reading());
    assert!(ends.is_none_or(|at| at + 1 == report.defects.len()), "{:?}", report.defects);
    assert_eq!(report.defect, report.defects.first().cloned());

    let Some(channel) = report.channel.clone() else { return };
    let mut state = ChannelState::empty(channel);
    let lines = bytes.split(|byte| *byte == b'\n').take(bytes.iter().filter(|byte| **byte == b'\n').count());
    let mut defects = Vec::new();
    for line in lines {
        defects.extend(state.take(line).err().map(|defect| (defect.seq, defect.code)));
        if defects.len() == MAX_DEFECTS || defects.last().is_some_and(|(_, code)| code.ends_reading()) {
            break;
        }
    }
    let listed = report.defects.iter().map(|defect| (defect.seq, defect.code));
    // Only the whole log shows ids, keys and digests that were in it before: from there on the two may differ.
    let whole_log = |code| matches!(code, DefectCode::IdReused | DefectCode::Target | DefectCode::KeyReused);
    let same = report.defects.iter().position(|defect| whole_log(defect.code));
    let (same, all) = (same.unwrap_or(report.defects.len()), same.is_none());
    assert!(defects.iter().copied().take(same).eq(listed.take(same)), "{defects:?} {:?}", report.defects);
    if all {
        assert_eq!(defects.len(), report.defects.len(), "{defects:?} {:?}", report.defects);
        assert_eq!((state.size, state.root()), (report.entries, report.root));
        assert_eq!((state.live, state.previous), (report.live, report.previous));
        assert_eq!(state.open.map(|open| open.seq), report.open_intent);
        assert_eq!((state.holds.len(), state.blocked), (report.holds.len(), report.blocked));
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

/// A manifest keeps its bytes and has their digest. The input's first line is the media type.
pub fn manifest(input: &[u8]) {
    let line = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (media_type, bytes) = (String::from_utf8_lossy(&input[..line]), &input[(line + 1).min(input.len())..]);
    match Manifest::new(bytes.to_vec(), &media_type) {
        Ok(manifest) => {
            assert_eq!(manifest.bytes(), bytes);
            assert!(manifest.digest().verify(bytes));
            assert!(Manifest::verified(bytes.to_vec(), &media_type, manifest.digest()).is_ok());
            let other = Manifest::verified(bytes.to_vec(), &media_type, Digest::of(b"another manifest"));
            assert_eq!(other.unwrap_err().kind(), ErrorKind::RegistryDigestMismatch);
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::ValueInvalid),
    }
}

/// The challenge of a registry (`WWW-Authenticate`) is read without a panic.
pub fn www_authenticate(bytes: &[u8]) {
    fuzz::www_authenticate(text(bytes));
}

/// The header of a registry's next page (`Link`) is read without a panic.
pub fn link(bytes: &[u8]) {
    fuzz::link(text(bytes));
}
