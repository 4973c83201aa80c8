//! The name of a channel's log in a store. No two channels have the same name, also where case does not count.

use super::url::text::unescape;
use crate::value::{Channel, Digest};

/// The longest name before the extension, in bytes. Most file systems allow 255, and extensions need some of them.
const MAX: usize = 200;

/// The number of bytes that are kept of a longer name, so that people can still recognise the channel.
const PREFIX: usize = 120;

/// The two characters of a name that cannot occur in a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling {
    /// Comes before two hex digits.
    escape: char,
    /// Comes before the hash in a name that was too long.
    cut: char,
}

/// The spelling of file names.
#[cfg(all(feature = "file", unix))]
pub(super) const FILE: Spelling = Spelling { escape: '%', cut: '~' };

/// The file name of a channel's log.
#[cfg(all(feature = "file", unix))]
pub(super) fn log_file(channel: &Channel) -> String {
    format!("{}.jsonl", FILE.encode(channel))
}

/// The spelling of object names. They are parts of URLs, and some stores and proxies change `%` and `~` there.
#[cfg(feature = "object-store")]
pub(super) const OBJECT: Spelling = Spelling { escape: '=', cut: '!' };

impl Spelling {
    /// The name of `channel`'s log.
    pub(super) fn encode(self, channel: &Channel) -> String {
        self.encode_text(&channel.to_string())
    }

    /// The name of a text: of a channel, or of a part of it.
    ///
    /// `a-z`, `0-9`, `.`, `-` and `_` are unchanged. Every other byte, upper-case letters too, is written as the escape
    /// and two lower-case hex digits, so that names that differ only in case also differ in stores without case. If the
    /// name has more than 200 bytes, it becomes its first 120 bytes, the cut character and the SHA-256 of the text. No
    /// other name contains the cut character.
    pub(super) fn encode_text(self, text: &str) -> String {
        let escaped = |byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
            _ => format!("{}{byte:02x}", self.escape),
        };
        let mut name: String = text.bytes().map(escaped).collect();
        if name.len() > MAX {
            let digest = Digest::of(text.as_bytes()).to_string();
            name.truncate(PREFIX);
            name.push(self.cut);
            name.push_str(digest.trim_start_matches("sha256:"));
        }
        name
    }

    /// True for a name that was shortened, from which the text cannot be read.
    #[cfg(any(feature = "object-store", all(feature = "git", unix)))]
    pub(super) fn is_cut(self, name: &str) -> bool {
        name.contains(self.cut)
    }

    /// The channel of a name; none if the name was shortened or is not the name of a channel.
    pub(super) fn decode(self, name: &str) -> Option<Channel> {
        let channel = self.unescape(name)?.parse().ok()?;
        (self.encode(&channel) == name).then_some(channel)
    }

    /// The text of a name that was not shortened; none if an escape is malformed.
    pub(super) fn unescape(self, name: &str) -> Option<String> {
        unescape(name, self.escape)
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
