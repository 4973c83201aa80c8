//! Values that are checked when they are parsed. No I/O and no async; the clock is a trait.
//!
//! Text becomes a value only through `FromStr`, and serde uses it too. No part has a default. An error says what is
//! wrong and at which byte.

mod channel;
mod ci;
mod digest;
mod name;
mod provenance;
mod text;
mod time;
mod written;

pub use channel::{Channel, Environment, Pipeline, Stage};
pub(crate) use ci::public;
pub use ci::{ProvenanceParts, Terminal};
pub use digest::{Algorithm, Digest, Hasher};
pub use name::{Reference, Repository, Tag, Target};
pub use provenance::{Actor, ActorKind, Commit, IdempotencyKey, Identity, Job, Provenance, ReleaseLabel, Run};
pub use text::Line;
pub(crate) use text::{JsonText, is_forbidden};
pub use time::{Clock, SystemClock, Timestamp};
pub use written::{AsWritten, ReleaseName};

use crate::error::{Error, ErrorKind};

/// An error with the message "what: why", or "what: why at byte N".
fn invalid(what: &str, why: impl std::fmt::Display, at: Option<usize>) -> Error {
    let message = match at {
        Some(at) => format!("{what}: {why} at byte {at}"),
        None => format!("{what}: {why}"),
    };
    Error::new(ErrorKind::ValueInvalid, message)
}

/// Implements the conversions of a value that is kept as text: `TryFrom<String>`, `From` for `String`, `Display`,
/// `Debug` and `AsRef<str>`. `FromStr` and serde are the type's own.
macro_rules! text_value {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = $crate::error::Error;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.as_str())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    };
}
pub(crate) use text_value;
