//! The code that the parts of an address share: its parts, escapes and errors.

use crate::error::{Error, ErrorKind, Result};

/// The host with its user, the path and the options of any other URL.
pub(super) fn parts<'a>(scheme: &str, rest: &'a str) -> Result<(&'a str, &'a str, &'a str)> {
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // A `/` in a password would end the host too early, and the rest of the password would be shown.
    if after.contains(['@', '#']) {
        return Err(bad(format!(
            "{scheme}://: an @ or a # after the host; in a password or a path write @ as %40, # as %23, / as %2F, ? as %3F"
        )));
    }
    decode(scheme, rest)?;
    let (path, query) = after.split_once('?').unwrap_or((after, ""));
    Ok((authority, path, query))
}

/// The text without percent-escapes (RFC 3986, section 2.1). An error if an escape is malformed, or if the result is not
/// UTF-8 or has a NUL.
pub(super) fn decode(scheme: &str, text: &str) -> Result<String> {
    let decoded = unescape(text, '%').filter(|text| !text.contains('\0'));
    decoded.ok_or_else(|| bad(format!("{scheme}://: a % without two hex digits, or not UTF-8; write % as %25")))
}

/// The text without escapes, which are `escape` and two hex digits for a byte; none if an escape is malformed, or if
/// the result is not UTF-8.
pub(in crate::ledger) fn unescape(text: &str, escape: char) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let Some(byte) = rest.next() {
        bytes.push(match char::from(byte) == escape {
            true => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            false => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// CONFIG_INVALID.
pub(in crate::ledger) fn bad(why: String) -> Error {
    Error::new(ErrorKind::ConfigInvalid, format!("ledger: {why}"))
}
