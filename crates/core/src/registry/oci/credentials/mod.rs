//! The credentials of registries, and the places in which they are looked up.
//!
//! A look-up goes through these places, and the first login is used: the variables of tagwarden, the variables that the
//! configuration names for the registry, the files in which docker, podman, skopeo, buildah and helm store logins (with
//! their credential helpers), and the token of the CI.

mod ci;
mod file;
mod helper;
mod key;
mod known;
mod login;
mod lookup;
mod places;
mod variables;

#[cfg(test)]
mod tests;

pub use login::Credentials;
pub use lookup::CredentialSource;

pub(super) use key::same_host;
pub(super) use known::{Found, Known};
pub(super) use login::{TOKEN_USER, authorization, basic};
pub(super) use lookup::Lookup;
