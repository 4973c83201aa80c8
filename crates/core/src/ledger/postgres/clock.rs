//! `DatabaseClock`: the database's own time, as it was said last.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::value::Timestamp;

/// What the database's `clock_timestamp()` was last, and when that answer came, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct DatabaseClock(Mutex<Option<(Timestamp, Instant)>>);

impl DatabaseClock {
    /// The database said that it is this time, in milliseconds since 1970.
    pub(super) fn note(&self, unix_ms: i64) {
        let said = Some((Timestamp::from_unix_ms(unix_ms), Instant::now()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }

    /// What it would say now; none if it was not asked yet.
    pub(super) fn now(&self) -> Option<Timestamp> {
        let said = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.map(|(said, at)| said.plus(at.elapsed()))
    }
}
