//! `ReleaseRange`: two releases, from one to the other.

use std::fmt;
use std::str::FromStr;

use super::expression::ReleaseExpression;
use super::{invalid, quoted, serde_text};
use crate::error::{Error, Result};

/// Two releases, from one to the other: `preprod..prod`.
///
/// ```
/// use tagwarden::ReleaseRange;
/// let range: ReleaseRange = "prod~1..prod".parse()?;
/// assert_eq!((range.old.to_string(), range.new.to_string()), ("prod~1".to_owned(), "prod".to_owned()));
/// # Ok::<(), tagwarden::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ReleaseRange {
    /// The release before the dots.
    pub old: ReleaseExpression,
    /// The release after the dots.
    pub new: ReleaseExpression,
}

impl FromStr for ReleaseRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<ReleaseRange> {
        match text.split_once("..") {
            Some((old, new)) if !old.is_empty() && !new.is_empty() => {
                Ok(ReleaseRange { old: old.parse()?, new: new.parse()? })
            }
            _ => Err(invalid("range", format!("{} is not OLD..NEW, such as preprod..prod", quoted(text)), None)),
        }
    }
}

impl fmt::Display for ReleaseRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.old, self.new)
    }
}

serde_text!(ReleaseRange);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_has_two_releases() {
        let range = |text: &str| text.parse::<ReleaseRange>();
        let both = range("prod@{2h ago}..reg.io/a:prod").unwrap();
        assert_eq!(both.to_string(), "prod@{2h ago}..reg.io/a:prod");
        for text in ["prod", "prod..", "..prod", ""] {
            let why = format!("range: {text:?} is not OLD..NEW, such as preprod..prod");
            assert_eq!(range(text).unwrap_err().to_string(), why);
        }
        let url = range("https://u:c4n4ry@h/x?token=c4n4ry").unwrap_err();
        assert_eq!(url.to_string(), "range: \"…@h/x\" is not OLD..NEW, such as preprod..prod");
    }
}
