//! Moves floating OCI environment tags (`dev`, `preprod`, `prod`) as governed release events. A pipeline asks for a
//! move, a policy judges it, one move of a channel runs at a time, the tag goes to a new digest, and an append-only
//! ledger keeps the previous digest, the new digest, the pipeline run, the actor and the time. **The tag is the
//! operational alias; the resolved digest is the audit record.**
//!
//! ```no_run
//! # #[cfg(all(feature = "oci", feature = "file"))]
//! # async fn example() -> tagwarden::Result<()> {
//! use tagwarden::{Channel, Promoter, Provenance, open_ledger};
//!
//! let promoter = Promoter::builder().ledger(open_ledger("/var/lib/tagwarden").await?).build()?;
//! let prod: Channel = "registry.example.com/acme/shop:prod".parse()?;
//! let ada = Provenance::manual("ada")?;
//! let receipt = promoter.promote(&prod, "registry.example.com/acme/shop:1.4.2").provenance(&ada).await?;
//! println!("{prod}: {:?} -> {}", receipt.previous_digest, receipt.digest);
//! # Ok(()) }
//! ```
//!
//! Begin with [`Promoter`]: its methods are the moves ([`promote`](Promoter::promote),
//! [`rollback`](Promoter::rollback), [`bootstrap`](Promoter::bootstrap), [`repair`](Promoter::repair),
//! [`adopt`](Promoter::adopt)), the questions ([`current`](Promoter::current), [`history`](Promoter::history),
//! [`diff`](Promoter::diff), [`audit`](Promoter::audit)) and [`recover`](Promoter::recover).
//!
//! # Registries
//! A [`Registry`](registry::Registry) has the tags. `registry::oci::OciRegistry` (feature `oci`) speaks to every
//! registry that follows the OCI distribution specification 1.1.
//!
//! # Ledgers
//! A [`Ledger`](ledger::Ledger) stores one log for each channel. Its only demand on a backend is *append at this
//! position if it is the next one*. There are `FileLedger` (feature `file`; one host), `ObjectLedger` (features
//! `object-store`, `s3`, `gcs`, `azure`), `PostgresLedger` (feature `postgres`) and
//! [`MemoryLedger`](ledger::MemoryLedger). [`LedgerUrl`](ledger::LedgerUrl) opens any of them by its URL.
//!
//! # Guarantees
//! - No tag is put without a durable intent before it.
//! - Moves of one channel never interleave, across the processes and machines that share the ledger.
//! - A committed move was read back from the registry after its put.
//! - One idempotency key commits once.
//! - A changed, missing or reordered entry is found by [`verify`](Promoter::verify).
//!
//! A push around tagwarden is detected, not prevented. `docs/concepts.md` has the whole list, and
//! `docs/internals/protocol.md` the steps of a move and how they are checked.
//!
//! # Errors
//! There is one [`Error`]. Its [`kind`](Error::kind) has a stable code, a [class](ErrorClass) that says what happened
//! (refused, failed, unknown, …) and says when to [retry](Retry). `docs/reference/errors.md` lists every code.
//!
//! # Testing
//! The crate `tagwarden-testing` has a registry in memory and one over HTTP on loopback, both with scripted faults,
//! contract tests for a registry or a ledger of your own, a clock for paused time, and proptest strategies.
//!
//! # Features
//! `oci` and `file` are on by default. `object-store` adds a ledger in the layout of an object store, kept in a
//! directory; `s3`, `gcs` and `azure` add those clouds; `postgres` adds a ledger in PostgreSQL. `config` reads
//! `tagwarden.toml`. No feature changes the behaviour of the rest.
//!
//! # Layers
//! A module uses those of its own layer and below.
//!
//! | layer | module | contents |
//! | --- | --- | --- |
//! | 0 | [`value`] | digests, names, channels, provenance: checked once, when they are parsed |
//! | 1 | [`log`] | entries, the hash chain, and the state of a channel computed from them |
//! | 2 | [`policy`], [`drift`], [`retention`] | guardrails and policy, drift, retention: pure functions of facts |
//! | 3 | [`registry`], [`ledger`] | the two ports and their adapters |
//! | 4 | [`flux`], [`diff`] | artifacts that Flux consumes; what changes from one release to another |
//! | 5 | [`promotion`] | [`Promoter`] and its operations; a state machine without I/O runs each move |
//! | 6 | `config` | `tagwarden.toml`, with the policy of each environment (feature `config`) |

#![forbid(unsafe_code)]

mod backoff;
#[cfg(feature = "config")]
pub mod config;
pub mod diff;
pub mod drift;
pub mod error;
pub mod flux;
#[cfg(any(feature = "oci", feature = "s3", feature = "gcs", feature = "azure"))]
mod http;
pub mod ledger;
mod lock;
pub mod log;
pub mod policy;
pub mod promotion;
pub mod registry;
pub mod retention;
mod secret;
#[cfg(any(feature = "oci", feature = "s3", feature = "gcs", feature = "azure", feature = "postgres"))]
mod tls;
pub mod value;

pub use error::{Error, ErrorClass, ErrorKind, Result, Retry};
pub use ledger::open_ledger;
pub use promotion::{MoveOptions, MoveRequest, MoveResult, Operation, Promoter, Receipt, Times};
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
