//! One function for each fuzz target. It takes any bytes and panics if the reader breaks one of its rules.
//!
//! `fuzz_targets` runs each function under libFuzzer, `tests/corpus.rs` runs it on the files of `corpus/`.

use serde_json::Value;
use tagwarden::log::{ChannelState, DefectCode, EncodedEntry, Entry, EntryHash, LogReport, Verifier, canonical, check};
use tagwarden::registry::Manifest;
use tagwarden::registry::oci::fuzz;
use tagwarden::{Channel, Digest, ErrorKind, Reference, Repository, Tag, Timestamp};

/// The number of defects that a report lists at most.
const MAX_DEFECTS: usize = 100;

/// Defines the program of one target. Without `--cfg fuzzing`, as in an ordinary build, the program ends with an error.
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

/// The input as text; empty if it is not UTF-8.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// A digest has exactly one spelling, and a parse error is VALUE_INVALID.
pub fn digest(bytes: &[u8]) {
    match text(bytes).parse::<Digest>() {
        Ok(digest) => assert_eq!(digest.to_string(), text(bytes)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ValueInvalid),
    }
}

/// A name has exactly one spelling: a parsed value is written as it was read.
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

/// One entry: an accepted entry is canonical, can be opened, and both readers give the same value.
pub fn entry(bytes: &[u8]) {
    let value = serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    // Use the channel of the entry, so that not every input is refused for its position.
    let channel: Option<Channel> = value["channel"].as_str().and_then(|text| text.parse().ok());
    let channel = channel.unwrap_or_else(|| "reg.io/a:prod".parse().unwrap());
    let parent: Option<Digest> = value["parent"].as_str().and_then(|text| text.parse().ok());
    let seq = value["seq"].as_u64().unwrap_or(0);
    if let Ok((_, entry)) = check(&channel, seq, parent, bytes) {
        assert_eq!(canonical(&value).unwrap(), bytes);
        assert_eq!(Entry::open(bytes).unwrap(), entry);
    }
}

/// A whole log: the report does not depend on the size of the parts that are fed, and applying entry by entry gives the
/// same state as the report.
///
/// A wrong parent would stop nearly every mutated log, so the log is read a second time with corrected parents.
pub fn log(bytes: &[u8]) {
    agree(bytes);
    agree(&chained(bytes));
}

fn agree(bytes: &[u8]) {
    let report = LogReport::of_jsonl(None, bytes);
    let mut verifier = Verifier::new(None);
    bytes.chunks(97).for_each(|part| verifier.feed_jsonl(part));
    assert_eq!(verifier.finish(), report);

    // Each entry has at most one defect. Some defects end the reading; such a defect is the last one.
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
    // Reused ids, keys and digests are visible in the whole log only. From such a defect on the two lists may differ.
    let whole_log = |code| matches!(code, DefectCode::IdReused | DefectCode::Target | DefectCode::KeyReused);
    let same = report.defects.iter().position(|defect| whole_log(defect.code));
    let (same, all) = (same.unwrap_or(report.defects.len()), same.is_none());
    assert!(defects.iter().copied().take(same).eq(listed.take(same)), "{defects:?} {:?}", report.defects);
    if all {
        assert_eq!(defects.len(), report.defects.len(), "{defects:?} {:?}", report.defects);
        assert_eq!((state.size, state.root()), (report.entries, report.root));
        assert_eq!((state.live, state.previous), (report.live, report.previous));
        assert_eq!(state.open.map(|open| open.seq), report.open_intent);
        let blocked: Vec<_> = state.blocked.iter().map(|block| block.digest).collect();
        assert_eq!((state.holds.len(), blocked), (report.holds.len(), report.blocked));
    }
}

/// The same lines, each with the correct parent.
fn chained(bytes: &[u8]) -> Vec<u8> {
    let mut parent: Option<EntryHash> = None;
    let mut log = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut line = line.to_vec();
        if let Ok(mut value @ Value::Object(_)) = serde_json::from_slice(&line) {
            if let Some(parent) = parent {
                value["parent"] = parent.to_string().into();
            }
            line = canonical(&value).unwrap_or(line);
        }
        parent = Some(EncodedEntry::of(line.clone()).leaf());
        log.extend(line);
        log.push(b'\n');
    }
    log
}

/// A manifest keeps its bytes and has their digest. The first line of the input is the media type.
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

/// The challenge of a registry (`WWW-Authenticate`) is parsed without a panic.
pub fn www_authenticate(bytes: &[u8]) {
    fuzz::www_authenticate(text(bytes));
}

/// The header with a registry's next page (`Link`) is parsed without a panic.
pub fn link(bytes: &[u8]) {
    fuzz::link(text(bytes));
}
