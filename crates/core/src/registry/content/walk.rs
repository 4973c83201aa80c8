//! Checks every key of a manifest before the manifest is read: no key may occur twice, or be spelled so that only some
//! readers accept it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The first reason why another reader may read the manifest differently; none if there is no such reason. An error if
/// the bytes are not one JSON value, or if a key occurs twice in one object.
pub(super) fn ambiguity(bytes: &[u8]) -> serde_json::Result<Option<String>> {
    let ambiguity = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Walk { names: Names::Manifest, ambiguity: &ambiguity }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(ambiguity.into_inner())
}

/// Reads all of the JSON and keeps no values.
#[derive(Clone, Copy)]
struct Walk<'a> {
    names: Names,
    ambiguity: &'a RefCell<Option<String>>,
}

/// The meaning of the keys of an object.
#[derive(Clone, Copy)]
enum Names {
    /// Fields of a manifest. Programs written in Go ignore the case of these keys.
    Manifest,
    /// Fields of a descriptor. Programs written in Go ignore the case of these keys too.
    Descriptor,
    /// Keys of users and vendors, which are not read.
    Free,
}

impl Names {
    fn fields(self) -> &'static [&'static str] {
        match self {
            Names::Manifest => &[
                "schemaVersion",
                "mediaType",
                "artifactType",
                "config",
                "layers",
                "manifests",
                "blobs",
                "fsLayers",
                "subject",
                "annotations",
            ],
            Names::Descriptor => &["mediaType", "digest", "size", "urls", "annotations"],
            Names::Free => &[],
        }
    }

    /// The meaning of the keys in the value of `key`.
    fn inside(self, key: &str) -> Names {
        match (self, key) {
            (Names::Manifest, "config" | "layers" | "manifests" | "blobs" | "subject") => Names::Descriptor,
            _ => Names::Free,
        }
    }

    /// The field that Go's `encoding/json`, which ignores case, reads from `key`; none if `key` is spelled exactly like
    /// that field, or matches no field.
    fn misspelled(self, key: &str) -> Option<&'static str> {
        let folded: String = key.chars().map(fold).collect();
        self.fields().iter().copied().find(|field| *field != key && field.chars().map(fold).eq(folded.chars()))
    }
}

fn fold(char: char) -> char {
    match char {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => char.to_ascii_lowercase(),
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if let Some(field) = self.names.misspelled(&key) {
                let mut why = self.ambiguity.borrow_mut();
                why.get_or_insert_with(|| format!("{key:?} is read as {field:?} by some readers"));
            }
            let names = self.names.inside(&key);
            if seen.contains(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} stands twice")));
            }
            seen.insert(key);
            map.next_value_seed(Walk { names, ..self })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}
