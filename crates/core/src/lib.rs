//! tagwarden
#![forbid(unsafe_code)]

pub mod error;
pub mod flux;
pub mod judge;
pub mod ledger;
pub mod record;
pub mod registry;
pub mod value;

pub use error::{Class, Error, ErrorKind, Result, Retry};
pub use value::*;
