//! The laws of a backend, as functions to run on your own, from any test framework or language.
//!
//! Each law answers with the first [`Violation`] that it saw. [`ledger`] holds the laws of a
//! [`Ledger`](crate::ledger::Ledger), [`registry`] those of a [`Registry`](crate::registry::Registry). They write to the
//! store that they are given, under names of their own.

pub mod ledger;
pub mod registry;

use std::fmt;

/// A law that a backend broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the law, which is the name of its function.
    pub law: &'static str,
    /// What was seen, and what should have been.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.seen)
    }
}

impl std::error::Error for Violation {}

/// Whether a backend kept a law.
pub type Kept = std::result::Result<(), Violation>;
