//! The code that the values share: errors of parsing, and the traits of a value that is text.

use std::borrow::Cow;

use serde::Deserialize;

use super::without_credentials;
use crate::error::{Error, ErrorKind, Result};

/// The text of a name of 1 to `max` bytes. `flaw` says what is wrong with a character at its byte, or nothing.
pub(super) fn parse_name(
    what: &str,
    text: &str,
    max: usize,
    flaw: impl Fn(usize, char) -> Option<String>,
) -> Result<Box<str>> {
    if text.is_empty() {
        return Err(invalid(what, "it is empty", Some(0)));
    }
    if let Some((at, why)) = text.char_indices().find_map(|(at, char)| Some((at, flaw(at, char)?))) {
        return Err(invalid(what, why, Some(at)));
    }
    match text.len() > max {
        true => Err(invalid(what, format!("{} bytes, the most is {max}", text.len()), None)),
        false => Ok(text.into()),
    }
}

/// An error with the message "what: why", or "what: why at byte N".
pub(super) fn invalid(what: &str, why: impl std::fmt::Display, at: Option<usize>) -> Error {
    let at = at.map_or_else(String::new, |at| format!(" at byte {at}"));
    Error::new(ErrorKind::ValueInvalid, format!("{what}: {why}{at}"))
}

/// A text that could not be read, as an error quotes it: escaped, and without what may be credentials.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", without_credentials(text))
}

/// A string in JSON, which is copied only if it has escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct JsonText<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// Implements `Debug`, `TryFrom<&str>` and serde for a value by its text: they write what `Display` writes, and read with
/// `FromStr`; serde may read with another function, `$read`.
macro_rules! serde_text {
    ($name:ident) => {
        $crate::value::serde_text!($name, str::parse);
    };
    ($name:ident, $read:expr) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
        impl TryFrom<&str> for $name {
            type Error = $crate::error::Error;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <$crate::value::JsonText<'de> as serde::Deserialize>::deserialize(from)?;
                ($read)(&text.0).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_text;

/// Implements `as_str`, `AsRef<str>`, `Display` and the traits of [`serde_text!`] for a value that is kept as text.
macro_rules! text_value {
    ($name:ident $(, $read:expr)?) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        $crate::value::serde_text!($name $(, $read)?);
    };
}
pub(crate) use text_value;
