//! A retention plan over 10,000 and 100,000 tags with a tenth as many moves: the time grows hardly faster than the input.
//!
//! `cargo bench -p tagwarden --bench retention` prints both times (goal: the larger one under 1 s) and their ratio (goal:
//! at most 15).

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark stops at the first surprise")]

use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use tagwarden::retention::{ChannelUsage, DigestRetention, LivePeriod, ManifestKind, RetentionInput, RetentionRule};
use tagwarden::{Digest, Repository, Tag, Timestamp};

const CHANNELS: usize = 4;
const ROUNDS: usize = 15;

/// The answers of a registry and a ledger, before a plan is made from them.
#[derive(Clone)]
struct World {
    tags: Vec<(Tag, Digest)>,
    histories: Vec<ChannelUsage>,
}

/// `tags` version tags, a digest each; a tenth of the digests was live on one of four channels and is pinned.
fn world(tags: usize) -> World {
    let digest = |n: usize| Digest::of(&n.to_be_bytes());
    let tag = |n: usize| format!("1.{}.{}", n / 1000, n % 1000).parse().expect("a tag");
    let mut histories: Vec<ChannelUsage> = (0..CHANNELS)
        .map(|n| ChannelUsage::empty(format!("reg.io/acme/shop:env-{n}").parse().expect("a channel")))
        .collect();
    let time = |n: usize| Timestamp::from_unix_ms(1_700_000_000_000 + 60_000 * n as i64);
    for n in 0..tags / 10 {
        let history = &mut histories[n % CHANNELS];
        let (seq, from) = (2 * history.lived.len() as u64, time(n));
        if let Some(last) = history.lived.last_mut() {
            last.until = Some(from);
        }
        history.lived.push(LivePeriod { seq, digest: digest(10 * n), from, until: None });
        history.live = Some(digest(10 * n));
        history.size = seq + 2;
    }
    World { tags: (0..tags).map(|n| (tag(n), digest(n))).collect(), histories }
}

/// Takes everything in and lists every decision: what a caller pays.
fn plan(world: World) -> Vec<DigestRetention> {
    let repository: Repository = "reg.io/acme/shop".parse().expect("a repository");
    let mut evidence = RetentionInput::new(repository);
    for history in world.histories {
        for lived in &history.lived {
            evidence.pin(&lived.digest);
        }
        evidence.history(history);
    }
    for (tag, digest) in world.tags {
        evidence.tag(tag, &digest);
        evidence.manifest(&digest, ManifestKind::Single);
    }
    let plan = RetentionRule::default().plan(evidence, Timestamp::from_unix_ms(1_800_000_000_000));
    assert!(plan.blocked().is_none());
    plan.digests()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Ten small plans beside each large one, so that both sides last as long and noise of the machine meets both alike.
fn print_ratio() {
    let (small, large) = (world(10_000), world(100_000));
    let time = |world: &World, times: usize| {
        let worlds: Vec<World> = (0..times).map(|_| world.clone()).collect();
        let start = Instant::now();
        let plans: Vec<_> = worlds.into_iter().map(plan).collect();
        let taken = start.elapsed();
        assert_eq!(plans.len(), times);
        taken
    };
    let pairs: Vec<_> = (0..ROUNDS).map(|_| (time(&small, 10), time(&large, 1))).collect();
    let mut ratios: Vec<f64> = pairs.iter().map(|(ten, one)| 10.0 * one.as_secs_f64() / ten.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    let small = median(pairs.iter().map(|(ten, _)| *ten / 10).collect());
    let large = median(pairs.iter().map(|(_, one)| *one).collect());
    let ratio = ratios[ROUNDS / 2];
    println!(
        "retention: 10,000 tags {small:.2?}, 100,000 tags {large:.2?} (goal: under 1 s): {ratio:.1} × for 10 × \
         (goal: at most 15)"
    );
}

fn main() {
    print_ratio();
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let mut group = criterion.benchmark_group("retention/plan");
    for tags in [10_000, 100_000] {
        let world = world(tags);
        group.throughput(Throughput::Elements(tags as u64));
        group.bench_function(BenchmarkId::from_parameter(tags), |bencher| {
            bencher.iter_batched(|| world.clone(), plan, BatchSize::LargeInput);
        });
    }
    group.finish();
    criterion.final_summary();
}
