//! The laws of a backend, as functions that any test framework or language can call.
//!
//! Each law returns the first [`Violation`] that it saw. [`ledger`] has the laws of a
//! [`Ledger`](tagwarden::ledger::Ledger), [`registry`] those of a [`Registry`](tagwarden::registry::Registry). The laws write
//! to the store under test, under names that no other run uses.

pub mod ledger;
pub mod registry;

use std::fmt;

/// A law that a backend broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the law, which is the name of its function.
    pub law: &'static str,
    /// The observed behaviour and the expected behaviour.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.seen)
    }
}

impl std::error::Error for Violation {}

/// The result of a law: the violation, if the backend broke it.
pub type Kept = std::result::Result<(), Violation>;
