//! `Secret`: a password or token that is never shown; and the words of other programs without secrets.

use std::fmt;
use std::sync::Arc;

#[cfg(any(feature = "oci", feature = "git"))]
use crate::value::is_forbidden;

/// The longest text of another program in an error, in bytes.
#[cfg(any(feature = "oci", feature = "git"))]
const MAX_SHOWN: usize = 1024;

/// A password or a token. It has no `Display` and no serde, and its `Debug` is `***`.
#[derive(Clone, PartialEq, Eq, Hash)]
#[allow(unreachable_pub, reason = "it is public in `registry::oci`, which not every build has")]
pub struct Secret(Arc<str>);

impl Secret {
    /// The secret with this text.
    #[allow(unreachable_pub, reason = "as the type")]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into().into())
    }

    /// The text itself, for the header or form field that needs it.
    #[cfg(any(feature = "oci", feature = "git"))]
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Secret {
        Secret::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `text` with every known secret replaced by `***`.
#[cfg(any(feature = "oci", feature = "git"))]
pub(crate) fn redact(text: &str, secrets: &[Secret]) -> String {
    let mut secrets: Vec<&Secret> = secrets.iter().filter(|secret| !secret.0.is_empty()).collect();
    // Longest first, because a secret may be part of another one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.0.len()));
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(&*secret.0, "***"))
}

/// `text` without the beginning of a secret at its end, where the text was cut. A beginning of up to three characters
/// may remain.
#[cfg(feature = "oci")]
pub(crate) fn redact_end(text: &str, secrets: &[Secret]) -> String {
    let begun = secrets.iter().filter_map(|secret| {
        let ends = secret.0.char_indices().map(|(at, char)| at + char.len_utf8());
        ends.filter(|end| *end > 3 && secret.0.get(..*end).is_some_and(|begun| text.ends_with(begun))).max()
    });
    match begun.max().and_then(|length| text.get(..text.len() - length)) {
        Some(kept) => format!("{kept}***"),
        None => text.to_owned(),
    }
}

/// Words of another program in the form for errors: without secrets, on one line, at most 1 KiB.
#[cfg(any(feature = "oci", feature = "git"))]
pub(crate) fn show(text: &str, secrets: &[Secret]) -> String {
    let mut shown = String::new();
    // Redact before the text is cut, because a secret that is cut in half is not found.
    for char in redact(text.trim_end(), secrets).chars() {
        let before = shown.len();
        match is_forbidden(char) {
            true => shown.extend(char.escape_default()),
            false => shown.push(char),
        }
        if shown.len() > MAX_SHOWN {
            shown.truncate(before);
            shown.push('…');
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
    }

    #[cfg(any(feature = "oci", feature = "git"))]
    #[test]
    fn redaction_takes_the_longest_first() {
        let secrets = [Secret::new("abc"), Secret::new("abcdef"), Secret::new("")];
        assert_eq!(redact("x abcdef y abc z", &secrets), "x *** y *** z");
    }

    #[cfg(feature = "oci")]
    #[test]
    fn a_secret_that_is_cut_at_the_end_is_not_shown() {
        let secrets = [Secret::new("hunter2"), Secret::new("terrier"), Secret::new("éèê")];
        for (text, want) in [
            ("login hunter2", "login ***"),
            ("login hunte", "login ***"),
            ("login hun", "login hun"),
            ("login terr", "login ***"),
            ("login éè", "login ***"),
            ("login", "login"),
            ("", ""),
        ] {
            assert_eq!(redact_end(text, &secrets), want, "{text}");
        }
    }
}
