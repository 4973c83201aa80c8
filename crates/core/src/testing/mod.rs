//! Tools for tests: an OCI registry over HTTP in this process and, with the feature `strategies`, proptest strategies.
//!
//! [`RegistryServer`] serves a [`MemoryRegistry`](crate::registry::MemoryRegistry) on loopback according to the OCI
//! distribution specification 1.1. It injects the faults that a test scripts: [`Fault`](crate::registry::Fault)s in the
//! memory registry, [`HttpFault`]s on the wire.

#![allow(clippy::result_large_err, reason = "an answer is made once for each request, and is moved, not copied")]

mod access;
mod answer;
mod blobs;
mod clock;
mod faults;
mod handle;
mod http_answer;
mod log;
mod manifests;
mod referrers;
mod route;
mod server;
#[cfg(feature = "strategies")]
pub mod strategies;
mod tags;
mod token;
mod uploads;
mod wire;

pub use access::{Access, Bearer, Expired, Lifetime, Login};
pub use clock::PausedClock;
pub use faults::{HttpFault, RetryAfter};
pub use http_answer::HttpAnswer;
pub use log::{AuthKind, Seen, TokenSeen};
pub use server::RegistryServer;

#[cfg(test)]
mod tests;
