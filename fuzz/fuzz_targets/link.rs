#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| tagwarden::registry::oci::fuzz::link(text));
