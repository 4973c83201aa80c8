//! What the bindings of tagwarden share: the core, called by name, with JSON text in and out.
//!
//! A binding is two thin halves around this crate. The native half turns a call of its language into [`Fields`], an answer
//! into text, and keeps what cannot be text ([`Plan`], ports). The half in the language itself is what users see. No rule
//! lives in any of them: an argument is parsed by the core's own types, and an answer is the core's own JSON.

#![forbid(unsafe_code)]

mod backend;
mod error;
mod faults;
mod fields;
mod flux;
mod guard;
mod host;
mod laws;
mod ledger;
mod memory;
mod oci;
mod plan;
mod promoter;
mod registry;
mod server;
mod terms;
mod value;

pub use backend::{HostLedger, HostRegistry};
pub use error::{Failure, error_kinds};
pub use fields::{Fields, Style};
pub use flux::{Packed, pack, packed, push};
pub use guard::Guard;
pub use host::{Host, HostError, Port};
pub use laws::{ledger_laws, registry_laws};
pub use ledger::{init_ledger, ledger, open_ledger};
pub use memory::memory;
pub use oci::oci;
pub use plan::{Approved, Plan};
pub use promoter::{Given, Promoter};
pub use registry::registry;
pub use server::Server;
pub use value::{Surroundings, digest_of, parse_value, provenance};
