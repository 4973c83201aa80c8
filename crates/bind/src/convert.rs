//! The core's values as values of a binding.

use std::collections::BTreeMap;

use tagwarden::{ActorName, Channel, Commit, Digest, Environment, IdempotencyKey, Line, Reference, ReleaseExpression};
use tagwarden::{ReleaseLabel, Repository, Tag, Timestamp, log, policy};

/// A value of a binding, made of the core's. It is `From` for types of which neither is the binding's own, such as an
/// `Option` of a record.
pub trait FromCore<T>: Sized {
    /// The value.
    fn from_core(core: T) -> Self;
}

/// The core's value as a value of the binding.
pub fn to<T, U: FromCore<T>>(core: T) -> U {
    U::from_core(core)
}

impl<T, U: FromCore<T>> FromCore<Option<T>> for Option<U> {
    fn from_core(core: Option<T>) -> Option<U> {
        core.map(to)
    }
}

impl<T, U: FromCore<T>> FromCore<Vec<T>> for Vec<U> {
    fn from_core(core: Vec<T>) -> Vec<U> {
        core.into_iter().map(to).collect()
    }
}

impl<T, U: FromCore<T>> FromCore<Box<T>> for U {
    fn from_core(core: Box<T>) -> U {
        to(*core)
    }
}

impl<K> FromCore<BTreeMap<K, Line>> for BTreeMap<String, String>
where
    String: FromCore<K>,
{
    fn from_core(core: BTreeMap<K, Line>) -> BTreeMap<String, String> {
        core.into_iter().map(|(name, value)| (to(name), to(value))).collect()
    }
}

impl FromCore<u64> for i64 {
    fn from_core(core: u64) -> i64 {
        i64::try_from(core).unwrap_or(i64::MAX)
    }
}

impl FromCore<usize> for i64 {
    fn from_core(core: usize) -> i64 {
        i64::try_from(core).unwrap_or(i64::MAX)
    }
}

impl FromCore<usize> for u64 {
    fn from_core(core: usize) -> u64 {
        u64::try_from(core).unwrap_or(u64::MAX)
    }
}

macro_rules! conversions {
    ($($core:ty => $own:ty: $convert:expr;)+) => {
        $(impl FromCore<$core> for $own {
            fn from_core(core: $core) -> $own {
                let convert: fn($core) -> $own = $convert;
                convert(core)
            }
        })+
    };
}

conversions! {
    bool => bool: |core| core;
    i64 => i64: |core| core;
    u32 => u32: |core| core;
    u64 => u64: |core| core;
    String => String: |core| core;
    &'static str => String: str::to_owned;
    log::DefectCode => String: |core| core.as_str().to_owned();
    log::Expected => String: |core| match core {
        log::Expected::Absent => "absent".to_owned(),
        log::Expected::Digest(digest) => digest.to_string(),
    };
    policy::ExpectedDigest => String: |core| match core {
        policy::ExpectedDigest::Any => "any".to_owned(),
        policy::ExpectedDigest::Absent => "absent".to_owned(),
        policy::ExpectedDigest::At(digest) => digest.to_string(),
    };
}

macro_rules! texts {
    ($($core:ty)+) => {
        conversions! { $($core => String: |core| core.to_string();)+ }
    };
}

texts! {
    ActorName Channel Commit Digest Environment IdempotencyKey Line Reference ReleaseExpression ReleaseLabel Repository Tag
    Timestamp
}

/// Records, each a struct that the binding's own macro `record!` makes a record of its language. `= path::Core`
/// converts a struct of the core: each of its fields is named, so that a field that is added or renamed does not
/// compile. Only a `#[non_exhaustive]` struct needs `, ..`.
#[macro_export]
macro_rules! records {
    () => {};
    ($(#[$about:meta])* pub struct $name:ident = $($core:ident)::+ $(, $rest:tt)? { $($fields:tt)* } $($more:tt)*) => {
        record! { $(#[$about])* pub struct $name { $($fields)* } }
        $crate::from_core! { $name = $($core)::+ $(, $rest)? { $($fields)* } }
        $crate::records! { $($more)* }
    };
    ($(#[$about:meta])* pub struct $name:ident { $($fields:tt)* } $($more:tt)*) => {
        record! { $(#[$about])* pub struct $name { $($fields)* } }
        $crate::records! { $($more)* }
    };
}

/// The conversion of a record of [`records!`].
#[macro_export]
macro_rules! from_core {
    ($name:ident = $($core:ident)::+ $(, $rest:tt)? { $($(#[$about:meta])* pub $field:ident: $type:ty,)+ }) => {
        impl $crate::convert::FromCore<$($core)::+> for $name {
            fn from_core(core: $($core)::+) -> $name {
                let $($core)::+ { $($field,)+ $($rest)? } = core;
                $name { $($field: $crate::convert::to($field),)+ }
            }
        }
    };
}

/// Enums of words, each made a value of the binding's language by its macro `word!`. `= path::Core` adds the
/// conversions from and to an enum of the core; a variant that is added or renamed there does not compile.
#[macro_export]
macro_rules! words {
    () => {};
    ($(#[$about:meta])* pub enum $name:ident = $core:ty { $($variant:ident = $word:literal),+ $(,)? } $($more:tt)*) => {
        word! { $(#[$about])* pub enum $name { $($variant = $word,)+ } }

        impl $crate::convert::FromCore<$core> for $name {
            fn from_core(core: $core) -> $name {
                match core { $(<$core>::$variant => $name::$variant,)+ }
            }
        }

        impl From<$name> for $core {
            fn from(word: $name) -> $core {
                match word { $($name::$variant => <$core>::$variant,)+ }
            }
        }

        $crate::words! { $($more)* }
    };
    ($(#[$about:meta])* pub enum $name:ident { $($variant:ident = $word:literal),+ $(,)? } $($more:tt)*) => {
        word! { $(#[$about])* pub enum $name { $($variant = $word,)+ } }
        $crate::words! { $($more)* }
    };
}
