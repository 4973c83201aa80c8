//! `ReleaseExpression`: a release as people name it on a command line.

use std::fmt;
use std::str::FromStr;

use super::past::PastStep;
use super::{AsWritten, Channel, Digest, Reference, ReleaseLabel, ReleaseName, Tag, invalid, serde_text};
use crate::error::{Error, Result};

/// A release as people name it. Every operation that takes a release reads it by this grammar; the channel that the
/// operation is about (`CHANNEL` below) is the one that an expression without a name of its own is about.
///
/// # Syntax
///
/// | text | names |
/// | --- | --- |
/// | `sha256:…` | this digest |
/// | `1.4.2` | a word: the environment of that name; else the channel of that tag beside `CHANNEL`, if the ledger has
/// its log; else the release of that name |
/// | `1.4.2@sha256:…` | this digest; the tag is its label for people |
/// | `HOST/REPOSITORY:1.4.2`, with `@sha256:…` or `oci://` | a word or a digest of that repository |
/// | `prod~2` | what was live on `prod` two changes ago; `~0` is the live digest, `~1` the previous one |
/// | `prod#42` | what the move of `prod` at sequence number 42 made live |
/// | `prod@{2 hours ago}`, `prod@{2026-11-23T06:00:00Z}` | what was live on `prod` at that time |
/// | `~2`, `#42`, `@{2h ago}` | the same on `CHANNEL` |
///
/// Before `~`, `#` and `@{`, a word is an environment, or the tag of a channel beside `CHANNEL`;
/// `HOST/REPOSITORY:TAG` is a channel. A label of a release that has one of these three characters in it cannot be
/// written; name its digest. A time is RFC 3339, or a whole number with a unit (`s`, `m`, `h` or `d`, or its word) and
/// `ago`.
///
/// ```
/// use tagwarden::{ReleaseExpression, PastStep};
/// let past: ReleaseExpression = "prod~2".parse()?;
/// assert!(matches!(past, ReleaseExpression::Past(Some(_), PastStep::Back(2))));
/// assert_eq!("@{2 hours ago}".parse::<ReleaseExpression>()?.to_string(), "@{2h ago}");
/// assert!("prod#".parse::<ReleaseExpression>().is_err());
/// # Ok::<(), tagwarden::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum ReleaseExpression {
    /// A word: an environment, a channel, or a release by its tag or its label.
    Word(ReleaseLabel),
    /// A digest, with the tag that was written before it.
    Digest(Digest, Option<Tag>),
    /// A release or a channel by its whole name.
    Name(ReleaseName),
    /// A reference that is no channel, even if the ledger has a log of its tag. Only programs make it: as text it is a
    /// [`Name`](ReleaseExpression::Name).
    Reference(Reference),
    /// The live digest of a channel. Only programs make it: as text it is a [`Name`](ReleaseExpression::Name).
    Channel(Channel),
    /// A digest that was live on a channel; without a name, on the channel that the operation is about.
    Past(Option<ChannelName>, PastStep),
}

/// The name of a channel in an expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChannelName {
    /// An environment, or the tag of a channel of the same repository.
    Word(Tag),
    /// A channel by its whole name.
    Channel(Channel),
}

impl FromStr for ReleaseExpression {
    type Err = Error;

    fn from_str(text: &str) -> Result<ReleaseExpression> {
        if let Some(at) = text.char_indices().find_map(|(at, char)| begins_step(char, text, at).then_some(at)) {
            let (channel, step) = text.split_at(at);
            let channel = if channel.is_empty() { None } else { Some(channel.parse()?) };
            return Ok(ReleaseExpression::Past(channel, step.parse()?));
        }
        match text.split_once('@') {
            _ if text.contains('/') && text.contains([':', '@']) => text.parse().map(ReleaseExpression::Name),
            Some((tag, digest)) => {
                let digest = digest.parse::<Digest>().map_err(|e| invalid("reference", e, None))?;
                Ok(ReleaseExpression::Digest(digest, Some(tag.parse()?)))
            }
            None if text.contains(':') => Ok(ReleaseExpression::Digest(text.parse()?, None)),
            None => text.parse().map(ReleaseExpression::Word),
        }
    }
}

/// True if a step begins at this character. `@` alone begins a digest.
fn begins_step(char: char, text: &str, at: usize) -> bool {
    match char {
        '~' | '#' => true,
        '@' => text.get(at + 1..).is_some_and(|rest| rest.starts_with('{')),
        _ => false,
    }
}

impl fmt::Display for ReleaseExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReleaseExpression::Word(word) => word.fmt(f),
            ReleaseExpression::Digest(digest, None) => digest.fmt(f),
            ReleaseExpression::Digest(digest, Some(tag)) => write!(f, "{tag}@{digest}"),
            ReleaseExpression::Name(name) => name.fmt(f),
            ReleaseExpression::Reference(reference) => reference.fmt(f),
            ReleaseExpression::Channel(channel) => channel.fmt(f),
            ReleaseExpression::Past(None, step) => step.fmt(f),
            ReleaseExpression::Past(Some(channel), step) => write!(f, "{channel}{step}"),
        }
    }
}

serde_text!(ReleaseExpression);

impl TryFrom<String> for ReleaseExpression {
    type Error = Error;

    fn try_from(text: String) -> Result<ReleaseExpression> {
        text.parse()
    }
}

macro_rules! from {
    ($($given:ty: $value:ident => $expression:expr;)+) => {
        $(impl From<$given> for ReleaseExpression {
            fn from($value: $given) -> ReleaseExpression {
                $expression
            }
        })+
    };
}

