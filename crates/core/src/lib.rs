//! Moves floating OCI environment tags (`dev`, `preprod`, `prod`) as governed release events: a pipeline requests a
//! move, a policy judges it, one move of a channel runs at a time, the tag points at a new digest, and an append-only
//! ledger records the previous digest, the new digest, the person or workload that moved it, and the reason. **The tag
//! is the operational alias; the resolved digest is the audit record.**
//!
//! Begin with [`Promoter`]. It needs a [`Registry`](registry::Registry), such as
//! `registry::oci::OciRegistry`, and a [`Ledger`](ledger::Ledger), such as `ledger::FileLedger`; for tests there are
//! [`MemoryLedger`](ledger::MemoryLedger) and the registries of the crate `tagwarden-testing`.
//!
//! | layer | module | contents |
//! | --- | --- | --- |
//! | 0 | [`value`] | digests, names, channels, provenance: checked once, when they are parsed |
//! | 1 | [`log`] | entries, the hash chain, and the state of a channel computed from them |
//! | 2 | [`policy`], [`drift`], [`retention`] | guardrails and policy, drift, retention: pure functions of facts |
//! | 3 | [`registry`], [`ledger`] | the two ports and their adapters |
//! | 4 | [`flux`] | artifacts that Flux consumes |
//! | 5 | [`promotion`] | [`Promoter`] and its operations; a state machine without I/O runs each move |
//!
//! # Features
//! `oci` (real registries) and `file` (the file ledger) are on by default. `object-store` adds a ledger in the layout
//! of an object store, kept in a directory or in memory; `s3`, `gcs` and `azure` add those clouds; `postgres` adds a
//! ledger in PostgreSQL. No feature changes the behaviour of the rest.
//!
//! # Testing
//! The crate `tagwarden-testing` has a registry in memory and one over HTTP on loopback, both with scripted faults,
//! contract tests for a registry or a ledger of your own, a clock for paused time, and proptest strategies.

#![forbid(unsafe_code)]

pub mod drift;
pub mod error;
pub mod flux;
pub mod ledger;
pub mod log;
pub mod policy;
pub mod promotion;
pub mod registry;
pub mod retention;
#[cfg(any(feature = "oci", feature = "s3", feature = "gcs", feature = "azure"))]
mod tls;
pub mod value;

pub use error::{Error, ErrorClass, ErrorKind, Result, Retry};
pub use promotion::{MoveOptions, MoveResult, Operation, Promoter, Receipt, Times};
pub use value::*;

// The sources of `tagwarden-testing` that the unit tests of this crate include name this crate so.
#[cfg(test)]
extern crate self as tagwarden;
#[cfg(test)]
mod testing;

/// The examples of the README, compiled.
#[cfg(all(doctest, feature = "oci", feature = "file"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
