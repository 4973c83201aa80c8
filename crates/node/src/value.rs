//! Values, parsed by the core, and other synchronous functions.

use std::collections::HashMap;

use napi_derive::napi;
use tagwarden_bind::{Given, Surroundings};

use crate::call::{at_once, text};
use crate::object::fields;

/// The text of a value of this kind as the core writes it, and its parts.
#[napi(catch_unwind)]
pub fn parse_value(kind: String, given: String) -> napi::Result<String> {
    at_once(|| text(Given::json(&tagwarden_bind::parse_value(&kind, &given)?)?))
}

/// The digest of these bytes.
#[napi(catch_unwind)]
pub fn digest_of(bytes: &[u8]) -> String {
    tagwarden_bind::digest_of(bytes)
}

/// A provenance from the given parts, completed from `environment` if it is given, and from the terminal.
#[napi(catch_unwind)]
pub fn provenance(
    given: String,
    environment: Option<HashMap<String, String>>,
    terminal: bool,
    login: Option<String>,
) -> napi::Result<String> {
    at_once(|| {
        let around = environment.map(|environment| Surroundings { environment, terminal, login });
        let provenance = tagwarden_bind::provenance(fields("provenance", &given)?, around)?;
        text(Given::json(&provenance)?)
    })
}

/// Every error code with its retry, its class and its meaning.
#[napi(catch_unwind)]
pub fn error_kinds() -> String {
    tagwarden_bind::error_kinds().to_string()
}
