//! A clock for tests under paused time.

use std::time::Duration;

use tokio::time::Instant;

use tagwarden::{Clock, Timestamp};

/// A clock that follows tokio's time. Under `tokio::time::pause`, deadlines pass without waiting.
///
/// Its wall clock begins at 2026-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug)]
pub struct PausedClock {
    start: Instant,
}

impl PausedClock {
    /// A clock that begins now. Call it inside a tokio runtime.
    pub fn new() -> PausedClock {
        PausedClock { start: Instant::now() }
    }
}

impl Default for PausedClock {
    fn default() -> PausedClock {
        PausedClock::new()
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        const START_MS: i64 = 1_767_225_600_000;
        Timestamp::from_unix_ms(START_MS).plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
