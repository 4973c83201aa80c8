//! The types of the shared records that are Node's own, and the macros that make records and words of Node of them.

use napi::bindgen_prelude::{Either, ToNapiValue, sys};
use napi_derive::napi;
use serde::Deserialize;
use tagwarden::log;
use tagwarden_bind::convert::{FromCore, to};

pub use crate::generated::Provenance;

/// A record: a plain object, with its names in camelCase.
macro_rules! record {
    ($(#[$about:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        $(#[$about])*
        #[napi_derive::napi(object, object_from_js = false)]
        #[derive(Clone, Debug, serde::Deserialize)]
        pub struct $name { $($fields)* }
    };
}

/// A value of which there are a few: a string.
macro_rules! word {
    ($(#[$about:meta])* pub enum $name:ident { $($variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[napi_derive::napi(string_enum, object_from_js = false)]
        #[derive(Clone, Copy, Debug, serde::Deserialize)]
        pub enum $name { $(#[napi(value = $word)] #[serde(rename = $word)] $variant,)+ }
    };
}

/// Lets functions take values of a type that serde reads. An error begins with the argument's name, if it is given.
macro_rules! argument {
    ($name:ident $(<$part:ident: $bound:path>)? $(= $argument:expr)?) => {
        impl $(<$part: $bound>)? napi::bindgen_prelude::FromNapiValue for $name $(<$part>)? {
            #[allow(unsafe_code, reason = "every conversion of napi is an unsafe function")]
            unsafe fn from_napi_value(env: napi::sys::napi_env, value: napi::sys::napi_value) -> napi::Result<Self> {
                unsafe { $crate::args::read(env, value, &[$($argument)?]) }
            }
        }
    };
}

/// An argument that is a plain object. Each property is read by its Rust type; any other one is an error.
macro_rules! options {
    ($(#[$about:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        $(#[$about])*
        #[napi_derive::napi(object, object_from_js = false, object_to_js = false)]
        #[derive(serde::Deserialize)]
        pub struct $name { $($fields)* }

        argument!($name);
    };
}

// Values of the core are strings in a record. `value.rs` has their classes, which have the same names.

/// A `Channel` as text.
#[napi(js_name = "ChannelText")]
pub type Channel = String;
/// A `Digest` as text.
#[napi(js_name = "DigestText")]
pub type Digest = String;
/// An `Environment` as text.
#[napi(js_name = "EnvironmentText")]
pub type Environment = String;
/// A `Reference` as text.
#[napi(js_name = "ReferenceText")]
pub type Reference = String;
/// A `Repository` as text.
#[napi(js_name = "RepositoryText")]
pub type Repository = String;
/// A `Tag` as text.
#[napi(js_name = "TagText")]
pub type Tag = String;
/// A `Timestamp` as text: RFC 3339, in UTC, with milliseconds.
#[napi(js_name = "TimeText")]
pub type Time = String;
/// A whole number from 0.
#[napi]
pub type Count = i64;
/// An array.
pub type List<T> = Vec<T>;
/// A value, or null.
pub type Nullable<T> = Option<T>;

/// The value, or undefined.
pub fn defined<T>(value: Option<T>) -> Either<T, ()> {
    value.map_or(Either::B(()), Either::A)
}

/// The value of a release's order: a number or a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OrderValue {
    Number(i64),
    Text(String),
}

impl ToNapiValue for OrderValue {
    #[allow(unsafe_code, reason = "every conversion of napi is an unsafe function")]
    unsafe fn to_napi_value(env: sys::napi_env, value: OrderValue) -> napi::Result<sys::napi_value> {
        match value {
            OrderValue::Number(number) => unsafe { i64::to_napi_value(env, number) },
            OrderValue::Text(text) => unsafe { String::to_napi_value(env, text) },
        }
    }
}

impl FromCore<log::OrderValue> for OrderValue {
    fn from_core(core: log::OrderValue) -> OrderValue {
        match core {
            log::OrderValue::Number(number) => OrderValue::Number(number),
            log::OrderValue::Text(text) => OrderValue::Text(to(text)),
        }
    }
}
