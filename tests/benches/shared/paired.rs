//! Measures in pairs: the measured call and its reference take turns in one run.

use std::time::Duration;

/// Measures both calls in turns, and prints the medians and their ratio.
pub fn paired(
    (what, goal, rounds): (&str, f64, usize),
    mut measured: impl FnMut() -> Duration,
    against: &str,
    mut reference: impl FnMut() -> Duration,
) {
    let mut times = [Vec::new(), Vec::new()];
    let warm_up = (rounds / 10).max(1);
    for round in 0..rounds + warm_up {
        // The order alternates.
        let (a, b) = match round % 2 {
            0 => (measured(), reference()),
            _ => {
                let b = reference();
                (measured(), b)
            }
        };
        if round >= warm_up {
            times[0].push(a);
            times[1].push(b);
        }
    }
    let [a, b] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    let ratio = a.as_secs_f64() / b.as_secs_f64();
    println!("{what}: {a:.2?}; {against}: {b:.2?}; ratio {ratio:.2} (goal: at most {goal})");
}
