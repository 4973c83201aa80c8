//! Tests of the ledger over a store in memory, with faults.

mod appends;
mod forks;
mod heads;
mod indexes;
mod opens;

use std::sync::Arc;

use super::script::{Asked, Scripted, Wrong};
use super::*;
use crate::log::{Body, EncodedEntry, Entry, EntryHash, Hold, HoldScope};
use crate::value::{Provenance, Timestamp};

const CHANNEL: &str = "reg.io/acme/shop:prod";
const ROOT: &str = "team/ledger/reg.io=2facme=2fshop=3aprod";

fn channel() -> Channel {
    CHANNEL.parse().unwrap()
}

fn key(seq: u64) -> String {
    format!("{ROOT}/log/{seq:020}.json")
}

/// An entry of the channel's log; `by` names the writer.
fn entry(seq: u64, parent: Option<EntryHash>, by: &str) -> EncodedEntry {
    let body = Body::Hold(Hold {
        scope: HoldScope::All,
        reason: "because".parse().unwrap(),
        provenance: Provenance::new("manual", "1", by).unwrap(),
        until: None,
    });
    let at = Timestamp::from_unix_ms(1_795_000_000_000);
    Entry { channel: channel(), seq, id: uuid::Uuid::now_v7(), at, parent, body }.seal().unwrap()
}

/// A log of `count` entries.
fn entries(count: u64) -> Vec<EncodedEntry> {
    let mut log: Vec<EncodedEntry> = Vec::new();
    for seq in 0..count {
        log.push(entry(seq, log.last().map(EncodedEntry::leaf), "ada"));
    }
    log
}

/// Stores entries from position `from` on without the ledger.
async fn lay(store: &Scripted, from: u64, log: &[EncodedEntry]) {
    for (seq, sealed) in (from..).zip(log) {
        store.plant(&key(seq), sealed.bytes()).await;
    }
}

async fn hint(store: &Scripted, size: u64, leaf: EntryHash) {
    let text = format!("{{\"channel\":\"{CHANNEL}\",\"leaf\":\"{leaf}\",\"size\":{size}}}");
    store.plant(&format!("{ROOT}/hint/head.json"), text.as_bytes()).await;
}

async fn opened(store: &Scripted) -> ObjectLedger {
    let ledger = ObjectLedger::over(Arc::new(store.clone()), "team/ledger", OpenMode::Write).await.unwrap();
    ledger.timeout(Duration::from_millis(200))
}

/// The requests since the last `calm`, without writes of the hint, which run in the background.
fn asked(store: &Scripted) -> Vec<(Asked, String)> {
    let hint = |key: &str| key.ends_with("/hint/head.json");
    store.asked().into_iter().filter(|(asked, key)| !(*asked == Asked::Put && hint(key))).collect()
}
