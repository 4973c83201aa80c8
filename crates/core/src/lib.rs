//! tagwarden
#![forbid(unsafe_code)]

pub mod conformance;
pub mod error;
pub mod ledger;
pub mod record;
pub mod registry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod value;

pub use error::{Class, Error, ErrorKind, Result, Retry};
pub use value::*;
