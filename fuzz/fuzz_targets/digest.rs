//! A digest has one spelling, and what breaks it is named by a byte of the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tagwarden::{Digest, ErrorKind};

fuzz_target!(|text: &str| {
    match text.parse::<Digest>() {
        Ok(digest) => assert_eq!(digest.to_string(), text),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ValueInvalid),
    }
});
