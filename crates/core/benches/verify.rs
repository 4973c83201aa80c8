//! Verifying a whole log against hashing the same bytes, in the same run (`cargo bench -p tagwarden --bench verify`).
//!
//! Prints both and their ratio; the goal is at most 5, parsing included. The log has `TAGWARDEN_MOVES` moves (50,000).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use tagwarden::log::{
    Body, ChannelState, Decision, Intent, LogReport, Outcome, PolicyEntry, PutStatus, RecordedFinding, RecordedPolicy,
    Source, Status, Verdict, Verifier,
};
use tagwarden::{Channel, Digest, Provenance, Timestamp};
use uuid::Uuid;

// A source of the crate `tagwarden-testing`, which depends on this one.
#[path = "../../testing/src/entries.rs"]
#[allow(dead_code, unreachable_pub)]
mod entries;

const PART_BYTES: usize = 8 * 1024 * 1024;

fn main() {
    let moves: u64 = std::env::var("TAGWARDEN_MOVES").map_or(50_000, |moves| moves.parse().unwrap());
    // The policy, and an intent and an outcome of each move.
    let entries = 1 + 2 * moves;
    let log = log(entries);
    let report = verify(&log);
    assert!(report.defect.is_none(), "{report:?}");
    assert_eq!(report.entries, entries);

    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("verify");
    group.throughput(Throughput::Bytes(log.len() as u64));
    group.bench_function("sha256 of the bytes", |b| b.iter(|| Digest::of(black_box(&log))));
    group.bench_function("the whole log", |b| b.iter(|| verify(black_box(&log))));
    group.finish();
    criterion.final_summary();

    // Machines are noisy: each sample is paired with its reference, and the median of the ratios counts.
    let mut wall = Vec::new();
    let mut work = Vec::new();
    let mut times = Vec::new();
    for _ in 0..25 {
        let hash = measure(|| _ = black_box(Digest::of(black_box(&log))));
        let check = measure(|| _ = black_box(verify(black_box(&log))));
        wall.push(check.0.as_secs_f64() / hash.0.as_secs_f64());
        work.push(check.1.as_secs_f64() / hash.1.as_secs_f64());
        times.push((hash.0, check.0));
    }
    wall.sort_by(f64::total_cmp);
    work.sort_by(f64::total_cmp);
    times.sort();
    let (middle, threads) = (wall.len() / 2, std::thread::available_parallelism().map_or(1, usize::from));
    println!(
        "verify {entries} entries, {:.1} MB: SHA-256 {:.1?}, verification on {threads} threads {:.1?}; \
         ratio {:.2} (from {:.2} to {:.2}; goal 5), of the processor's time {:.2}",
        log.len() as f64 / 1e6,
        times[middle].0,
        times[middle].1,
        wall[middle],
        wall[0],
        wall[wall.len() - 1],
        work[middle],
    );
}

/// How long `work` takes, on the clock and of the processors.
fn measure(work: impl FnOnce()) -> (Duration, Duration) {
    let cpu = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let (start, cpu_start) = (Instant::now(), cpu());
    work();
    (start.elapsed(), cpu() - cpu_start)
}

fn verify(log: &[u8]) -> LogReport {
    let mut verifier = Verifier::new(None);
    log.chunks(PART_BYTES).for_each(|part| verifier.feed_jsonl(part));
    verifier.finish()
}

/// A log of a policy and promotions, each an intent and its outcome, as lines.
fn log(entries: u64) -> Vec<u8> {
    let channel: Channel = "registry.example.com/acme/shop:prod".parse().unwrap();
    let mut state = ChannelState::empty(channel);
    let mut log = Vec::new();
    for n in 0..entries {
        let id = Uuid::from_u128(0x0193_f1c2_0000_7000_8000_0000_0000_0000 + (u128::from(n) << 80));
        let at = Timestamp::from_unix_ms(1_800_000_000_000 + n as i64 * 1000);
        let body = match n {
            0 => policy(),
            _ if n % 2 == 1 => intent(&state, n),
            _ => outcome(&state),
        };
        let sealed = state.next(body, id, at).seal().unwrap();
        state.take(sealed.bytes()).unwrap();
        log.extend_from_slice(sealed.bytes());
        log.push(b'\n');
    }
    log
}

fn policy() -> Body {
    let text = r#"{"guardrails":[{"name":"identity"}]}"#.to_owned();
    Body::Policy(PolicyEntry {
        name: "default".parse().unwrap(),
        digest: Digest::of(text.as_bytes()),
        text,
        binding: false,
        provenance: Provenance::new("manual", "bench", "bench").unwrap(),
    })
}

fn intent(state: &ChannelState, n: u64) -> Body {
    let mut provenance = Provenance::new("github-actions", &format!("90{n:08}"), "release-bot[bot]").unwrap();
    provenance.commit = Some("83de2dbaf189591c12fe8eac1130c8cdbf82970d".parse().unwrap());
    provenance.release = Some(format!("v1.{n}.0").parse().unwrap());
    provenance.pipeline.url = Some(format!("https://github.example.com/acme/shop/actions/runs/{n}").parse().unwrap());
    let base = entries::intent(&state.channel, n, state.live, Digest::of(&n.to_be_bytes())).unwrap();
    let finding = RecordedFinding {
        guardrail: "identity".parse().unwrap(),
        verdict: Verdict::Pass,
        code: None,
        why: "subject repo:acme/shop:environment:prod".parse().unwrap(),
    };
    let decision = Decision {
        at: Timestamp::from_unix_ms(1_800_000_000_000 + n as i64 * 1000),
        policy: RecordedPolicy { digest: state.policies[0], ..base.decision.policy.clone() },
        findings: vec![finding],
        ..base.decision.clone()
    };
    Body::Intent(Box::new(Intent {
        move_id: format!("0193f1c2-0000-7000-8000-{n:012x}").parse().unwrap(),
        key: format!("run-{n}").parse().unwrap(),
        source: Source::Reference(format!("registry.example.com/acme/shop:1.{n}.0").parse().unwrap()),
        provenance,
        decision,
        owner: "IbwNwrkWrEXJ/OgM9BqceA==".parse().unwrap(),
        ..base
    }))
}

fn outcome(state: &ChannelState) -> Body {
    let open = state.open.as_ref().unwrap();
    Body::Outcome(Outcome {
        move_id: open.move_id.clone(),
        intent_seq: open.seq,
        owner: open.owner.clone(),
        epoch: open.epoch,
        status: Status::Committed,
        observed: Some(open.target),
        attempts: 1,
        put: PutStatus::Accepted,
        recovered: false,
        error: None,
    })
}
