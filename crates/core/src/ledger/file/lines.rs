//! Lines of a log: their ends, the positions in their entries, and lines that a crash tore.

use serde::Deserialize;

use crate::log::{Defect, DefectCode, MAX_ENTRY};
use crate::value::Channel;

/// The greatest length of a line in bytes, including its newline.
pub(super) const MAX_LINE: usize = MAX_ENTRY + 1;

/// The size of a sector in bytes. A disk writes a sector completely or not at all.
const SECTOR: usize = 512;

/// The position (`seq`) in an entry; none if there is none.
///
/// Keys are sorted, so an entry of version 1 ends in `,"seq":N,"v":1}`. No string can contain that text, because a
/// quote in a string is escaped. Every other entry is parsed completely.
pub(in crate::ledger) fn seq_of(line: &[u8]) -> Option<u64> {
    fast_seq(line).or_else(|| Some(parse(line)?.seq))
}

/// The channel in an entry; none if there is none.
pub(in crate::ledger) fn channel_of(line: &[u8]) -> Option<Channel> {
    parse(line)?.channel.parse().ok()
}

fn fast_seq(line: &[u8]) -> Option<u64> {
    let head = std::str::from_utf8(line.strip_suffix(br#","v":1}"#)?).ok()?;
    let (_, digits) = head.rsplit_once(r#","seq":"#)?;
    // A number has one spelling, without a sign and leading zeros.
    digits.parse().ok().filter(|seq: &u64| seq.to_string() == digits)
}

#[derive(Deserialize)]
struct Head {
    channel: String,
    seq: u64,
}

fn parse(line: &[u8]) -> Option<Head> {
    serde_json::from_slice(line).ok()
}

/// The first complete line of `bytes`, with its newline; none if there is no newline.
pub(super) fn first_line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..=memchr::memchr(b'\n', bytes)?)
}

/// True if a crash tore the line that begins at `offset`: it has its newline, but some of its sectors never reached the
/// disk and read as zeros. No entry contains a zero byte, and a single flipped byte does not fill complete sectors.
pub(super) fn is_torn(line: &[u8], offset: u64) -> bool {
    // The sectors of the file do not begin with the line.
    let first = line.len().min(SECTOR - (offset % SECTOR as u64) as usize);
    let (first, rest) = line.split_at(first);
    let is_lost = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    line.contains(&0) && rest.chunks(SECTOR).chain([first]).all(|sector| is_lost(sector) || !sector.contains(&0))
}

/// The reason why the line cannot be the entry at position `seq`; none if it can be. All other rules are checked when
/// the entry is applied.
pub(in crate::ledger) fn defect(line: &[u8], seq: u64) -> Option<Defect> {
    let defect = |code, why| Some(Defect { seq, code, why });
    if line.is_empty() {
        return defect(DefectCode::NotJson, "an empty line".to_owned());
    }
    if line.len() > MAX_ENTRY {
        return defect(DefectCode::TooLarge, format!("more than {MAX_ENTRY} bytes"));
    }
    match seq_of(line) {
        Some(said) if said != seq => defect(DefectCode::Sequence, format!("the entry says that its seq is {said}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_is_the_entrys_own_never_one_in_a_string() {
        assert_eq!(seq_of(br#"{"body":{"seq":7},"channel":"reg.io/a:b","seq":42,"v":1}"#), Some(42));
        assert_eq!(seq_of(br#"{"channel":"x","seq":42,"v":2,"z":",\"seq\":7,\"v\":1}"}"#), Some(42));
        assert_eq!(seq_of(br#"{"channel":"x","seq":3,"v":1,"x":{"a":",","seq":7,"v":1}}"#), Some(3));
        assert_eq!(seq_of(br#"{"channel":"x","seq":042,"v":1}"#), None);
        assert_eq!(seq_of(br#"{"channel":"x","body":{},"v":1}"#), None);
        assert_eq!(seq_of(b""), None);
    }

    #[test]
    fn a_torn_line_has_zeros_in_whole_sectors_only() {
        let mut line = vec![b'x'; 1500];
        assert!(!is_torn(&line, 100));
        line[412..924].fill(0);
        assert!(is_torn(&line, 100), "the second sector is missing");
        line[..412].fill(0);
        assert!(is_torn(&line, 100), "the first two are missing");
        line[1000] = 0;
        assert!(!is_torn(&line, 100), "a zero in the middle of a sector is a flipped byte");
    }

    #[test]
    fn a_defect_says_what_is_wrong_with_the_line() {
        let text = |line: &[u8]| defect(line, 4).map(|defect| defect.to_string());
        assert_eq!(text(b"").as_deref(), Some("seq 4: NOT_JSON: an empty line"));
        assert_eq!(
            text(br#"{"channel":"x","seq":5,"v":1}"#).as_deref(),
            Some("seq 4: SEQUENCE: the entry says that its seq is 5")
        );
        assert_eq!(text(&[b'x'; MAX_LINE]).as_deref(), Some("seq 4: TOO_LARGE: more than 32768 bytes"));
        assert_eq!(text(b"half a line"), None, "the fold names it");
    }
}
