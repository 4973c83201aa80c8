//! `Crowd`: the other writers of a branch, as this process has met them, and the pause that lets them go first.

use std::time::{Duration, Instant};

/// The longest pause is less than the time of the last append times two to the power of this.
const STEPS: u32 = 4;

/// The least time that an append is taken to last.
const SHORTEST: Duration = Duration::from_millis(20);

/// The longest pause: the time to live of a move that is under way passes meanwhile.
const LONGEST: Duration = Duration::from_secs(10);

/// The time after which other writers that were met are forgotten.
const MEMORY: Duration = Duration::from_secs(60);

/// The other writers of a branch. Each push is on the tip that was read, so one of several wins.
///
/// The winner pauses longest before its next entry. The pause of a writer that lost is half as long after each entry
/// that came first, so that a slow writer gets its turn, too.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// The time that the last append took.
    pub(super) lasted: Duration,
    /// One more for each entry that came first, at most [`STEPS`], and one less where none came between two entries of
    /// this process.
    others: u32,
    /// The number of entries that came first since this process stored one.
    late: i32,
    /// The time when an entry of another writer last came first.
    met: Option<Instant>,
}

impl Crowd {
    /// Counts an entry of another writer that came first.
    pub(super) fn lost(&mut self) {
        self.others = STEPS.min(self.others + 1);
        self.late = self.late.saturating_add(1);
        self.met = Some(Instant::now());
    }

    /// Counts an entry of this process that was stored: `alone` if no other came since its last one.
    pub(super) fn won(&mut self, alone: bool) {
        self.others = self.others.saturating_sub(u32::from(alone));
        self.late = 0;
    }

    /// The time for which the others go first. None if there are none.
    pub(super) fn pause(&self) -> Option<Duration> {
        let longest = LONGEST.min(self.lasted.max(SHORTEST) * ((1 << self.others) - 1));
        let random = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        let is_crowded = self.others > 0 && self.met.is_some_and(|met| met.elapsed() < MEMORY);
        is_crowded.then(|| longest.mul_f64(random * 0.5_f64.powi(self.late)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTED: Duration = Duration::from_millis(600);

    /// The longest of many pauses.
    fn longest(crowd: &Crowd) -> Duration {
        (0..500).filter_map(|_| crowd.pause()).max().unwrap_or_default()
    }

    fn assert_close(crowd: &Crowd, expected: Duration) {
        let longest = longest(crowd);
        assert!(longest <= expected && longest > expected.mul_f64(0.9), "{longest:?}, not {expected:?}: {crowd:?}");
    }

    #[test]
    fn writer_alone_does_not_pause() {
        let mut crowd = Crowd { lasted: LASTED, ..Crowd::default() };
        assert_eq!(crowd.pause(), None);
        crowd.won(true);
        assert_eq!(crowd.pause(), None);
        crowd.lost();
        crowd.won(true);
        assert_eq!(crowd.pause(), None);
    }

    #[test]
    fn pause_after_a_win_is_the_longest_and_halves_with_each_loss() {
        let mut crowd = Crowd { lasted: LASTED, ..Crowd::default() };
        for _ in 0..5 {
            crowd.lost();
        }
        crowd.won(false);
        assert_close(&crowd, LASTED * 15);
        for nth in 1..=6 {
            crowd.lost();
            assert_close(&crowd, LASTED * 15 / (1 << nth));
        }
        crowd.won(true);
        assert_close(&crowd, LASTED * 7);
    }

    #[test]
    fn pause_beside_a_slow_server_is_no_longer_than_a_move_can_wait() {
        let mut crowd = Crowd { lasted: LASTED * 100, ..Crowd::default() };
        for _ in 0..5 {
            crowd.lost();
        }
        crowd.won(false);
        assert_close(&crowd, LONGEST);
    }

    #[test]
    fn writers_that_were_met_long_ago_are_forgotten() {
        let mut crowd = Crowd { lasted: LASTED, ..Crowd::default() };
        crowd.lost();
        assert!(crowd.pause().is_some());
        crowd.met = crowd.met.and_then(|met| met.checked_sub(MEMORY));
        assert_eq!(crowd.pause(), None);
    }

    #[test]
    fn writer_that_loses_for_long_pauses_no_more() {
        let mut crowd = Crowd { lasted: LASTED * 60, ..Crowd::default() };
        for _ in 0..10_000 {
            crowd.lost();
        }
        assert_eq!(longest(&crowd), Duration::ZERO);
    }
}
