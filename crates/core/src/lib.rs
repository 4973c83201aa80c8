//! tagwarden
#![forbid(unsafe_code)]

pub mod conformance;
pub mod error;
pub mod flux;
pub mod judge;
pub mod ledger;
pub mod promoter;
pub mod protocol;
pub mod record;
pub mod registry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod value;

pub use error::{Class, Error, ErrorKind, Result, Retry};
pub use promoter::{Moved, Operation, Promoter, Receipt, Terms, Times};
pub use value::*;

/// The examples of the README, compiled.
#[cfg(all(doctest, feature = "oci", feature = "file"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
