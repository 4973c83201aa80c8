//! The canonical form of JSON for everything that is hashed: a subset of RFC 8785.
//!
//! Allowed are objects, arrays, strings, `true`, `false` and integers up to 2^53 − 1. Null and fractions are not. The
//! keys of an object are unique and sorted by their UTF-16 code units, only characters that must be escaped are, and
//! there is no space between tokens. So each value has exactly one spelling, and two programs that agree on a value
//! agree on its hash.
//!
//! `serde_json` writes numbers and strings as RFC 8785 (section 3.2.2) demands.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::defect::{Checked, DefectCode, ensure};
use crate::error::{Error, ErrorKind, Result};
use crate::value::{JsonText, is_forbidden};

/// The largest integer, and the negative of the smallest: 2^53 − 1, which every JSON reader keeps exactly (RFC 8259,
/// section 6).
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The greatest depth of nested arrays and objects.
const MAX_DEPTH: usize = 64;

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
    let mut form = Canonical::default();
    let read: serde_json::Result<()> = form.deserialize(value);
    match read.err().map(|e| e.to_string()).or(form.flaw) {
        None => Ok(form.out),
        Some(why) => Err(Error::new(ErrorKind::ValueInvalid, format!("canonical JSON: {why}"))),
    }
}

/// The order of keys: by UTF-16 code units (RFC 8785, section 3.2.3). It differs from the order of UTF-8 bytes only
/// between a character beyond U+FFFF and one from U+E000 to U+FFFF.
fn key_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() || b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// The canonical form of the JSON that it reads. It reads on after a value without a canonical form, because a broken rule that comes first in
/// the order of checks may follow.
#[derive(Debug, Default)]
pub(super) struct Canonical<'a> {
    out: Vec<u8>,
    /// The number of arrays and objects around the next value.
    depth: usize,
    /// The keys of the outermost object, and the places of their values in `out`.
    fields: Vec<(Cow<'a, str>, Range<usize>)>,
    version_is_1: bool,
    key_twice: bool,
    /// The reason why there is no canonical form.
    flaw: Option<String>,
    /// The first key or string with a forbidden character.
    forbidden: Option<String>,
}

impl<'a> Canonical<'a> {
    /// Checks that `bytes` are an object of version 1 in canonical form, without forbidden characters.
    ///
    /// Bytes are canonical if encoding what they say gives the same bytes.
    pub(super) fn of(bytes: &'a [u8]) -> Checked<Canonical<'a>> {
        let mut form = Canonical { out: Vec::with_capacity(bytes.len()), ..Canonical::default() };
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let read = form.deserialize(&mut reader).and_then(|()| reader.end());
        if read.is_err() {
            let not_json = |why: String| (DefectCode::NotJson, why);
            std::str::from_utf8(bytes).map_err(|e| not_json(format!("not UTF-8 at byte {}", e.valid_up_to())))?;
            ensure!(form.depth <= MAX_DEPTH, NotJson, "more than 64 levels");
            // This checks the grammar only. A number that is too large and half a surrogate pair are JSON by the
            // grammar, but have no canonical form.
            serde_json::from_slice::<IgnoredAny>(bytes).map_err(|e| not_json(e.to_string()))?;
        }
        ensure!(bytes.trim_ascii_start().starts_with(b"{"), NotJson, "not an object");
        ensure!(!form.key_twice, NotJson, "a key stands twice in one object");
        ensure!(form.version_is_1, TooNew, "the version is not 1");
        read.map_err(|e| (DefectCode::NotCanonical, e.to_string()))?;
        let same = form.flaw.is_none() && form.out == bytes;
        ensure!(same, NotCanonical, "other bytes than the canonical ones say the same");
        let text = form.forbidden.as_deref().unwrap_or_default();
        ensure!(form.forbidden.is_none(), ControlCharacter, "a control or bidirectional character in {text:?}");
        Ok(form)
    }

    /// A field's value, if it is there and of this type.
    pub(super) fn read<'s, T: Deserialize<'s>>(&'s self, name: &str) -> Option<T> {
        serde_json::from_slice(self.bytes(name)?).ok()
    }

    /// The bytes of a field's value.
    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        let (_, place) = self.fields.iter().find(|(key, _)| key == name)?;
        self.out.get(place.clone())
    }

    fn write<E: de::Error>(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), E> {
        serde_json::to_writer(&mut self.out, value).map_err(E::custom)
    }

    fn text<E: de::Error>(&mut self, text: &str) -> Result<(), E> {
        let plain = text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
        if !plain && self.forbidden.is_none() && text.chars().any(is_forbidden) {
            self.forbidden = Some(text.to_owned());
        }
        self.write(text)
    }

    fn key<E: de::Error>(&mut self, key: &str) -> Result<usize, E> {
        self.text(key)?;
        self.out.push(b':');
        Ok(self.out.len())
    }

    fn integer<E: de::Error>(&mut self, size: u64, value: impl Serialize + fmt::Display) -> Result<(), E> {
        match size {
            0..=MAX_INTEGER => self.write(&value),
            _ => self.flaw(format_args!("{value} is beyond 2^53 - 1")),
        }
    }

    fn flaw<E>(&mut self, why: fmt::Arguments<'_>) -> Result<(), E> {
        self.flaw.get_or_insert_with(|| why.to_string());
        Ok(())
    }

