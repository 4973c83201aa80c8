//! Faults of the registries for tests. `types.d.ts` describes each.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use tagwarden_bind::testing;

use crate::given::Listed;
use crate::registry::Manifest;

macro_rules! faults {
    ($($(#[$about:meta])* $name:ident: $read:ident;)+) => {
        $(
            $(#[$about])*
            #[derive(Debug)]
            pub struct $name(pub tagwarden_testing::$name);

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                    let given = from.deserialize_any(Read)?;
                    let time = if given.fault == "lag" { "windowMs: " } else { "timeMs: " };
                    let named = |error: tagwarden::Error| D::Error::custom(error.message().replacen("time: ", time, 1));
                    given.$read().map($name).map_err(named)
                }
            }

            impl Listed for $name {
                const NAME: &'static str = "faults";
            }
        )+
    };
}

faults! {
    /// A fault of a put.
    InjectedFault: put;
    /// A fault of a read.
    ReadFault: read;
    /// A fault of a request.
    HttpFault: http;
}

/// The fields of a fault.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Fields {
    fault: String,
    time_ms: Option<f64>,
    window_ms: Option<f64>,
    code: Option<String>,
    status: Option<u16>,
    message: Option<String>,
    reads: Option<u32>,
    changes: Option<u32>,
    seconds: Option<u32>,
    location: Option<String>,
    digest: Option<String>,
    manifest: Option<Manifest>,
}

impl From<Fields> for testing::Fault {
    fn from(fields: Fields) -> testing::Fault {
        let Fields { fault, time_ms, window_ms, code, status, message, reads, changes, seconds, .. } = fields;
        let Fields { location, digest, manifest, .. } = fields;
        let manifest = manifest.map(|manifest| (manifest.bytes.0.into(), manifest.media_type));
        let (fault, time) = (snake_case(&fault), time_ms.or(window_ms));
        testing::Fault { fault, time, code, status, message, reads, changes, seconds, location, digest, manifest }
    }
}

fn snake_case(name: &str) -> String {
    name.chars().fold(String::new(), |mut snake, letter| {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        snake
    })
}

/// Reads a fault: a string is one without fields.
struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = testing::Fault;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault")
    }

    fn visit_str<E: Error>(self, fault: &str) -> Result<testing::Fault, E> {
        Ok(Fields { fault: fault.to_owned(), ..Fields::default() }.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<testing::Fault, A::Error> {
        Fields::deserialize(MapAccessDeserializer::new(fields)).map(Into::into)
    }
}
