//! Seeds: workers with random moves, keys and deaths, over a registry and a ledger with random faults, in paused time.
//!
//! `TAGWARDEN_SEEDS=2000000 cargo test --release -p tagwarden-tests --test protocol seeds -- --nocapture` runs more;
//! `TAGWARDEN_SEED=n` runs one, and prints its history.

mod flaky;
mod judge;
mod worker;
mod world;

use tagwarden_tests::number_of;

use self::world::World;
use crate::seeds::{Outcome, Seen, run};

/// In one of this many seeds the registry breaks a requirement.
const BEYOND: u64 = 6;

/// The default number of seeds whose registry keeps the requirements.
const SEEDS: u64 = 1_000;

/// Runs one seed.
fn simulate(seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { World::new(seed, !seed.is_multiple_of(BEYOND)).live().await })
}

#[test]
fn seeds_keep_the_invariants() {
    let kept = number_of("TAGWARDEN_SEEDS").unwrap_or(SEEDS);
    let seeds = kept + kept / (BEYOND - 1);
    let Some(seen) = run(seeds, simulate) else { return };
    let words = [
        "promote committed",
        "promote failed",
        "promote aborted",
        "rollback committed",
        "bootstrap committed",
        "repair committed",
        "adopt committed",
        "taken over",
        "put unknown",
        "worker died",
        "recovered at the end",
        "call caller went away",
        "hold noted",
        "unhold noted",
        "deployment noted",
        "call promote replayed",
        "call promote unchanged",
        "call refused CHANNEL_CHANGED",
        "call refused CHANNEL_BUSY",
        "call refused CHANNEL_HELD",
        "call refused CHANNEL_DRIFTED",
        "call refused IDEMPOTENCY_MISMATCH",
        "call refused MOVE_INDETERMINATE",
        "call refused MOVE_FAILED",
    ];
    seen.assert_each(&words, seeds / 5_000);
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 1_000_000..1_000_060 {
        let (one, two) = (simulate(seed), simulate(seed));
        assert_eq!(one.history, two.history, "seed {seed}");
        assert_eq!(one.seen.words, two.seen.words, "seed {seed}");
    }
}
