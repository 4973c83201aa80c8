//! `Cursor`: a position in the text of an HTTP header. `WWW-Authenticate` and `Link` have the same parameters.

use std::fmt::Display;

use crate::error::{Error, ErrorKind, Result};

/// The longest header that is read, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// The values that a parameter may have without quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unquoted {
    /// A token, as the grammar says.
    Token,
    /// Anything up to the next ',', or nothing.
    Anything,
}

#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    name: &'static str,
    text: &'a str,
    /// The rest of the text, which was not read yet.
    pub(super) rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// The beginning of a header. REGISTRY_UNAVAILABLE if it is too long.
    pub(super) fn new(name: &'static str, text: &'a str) -> Result<Cursor<'a>> {
        if text.len() > MAX_BYTES {
            return Err(unusable(name, format!("{} bytes, the most is {MAX_BYTES}", text.len())));
        }
        Ok(Cursor { name, text, rest: text })
    }

    /// The number of bytes that were read.
    pub(super) fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// REGISTRY_UNAVAILABLE with the byte at which the grammar is broken.
    pub(super) fn broken(&self, why: impl Display, at: usize) -> Error {
        unusable(self.name, format!("{why} at byte {at}"))
    }

    /// True at the end of a list member.
    pub(super) fn ends(&self) -> bool {
        self.rest.is_empty() || self.rest.starts_with(',')
    }

    /// Skips white space, and then `wanted` if it follows.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        self.spaces();
        let after = self.rest.strip_prefix(wanted);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    pub(super) fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// Skips white space and empty list members (RFC 9110, section 5.6.1). True if another member follows.
    pub(super) fn next_member(&mut self) -> bool {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
        !self.rest.is_empty()
    }

    pub(super) fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|char| !belongs(char)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        run
    }

    /// A token (RFC 9110, section 5.6.2), empty if there is none.
    pub(super) fn token(&mut self) -> &'a str {
        self.run(|char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char))
    }

    /// A parameter and the white space after it: its name in lower case, and its value, which is empty if there is
    /// none.
    pub(super) fn parameter(&mut self, unquoted: Unquoted) -> Result<(String, String)> {
        let name = self.token().to_ascii_lowercase();
        let value = if self.take('=') { self.value(unquoted)? } else { String::new() };
        self.spaces();
        Ok((name, value))
    }

    /// A quoted string, or a value without quotes.
    fn value(&mut self, unquoted: Unquoted) -> Result<String> {
        self.spaces();
        let start = self.at();
        if !self.take('"') {
            return match unquoted {
                Unquoted::Anything => Ok(self.run(|char| char != ',' && char != '"').trim_end().to_owned()),
                Unquoted::Token => match self.token() {
                    "" => Err(self.broken("a parameter has no value", start)),
                    token => Ok(token.to_owned()),
                },
            };
        }
        let mut value = String::new();
        let mut chars = self.rest.chars();
        while let Some(char) = chars.next() {
            match char {
                '\\' => value.extend(chars.next()),
                '"' => {
                    self.rest = chars.as_str();
                    return Ok(value);
                }
                char => value.push(char),
            }
        }
        Err(self.broken("a quoted string has no end; it begins", start))
    }
}

/// REGISTRY_UNAVAILABLE: the header cannot be used.
pub(super) fn unusable(name: &str, why: impl Display) -> Error {
    Error::new(ErrorKind::RegistryUnavailable, format!("{name}: {why}"))
}
