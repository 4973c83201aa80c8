//! The classes of the core's values. An invalid value cannot exist. Everything that takes a value takes its text, too.

use napi::bindgen_prelude::{Either, Unknown};
use napi::{Env, JsValue as _};
use napi_derive::napi;
use serde::Deserialize;
use tagwarden::{Algorithm, Target};

use crate::args::{Wrong, instance};
use crate::call::{env, lasting, sync};
use crate::given::{Parse, Uint8Array};
use crate::js::Js;

macro_rules! values {
    ($($(#[$about:meta])* $name:ident;)+) => {
        $(
            $(#[$about])*
            #[napi]
            #[derive(Debug)]
            pub struct $name {
                pub(crate) core: tagwarden::$name,
            }

            #[napi]
            impl $name {
                /// Parses a text. VALUE_INVALID says what is wrong, why, and at which byte.
                #[napi(constructor, catch_unwind)]
                pub fn new(#[napi(ts_arg_type = "string")] text: Unknown<'_>) -> napi::Result<$name> {
                    let thrown = |wrong: Wrong| wrong.within(stringify!($name)).thrown(&Env::from_raw(text.value().env));
                    let text = String::deserialize(Js(text)).map_err(thrown)?;
                    Ok($name { core: sync(Parse::parse(&text))? })
                }

                /// True for the same kind of value with the same text.
                #[napi(catch_unwind)]
                pub fn equals(&self, other: Unknown<'_>) -> bool {
                    instance::<$name>(&other).is_some_and(|other| other.core == self.core)
                }

                /// The text.
                #[napi]
                #[allow(clippy::inherent_to_string, reason = "it is the method of JavaScript")]
                pub fn to_string(&self) -> String {
                    self.core.to_string()
                }

                /// The text.
                #[napi(js_name = "toJSON", catch_unwind)]
                pub fn to_json(&self) -> String {
                    self.core.to_string()
                }
            }
        )+
    };
}

values! {
    /// The digest of some bytes: `sha256:<64 hex>` or `sha512:<128 hex>`, lower case.
    Digest;
    /// `registry/path`, such as `registry.example.com/acme/shop`. No default host.
    Repository;
    /// A tag: 1 to 128 characters of `[A-Za-z0-9_.-]`, not beginning with `.` or `-`.
    Tag;
    /// `repository:tag` or `repository@digest`.
    Reference;
    /// A tag that is moved, with its repository and registry, as in `registry.example.com/acme/shop:prod`.
    Channel;
    /// The name of an environment: lower-case letters, digits and inner dashes.
    Environment;
    /// An idempotency key: a line of 1 to 128 characters.
    IdempotencyKey;
    /// A source commit: 7 to 64 lower-case hex digits.
    Commit;
    /// The label of a release: a line of 1 to 128 characters.
    ReleaseLabel;
    /// A time in UTC with milliseconds, written as in RFC 3339.
    Timestamp;
}

#[napi]
impl Digest {
    /// The SHA-256 of these bytes.
    #[napi(factory, catch_unwind)]
    pub fn of(bytes: Uint8Array) -> Digest {
        Digest { core: tagwarden::Digest::of(&bytes.0) }
    }

    /// The hash function.
    #[napi(getter, ts_return_type = "'sha256' | 'sha512'")]
    pub fn algorithm(&self) -> &'static str {
        match self.core.algorithm() {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }
}

#[napi]
impl Repository {
    /// `host` or `host:port`.
    #[napi(getter)]
    pub fn registry(&self) -> String {
        self.core.registry().to_owned()
    }

    /// The path in the registry.
    #[napi(getter)]
    pub fn path(&self) -> String {
        self.core.path().to_owned()
    }
}

#[napi]
impl Reference {
    /// The repository.
    #[napi(getter)]
    pub fn repository(&self) -> String {
        self.core.repository().to_string()
    }

    /// The tag, if it has one.
    #[napi(getter)]
    pub fn tag(&self) -> Either<String, ()> {
        match self.core.target() {
            Target::Tag(tag) => Either::A(tag.to_string()),
            Target::Digest(_) => Either::B(()),
        }
    }

    /// The digest, if it has one.
    #[napi(getter)]
    pub fn digest(&self) -> Either<String, ()> {
        match self.core.target() {
            Target::Tag(_) => Either::B(()),
            Target::Digest(digest) => Either::A(digest.to_string()),
        }
    }
}

#[napi]
impl Channel {
    /// The repository.
    #[napi(getter)]
    pub fn repository(&self) -> String {
        self.core.repository().to_string()
    }

    /// The tag.
    #[napi(getter)]
    pub fn tag(&self) -> String {
        self.core.tag().to_string()
    }
}

#[napi]
impl Timestamp {
    /// The same time as a Date.
    #[napi(ts_return_type = "Date")]
    pub fn to_date(&self) -> napi::Result<Unknown<'static>> {
        #[allow(clippy::cast_precision_loss, reason = "a Date is a number of milliseconds")]
        env()?.create_date(self.core.unix_ms() as f64).map(|date| lasting(&date.to_unknown()))
    }
}
