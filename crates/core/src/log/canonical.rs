//! The canonical form of JSON for everything that is hashed: a subset of RFC 8785.
//!
//! Allowed are objects, arrays, strings, `true`, `false` and integers up to 2^53 − 1. Null and fractions are not. The
//! keys of an object are unique and sorted by their UTF-16 code units, only characters that must be escaped are, and
//! there is no space between tokens. So each value has exactly one spelling, and two programs that agree on a value
//! agree on its hash.

use std::cell::Cell;
use std::cmp::Ordering;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// The largest integer, and the negative of the smallest: 2^53 − 1, which every JSON reader keeps exactly (RFC 8259,
/// section 6).
pub(crate) const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The greatest depth of nested arrays and objects.
pub(crate) const MAX_DEPTH: usize = 64;

/// The canonical bytes of `value` (RFC 8785, integers only).
///
/// VALUE_INVALID for null, a fraction, an integer beyond ±(2^53 − 1), and more than 64 levels: these have no canonical
/// form here. Characters are not checked here: the values that go into a ledger, such as [`Line`](crate::Line), are
/// checked when they are parsed.
///
/// ```
/// let value = serde_json::json!({"to": "a\"b", "at": [1, true]});
/// assert_eq!(tagwarden::log::canonical(&value).unwrap(), br#"{"at":[1,true],"to":"a\"b"}"#);
/// assert!(tagwarden::log::canonical(&serde_json::json!(0.5)).is_err());
/// ```
pub fn canonical(value: &Value) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(512);
    write(value, 0, &mut out)?;
    Ok(out)
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    let invalid = |why: &str| Err(Error::new(ErrorKind::ValueInvalid, format!("canonical JSON: {why}")));
    if depth > MAX_DEPTH {
        return invalid("more than 64 levels");
    }
    match value {
        Value::Null => return invalid("null; leave the field out"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            match size {
                Some(0..=MAX_INTEGER) => out.extend_from_slice(number.to_string().as_bytes()),
                Some(_) => return invalid(&format!("{number} is beyond 2^53 - 1")),
                None => return invalid(&format!("{number} is not an integer")),
            }
        }
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, depth + 1, out)?;
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            // Sort here: the map's own order depends on a Cargo feature that any other crate may enable.
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_unstable_by(|a, b| key_order(a.0, b.0));
            out.push(b'{');
            for (at, (key, value)) in fields.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write(value, depth + 1, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// RFC 8785, section 3.2.2.2.
fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    // Most strings need no escape.
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x00..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.extend([byte >> 4, byte & 15].iter().filter_map(|nibble| HEX.get(usize::from(*nibble))));
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// The order of keys: by UTF-16 code units (RFC 8785, section 3.2.3). It differs from the order of UTF-8 bytes only
/// between a character beyond U+FFFF and one from U+E000 to U+FFFF.
pub(crate) fn key_order(a: &str, b: &str) -> Ordering {
    let beyond = |text: &str| text.bytes().fold(false, |found, byte| found | (byte >= 0xee));
    match beyond(a) || beyond(b) {
        true => a.encode_utf16().cmp(b.encode_utf16()),
        false => a.cmp(b),
    }
}

/// The defect of bytes that are not canonical.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Not JSON, or a key occurs twice in one object.
    NotJson(String),
    /// JSON in another form. `version` is the field `v` of the outermost object, if it is an integer.
    NotCanonical { why: String, version: Option<i64> },
}

/// Finds out why `bytes` are not canonical. `why` is the reason to report if they are well-formed JSON.
///
/// It is slow, and runs at most once per log.
pub(crate) fn diagnose(bytes: &[u8], why: &str) -> Flaw {
    if let Err(e) = std::str::from_utf8(bytes) {
        return Flaw::NotJson(format!("not UTF-8 at byte {}", e.valid_up_to()));
    }
    if depth(bytes) > MAX_DEPTH {
        return Flaw::NotJson("more than 64 levels".to_owned());
    }
    // `IgnoredAny` checks the grammar only: a number that is too large and half a surrogate pair are JSON by the
    // grammar.
    if let Err(e) = serde_json::from_slice::<IgnoredAny>(bytes) {
        return Flaw::NotJson(e.to_string());
    }
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Flaw::NotJson("not an object".to_owned());
    }
    let found = Found::default();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = Walk { found: &found, outermost: true }.deserialize(&mut reader);
    match (read, found.twice.get()) {
        (_, true) => Flaw::NotJson("a key stands twice in one object".to_owned()),
        (Ok(_), _) => Flaw::NotCanonical { why: why.to_owned(), version: found.version.get() },
        // The grammar allows it, but serde_json cannot hold it: such a number or string has no canonical form.
        (Err(e), _) => Flaw::NotCanonical { why: e.to_string(), version: found.version.get() },
    }
}

