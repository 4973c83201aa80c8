//! `Content`: what a manifest says it is made of, read so that there is one reading.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::manifest::{MANIFEST_TYPES, Manifest};
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Digest, Text};

/// What a manifest is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// An image or artifact: a config and layers, all of them blobs.
    Image {
        /// The config.
        config: Descriptor,
        /// The layers in order.
        layers: Vec<Descriptor>,
    },
    /// An index or list: other manifests.
    Index {
        /// The manifests in order.
        manifests: Vec<Descriptor>,
    },
}

/// One thing that a manifest names (OCI image specification, *Content Descriptors*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What it is.
    pub media_type: Text,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

impl Descriptor {
    /// True for a layer that registries need not keep, because it may only be got from its maker (Docker's *foreign*,
    /// OCI's *non-distributable* layers). Its absence says nothing, and the `urls` that it names are never fetched.
    pub fn is_foreign(&self) -> bool {
        let media_type = self.media_type.as_str();
        media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
            || media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
    }
}

/// The fields of a manifest that are read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<Object<RawDescriptor>>,
    layers: Option<Vec<Object<RawDescriptor>>>,
    manifests: Option<Vec<Object<RawDescriptor>>>,
    fs_layers: Option<IgnoredAny>,
    subject: Option<Object<RawDescriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: Text,
    digest: String,
    size: u64,
}

/// Reads the body and checks that it is of the kind that its media type says.
pub(super) fn read(manifest: &Manifest) -> Result<Body> {
    let served = essence(manifest.media_type().as_str());
    if served.starts_with("application/vnd.docker.distribution.manifest.v1+") {
        return Err(unsupported("Docker schema 1 is not supported: push it again with a current client"));
    }
    let [image, index, docker_image, docker_list] = MANIFEST_TYPES;
    let is_index = served == index || served == docker_list;
    if !is_index && served != image && served != docker_image {
        return Err(unsupported(format!("the media type {served:?} is not one of a manifest or an index")));
    }
    let body = parse(manifest.bytes())?;
    match body.schema_version {
        Some(2) => {}
        Some(1) => return Err(unsupported("schemaVersion 1 is not supported: push it again with a current client")),
        Some(other) => return Err(invalid(format!("schemaVersion is {other} instead of 2"))),
        None => return Err(invalid("schemaVersion is missing")),
    }
    match &body.media_type {
        Some(said) if essence(said) != served => {
            return Err(ambiguous(format!("served as {served:?}, but its mediaType says {said:?}")));
        }
        _ => {}
    }
    let image_part = body.config.is_some() || body.layers.is_some() || body.fs_layers.is_some();
    match (is_index, image_part, body.manifests.is_some() || body.fs_layers.is_some()) {
        (true, true, _) => Err(ambiguous("an index with parts of an image (config or layers)")),
        (false, _, true) => Err(ambiguous("an image with parts of an index (manifests) or of schema 1 (fsLayers)")),
        _ => Ok(body),
    }
}

impl Body {
    pub(super) fn content(&self) -> Result<Content> {
        let all = |list: &[Object<RawDescriptor>]| list.iter().map(Object::descriptor).collect::<Result<Vec<_>>>();
        match (&self.manifests, &self.config, &self.layers) {
            (Some(manifests), ..) => Ok(Content::Index { manifests: all(manifests)? }),
            (None, Some(config), Some(layers)) => {
                Ok(Content::Image { config: config.descriptor()?, layers: all(layers)? })
            }
            (None, None, None) => Err(invalid("neither config and layers nor manifests")),
            (None, None, Some(_)) => Err(invalid("config is missing")),
            (None, Some(_), None) => Err(invalid("layers is missing")),
        }
    }

    pub(super) fn subject(&self) -> Result<Option<Descriptor>> {
        self.subject.as_ref().map(Object::descriptor).transpose()
    }
}

impl Object<RawDescriptor> {
    fn descriptor(&self) -> Result<Descriptor> {
        let RawDescriptor { media_type, digest, size } = &self.0;
        let algorithm = digest.split_once(':').map_or("", |(algorithm, _)| algorithm);
        match digest.parse() {
            Ok(digest) => Ok(Descriptor { media_type: media_type.clone(), digest, size: *size }),
            Err(_) if !matches!(algorithm, "" | "sha256" | "sha512") => {
                Err(unsupported(format!("a digest of the algorithm {algorithm:?}; sha256 and sha512 are supported")))
            }
            Err(error) => Err(invalid(error)),
        }
    }
}

/// The media type without parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or("").trim()
}

fn parse(bytes: &[u8]) -> Result<Body> {
    // Serde's own structs take the last of two equal keys that they do not know, so all keys are looked at first.
    let ambiguity = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let walk = Walk { names: Names::Fields, ambiguity: &ambiguity };
    walk.deserialize(&mut reader).and_then(|()| reader.end()).map_err(|error| invalid(&error))?;
    if let Some(why) = ambiguity.into_inner() {
        return Err(ambiguous(why));
    }
    serde_json::from_slice::<Object<Body>>(bytes).map(|body| body.0).map_err(|error| invalid(&error))
}

/// A JSON object, never an array: serde's derived structs would take either.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(OnlyMap(std::marker::PhantomData))
    }
}

/// Walks all JSON there is, keeps nothing, and refuses a key that stands twice in one object.
#[derive(Clone, Copy)]
struct Walk<'a> {
    names: Names,
    /// Why another reader may read something else; the first reason stays.
    ambiguity: &'a RefCell<Option<String>>,
}

/// What the keys of an object are.
#[derive(Clone, Copy)]
enum Names {
    /// Names of fields, which programs written in Go match without regard to case.
    Fields,
    /// The user's own words.
    Free,
}

const FIELDS: [&str; 12] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "fsLayers",
    "subject",
    "annotations",
    "digest",
    "size",
    "urls",
];

/// The field that `key` is read as by readers that fold case as Go's `encoding/json` does, if it is not spelled so.
fn misspelled(key: &str) -> Option<&'static str> {
    let folded: String = key.chars().map(fold).collect();
    FIELDS.into_iter().find(|field| *field != key && field.chars().map(fold).eq(folded.chars()))
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
            if let (Names::Fields, Some(field)) = (self.names, misspelled(&key)) {
                let mut why = self.ambiguity.borrow_mut();
                why.get_or_insert_with(|| format!("{key:?} is read as {field:?} by some readers"));
            }
            let names = if key == "annotations" { Names::Free } else { self.names };
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

fn invalid(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::ManifestInvalid, format!("manifest: {why}"))
}

fn ambiguous(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::ManifestAmbiguous, format!("manifest: {why}"))
}

fn unsupported(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::ManifestUnsupported, format!("manifest: {why}"))
}

#[cfg(test)]
mod tests;
