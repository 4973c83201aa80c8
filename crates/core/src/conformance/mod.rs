//! The laws of the ports, one public function each, for every adapter: this crate's and yours.

use std::fmt;

pub mod registry;

/// A law that is broken, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The law's name: that of its function.
    pub law: &'static str,
    /// What was seen instead.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.seen)
    }
}

impl std::error::Error for Violation {}
