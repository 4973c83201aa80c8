//! How a channel's files are named, so that no two channels share one on any file system.

use crate::value::{Channel, Digest};

/// The longest name before the extension, in bytes. Most file systems hold 255; extensions need some of them.
const MAX: usize = 200;

/// What is kept of a longer name, so that people still see whose it is.
const PREFIX: usize = 120;

/// The file name of `channel`, without an extension.
///
/// `a-z`, `0-9`, `.`, `-` and `_` stand as they are; everything else, upper-case letters too, is `%` and two lower-case
/// hex digits, so that names which differ in case only differ on every file system. A name of more than 200 bytes is its
/// first 120, `~` and the SHA-256 of the channel; `~` stands in no other name.
pub(super) fn encode(channel: &Channel) -> String {
    let text = channel.to_string();
    let mut name = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.len() > MAX {
        let digest = Digest::of(text.as_bytes()).to_string();
        name.truncate(PREFIX);
        name.push('~');
        name.push_str(digest.trim_start_matches("sha256:"));
    }
    name
}

/// The channel of a file name; none if the name was shortened or is not a channel's.
pub(super) fn decode(name: &str) -> Option<Channel> {
    let mut text = Vec::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                text.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            _ => text.push(byte),
        }
    }
    let channel = String::from_utf8(text).ok()?.parse().ok()?;
    (encode(&channel) == name).then_some(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(text: &str) -> Channel {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_safe_on_file_systems_without_case_and_come_back() {
        let name = encode(&channel("127.0.0.1:5000/acme/shop:Prod"));
        assert_eq!(name, "127.0.0.1%3a5000%2facme%2fshop%3a%50rod");
        assert_eq!(decode(&name), Some(channel("127.0.0.1:5000/acme/shop:Prod")));
        assert_ne!(encode(&channel("reg.io/a:PROD")), encode(&channel("reg.io/a:prod")).to_lowercase());
    }

    #[test]
    fn a_long_name_is_a_prefix_and_a_hash() {
        let long = |last: char| channel(&format!("reg.io/{}{last}:prod", "a/".repeat(100)));
        let name = encode(&long('x'));
        assert_eq!(name.len(), PREFIX + 1 + 64);
        assert!(name.contains('~') && name != encode(&long('y')));
        assert_eq!(decode(&name), None);
    }

    #[test]
    fn a_name_that_is_not_the_one_spelling_is_no_channel() {
        for name in ["reg.io%2Fa%3aprod", "reg.io%2fa%3a%70rod", "notes", "reg.io%2", "reg.io%2fa%3a%ff", "%"] {
            assert_eq!(decode(name), None, "{name}");
        }
    }
}
