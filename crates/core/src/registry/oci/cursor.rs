//! `Cursor`: a position in the text of an HTTP header. `WWW-Authenticate` and `Link` have the same parameters.

use std::fmt::Display;

use crate::error::{Error, ErrorKind, Result};

/// The longest header that is read, in bytes.
const MAX_BYTES: usize = 8 * 1024;

#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    name: &'static str,
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning of a header. REGISTRY_UNAVAILABLE if it is too long.
    pub(super) fn new(name: &'static str, text: &'a str) -> Result<Cursor<'a>> {
        if text.len() > MAX_BYTES {
            return Err(unusable(name, format!("{} bytes, the most is {MAX_BYTES}", text.len())));
        }
        Ok(Cursor { name, text, at: 0 })
    }

    /// REGISTRY_UNAVAILABLE with the byte at which the grammar is broken.
    pub(super) fn broken(&self, why: impl Display, at: usize) -> Error {
        unusable(self.name, format!("{why} at byte {at}"))
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest().bytes().next()
    }

    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    pub(super) fn spaces(&mut self) {
        self.run(|byte| matches!(byte, b' ' | b'\t'));
    }

    /// Skips white space and empty list members (RFC 9110, section 5.6.1).
    pub(super) fn commas(&mut self) {
        self.run(|byte| matches!(byte, b' ' | b'\t' | b','));
    }

    pub(super) fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !belongs(byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or("")
    }

    /// A token (RFC 9110, section 5.6.2), empty if there is none.
    pub(super) fn token(&mut self) -> &'a str {
        self.run(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    }

    /// A parameter: its name in lower case, and its value, which is empty if there is none.
    pub(super) fn parameter(&mut self) -> Result<(String, String)> {
        let name = self.token().to_ascii_lowercase();
        self.spaces();
        if !self.take(b'=') {
            return Ok((name, String::new()));
        }
        self.spaces();
        Ok((name, self.value()?))
    }

    /// A token or a quoted string.
    fn value(&mut self) -> Result<String> {
        let start = self.at;
        if !self.take(b'"') {
            let token = self.token();
            if token.is_empty() {
                return Err(self.broken("a parameter has no value", start));
            }
            return Ok(token.to_owned());
        }
        let mut value = String::new();
        let mut chars = self.rest().chars();
        while let Some(char) = chars.next() {
            match char {
                '\\' => value.extend(chars.next()),
                '"' => {
                    self.at = self.text.len() - chars.as_str().len();
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
