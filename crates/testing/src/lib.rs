//! Tools to test what is built on [`tagwarden`].
//!
//! - [`MemoryRegistry`] is a registry in memory with scripted [`InjectedFault`]s, reads that lag, and a record of its calls.
//! - [`Vendor`] names the registries of vendors that both imitate.
//! - [`RegistryServer`] serves a [`MemoryRegistry`] on loopback according to the OCI distribution specification 1.1, with
//!   [`HttpFault`]s on the wire.
//! - [`FaultyLedger`] and [`FaultyRegistry`] are over any ledger and any registry, and their calls meet [`Fault`]s.
//! - [`conformance`] has the contract tests of a registry and of a ledger.
//! - [`entries`] has bodies of entries.
//! - [`PausedClock`] lets deadlines pass under paused time.
//! - With the feature `strategies`, `strategies` has proptest strategies of values and of the bodies of entries.

#![forbid(unsafe_code)]

mod clock;
pub mod conformance;
pub mod entries;
mod faulty;
mod memory;
mod script;
mod server;
#[cfg(feature = "strategies")]
pub mod strategies;

pub use clock::PausedClock;
pub use faulty::{Fault, FaultyLedger, FaultyRegistry, LedgerCall};
pub use memory::{
    Call, Change, ChangeOrigin, ErrorAnswer, InjectedFault, MemoryRegistry, RandomFaults, ReadFault, TestImage,
    UntaggedPolicy, Vendor,
};
pub use server::{
    Anonymous, AuthKind, AuthMode, Bearer, Expired, HttpAnswer, HttpFault, Lifetime, Login, RegistryServer, RetryAfter,
    Seen, TokenSeen,
};
