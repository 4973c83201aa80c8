//! Arguments that several calls take.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Unexpected, Visitor};
use tagwarden::policy::ExpectedDigest;
use tagwarden::{
    AsWritten, Channel, Commit, Digest, Environment, IdempotencyKey, Line, Reference, ReleaseExpression, ReleaseLabel,
    ReleaseName, Repository, Result, Tag, Timestamp,
};
use tagwarden_bind::args::Unit;

use crate::host::OrderValue;

/// A value that is given as text.
pub trait Parse: Sized {
    fn parse(text: &str) -> Result<Self>;
}

macro_rules! parse {
    ($($value:ty),+: $given:pat => $core:expr) => {
        $(impl Parse for $value {
            fn parse(text: &str) -> Result<$value> {
                let $given = text.parse()?;
                Ok($core)
            }
        })+
    };
}

parse!(Digest, Tag, Environment, IdempotencyKey, Commit, ReleaseLabel, Timestamp, Line, ReleaseExpression, ReleaseName, ExpectedDigest: core => core);
parse!(Repository, Reference, Channel: AsWritten(core) => core);

/// A value of the core, or its text.
#[derive(Debug)]
pub struct Text<T>(pub T);

impl<T> Deref for Text<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Parse> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Text<T>, D::Error> {
        T::parse(&String::deserialize(from)?).map(Text).map_err(D::Error::custom)
    }
}

/// A value that is an argument of calls, always of one name.
pub trait Named: Parse {
    const NAME: &'static str;
}

macro_rules! named {
    ($($value:ty: $name:literal)+) => {
        $(impl Named for $value {
            const NAME: &'static str = $name;
        })+
    };
}

named! { Channel: "channel" Repository: "repository" Reference: "reference" Tag: "tag" Digest: "digest" Timestamp: "at" Line: "actor" Environment: "environment" }

argument!(Text<T: Named> = T::NAME);

/// An array of arguments.
#[derive(Debug, Deserialize)]
pub struct Many<T>(pub Vec<T>);

/// The elements of an argument that is an array, always of one name.
pub trait Listed: DeserializeOwned {
    const NAME: &'static str;
}

impl Listed for Text<Channel> {
    const NAME: &'static str = "channels";
}

/// Patterns of tags.
impl Listed for String {
    const NAME: &'static str = "matching";
}

argument!(Many<T: Listed> = T::NAME);

impl<T> IntoIterator for Many<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A time: a Date, a Timestamp or its text.
pub type When = Text<Timestamp>;

/// A whole number from 0.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Whole(pub u64);

argument!(Whole);

impl Whole {
    pub fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A number of milliseconds; fractions are allowed.
#[derive(Clone, Copy, Debug)]
pub struct Millis(pub Duration);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Millis, D::Error> {
        let (unit, ms) = (Unit::Milliseconds, f64::deserialize(from)?);
        let wrong = || D::Error::invalid_value(Unexpected::Float(ms), &unit.to_string().as_str());
        unit.duration(ms).map(Millis).ok_or_else(wrong)
    }
}

argument!(Millis);

/// Bytes.
#[derive(Debug, Deserialize)]
pub struct Uint8Array(pub Bytes);

argument!(Uint8Array = "bytes");

/// The digest that the channel must have before a move.
pub type Expected = Text<ExpectedDigest>;

/// A release, by its name or as a value of the core. `types.d.ts` describes it.
#[derive(Debug)]
pub struct Release(pub ReleaseExpression);

argument!(Release = "release");

/// The release that a promotion brings.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Source(pub Release);

argument!(Source = "source");

impl Release {
    /// The name by which the deserializer knows that a value of the class Channel means its live digest, and one of the
    /// class Reference never a channel.
    pub const NAME: &'static str = "Release";
}

/// A release as an object. It has one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseObject {
    reference: Option<Text<ReleaseName>>,
    channel: Option<Text<Channel>>,
}

impl<'de> Deserialize<'de> for Release {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Release, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = ReleaseExpression;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a release or a channel")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<ReleaseExpression, E> {
                ReleaseExpression::parse(text).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<ReleaseExpression, A::Error> {
                match ReleaseObject::deserialize(MapAccessDeserializer::new(map))? {
                    ReleaseObject { reference: Some(Text(ReleaseName { reference, tag: None })), channel: None } => {
                        Ok(reference.into())
                    }
                    ReleaseObject { reference: Some(Text(name)), channel: None } => Ok(name.into()),
                    ReleaseObject { reference: None, channel: Some(Text(channel)) } => Ok(channel.into()),
                    _ => Err(A::Error::custom("it has a reference or a channel")),
                }
            }
            fn visit_newtype_struct<N: Deserializer<'de>>(
                self,
                from: N,
            ) -> std::result::Result<ReleaseExpression, N::Error> {
                from.deserialize_any(self)
            }
        }
        from.deserialize_newtype_struct(Release::NAME, Read).map(Release)
    }
}

/// A release's value in the order of releases.
#[derive(Debug)]
pub struct OrderText(pub Line);

impl<'de> Deserialize<'de> for OrderText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<OrderText, D::Error> {
        let text = match OrderValue::deserialize(from)? {
            OrderValue::Number(number) => number.to_string(),
            OrderValue::Text(text) => text,
        };
        text.parse().map(OrderText).map_err(D::Error::custom)
    }
}

/// A path.
#[derive(Debug, Deserialize)]
pub struct FilePath(pub String);

argument!(FilePath = "path");
