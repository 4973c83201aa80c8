//! How a channel's log is named in a store, so that no two channels share a name in any.

use crate::value::{Channel, Digest};

/// The longest name before the extension, in bytes. Most file systems hold 255; extensions need some of them.
const MAX: usize = 200;

/// What is kept of a longer name, so that people still see whose it is.
const PREFIX: usize = 120;

/// The two characters that a name has besides those of a channel. Neither stands in a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling {
    /// Stands before two hex digits.
    escape: char,
    /// Stands before the hash of a name that was too long.
    cut: char,
}

/// Of files.
#[cfg(all(feature = "file", unix))]
pub(super) const FILE: Spelling = Spelling { escape: '%', cut: '~' };

/// Of objects, whose names travel in URLs: `%` and `~` are not left as they are by every store and every proxy.
#[cfg(feature = "object-store")]
pub(super) const OBJECT: Spelling = Spelling { escape: '=', cut: '!' };

impl Spelling {
    /// The name of `channel`'s log.
    ///
    /// `a-z`, `0-9`, `.`, `-` and `_` stand as they are; everything else, upper-case letters too, is the escape and two
    /// lower-case hex digits, so that names which differ in case only differ everywhere. A name of more than 200 bytes
    /// is its first 120, the cut and the SHA-256 of the channel; the cut stands in no other name.
    pub(super) fn encode(self, channel: &Channel) -> String {
        let text = channel.to_string();
        let mut name = String::with_capacity(text.len() + 16);
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => name.push(char::from(byte)),
                _ => name.push_str(&format!("{}{byte:02x}", self.escape)),
            }
        }
        if name.len() > MAX {
            let digest = Digest::of(text.as_bytes()).to_string();
            name.truncate(PREFIX);
            name.push(self.cut);
            name.push_str(digest.trim_start_matches("sha256:"));
        }
        name
    }

    /// True for a name that was too long, which does not say its channel.
    #[cfg(feature = "object-store")]
    pub(super) fn is_cut(self, name: &str) -> bool {
        name.contains(self.cut)
    }

    /// The channel of a name; none if the name was shortened or is not a channel's.
    pub(super) fn decode(self, name: &str) -> Option<Channel> {
        let mut text = Vec::with_capacity(name.len());
        let mut bytes = name.bytes();
        while let Some(byte) = bytes.next() {
            match char::from(byte) == self.escape {
                true => {
                    let digits = [bytes.next()?, bytes.next()?];
                    text.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                }
                false => text.push(byte),
            }
        }
        let channel = String::from_utf8(text).ok()?.parse().ok()?;
        (self.encode(&channel) == name).then_some(channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Spelling = Spelling { escape: '%', cut: '~' };
    const OBJECT: Spelling = Spelling { escape: '=', cut: '!' };

    fn channel(text: &str) -> Channel {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_safe_in_stores_without_case_and_come_back() {
        let shop = channel("127.0.0.1:5000/acme/shop:Prod");
        for (spelling, expected) in
            [(FILE, "127.0.0.1%3a5000%2facme%2fshop%3a%50rod"), (OBJECT, "127.0.0.1=3a5000=2facme=2fshop=3a=50rod")]
        {
            assert_eq!(spelling.encode(&shop), expected);
            assert_eq!(spelling.decode(expected), Some(shop.clone()));
            let shouted = spelling.encode(&channel("reg.io/a:PROD"));
            assert_ne!(shouted, spelling.encode(&channel("reg.io/a:prod")).to_lowercase());
        }
    }

    #[test]
    fn a_long_name_is_a_prefix_and_a_hash() {
        let long = |last: char| channel(&format!("reg.io/{}{last}:prod", "a/".repeat(100)));
        for (spelling, cut) in [(FILE, '~'), (OBJECT, '!')] {
            let name = spelling.encode(&long('x'));
            assert_eq!(name.len(), PREFIX + 1 + 64);
            assert!(name.contains(cut) && name != spelling.encode(&long('y')));
            assert_eq!(spelling.decode(&name), None);
        }
    }

    #[test]
    fn a_name_that_is_not_the_one_spelling_is_no_channel() {
        for name in ["reg.io%2Fa%3aprod", "reg.io%2fa%3a%70rod", "notes", "reg.io%2", "reg.io%2fa%3a%ff", "%", ""] {
            assert_eq!(FILE.decode(name), None, "{name}");
            assert_eq!(OBJECT.decode(&name.replace('%', "=")), None, "{name}");
        }
        assert_eq!(OBJECT.decode("probe"), None);
    }
}
