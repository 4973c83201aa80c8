//! Tools to test what is built on [`tagwarden`].
//!
//! - [`RegistryServer`] serves a [`MemoryRegistry`](tagwarden::registry::MemoryRegistry) on loopback according to the
//!   OCI distribution specification 1.1. A test sets its faults: [`Fault`](tagwarden::registry::Fault)s of the memory
//!   registry, [`HttpFault`]s on the wire.
//! - [`conformance`] has the contract tests of a registry and of a ledger.
//! - [`PausedClock`] lets deadlines pass under paused time.
//! - With the feature `strategies`, `strategies` has proptest strategies of values and of the bodies of entries.

#![forbid(unsafe_code)]

mod clock;
pub mod conformance;
mod server;
#[cfg(feature = "strategies")]
pub mod strategies;

pub use clock::PausedClock;
pub use server::{
    Access, AuthKind, Bearer, Expired, HttpAnswer, HttpFault, Lifetime, Login, RegistryServer, RetryAfter, Seen,
    TokenSeen,
};
