#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| tagwarden::registry::oci::fuzz::www_authenticate(text));
