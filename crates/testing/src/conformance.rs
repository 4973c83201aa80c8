//! The requirements of a backend, as functions that any test framework or language can call.
//!
//! Each function tests one requirement and returns the first [`Failure`]. [`ledger`] has the requirements of a
//! [`Ledger`](tagwarden::ledger::Ledger), [`registry`] those of a [`Registry`](tagwarden::registry::Registry). The requirements write
//! to the store under test, under names that no other run uses.

pub mod ledger;
pub mod registry;

use std::fmt;

/// A requirement that a backend broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name of the requirement, which is the name of its function.
    pub requirement: &'static str,
    /// The observed behaviour and the expected behaviour.
    pub seen: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.requirement, self.seen)
    }
}

impl std::error::Error for Failure {}

/// The result of a requirement: the violation, if the backend broke it.
pub type TestResult = std::result::Result<(), Failure>;
