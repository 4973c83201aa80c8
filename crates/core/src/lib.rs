//! Moves floating OCI environment tags (`dev`, `preprod`, `prod`) as governed release events: a pipeline asks, a policy
//! judges, one move at a time runs, the tag goes to a new digest, and an append-only ledger keeps what was, what is, who
//! and why. **The tag is the operational alias; the resolved digest is the audit record.**
//!
//! Begin with [`Promoter`]. It needs a [`Registry`](registry::Registry), such as
//! `registry::oci::OciRegistry`, and a [`Ledger`](ledger::Ledger), such as `ledger::FileLedger`; for tests there are
//! [`MemoryRegistry`](registry::MemoryRegistry) and [`MemoryLedger`](ledger::MemoryLedger), with scripted faults.
//!
//! | floor | module | what |
//! | --- | --- | --- |
//! | 0 | [`value`] | digests, names, channels, provenance: parsed once, they cannot exist wrong |
//! | 1 | [`record`] | entries, the chain, its fold into moves |
//! | 2 | [`judge`] | guardrails and policy, drift, retention: pure functions of facts |
//! | 3 | [`registry`], [`ledger`], [`conformance`] | the two ports, their adapters and their laws |
//! | 4 | [`flux`] | artifacts that Flux consumes |
//! | 5 | [`promotion`] | [`Promoter`] and what it does; how a move runs is a state machine without I/O |
//!
//! # Features
//! `oci` (real registries) and `file` (the file ledger) are on by default. `object-store` adds an object store's layout in a
//! directory or in memory, `s3`, `gcs` and `azure` add those clouds, `postgres` adds a database. For tests, `testing` adds an
//! OCI registry over HTTP on loopback and a clock for paused time, `strategies` adds proptest strategies. No feature changes
//! how the rest behaves.

#![forbid(unsafe_code)]

pub mod conformance;
pub mod error;
pub mod flux;
pub mod judge;
pub mod ledger;
pub mod promotion;
pub mod record;
pub mod registry;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(any(feature = "oci", feature = "s3", feature = "gcs", feature = "azure"))]
mod tls;
pub mod value;

pub use error::{Class, Error, ErrorKind, Result, Retry};
pub use promotion::{MoveResult, Operation, Promoter, Receipt, Terms, Times};
pub use value::*;

/// The examples of the README, compiled.
#[cfg(all(doctest, feature = "oci", feature = "file"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
