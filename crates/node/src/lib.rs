//! The Node binding of tagwarden: converts and calls; no rule lives here.
//!
//! What crosses the border is JSON text: a request is an object with the core's field names in camel case, an answer is
//! the core's own JSON. `lib/` holds the half in JavaScript, which is what users see.

#![deny(unsafe_code)]
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "what napi exports is public to it alone"
)]

mod call;
mod error;
mod fields;
mod host;

mod artifact;
mod conformance;
mod guardrail;
mod host_ledger;
mod host_registry;
mod ledger;
mod memory;
mod oci;
mod plan;
mod promoter;
mod registry;
mod server;
mod terms;
mod value;
