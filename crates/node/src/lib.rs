//! The Node binding: one file for each noun, with the types that `native.d.ts` is generated from.
//!
//! `lib/error.js` makes the errors, and wraps the methods of a user's objects; `index.js` has what is easier in JavaScript.

#![deny(unsafe_code)]
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "what napi exports is public to it alone"
)]

// The order counts: the macro of napi looks a type's name up in what it has seen. A record has texts where a call takes
// values, and both have one name.
#[macro_use]
mod host;

mod generated;
#[path = "../../bind/records/mod.rs"]
mod records;

mod value;

mod args;
mod artifact;
mod backend;
mod call;
mod config;
mod conformance;
mod faults;
mod given;
mod guardrail;
mod js;
mod ledger;
mod memory;
mod plan;
mod promoter;
mod provenance;
mod registry;
mod terms;
mod testing;
