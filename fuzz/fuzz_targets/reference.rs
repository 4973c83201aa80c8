//! Names have one spelling: what is read comes back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tagwarden::{Channel, Reference, Repository, Tag, Timestamp};

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string(), text);
    }
    if let Ok(repository) = text.parse::<Repository>() {
        assert_eq!(repository.to_string(), text);
        assert_eq!(format!("{}/{}", repository.registry(), repository.path()), text);
    }
    if let Ok(channel) = text.parse::<Channel>() {
        assert_eq!(channel.to_string(), text);
        assert_eq!(channel.reference().to_string(), text);
    }
    if let Ok(tag) = text.parse::<Tag>() {
        assert_eq!(tag.to_string(), text);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
    }
});