    fn enter<E: de::Error>(&mut self, bracket: u8) -> Result<(), E> {
        self.depth += 1;
        self.out.push(bracket);
        if self.depth > MAX_DEPTH { Err(E::custom("more than 64 levels")) } else { Ok(()) }
    }

    /// Ends an array or object. A comma was written after each of its values.
    fn leave(&mut self, bracket: u8) {
        self.depth -= 1;
        self.out.pop_if(|last| *last == b',');
        self.out.push(bracket);
    }

    /// Sorts the fields of the object that begins at `start`.
    fn sort<E: de::Error>(&mut self, start: usize, fields: &mut [(Cow<'a, str>, Range<usize>)]) -> Result<(), E> {
        fields.sort_by(|a, b| key_order(&a.0, &b.0));
        let before = self.out.split_off(start);
        for (key, place) in fields {
            self.key(key)?;
            self.out.extend_from_slice(before.get(place.start - start..place.end - start).unwrap_or_default());
            self.out.push(b',');
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Canonical<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Canonical<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.integer(value.unsigned_abs(), value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.integer(value, value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.flaw(format_args!("{value:?} is not an integer"))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.flaw(format_args!("null; leave the field out"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.enter(b'[')?;
        while items.next_element_seed(&mut *self)?.is_some() {
            self.out.push(b',');
        }
        self.leave(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.enter(b'{')?;
        let (start, mut in_order) = (self.out.len(), true);
        let mut fields: Vec<(Cow<'de, str>, Range<usize>)> = Vec::with_capacity(8);
        while let Some(JsonText(key)) = map.next_key::<JsonText<'de>>()? {
            in_order &= fields.last().is_none_or(|(last, _)| key_order(last, &key).is_lt());
            self.key_twice |= !in_order && fields.iter().any(|(known, _)| *known == key);
            let place = self.key(&key)?;
            map.next_value_seed(&mut *self)?;
            if self.depth == 1 && key == "v" {
                self.version_is_1 = self.out.get(place..) == Some(b"1");
            }
            fields.push((key, place..self.out.len()));
            self.out.push(b',');
        }
        if !in_order {
            self.sort(start, &mut fields)?;
        }
        self.leave(b'}');
        if self.depth == 0 {
            self.fields = fields;
        }
        Ok(())
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
        let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(error(deep(65)), "canonical JSON: more than 64 levels");
        assert!(canonical(&deep(64)).is_ok());
    }

    #[test]
    fn a_flaw_is_named_for_what_it_is() {
        let flaw = |bytes: &[u8]| Canonical::of(bytes).map(drop);
        let not_json = |why: &str| Err((DefectCode::NotJson, why.to_owned()));
        let not_canonical = || {
            let why = "other bytes than the canonical ones say the same".to_owned();
            Err((DefectCode::NotCanonical, why))
        };
        let too_new = || Err((DefectCode::TooNew, "the version is not 1".to_owned()));
        assert_eq!(flaw(br#"{"a":[],"b":[1,-2,{}],"v":1}"#), Ok(()));
        for text in [
            r#"{"v": 1}"#,
            r#"{"\u0076":1}"#,
            r#"{"v":1,"a":1}"#,
            r#"{"a":null,"v":1}"#,
            r#"{"a":[0.5],"v":1}"#,
            r#"{"a":1e2,"v":1}"#,
            r#"{"a":-0,"v":1}"#,
            r#"{"a":9007199254740992,"v":1}"#,
            r#"{"a":-9007199254740992,"v":1}"#,
            r#"{"a":"\/","v":1}"#,
            "{\"v\":1}\n",
        ] {
            assert_eq!(flaw(text.as_bytes()), not_canonical(), "{text}");
        }
        for text in [r#"{"a":{"v":1}}"#, r#"{"v":2}"#, r#"{"v":true}"#, r#"{"v":1.0}"#, r#"{"v":"1"}"#, "{}"] {
            assert_eq!(flaw(text.as_bytes()), too_new(), "{text}");
        }
        for text in [r#"{"a":1,"b":{"c":1,"\u0063":2}}"#, r#"{"b":1,"a":1,"b":1}"#, r#"{"a":1,"a":2,"b":1e999}"#] {
            assert_eq!(flaw(text.as_bytes()), not_json("a key stands twice in one object"), "{text}");
        }
        assert_eq!(flaw(b"[1]"), not_json("not an object"));
        assert_eq!(flaw("[".repeat(65).as_bytes()), not_json("more than 64 levels"));
        let nested = |levels: usize| format!("{{\"a\":{}{},\"v\":1}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert_eq!(flaw(nested(64).as_bytes()), Ok(()));
        assert_eq!(flaw(nested(65).as_bytes()), not_json("more than 64 levels"));
        assert_eq!(flaw(b"{\"a\":\"\xff\"}"), not_json("not UTF-8 at byte 6"));
        assert!(matches!(flaw(b"{\"a\":1"), Err((DefectCode::NotJson, why)) if why.contains("EOF")));
        for text in [r#"{"v":1,"w":1e999}"#, r#"{"v":1,"w":"\ud800"}"#] {
            let found = flaw(text.as_bytes());
            assert!(matches!(found, Err((DefectCode::NotCanonical, _))), "{text} is JSON by its grammar: {found:?}");
        }
        let (code, why) = flaw("{\"a\":\"x\u{202e}\",\"v\":1}".as_bytes()).unwrap_err();
        let said = "a control or bidirectional character in \"x\\u{202e}\"";
        assert_eq!((code, why.as_str()), (DefectCode::ControlCharacter, said));
    }
}
