//! Cross-crate tests of tagwarden; everything is in `tests/`.
