//! The shared part of tagwarden's bindings: what is the same in each language.
//!
//! A binding is a native class for each class of the core, with a method for each method. This crate reads arguments
//! that are more than one value of the core ([`args`], [`provenance`], [`settings`]), makes a registry, a ledger and
//! guardrails of the core from objects of the other language ([`foreign`]), and turns a failure into the parts of an
//! exception ([`failure`]). The records that a binding answers are described in `records/`, which each binding
//! includes, and [`convert`] makes them from the core's. Neither this crate nor a binding has rules of its own: a text
//! is parsed by the core's types.

#![forbid(unsafe_code)]

pub mod args;
pub mod artifact;
pub mod convert;
pub mod failure;
pub mod foreign;
pub mod provenance;
pub mod settings;
pub mod testing;
