//! Checks every key of a manifest before the manifest is read: no key may occur twice, or be spelled so that only some
//! readers accept it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};

/// The first reason why another reader may read the manifest differently; none if there is no such reason. An error if
/// the bytes are not one JSON value, if a key occurs twice in one object, or if the manifest or a descriptor is an
/// array.
pub(super) fn ambiguity(bytes: &[u8]) -> serde_json::Result<Option<String>> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let ambiguity = Names::Manifest.deserialize(&mut reader)?;
    reader.end()?;
    Ok(ambiguity)
}

/// The meaning of the keys of an object.
#[derive(Clone, Copy)]
enum Names {
    /// Fields of a manifest. Programs written in Go ignore the case of these keys.
    Manifest,
    /// Fields of a descriptor. Programs written in Go ignore the case of these keys too.
    Descriptor,
    /// A list of descriptors.
    Descriptors,
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
            Names::Descriptors | Names::Free => &[],
        }
    }

    /// The meaning of the keys in the value of `key`.
    fn inside(self, key: &str) -> Names {
        match (self, key) {
            (Names::Manifest, "config" | "subject") => Names::Descriptor,
            (Names::Manifest, "layers" | "manifests" | "blobs") => Names::Descriptors,
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

/// Reads a value whose keys have this meaning. Keeps nothing but the first ambiguity.
impl<'de> DeserializeSeed<'de> for Names {
    type Value = Option<String>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<String>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<String>, A::Error> {
        let (mut seen, mut ambiguity) = (BTreeSet::new(), None);
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if let Some(field) = self.misspelled(&key) {
                ambiguity.get_or_insert_with(|| format!("{key:?} is read as {field:?} by some readers"));
            }
            let names = self.inside(&key);
            if let Some(key) = seen.replace(key) {
                return Err(de::Error::custom(format_args!("the key {key:?} stands twice")));
            }
            ambiguity = ambiguity.or(map.next_value_seed(names)?);
        }
        Ok(ambiguity)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<String>, A::Error> {
        let names = match self {
            Names::Manifest | Names::Descriptor => return Err(de::Error::invalid_type(Unexpected::Seq, &self)),
            Names::Descriptors => Names::Descriptor,
            Names::Free => Names::Free,
        };
        let mut ambiguity = None;
        while let Some(inside) = seq.next_element_seed(names)? {
            ambiguity = ambiguity.or(inside);
        }
        Ok(ambiguity)
    }

    fn visit_unit<E>(self) -> Result<Option<String>, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Option<String>, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Option<String>, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Option<String>, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Option<String>, E> {
        Ok(None)
    }
    fn visit_str<E>(self, _: &str) -> Result<Option<String>, E> {
        Ok(None)
    }
}
