//! What the bindings of tagwarden share: the core, called by name, with JSON text in and out.
//!
//! A binding is two thin halves around this crate. The native half turns a call of its language into [`Fields`], an answer
//! into text, and keeps what cannot be text ([`Plan`], ports). The half in the language itself is what users see. No rule
//! lives in any of them: an argument is parsed by the core's own types, and an answer is the core's own JSON.

#![forbid(unsafe_code)]

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
mod server;
mod terms;
mod value;

pub use error::{Described, described, error_kinds};
pub use fields::{Fields, Style};
pub use flux::{pack, push};
pub use guard::{GUARDRAIL_FAILED, Guard, Judge};
pub use host::{Host, HostError, HostLedger, HostRegistry};
pub use ledger::{init_ledger, ledger, open_ledger};
pub use memory::memory;
pub use oci::oci;
pub use plan::{Approved, Plan};
pub use promoter::{Given, promoter, with_options};
pub use registry::registry;
pub use server::Server;
pub use value::{digest_of, parse_value, provenance};