/// The greatest depth of brackets outside of strings.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut most, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                most = most.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[derive(Default)]
struct Found {
    twice: Cell<bool>,
    version: Cell<Option<i64>>,
}

/// Reads any JSON value, and notes repeated keys and the version for [`diagnose`].
#[derive(Clone, Copy)]
struct Walk<'f> {
    found: &'f Found,
    outermost: bool,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    /// The value if it is an integer.
    type Value = Option<i64>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<i64>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Option<i64>, E> {
        Ok(Some(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Option<i64>, E> {
        Ok(i64::try_from(value).ok())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<i64>, A::Error> {
        while items.next_element_seed(Walk { outermost: false, ..self })?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Option<i64>, A::Error> {
        let mut seen = std::collections::BTreeSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(Walk { outermost: false, ..self })?;
            if self.outermost && key == "v" {
                self.found.version.set(value);
            }
            if !seen.insert(key) {
                self.found.twice.set(true);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_in_utf16_order() {
        let value = json!({"\u{fb33}": 1, "\u{1f600}": 2, "é": 3, "a": 4, "\r": 5});
        let text = String::from_utf8(canonical(&value).unwrap()).unwrap();
        assert_eq!(text, "{\"\\r\":5,\"a\":4,\"é\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }

    #[test]
    fn only_what_must_be_escaped_is() {
        let value = json!("\u{0}\u{1f}\u{8}\t\n\u{c}\r\"\\/\u{7f}é\u{2028}");
        let want = "\"\\u0000\\u001f\\b\\t\\n\\f\\r\\\"\\\\/\u{7f}é\u{2028}\"";
        assert_eq!(canonical(&value).unwrap(), want.as_bytes());
    }

    #[test]
    fn what_has_no_canonical_form_is_refused() {
        let error = |value: Value| canonical(&value).unwrap_err().to_string();
        assert_eq!(error(json!({"a": null})), "canonical JSON: null; leave the field out");
        assert_eq!(error(json!(1.0)), "canonical JSON: 1.0 is not an integer");
        assert_eq!(error(json!(9_007_199_254_740_992_i64)), "canonical JSON: 9007199254740992 is beyond 2^53 - 1");
        assert_eq!(error(json!(-9_007_199_254_740_992_i64)), "canonical JSON: -9007199254740992 is beyond 2^53 - 1");
        assert_eq!(canonical(&json!(-9_007_199_254_740_991_i64)).unwrap(), b"-9007199254740991");
        let deep = (0..65).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(error(deep), "canonical JSON: more than 64 levels");
    }

    #[test]
    fn a_flaw_is_named_for_what_it_is() {
        let name = |text: &str| diagnose(text.as_bytes(), "why");
        let canonical = |version| Flaw::NotCanonical { why: "why".to_owned(), version };
        assert_eq!(name(r#"{"v": 1}"#), canonical(Some(1)));
        assert_eq!(name(r#"{"a":{"v":1}}"#), canonical(None));
        assert_eq!(name(r#"{"a":1,"b":{"c":1,"\u0063":2}}"#), not_json("a key stands twice in one object"));
        assert_eq!(name("[1]"), not_json("not an object"));
        assert_eq!(name(&"[".repeat(65)), not_json("more than 64 levels"));
        assert_eq!(diagnose(b"{\"a\":\"\xff\"}", ""), not_json("not UTF-8 at byte 6"));
        assert!(matches!(name("{\"a\":1"), Flaw::NotJson(why) if why.contains("EOF")));
        for text in [r#"{"a":1e999,"v":1}"#, r#"{"a":"\ud800","v":1}"#] {
            assert!(matches!(name(text), Flaw::NotCanonical { .. }), "{text} is JSON by its grammar");
        }
    }

    fn not_json(why: &str) -> Flaw {
        Flaw::NotJson(why.to_owned())
    }
}
