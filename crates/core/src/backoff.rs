//! `Backoff`: the pauses between the attempts of one operation.

use std::time::Duration;

/// Pauses that grow: the first step, and then each step twice as long, up to the longest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The pause before the next attempt, after `failed` failed ones (from 1). It is random between half of the step
    /// and the whole step, so that clients that failed together do not try again together.
    pub(crate) fn pause(self, failed: u32) -> Duration {
        let step = self.first.saturating_mul(1 << failed.saturating_sub(1).min(10)).min(self.longest);
        // Without random bytes the pause is the whole step, so that pauses are only less well spread.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        step / 2 + step.mul_f64(f64::from(random) / f64::from(u32::MAX)) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_their_step() {
        let backoff = Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) };
        for (failed, step_ms) in [(1, 50), (2, 100), (3, 200), (6, 1600), (7, 2000), (50, 2000)] {
            for _ in 0..20 {
                let pause = backoff.pause(failed).as_millis();
                assert!((step_ms / 2..=step_ms).contains(&pause), "{failed}: {pause} ms");
            }
        }
    }
}
