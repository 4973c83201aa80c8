//! Cross-crate tests of tagwarden; everything is in `tests/`.

pub mod docker_registry;
