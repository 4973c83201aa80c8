//! Runs histories from seeds, on every processor. `TAGWARDEN_SEED=n` runs one seed and prints its history.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tagwarden_tests::number_of;

/// The number of times that each event happened.
#[derive(Debug, Default)]
pub struct Seen {
    pub words: BTreeMap<String, u64>,
}

impl Seen {
    pub fn count(&mut self, word: impl Into<String>) {
        *self.words.entry(word.into()).or_default() += 1;
    }

    /// Asserts that each word was counted more than `at_least` times: a simulation in which nothing happens would
    /// satisfy every invariant.
    pub fn assert_each(&self, words: &[&str], at_least: u64) {
        for word in words {
            let count = self.words.get(*word).copied().unwrap_or(0);
            assert!(count > at_least, "{word}: {count} times");
        }
    }
}

/// The result of one seed.
pub struct Outcome {
    pub history: String,
    pub seen: Seen,
    pub broken: Vec<String>,
}

/// Runs the seeds from 0 up. With `TAGWARDEN_SEED` it runs only that seed and returns none.
pub fn run(seeds: u64, simulate: impl Fn(u64) -> Outcome + Sync) -> Option<Seen> {
    if let Some(seed) = number_of("TAGWARDEN_SEED") {
        let Outcome { history, seen, broken } = simulate(seed);
        println!("{history}{seen:#?}");
        assert_eq!(broken, [""; 0]);
        return None;
    }
    let (next, since) = (AtomicU64::new(0), Instant::now());
    let (all, failures) = (Mutex::new(Seen::default()), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, |threads| threads.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failures.lock().unwrap().len() < 5 {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    let outcome = simulate(seed);
                    if !outcome.broken.is_empty() {
                        failures.lock().unwrap().push((seed, outcome.broken));
                    }
                    let mut all = all.lock().unwrap();
                    for (word, count) in outcome.seen.words {
                        *all.words.entry(word).or_default() += count;
                    }
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    for (word, count) in &all.words {
        println!("{count:>9} {word}");
    }
    let seconds = since.elapsed().as_secs_f64();
    println!("{seeds} seeds in {seconds:.1} s: {:.0} a second", seeds as f64 / seconds);
    let failures = failures.into_inner().unwrap();
    if let Some((seed, _)) = failures.first() {
        println!("seed {seed}:\n{}", simulate(*seed).history);
    }
    assert!(failures.is_empty(), "TAGWARDEN_SEED=n runs one: {failures:#?}");
    Some(all)
}