from! {
    Digest: digest => ReleaseExpression::Digest(digest, None);
    ReleaseName: name => ReleaseExpression::Name(name);
    Reference: reference => ReleaseExpression::Reference(reference);
    Channel: channel => ReleaseExpression::Channel(channel);
    &Channel: channel => ReleaseExpression::Channel(channel.clone());
}

impl FromStr for ChannelName {
    type Err = Error;

    fn from_str(text: &str) -> Result<ChannelName> {
        match text.contains('/') {
            true => text.parse().map(|AsWritten(channel)| ChannelName::Channel(channel)),
            false => text.parse().map(ChannelName::Word),
        }
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChannelName::Word(word) => word.fmt(f),
            ChannelName::Channel(channel) => channel.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::value::{PastTime, Timestamp};

    const DIGEST: &str = "sha256:0aca8b7f1c2a25556ae7a5c4059c4610beeee84aaa65d298faff4549293c1e75";

    fn read(text: &str) -> ReleaseExpression {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn expression_of_each_form_is_read_and_written() {
        let (tag, channel) = ("prod".parse::<Tag>().unwrap(), "reg.io:5000/a:prod".parse::<Channel>().unwrap());
        let (word, whole) = (Some(ChannelName::Word(tag)), Some(ChannelName::Channel(channel)));
        let moment: Timestamp = "2026-11-23T06:00:00Z".parse().unwrap();
        let (digest, ago) = (DIGEST.parse().unwrap(), |s| PastStep::At(PastTime::Ago(Duration::from_secs(s))));
        for (text, want, written) in [
            ("1.4.2", ReleaseExpression::Word("1.4.2".parse().unwrap()), "1.4.2"),
            ("release/1.4", ReleaseExpression::Word("release/1.4".parse().unwrap()), "release/1.4"),
            ("a..b", ReleaseExpression::Word("a..b".parse().unwrap()), "a..b"),
            (DIGEST, ReleaseExpression::Digest(digest, None), DIGEST),
            ("reg.io/a:1", ReleaseExpression::Name("reg.io/a:1".parse().unwrap()), "reg.io/a:1"),
            ("oci://reg.io/a:1", ReleaseExpression::Name("reg.io/a:1".parse().unwrap()), "reg.io/a:1"),
            ("~1", ReleaseExpression::Past(None, PastStep::Back(1)), "~1"),
            ("prod~0", ReleaseExpression::Past(word.clone(), PastStep::Back(0)), "prod~0"),
            ("prod#42", ReleaseExpression::Past(word.clone(), PastStep::Move(42)), "prod#42"),
            ("reg.io:5000/a:prod~2", ReleaseExpression::Past(whole.clone(), PastStep::Back(2)), "reg.io:5000/a:prod~2"),
            ("oci://reg.io:5000/a:prod#1", ReleaseExpression::Past(whole, PastStep::Move(1)), "reg.io:5000/a:prod#1"),
            ("prod@{2 hours ago}", ReleaseExpression::Past(word.clone(), ago(7200)), "prod@{2h ago}"),
            ("prod@{90m ago}", ReleaseExpression::Past(word.clone(), ago(5400)), "prod@{90m ago}"),
            ("@{1 day ago}", ReleaseExpression::Past(None, ago(86_400)), "@{1d ago}"),
            (
                "prod@{2026-11-23T07:00:00+01:00}",
                ReleaseExpression::Past(word, PastStep::At(PastTime::Moment(moment))),
                "prod@{2026-11-23T06:00:00.000Z}",
            ),
        ] {
            let found = read(text);
            assert_eq!((found == want, found.to_string().as_str()), (true, written), "{text}");
            assert_eq!(read(written), found, "{text}");
        }
        let both = read(&format!("1.4.2@{DIGEST}"));
        assert_eq!(both, ReleaseExpression::Digest(digest, Some("1.4.2".parse().unwrap())));
        assert_eq!(both.to_string(), format!("1.4.2@{DIGEST}"));
    }

    #[test]
    fn errors_say_what_and_why() {
        for (text, why) in [
            ("", "release: it is empty at byte 0"),
            ("prod~", "release: \"\" after '~' is not a number of changes"),
            ("1.4.2~rc1", "release: \"rc1\" after '~' is not a number of changes"),
            ("prod~-1", "release: \"-1\" after '~' is not a number of changes"),
            ("prod#", "release: \"\" after '#' is not the sequence number of a move"),
            ("prod#1~1", "release: \"1~1\" after '#' is not the sequence number of a move"),
            ("prod@{now}", "time: \"now\" is neither RFC 3339 nor a time such as 2 hours ago"),
            ("prod@{hours ago}", "time: \"hours ago\" is neither RFC 3339 nor a time such as 2 hours ago"),
            ("prod@{2 weeks ago}", "time: \"2 weeks ago\" is neither RFC 3339 nor a time such as 2 hours ago"),
            ("prod@{2h", "release: \"@{2h\" is none of ~2, #42 and @{2 hours ago}"),
            ("~https://u:c4n4ry@h/x", "release: \"…@h/x\" after '~' is not a number of changes"),
            ("prod#u:c4n4ry@h", "release: \"…@h\" after '#' is not the sequence number of a move"),
            ("pröd~1", "tag: not a tag character (a-z, A-Z, 0-9, '_', '.', '-') at byte 2"),
            ("reg.io/a~1", "reference: no tag and no digest; no default is assumed at byte 8"),
            ("sha256:zz", "digest: not a lower-case hex digit at byte 7"),
            ("1@sha256:zz", "reference: digest: not a lower-case hex digit at byte 7"),
        ] {
            assert_eq!(text.parse::<ReleaseExpression>().unwrap_err().to_string(), why, "{text}");
        }
    }
}
