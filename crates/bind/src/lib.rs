//! The shared part of tagwarden's bindings: the core, called by method name, with JSON text in and out.
//!
//! A binding has two thin layers above this crate. The native layer converts a call of its language into [`Fields`] and
//! an answer into text, and keeps the values that cannot be text ([`Plan`], ports). The layer in the language itself is
//! the user's API. Neither layer has rules of its own: an argument is parsed by the core's types, and an answer is the
//! core's JSON.

#![forbid(unsafe_code)]

mod backend;
mod error;
mod faults;
mod fields;
mod flux;
mod guard;
mod host;
mod ledger;
mod memory;
mod oci;
mod plan;
mod promoter;
mod registry;
mod requirements;
mod server;
mod terms;
mod value;

pub use backend::{HostLedger, HostRegistry};
pub use error::{Failure, error_kinds};
pub use fields::{Fields, Style};
pub use flux::{Packed, pack, packed, push};
pub use guard::Guard;
pub use host::{Host, HostError, Port};
pub use ledger::{init_ledger, ledger, open_ledger};
pub use memory::memory;
pub use oci::oci;
pub use plan::{ApprovedPlan, Plan};
pub use promoter::{Given, Promoter};
pub use registry::registry;
pub use requirements::{ledger_requirements, registry_requirements};
pub use server::Server;
pub use value::{Surroundings, digest_of, parse_value, provenance};
