//! A manifest keeps its bytes and is what its digest says. The input's first line is the media type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tagwarden::registry::Manifest;
use tagwarden::{Digest, ErrorKind};

fuzz_target!(|input: &[u8]| {
    let line = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (media_type, bytes) = (String::from_utf8_lossy(&input[..line]), &input[(line + 1).min(input.len())..]);
    match Manifest::new(bytes.to_vec(), &media_type) {
        Ok(manifest) => {
            assert_eq!(manifest.bytes(), bytes);
            assert!(manifest.digest().verify(bytes));
            assert!(Manifest::verified(bytes.to_vec(), &media_type, manifest.digest()).is_ok());
            let other = Manifest::verified(bytes.to_vec(), &media_type, Digest::of(b"another manifest"));
            assert_eq!(other.unwrap_err().kind(), ErrorKind::RegistryLied);
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::ValueInvalid),
    }
});
