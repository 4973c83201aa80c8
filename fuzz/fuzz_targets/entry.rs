//! One entry: what is accepted is canonical, can be opened, and says in both readings the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tagwarden::record::{Entry, Step, canonical, check};
use tagwarden::{Channel, Digest};

fuzz_target!(|bytes: &[u8]| {
    let value = serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    // What the entry itself names, so that not every input stops at the position.
    let channel: Option<Channel> = value["channel"].as_str().and_then(|text| text.parse().ok());
    let channel = channel.unwrap_or_else(|| "reg.io/a:prod".parse().unwrap());
    let parent: Option<Digest> = value["parent"].as_str().and_then(|text| text.parse().ok());
    let seq = value["seq"].as_u64().unwrap_or(0);
    if let Ok((_, step)) = check(&channel, seq, parent, bytes) {
        assert_eq!(canonical(&value).unwrap(), bytes);
        let entry = Entry::open(bytes).unwrap();
        assert_eq!(Step::of(entry.seq, &entry.channel, &entry.body), step);
    }
});
