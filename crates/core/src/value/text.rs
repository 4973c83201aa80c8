//! `Line`: one line of text that is safe to store and to show; and the shorter lines with a meaning of their own.

use std::sync::Arc;

use super::{invalid, text_value};
use crate::error::{Error, Result};

/// Defines a line of 1 to `$max` characters; `$what` names it in errors.
macro_rules! line_value {
    ($(#[$about:meta])* pub struct $name:ident($what:literal, $max:expr);) => {
        $(#[$about])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl std::str::FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<$name> {
                parse($what, text, $max).map($name)
            }
        }

        // Older entries of a log may contain invisible characters.
        text_value!($name, |text: &str| check($what, text, $max).map($name));
    };
}

line_value! {
    /// One line of text: 1 to 1,024 characters, without control, bidirectional-override or invisible characters.
    ///
    /// Every text that people or pipelines write (reasons, run ids, actors) is a `Line`. So nothing in a ledger can
    /// control a terminal or make one line look like another. U+200C and U+200D are allowed, because names in some
    /// scripts need them.
    ///
    /// Serde also accepts invisible characters, because older entries of a log may contain them.
    pub struct Line("text", MAX);
}

line_value! {
    /// The idempotency key of a request: 1 to 128 characters, without control, bidirectional or invisible ones.
    ///
    /// A key moves a channel at most once: a repeated request with the same key gets the first outcome.
    pub struct IdempotencyKey("idempotency key", 128);
}

line_value! {
    /// The name that people give a release, such as `v1.4.2`: 1 to 128 characters.
    pub struct ReleaseLabel("release", 128);
}

const MAX: usize = 1024;

impl Line {
    /// True for a character that a new line may not have: a control character, one that changes the direction of text,
    /// or an invisible one. Escape it before a text from outside is printed.
    pub fn forbids(char: char) -> bool {
        is_forbidden(char) || is_invisible(char)
    }

    /// The valid text that is nearest to words from outside, which must be shown or recorded in any case. Forbidden and
    /// invisible characters become U+FFFD, text over 1,024 characters is cut and ends in `…`, and empty text becomes `-`.
    pub fn lossy(text: impl AsRef<str>) -> Line {
        let text = text.as_ref();
        let safe = |char| if Line::forbids(char) { char::REPLACEMENT_CHARACTER } else { char };
        Line(match text.char_indices().nth(MAX) {
            _ if text.is_empty() => "-".into(),
            None => text.chars().map(safe).collect::<String>().into(),
            Some(_) => text.chars().take(MAX - 1).map(safe).chain(['…']).collect::<String>().into(),
        })
    }
}

/// The texts of these values, one after the other.
pub(crate) fn joined<T: std::fmt::Display>(values: impl IntoIterator<Item = T>, between: &str) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(between)
}

/// A line of 1 to `max` characters that may be written now; `what` names it in the error.
fn parse(what: &str, text: &str, max: usize) -> Result<Arc<str>> {
    if let Some((at, char)) = text.char_indices().find(|(_, char)| is_invisible(*char)) {
        return Err(invalid(what, format!("invisible character U+{:04X}", u32::from(char)), Some(at)));
    }
    check(what, text, max)
}

fn check(what: &str, text: &str, max: usize) -> Result<Arc<str>> {
    if text.is_empty() {
        return Err(invalid(what, "it is empty", Some(0)));
    }
    if text.len() <= max && text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~')) {
        return Ok(text.into());
    }
    if let Some((at, char)) = text.char_indices().find(|(_, char)| is_forbidden(*char)) {
        return Err(invalid(what, format!("control or bidirectional character U+{:04X}", u32::from(char)), Some(at)));
    }
    match text.chars().count() {
        length if length > max => Err(invalid(what, format!("{length} characters, the most is {max}"), None)),
        _ => Ok(text.into()),
    }
}

/// Characters that no entry may contain: C0, DEL, C1, and those that change the direction of text (UAX #9).
pub(crate) fn is_forbidden(char: char) -> bool {
    matches!(char,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Invisible characters, which new entries may not contain: soft hyphen, zero-width space, line and paragraph separators,
/// word joiner, invisible operators, byte order mark, tag characters. With them, two texts could look the same and differ.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_character_is_refused_by_its_code_point() {
        let error = |text: &str| text.parse::<Line>().unwrap_err().to_string();
        assert_eq!(error("ad\u{200b}a"), "text: invisible character U+200B at byte 2");
        assert_eq!(error("\u{feff}ada"), "text: invisible character U+FEFF at byte 0");
        assert_eq!(error("a\u{e0041}"), "text: invisible character U+E0041 at byte 1");
        for char in ['\u{ad}', '\u{2028}', '\u{2029}', '\u{2060}', '\u{2064}', '\u{e0000}', '\u{e007f}'] {
            assert!(error(&format!("a{char}")).starts_with("text: invisible character U+"));
        }
        for joiner in ["می\u{200c}خواهم", "👩\u{200d}💻"] {
            assert_eq!(joiner.parse::<Line>().unwrap().as_str(), joiner);
        }
        assert_eq!(Line::lossy("ad\u{200b}a").as_str(), "ad\u{fffd}a");
    }

    #[test]
    fn invisible_character_of_a_log_is_read_as_it_is() {
        let text: Line = serde_json::from_str("\"ad\u{200b}a\"").unwrap();
        assert_eq!(text.as_str(), "ad\u{200b}a");
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"ad\u{200b}a\"");
        assert!(serde_json::from_str::<Line>("\"ad\u{202e}a\"").is_err(), "no entry may hold it");
        assert!(serde_json::from_str::<Line>("\"\"").is_err());
    }

    #[test]
    fn errors_say_what_why_and_where() {
        let error = |text: &str| text.parse::<Line>().unwrap_err().to_string();
        assert_eq!(error(""), "text: it is empty at byte 0");
        assert_eq!(error("a\u{1b}[31m"), "text: control or bidirectional character U+001B at byte 1");
        assert_eq!(error("é\u{202e}"), "text: control or bidirectional character U+202E at byte 2");
        assert_eq!(error(&"é".repeat(1025)), "text: 1025 characters, the most is 1024");
        assert!("é".repeat(1024).parse::<Line>().is_ok());
        let error = "k".repeat(129).parse::<IdempotencyKey>().unwrap_err().to_string();
        assert_eq!(error, "idempotency key: 129 characters, the most is 128");
    }

    #[test]
    fn a_lossy_text_is_always_a_text() {
        assert_eq!(Line::lossy("").as_str(), "-");
        assert_eq!(Line::lossy("a\u{1b}[31m\n").as_str(), "a\u{fffd}[31m\u{fffd}");
        let long = Line::lossy("é".repeat(1025));
        assert_eq!((long.as_str().chars().count(), long.as_str().chars().last()), (1024, Some('…')));
        for text in ["", "\u{202e}", "plain", &"é".repeat(2000)] {
            let lossy = Line::lossy(text);
            assert_eq!(lossy.as_str().parse::<Line>().unwrap(), lossy);
        }
    }
}
